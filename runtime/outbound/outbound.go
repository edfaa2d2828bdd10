// Package outbound says who may be called, and over which trunk.
//
// Nothing may, at first, but this machine itself. [Policy.Route] turns what a
// document dials, a number or a sip: URI, into the address an INVITE goes to,
// or into a [Denied] that says which line of the configuration would allow it.
// [Policy.Begin] counts what runs against the limits of a trunk, [Policy.Redirect]
// says where the other side may send a call, and [NextHop] ends loops.
package outbound

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is what a [Policy] is made of. Its zero value allows calls to this
// machine only.
type Config struct {
	Trunks []Trunk // in the order in which they are tried for

	// Allow and Deny are patterns: "+4930*" and "100" are numbers, as they are
	// or by their beginning; "alice@example.com", "*@example.com" and
	// "*@*.example.com" are addresses, with or without sip: and a port.
	Allow, Deny []string

	Countries []string // whose numbers may be called: ISO 3166 codes, such as DE

	File string // that all this stands in, for errors; "" names none
}

// Trunk is a provider that calls are sent to.
type Trunk struct {
	Name      string
	Server    string // host[:port] that calls are sent to; "": none are
	Transport string // udp or tcp; "" is udp

	Username, Password string

	Allow            []string // hosts and networks that calls come in from
	Emergency        bool     // emergency numbers reach the right services by it
	MaxCalls, MaxCPS int      // calls at a time and new ones per second that we place; 0 is any number
}

// Denied is why a target may not be called. Fix says what to write instead, or
// into the configuration.
type Denied struct {
	code     int
	Msg, Fix string
}

// Codes of the platforms. That of emergency numbers is our own.
const (
	codeNumber    = 13224 // invalid, or no way there
	codeBlocked   = 13225
	codeCountry   = 13227
	codeURI       = 13243
	codeEmergency = 13299
)

// Code is the platforms' error code.
func (d *Denied) Code() int { return d.code }

func (d *Denied) Error() string { return d.Msg + "; " + d.Fix }

// Route is where a call goes.
type Route struct {
	URI                string // of the called side, put together anew from checked parts
	Proxy              string // host[:port][;transport=tcp] to send to; "" is the host of URI
	Username, Password string
	Trunk              string // name; "" when the call goes to an address directly
	Emergency          bool   // an emergency number: no limit of ours may stop it

	loopback bool
}

// Policy decides about calls. All its methods may be called from any goroutine.
type Policy struct {
	trunks      []*trunk
	allow, deny []pattern
	countries   []string
	file        string

	mu sync.Mutex // guards live and budget of trunks
}

type trunk struct {
	Trunk
	host string
	port int // 0: not written

	live   int       // calls that were begun and have not ended
	budget float64   // calls that may begin right away
	filled time.Time // when budget was right
}

// New checks c. Its error names every slip.
func New(c Config) (*Policy, error) {
	p := &Policy{countries: c.Countries, file: c.File}
	var slips []error
	for i, t := range c.Trunks {
		if slices.ContainsFunc(c.Trunks[:i], func(o Trunk) bool { return o.Name == t.Name }) {
			slips = append(slips, fmt.Errorf("two trunks are called %q", t.Name))
		}
		if t.Server == "" {
			p.trunks = append(p.trunks, &trunk{Trunk: t})
			continue
		}
		host, port, err := splitHost(t.Server)
		if err != nil {
			slips = append(slips, fmt.Errorf("trunk %q: its server %w", t.Name, err))
		}
		p.trunks = append(p.trunks, &trunk{Trunk: t, host: host, port: port, budget: float64(t.MaxCPS)})
	}
	for _, list := range []struct {
		from []string
		to   *[]pattern
	}{{c.Allow, &p.allow}, {c.Deny, &p.deny}} {
		for _, s := range list.from {
			pat, err := parsePattern(s)
			if err == nil && pat.everything() && list.to == &p.allow {
				err = errEverything
			}
			if err != nil {
				slips = append(slips, fmt.Errorf("pattern %q %w", s, err))
			}
			*list.to = append(*list.to, pat)
		}
	}
	for _, iso := range c.Countries {
		if !KnownCountry(iso) {
			slips = append(slips, fmt.Errorf("there is no country %q", iso))
		}
	}
	if len(slips) > 0 {
		return nil, errors.Join(slips...)
	}
	return p, nil
}

// CheckPattern reports what is wrong with a pattern of Allow or Deny, and after
// a semicolon what to write. It does not repeat the pattern.
func CheckPattern(s string, allow bool) error {
	p, err := parsePattern(s)
	if err == nil && allow && p.everything() {
		return errEverything
	}
	return err
}

// CheckServer reports what is wrong with the server of a trunk, as CheckPattern
// does.
func CheckServer(s string) error {
	if strings.HasPrefix(s, "sip:") || strings.HasPrefix(s, "sips:") {
		return errors.New("is a URI; write its host alone, with :port where needed")
	}
	_, _, err := splitHost(s)
	return err
}

// Peers are the hosts and networks that calls may come in from because of
// trunks.
func (p *Policy) Peers() []string {
	var peers []string
	for _, t := range p.trunks {
		peers = append(peers, t.Allow...)
	}
	return peers
}

