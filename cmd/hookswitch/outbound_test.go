package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hookswitch/hookswitch/runtime/outbound"
)

func TestOutboundConfig(t *testing.T) {
	const file = `
sip:
  trunks:
    - {name: a, profile: telnyx, region: eu, credentials: {username: u, password: p}, emergency: true, max_calls: 3}
    - {name: b, profile: twilio, server: me.pstn.twilio.com, transport: tcp, allow: [54.172.60.0/30, sip.example.com]}
    - {name: c, server: "192.0.2.1:5070", disabled: true}
    - {name: d, allow: [192.0.2.0/24]}
    - {name: e, profile: telnyx, server: "sip.example.com:5070", max_cps: 9}
dial: {allow: ["+4930*", "*@pbx.example.com"], deny: ["*"], countries: [DE, US]}
limits: {max_calls: 50, max_cps: 5}
`
	c, slips := parseConfig("f", []byte(file), noEnv)
	if len(slips) != 0 {
		t.Fatal(slips)
	}
	want := outbound.Config{
		Trunks: []outbound.Trunk{
			{Name: "a", Server: "sip.telnyx.eu", Transport: "udp", Username: "u", Password: "p", Emergency: true, MaxCalls: 3, MaxCPS: 5},
			{Name: "b", Server: "me.pstn.twilio.com", Transport: "tcp", Allow: []string{"54.172.60.0/30", "sip.example.com"}, MaxCalls: 50, MaxCPS: 5},
			{Name: "d", Transport: "udp", Allow: []string{"192.0.2.0/24"}, MaxCalls: 50, MaxCPS: 5},
			{Name: "e", Server: "sip.example.com:5070", Transport: "udp", MaxCalls: 50, MaxCPS: 9},
		},
		Allow: []string{"+4930*", "*@pbx.example.com"}, Deny: []string{"*"}, Countries: []string{"DE", "US"},
	}
	got := c.Outbound()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if _, err := outbound.New(got); err != nil {
		t.Error(err)
	}
}

func TestTrunkSlips(t *testing.T) {
	for _, c := range []struct{ name, trunk, want string }{ // "" is no slip
		{"no server", "{name: a}", `1:16: sip.trunks[0] has no server; write where calls go out to, as in server: sip.example.com`},
		{"a login to nowhere", "{name: a, allow: [192.0.2.1], credentials: {username: u, password: p}}", `sip.trunks[0] has no server`},
		{"Twilio without its server", "{name: a, profile: twilio}", `sip.trunks[0] has no server; write the termination URI of the trunk, as in server: NAME.pstn.twilio.com`},
		{"calls come in only", "{name: a, allow: [192.0.2.1]}", ""},
		{"Telnyx has servers", "{name: a, profile: telnyx}", ""},
		{"switched off", "{name: a, disabled: true}", ""},
		{"a server with path", "{name: a, server: sip.example.com/x}", `1:34: sip.trunks[0].server: "sip.example.com/x" is no host; write`},
		{"a server that is a URI", "{name: a, server: \"sip:h.example.com\"}", `sip.trunks[0].server: "sip:h.example.com" is a URI; write its host alone`},
		{"a range as server", "{name: a, server: 10.0.0.0/8}", `sip.trunks[0].server: "10.0.0.0/8" is no host; write`},
		{"no such region", "{name: a, profile: telnyx, region: mars}", `1:51: sip.trunks[0].region is no region of telnyx; write asia, au, ca, eu, us`},
		{"a region of nobody", "{name: a, server: h.example.com, region: eu}", `sip.trunks[0].region is of use with the profile telnyx only; write the server`},
		{"the same name twice", "{name: a, server: h.example.com}, {name: a, profile: telnyx}", `1:57: sip.trunks[1].name is that of a trunk above; give each`},
		{"an empty name", "{name: \"\", server: h.example.com}", `sip.trunks[0].name is empty; write one`},
		{"half a login", "{name: a, server: h.example.com, credentials: {username: u}}", `1:62: sip.trunks[0].credentials needs both username and password; write`},
		{"a bad host to let in", "{name: a, profile: telnyx, allow: [\"*.example.com\"]}", `sip.trunks[0].allow[0]: "*.example.com" is neither a host nor a range of addresses; write`},
		{"an unknown transport", "{name: a, profile: telnyx, transport: sctp}", `sip.trunks[0].transport: "sctp" is not one of udp, tcp, tls`},
	} {
		_, slips := parseConfig("f", []byte("sip: {trunks: ["+c.trunk+"]}"), noEnv)
		if c.want == "" && len(slips) > 0 || !strings.Contains(slips.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, slips, c.want)
		}
	}
	for _, c := range []struct{ name, dial, want string }{
		{"everything allowed", `allow: ["*"]`, `1:16: dial.allow[0]: "*" would allow every call there is; write "+*" for all numbers`},
		{"everything denied", `deny: ["*"]`, ""},
		{"a bare host", "allow: [pbx.example.com]", `dial.allow[0]: "pbx.example.com" is neither a number nor an address; write`},
		{"a bad address", `allow: ["a b@example.com"]`, `dial.allow[0] has a user that no SIP address has; write`},
		{"a prefix for abroad", `deny: ["0049*"]`, `dial.deny[0]: "0049*" begins with a prefix for calls abroad; write +`},
		{"a country by its name", "countries: [Germany]", `1:20: dial.countries[0]: "Germany" is no country; write its ISO 3166 code`},
		{"lower case", "countries: [de]", `"de" is no country; write DE`},
		{"what many think", "countries: [UK]", `"UK" is no country; write GB`},
		{"no such country", "countries: [ZZ]", `"ZZ" is no country; write`},
		{"all right", `allow: ["+49*", "100", "*@*.example.com"], countries: [DE, XK]`, ""},
	} {
		_, slips := parseConfig("f", []byte("dial: {"+c.dial+"}"), noEnv)
		if c.want == "" && len(slips) > 0 || !strings.Contains(slips.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, slips, c.want)
		}
	}
}

