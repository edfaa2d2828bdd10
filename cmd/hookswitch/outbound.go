package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/runtime/outbound"
)

// telnyxServers are where calls go out to, by region (sip.telnyx.com).
var telnyxServers = map[string]string{
	"": "sip.telnyx.com", "us": "sip.telnyx.com", "eu": "sip.telnyx.eu", "ca": "sip.telnyx.ca", "au": "sip.telnyx.com.au", "asia": "sip.telnyx.asia",
}

// server is where calls over t go out to, "" for nowhere.
func (t Trunk) server() string {
	if t.Profile == "telnyx" {
		return cmp.Or(t.Server, telnyxServers[t.Region])
	}
	return t.Server
}

type trunkSlip struct{ key, msg, fix string }

// slips are what is wrong with t behind the trunks above it, apart from what is
// wrong with a single value.
func (t Trunk) slips(above []Trunk) (all []trunkSlip) {
	add := func(key, msg, fix string) { all = append(all, trunkSlip{key, msg, fix}) }
	if t.Name == "" {
		add(".name", "is empty", "write one; it stands in logs and errors")
	} else if slices.ContainsFunc(above, func(o Trunk) bool { return o.Name == t.Name }) {
		add(".name", "is that of a trunk above", "give each trunk its own")
	}
	_, region := telnyxServers[t.Region]
	switch {
	case t.Region == "" || t.Profile == "telnyx" && region:
	case t.Profile == "telnyx":
		add(".region", "is no region of telnyx", "write "+strings.Join(slices.Sorted(maps.Keys(telnyxServers))[1:], ", "))
	default:
		add(".region", "is of use with the profile telnyx only", "write the server of the region as server")
	}
	login := t.Credentials.Username != "" || t.Credentials.Password != ""
	switch {
	case t.Disabled || t.server() != "":
	case t.Profile == "twilio" && (login || len(t.Allow) == 0):
		add("", "has no server", "write the termination URI of the trunk, as in server: NAME.pstn.twilio.com")
	case t.Profile == "generic" && (login || len(t.Allow) == 0):
		add("", "has no server", "write where calls go out to, as in server: sip.example.com, or with allow: where they come in from")
	}
	if login && (t.Credentials.Username == "" || t.Credentials.Password == "") {
		add(".credentials", "needs both username and password", "write the other one too")
	}
	return all
}

// Outbound is who may be called, for [outbound.New].
func (c *Config) Outbound() outbound.Config {
	out := outbound.Config{Allow: c.Dial.Allow, Deny: c.Dial.Deny, Countries: c.Dial.Countries}
	for _, t := range c.SIP.Trunks {
		if t.Disabled {
			continue
		}
		out.Trunks = append(out.Trunks, outbound.Trunk{
			Name: t.Name, Server: t.server(), Transport: t.Transport,
			Username: t.Credentials.Username, Password: t.Credentials.Password,
			Allow: t.Allow, Emergency: t.Emergency,
			MaxCalls: cmp.Or(t.MaxCalls, c.Limits.MaxCalls), MaxCPS: cmp.Or(t.MaxCPS, c.Limits.MaxCPS),
		})
	}
	return out
}

// whom says who may be called, for people.
func (c *Config) whom() string {
	var who, over []string
	if len(c.Dial.Countries) > 0 {
		who = append(who, "numbers of "+strings.Join(c.Dial.Countries, ", "))
	}
	if rest := len(c.Dial.Allow) - 3; rest > 0 {
		who = append(who, strings.Join(c.Dial.Allow[:3], ", "), fmt.Sprintf("%d further patterns", rest))
	} else {
		who = append(who, c.Dial.Allow...)
	}
	for _, t := range c.SIP.Trunks {
		if !t.Disabled && t.server() != "" {
			over = append(over, t.Name)
		}
	}
	switch {
	case len(who) == 0 && len(over) == 0:
		return "this machine only; sip.trunks and dial in the configuration name others"
	case len(who) == 0:
		return "this machine only, though there is a trunk; dial in the configuration names others"
	}
	text := "this machine, " + strings.Join(who, ", ")
	if len(over) > 0 {
		text += "; over " + strings.Join(over, ", ")
	}
	return text
}

// resolver is the part of *net.Resolver that is used.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// lookAgain is how often the addresses of trunks are asked for. Providers
// announce a move days before, and keep the old addresses for a while.
const lookAgain = 5 * time.Minute

// peers are the addresses of trunks that calls come in from.
type peers struct {
	dns   resolver
	names []string // hosts and networks
	known map[string][]netip.Prefix
}

// newPeers is for the hosts and networks of [outbound.Policy.Peers].
func newPeers(dns resolver, names []string) *peers {
	return &peers{dns: dns, names: names, known: make(map[string][]netip.Prefix)}
}

// look asks for the addresses of all names, within 5 seconds. A host that cannot
// be found keeps the addresses it had, and is in the error.
func (p *peers) look(ctx context.Context) ([]netip.Prefix, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var all []netip.Prefix
	var missing []error
	for _, name := range p.names {
		if network, err := parseNetwork(name); err == nil {
			all = append(all, network.Masked())
			continue
		}
		found, err := p.lookUp(ctx, name)
		if err != nil {
			missing = append(missing, fmt.Errorf("sip.trunks: no address of %s: %w", name, err))
		} else {
			p.known[name] = found
		}
		all = append(all, p.known[name]...)
	}
	return all, errors.Join(missing...)
}

// follow looks again every few minutes until ctx is done, and tells use what
// there is then.
func (p *peers) follow(ctx context.Context, log *slog.Logger, use func([]netip.Prefix)) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		found, err := p.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			log.Warn("addresses of trunks not found; those known before still count", "error", err)
		}
		use(found)
	}
}

// lookUp finds the addresses of a host, and those of the servers that its SRV
// records name (RFC 3263 §4.2): providers call from each of them.
func (p *peers) lookUp(ctx context.Context, host string) ([]netip.Prefix, error) {
	hosts := []string{host}
	for _, transport := range []string{"udp", "tcp"} {
		if _, records, err := p.dns.LookupSRV(ctx, "sip", transport, host); err == nil { // most hosts have none
			for _, r := range records {
				hosts = append(hosts, strings.TrimSuffix(r.Target, "."))
			}
		}
	}
	var found []netip.Prefix
	var failed error
	for _, h := range hosts {
		ips, err := p.dns.LookupNetIP(ctx, "ip", h)
		if err != nil {
			failed = err
		}
		for _, ip := range ips {
			ip = ip.Unmap()
			if one := netip.PrefixFrom(ip, ip.BitLen()); !slices.Contains(found, one) {
				found = append(found, one)
			}
		}
	}
	if len(found) == 0 {
		return nil, cmp.Or(failed, errors.New("it has none"))
	}
	return found, nil
}

// acl is who may call: those of the configuration, this machine when it names
// nobody, and the trunks.
func acl(configured, trunks []netip.Prefix) []netip.Prefix {
	if len(configured) == 0 {
		configured = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return slices.Concat(configured, trunks)
}