// Route says where a call to target goes. Target is a number, as E.164 with its
// +, or with 00 or 011 instead, or as digits that a pattern allows; or a sip: or
// tel: URI. The error is a [*Denied].
func (p *Policy) Route(target string) (Route, error) {
	u, n, err := parseTarget(target)
	switch {
	case err != nil:
		return Route{}, err
	case u != nil:
		return p.address(*u)
	}
	return p.number(n, nil)
}

// CheckTarget reports what keeps target from being called whatever the rules say.
// The error is a [*Denied].
func CheckTarget(target string) error {
	_, _, err := parseTarget(target)
	return err
}

// parseTarget reads a SIP address or else, with a nil u, a number.
func parseTarget(target string) (u *uri, n number, err error) {
	target = strings.TrimSpace(target)
	scheme, rest, ok := strings.Cut(target, ":")
	if !ok {
		scheme = ""
	}
	switch strings.ToLower(scheme) {
	case "sip":
		u, err := parseURI(rest)
		if err != nil {
			return nil, n, &Denied{codeURI, err.Error(), "write sip:name@host, with host:port and ;transport=tcp where needed"}
		}
		return &u, n, nil
	case "sips":
		return nil, n, &Denied{codeURI, "sips: needs TLS, which this version does not speak", "write sip:"}
	case "tel":
		target = rest
	case "client":
		return nil, n, &Denied{codeNumber, "a client has to register first, which this version does not know", "dial its SIP address"}
	}
	n, ok = parseNumber(target)
	if !ok {
		return nil, n, &Denied{codeNumber, "what is dialled is no number and no SIP address", "write +14155550100 or sip:name@host"}
	}
	return nil, n, nil
}

// in is a key of the configuration, with the file that it stands in.
func (p *Policy) in(key string) string {
	if p.file == "" {
		return key
	}
	return key + " in " + p.file
}

// Redirect reports whether the call that was placed by way of from may go on
// to uri, where the other side sends it (a 3xx, RFC 3261 §8.1.3.4). The same
// rules count as for a target, and it may neither get to a trunk by that, since
// the trunk is ours to pay, nor from another machine into this one.
func (p *Policy) Redirect(from Route, uri string) bool {
	if !strings.HasPrefix(uri, "sip:") {
		return false
	}
	to, err := p.Route(uri)
	return err == nil && (to.Trunk == "" || to.Trunk == from.Trunk) && (!to.loopback || from.loopback)
}

// number routes n, over t unless that is nil.
func (p *Policy) number(n number, t *trunk) (Route, error) {
	if digits, ok := p.emergency(n); ok {
		return p.help(digits, t)
	}
	if msg := n.flaw(); msg != "" {
		return Route{}, &Denied{codeNumber, msg, "write it with + and country code, as in +14155550100"}
	}
	if t == nil {
		i := slices.IndexFunc(p.trunks, func(t *trunk) bool { return t.Server != "" })
		if i < 0 {
			return Route{}, &Denied{codeNumber, "there is no trunk to call numbers with", "write its server and credentials under " + p.in("sip.trunks")}
		}
		t = p.trunks[i]
	}
	if err := p.permit(n); err != nil {
		return Route{}, err
	}
	return t.route(n.String(), false)
}

// permit reports whether n may be called over a trunk.
func (p *Policy) permit(n number) error {
	if slices.ContainsFunc(p.deny, func(d pattern) bool { return d.matchesNumber(n) }) {
		return &Denied{codeBlocked, "a pattern of " + p.in("dial.deny") + " matches this number", "remove the pattern if it should be called"}
	}
	allowed := 0 // characters that a pattern names
	match := false
	for _, a := range p.allow {
		if a.matchesNumber(n) {
			allowed, match = max(allowed, len(a.user)), true
		}
	}
	if kind, prefix := costly(n); kind != "" && allowed < len(prefix) {
		return &Denied{codeBlocked, "this is " + kind + " number (+" + prefix + ")", `if it should be called, write a pattern that names it into ` + p.in("dial.allow") + `, as in "+` + prefix + `*"`}
	}
	if match {
		return nil
	}
	if !n.international {
		return &Denied{codeNumber, "digits without + and country code are called only if a pattern names them", `write the number as +14155550100, or add it to ` + p.in("dial.allow") + `, as in allow: ["100"]`}
	}
	isos, code := countriesOf(n.digits)
	if slices.ContainsFunc(isos, func(iso string) bool { return slices.Contains(p.countries, iso) }) {
		return nil
	}
	if len(isos) == 0 {
		return &Denied{codeCountry, "this number belongs to no country", "write a pattern for it into " + p.in("dial.allow") + " if it should be called"}
	}
	fix := "add " + isos[0] + " to " + p.in("dial.countries")
	if len(p.countries) == 0 {
		fix = "write countries: [" + isos[0] + "] under " + p.in("dial")
	}
	return &Denied{codeCountry, "numbers of " + strings.Join(isos, ", ") + " (+" + code + ") may not be called", fix + ", or a pattern into dial.allow"}
}