// book is a resolver.
type book struct {
	hosts map[string][]string
	srv   map[string][]string
}

func (b *book) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	var ips []netip.Addr
	for _, s := range b.hosts[host] {
		ips = append(ips, netip.MustParseAddr(s))
	}
	if ips == nil {
		return nil, errors.New("no such host")
	}
	return ips, nil
}

func (b *book) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	var records []*net.SRV
	for _, target := range b.srv["_"+service+"._"+proto+"."+name] {
		records = append(records, &net.SRV{Target: target})
	}
	if records == nil {
		return "", nil, errors.New("no such record")
	}
	return "", records, nil
}

func TestPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &book{
			hosts: map[string][]string{"sip.example.com": {"192.0.2.1"}, "one.example.com": {"192.0.2.1", "::ffff:192.0.2.2"}, "two.example.com": {"2001:db8::2"}},
			srv:   map[string][]string{"_sip._udp.sip.example.com": {"one.example.com.", "two.example.com."}},
		}
		p := newPeers(dns, []string{"198.51.100.9/24", "203.0.113.7", "sip.example.com", "gone.example.com"})
		want := func(what string, got []netip.Prefix, want string) {
			t.Helper()
			if text := strings.Trim(fmt.Sprint(got), "[]"); text != want {
				t.Errorf("%s: got %s, want %s", what, text, want)
			}
		}
		const fixed, named = "198.51.100.0/24 203.0.113.7/32", " 192.0.2.1/32 192.0.2.2/32 2001:db8::2/128"
		got, err := p.look(t.Context())
		want("at first", got, fixed+named)
		if err == nil || !strings.Contains(err.Error(), "sip.trunks: no address of gone.example.com: no such host") || strings.Contains(err.Error(), "sip.example.com") {
			t.Errorf("got %v", err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		steps := []func(now []netip.Prefix){
			func(now []netip.Prefix) {
				want("as before", now, fixed+named)
				dns.hosts["gone.example.com"] = []string{"192.0.2.77"}
				dns.hosts["sip.example.com"], dns.srv = nil, nil
			},
			func(now []netip.Prefix) {
				want("one is back, one is lost", now, fixed+named+" 192.0.2.77/32")
				dns.hosts["sip.example.com"] = []string{"192.0.2.88"}
			},
			func(now []netip.Prefix) {
				want("one has moved", now, fixed+" 192.0.2.88/32 192.0.2.77/32")
				cancel()
			},
		}
		p.follow(ctx, slog.New(slog.DiscardHandler), func(now []netip.Prefix) {
			steps[0](now)
			steps = steps[1:]
		})
		if len(steps) > 0 {
			t.Errorf("%d steps are left", len(steps))
		}
	})
	if got := fmt.Sprint(acl(nil, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})); got != "[127.0.0.0/8 ::1/128 192.0.2.0/24]" {
		t.Errorf("without an ACL: got %s", got)
	}
	configured := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if got := fmt.Sprint(acl(configured, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})); got != "[10.0.0.0/8 192.0.2.0/24]" {
		t.Errorf("with an ACL: got %s", got)
	}
}

func TestWhom(t *testing.T) {
	trunk := []Trunk{{Name: "main", Server: "sip.example.com"}, {Name: "old", Server: "sip.example.org", Disabled: true}}
	for _, tt := range []struct {
		name string
		c    Config
		want string
	}{
		{"nothing is configured", Config{}, "this machine only; sip.trunks and dial in the configuration name others"},
		{"a trunk alone", Config{SIP: SIPConfig{Trunks: trunk}}, "this machine only, though there is a trunk; dial in the configuration names others"},
		{"a trunk and countries", Config{SIP: SIPConfig{Trunks: trunk}, Dial: DialConfig{Countries: []string{"DE", "AT"}}}, "this machine, numbers of DE, AT; over main"},
		{"many patterns", Config{Dial: DialConfig{Allow: []string{"1", "2", "3", "4", "5"}}}, "this machine, 1, 2, 3, 2 further patterns"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.c.whom(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
