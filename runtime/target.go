package runtime

import (
	"cmp"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/texml"
)

// target is one noun of a <Dial>: whom to call, and what is done on that leg
// before the two are joined.
type target struct {
	node    texml.Node
	to      []Destination // one after the other, until one of them answers
	whisper Request       // URL "" is none
	status  texml.StatusCallbacks
	digits  string // pressed after the answer
	amd     texml.AMD
	sip     bool
}

// targets are the nouns of d that can be called.
func (c *script) targets(d *texml.Dial) (all []target) {
	to := func(uri string) Destination { return c.to(d, uri) }
	for _, n := range d.Nouns {
		t := target{node: n}
		switch n := n.(type) {
		case *texml.Number:
			t.to = []Destination{to(n.Number)}
			t.whisper, t.status, t.digits = Request{URL: n.URL, Method: n.Method}, n.StatusCallbacks, n.SendDigits
			t.amd = n.AMD
		case *texml.Sip:
			t.sip, t.amd = true, n.AMD
			t.whisper, t.status = Request{URL: n.URL, Method: n.Method}, n.StatusCallbacks
			for _, u := range addresses(n) {
				one := to(u.URI)
				one.Username, one.Password = cmp.Or(u.Username, n.Username), cmp.Or(u.Password, n.Password)
				for _, h := range n.Headers {
					if passed(h.Name) {
						one.Headers[h.Name] = append(one.Headers[h.Name], h.Value)
					}
				}
				t.to = append(t.to, one)
			}
		case *texml.Client:
			one := to("client:" + n.Identity)
			for _, p := range n.Parameters { // as Twilio sends them to a SIP client
				one.Headers["X-"+p.Name] = []string{p.Value}
			}
			t.to = []Destination{one}
			t.whisper, t.status = Request{URL: n.URL, Method: n.Method}, n.StatusCallbacks
		default: // it cannot be called; the slips of the document say so
			continue
		}
		all = append(all, t)
	}
	return all
}

// to is where a SIP URI or a number leads, as d has it called.
func (c *script) to(d *texml.Dial, uri string) Destination {
	headers := map[string][]string{}
	if d.PassDiversionHeader {
		for name, values := range c.set.Headers {
			if strings.EqualFold(name, "Diversion") {
				headers["Diversion"] = values
			}
		}
	}
	uri, tail, _ := strings.Cut(uri, "?")
	for name, value := range uriHeaders(tail) {
		headers[name] = append(headers[name], value)
	}
	return Destination{To: uri, From: cmp.Or(d.CallerID, c.rec.From), Display: d.FromDisplay, Headers: headers, Because: c.set.Headers}
}

// addresses are those of a <Sip>, in the order in which they are tried: lower
// priorities first, equal ones drawn in proportion to their weight.
func addresses(n *texml.Sip) []texml.SipURI {
	if n.URI != "" {
		return []texml.SipURI{{URI: n.URI}}
	}
	type drawn struct {
		texml.SipURI
		at float64
	}
	var all []drawn
	for _, u := range n.URIs {
		all = append(all, drawn{u, rand.ExpFloat64() / max(float64(u.Weight), 0.001)})
	}
	slices.SortStableFunc(all, func(a, b drawn) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.at, b.at))
	})
	var in []texml.SipURI
	for _, u := range all {
		in = append(in, u.SipURI)
	}
	return in
}

// uriHeaders reads the headers of a SIP URI that are passed on (Twilio, <Sip> "Pass custom headers").
func uriHeaders(tail string) map[string]string {
	headers := map[string]string{}
	for pair := range strings.SplitSeq(tail, "&") {
		name, value, ok := strings.Cut(pair, "=")
		plain, err := url.PathUnescape(value)
		if ok && err == nil && passed(name) {
			headers[name] = plain
		}
	}
	return headers
}

// passed reports whether a document may set this header of an INVITE.
func passed(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(lower, "x-") || slices.Contains([]string{"user-to-user", "remote-party-id",
		"p-preferred-identity", "p-called-party-id"}, lower)
}

// replacesOf is the Replaces header of the URI that a transfer leads to.
func replacesOf(uri string) (value string, ok bool) {
	_, tail, _ := strings.Cut(uri, "?")
	for pair := range strings.SplitSeq(tail, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.PathUnescape(value); err == nil && strings.EqualFold(name, "Replaces") {
			return plain, true
		}
	}
	return "", false
}

// childSetup is what is known of the call to a target.
func (c *script) childSetup(t target, to Destination) Setup {
	set := Setup{From: to.From, To: to.To, StatusEvents: t.status.StatusCallbackEvent}
	if scheme, address, _ := strings.Cut(to.To, ":"); scheme == "sip" || scheme == "sips" {
		set.ToURI = address
	}
	if t.status.StatusCallback != "" {
		at, err := resolve(c.page.url, t.status.StatusCallback)
		if err != nil {
			c.Warn(t.node, 11100, "statusCallback: "+err.Error())
		}
		set.StatusCallback = Request{URL: at, Method: t.status.StatusCallbackMethod}
	}
	set.AMD = c.amdOf(t)
	return set
}