// help routes a call for help, whatever else the rules say.
func (p *Policy) help(digits string, t *trunk) (Route, error) {
	if t == nil {
		i := slices.IndexFunc(p.trunks, func(t *trunk) bool { return t.Emergency && t.Server != "" })
		if i >= 0 {
			t = p.trunks[i]
		}
	}
	if t == nil || !t.Emergency {
		return Route{}, &Denied{codeEmergency, "this is an emergency number, and no trunk is known to reach the right services",
			"write emergency: true at a trunk of " + p.in("sip.trunks") + " whose provider has your address and agrees to such calls"}
	}
	return t.route(digits, true)
}

// route is the way to user over t.
func (t *trunk) route(user string, emergency bool) (Route, error) {
	proxy := t.Server
	switch t.Transport {
	case "", "udp":
	case "tcp":
		proxy += ";transport=tcp"
	default:
		return Route{}, &Denied{codeNumber, fmt.Sprintf("trunk %q wants %s, which this version does not speak", t.Name, t.Transport), "write transport: udp or tcp"}
	}
	u := uri{user: user, host: t.host, port: t.port}
	return Route{URI: u.String(), Proxy: proxy, Username: t.Username, Password: t.Password, Trunk: t.Name, Emergency: emergency}, nil
}

// address routes a SIP address.
func (p *Policy) address(u uri) (Route, error) {
	for _, t := range p.trunks {
		here := isLoopback(u.host) && isLoopback(t.host) // a gateway on this machine, by whatever address
		if t.Server != "" && (here && samePort(t.port, u.port) || !here && t.host == u.host) {
			return p.atTrunk(u, t)
		}
	}
	if slices.ContainsFunc(p.deny, func(d pattern) bool { return d.matches(u) }) {
		return Route{}, &Denied{codeBlocked, "a pattern of " + p.in("dial.deny") + " matches this address", "remove the pattern if it should be called"}
	}
	if isLoopback(u.host) {
		if u.host == "localhost" {
			u.host = "127.0.0.1" // no resolver is asked what it takes for this machine
		}
		return Route{URI: u.String(), loopback: true}, nil
	}
	named, match := 0, false
	exact := false
	for _, a := range p.allow {
		if a.host != "" && a.matches(u) {
			named, match, exact = max(named, len(a.user)), true, exact || a.exact
		}
	}
	if !match {
		return Route{}, &Denied{codeBlocked, "the host " + u.host + " may not be called", p.allowing(u)}
	}
	n, ok := parseNumber(u.user)
	switch {
	case !ok && (u.phone || strings.HasPrefix(u.user, "+")):
		return Route{}, &Denied{codeNumber, "the user of the SIP address is no number", "write + and digits before the @, or leave out ;user=phone"}
	case !ok:
		return Route{URI: u.String()}, nil
	}
	if _, help := p.emergency(n); help && !exact {
		return Route{}, &Denied{codeEmergency, "this may be an emergency number at " + u.host, "write it out in " + p.in("dial.allow") + ", user and host, if it is none, or if its calls reach the right services"}
	}
	if kind, prefix := costly(n); kind != "" && named < len(prefix) {
		return Route{}, &Denied{codeBlocked, "this is " + kind + " number (+" + prefix + ")", `if it should be called, write "+` + prefix + "*@" + u.host + `" into ` + p.in("dial.allow")}
	}
	return Route{URI: u.String()}, nil
}

// allowing says what to write so that u may be called.
func (p *Policy) allowing(u uri) string {
	all := `"*@` + strings.Trim(u.host, "[]") + `"`
	exact := u.user + "@" + u.host
	if u.user == "" || strings.Contains(u.user, "*") || CheckPattern(exact, true) != nil {
		return "add " + all + " to " + p.in("dial.allow")
	}
	return `add "` + exact + `" to ` + p.in("dial.allow") + ", or " + all + " for all of that host"
}

// atTrunk routes an address at a trunk's server. Numbers there are numbers,
// however they are written: no spelling gets around the rules for them.
func (p *Policy) atTrunk(u uri, t *trunk) (Route, error) {
	if n, ok := parseNumber(u.user); ok {
		return p.number(n, t)
	}
	denied := slices.ContainsFunc(p.deny, func(d pattern) bool { return d.matches(u) })
	named := slices.ContainsFunc(p.allow, func(a pattern) bool { return a.host != "" && a.user != "" && a.matches(u) })
	digits := 0
	for i := range len(u.user) {
		if '0' <= u.user[i] && u.user[i] <= '9' {
			digits++
		}
	}
	switch {
	case denied:
		return Route{}, &Denied{codeBlocked, "a pattern of " + p.in("dial.deny") + " matches this address", "remove the pattern if it should be called"}
	case named:
	case u.user == "" || !isLetter(u.user[0]) || digits > 6 || u.phone:
		// A prefix, a star code or letters for digits: the trunk would
		// read a number that no rule has seen.
		return Route{}, &Denied{codeBlocked, "this is neither a plain number nor a name at the trunk " + t.Name, "write +14155550100, or add the address to " + p.in("dial.allow")}
	}
	return t.route(u.user, false)
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
