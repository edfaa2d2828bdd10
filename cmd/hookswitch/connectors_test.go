package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/runtime"
)

func TestConnectors(t *testing.T) {
	for _, c := range []struct{ name, connector, want string }{
		{"a recorder", "{kind: siprec, url: sip:srs.example.com}", ""},
		{"a recorder over TCP", "{kind: siprec, url: 'sip:srs@192.0.2.7:5070;transport=tcp', username: a, password: b}", ""},
		{"a recorder over TLS", "{kind: siprec, url: 'sips:srs.example.com'}", "connectors.x.url is no place that a recording session can go to; write sip:HOST"},
		{"a recorder over TLS, said otherwise", "{kind: siprec, url: 'sip:srs.example.com;transport=tls'}", "connectors.x.url is no place"},
		{"a recorder with a web address", "{kind: siprec, url: 'https://srs.example.com'}", "connectors.x.url is no place"},
		{"a shop", "{kind: pay, url: 'https://pay.example.com/charge', token: t}", ""},
		{"a shop on this machine", "{kind: pay, url: 'http://127.0.0.1:3000/charge'}", ""},
		{"a shop without TLS", "{kind: pay, url: 'http://pay.example.com/charge'}", "connectors.x.url would have card numbers go in clear; write https://…"},
		{"a stream", "{kind: stream, url: 'wss://example.com/'}", ""},
		{"a stream in clear", "{kind: stream, url: 'ws://10.0.0.1/'}", ""},
		{"a stream with a web address", "{kind: stream, url: 'https://example.com/'}", "connectors.x.url is no WebSocket; write wss://…"},
		{"no URL", "{kind: stream, url: here}", "connectors.x.url is no URL; write it in full"},
		{"an unknown kind", "{kind: siprek, url: sip:a}", "did you mean siprec?"},
		{"no kind", "{url: sip:a}", "connectors.x.kind is missing"},
		{"no place", "{kind: siprec}", "connectors.x.url is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, slips := parseConfig("f", []byte("connectors:\n  x: "+c.connector), noEnv)
			if c.want == "" {
				if len(slips) != 0 || len(cfg.connectors()) != 1 {
					t.Errorf("slips %v", slips)
				}
				return
			}
			if len(slips) != 1 || !strings.Contains(slips.Error(), c.want) {
				t.Errorf("slips %v, want %q", slips, c.want)
			}
		})
	}
	cfg, _ := parseConfig("f", []byte("connectors: {x: {kind: siprec, url: sip:a, username: u, password: p, token: t}}"), noEnv)
	if got, want := cfg.connectors()["x"], (runtime.Connector{Kind: "siprec", URL: "sip:a", Username: "u", Password: "p", Token: "t"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestPayManual: the configuration that the manual of <Pay> shows is one, with both
// ways to log in.
func TestPayManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/pay.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindSubmatch(text)
	if block == nil {
		t.Fatal("it shows none")
	}
	cfg, slips := parseConfig("f", block[1], noEnv)
	if len(slips) > 0 {
		t.Fatal(slips)
	}
	all := cfg.connectors()
	if a, b := all["Default"], all["shop"]; a.Kind != "pay" || a.Token == "" || b.Kind != "pay" || b.Username == "" || b.Password == "" {
		t.Errorf("got %+v", all)
	}
}
