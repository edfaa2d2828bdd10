package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// zone is a resolver with what a test has written into it.
type zone struct {
	srv map[string][]*net.SRV
	ip  map[string][]netip.Addr
	lag time.Duration
}

func (z zone) wait(ctx context.Context) error {
	select {
	case <-time.After(z.lag):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (z zone) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if err := z.wait(ctx); err != nil {
		return "", nil, err
	}
	found := z.srv["_"+service+"._"+proto+"."+name]
	if found == nil {
		return "", nil, errors.New("no such record")
	}
	return "", found, nil
}

func (z zone) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if err := z.wait(ctx); err != nil {
		return nil, err
	}
	if z.ip[host] == nil {
		return nil, errors.New("no such host")
	}
	return z.ip[host], nil
}

var example = zone{
	srv: map[string][]*net.SRV{"_sip._udp.example.com": {{Target: "one.example.com.", Port: 5070}, {Target: "two.example.com.", Port: 5080}},
		"_sip._tcp.example.com": {{Target: "one.example.com.", Port: 5090}},
		"_sip._udp.none.com":    {{Target: "."}}},
	ip: map[string][]netip.Addr{"one.example.com": {netip.MustParseAddr("192.0.2.7")}, "two.example.com": {netip.MustParseAddr("192.0.2.8")},
		"example.com": {netip.MustParseAddr("192.0.2.9")}, "plain.com": {netip.MustParseAddr("192.0.2.10")}},
}

func TestHops(t *testing.T) {
	s, err := newServer(Config{Answer: func(context.Context, *Leg) {}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.resolver = example
	for _, c := range []struct{ uri, want string }{
		{"sip:b@192.0.2.1", "[192.0.2.1:5060]"},
		{"sip:b@[2001:db8::1]:5070", "[[2001:db8::1]:5070]"},
		{"sip:b@example.com:5061", "[192.0.2.9:5061]"},
		{"sip:b@example.com", "[192.0.2.7:5070 192.0.2.8:5080]"},
		{"sip:b@example.com;transport=TCP", "[192.0.2.7:5090]"},
		{"sip:b@plain.com", "[192.0.2.10:5060]"},
		{"sip:b@none.com", "none.com has no address"},
		{"sip:b@nowhere.com", "nowhere.com has no address"},
	} {
		uri, err := parseURI(c.uri)
		if err != nil {
			t.Fatal(err)
		}
		hops, err := s.hops(t.Context(), uri)
		if got := fmt.Sprint(hops); got != c.want && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %s, %v, want %s", c.uri, got, err, c.want)
		}
	}
}

func TestFailover(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(b *bench, p *phone)
		after time.Duration
	}{
		{"the first is silent", func(b *bench, p *phone) {
			for range 4 {
				p.want("INVITE ") // at 0, 0.5, 1.5 and 3.5 s
			}
		}, patience},
		{"the first is out of service", func(b *bench, p *phone) {
			p.answer(p.want("INVITE "), "503 Service Unavailable", "x", "Retry-After: 60\r\n", "")
			p.want("ACK ")
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				b.resolver = example
				one, two := b.callee("192.0.2.7:5070"), b.callee("192.0.2.8:5080")
				start := time.Now()
				l := b.dial(Destination{URI: "sip:bob@example.com"})
				c.first(b, one)
				inv := two.want("INVITE sip:bob@example.com SIP/2.0")
				if got := time.Since(start); got != c.after || headerOf(inv, "CSeq") != "2 INVITE" {
					t.Errorf("the second is tried after %v: %s", got, inv)
				}
				two.takes(inv, "b")
				l.hangs(two)
				if got := progress(l); got != "200" {
					t.Errorf("progress %s", got)
				}
			})
		})
	}
}

// Who wakes up after the call has gone to another place is told so.
func TestLateFirstTarget(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		b.resolver = example
		one, two := b.callee("192.0.2.7:5070"), b.callee("192.0.2.8:5080")
		l := b.dial(Destination{URI: "sip:bob@example.com"})
		first := one.want("INVITE ")
		two.takes(two.want("INVITE "), "b")
		for len(one.in) > 0 {
			<-one.in
		}
		one.answer(first, "180 Ringing", "late", one.contact(), "")
		one.cancelled(first, "late")
		l.hangs(two)
	})
	bubble(t, nil, func(b *bench) {
		b.resolver = example
		one, two := b.callee("192.0.2.7:5070"), b.callee("192.0.2.8:5080")
		l := b.dial(Destination{URI: "sip:bob@example.com"})
		first := one.want("INVITE ")
		two.takes(two.want("INVITE "), "b")
		for len(one.in) > 0 {
			<-one.in
		}
		one.takes(first, "late")
		one.hears()
		if l.Err() != nil {
			t.Errorf("the call that is up has ended: %v", l.Err())
		}
		l.hangs(two)
	})
}

func TestAllTargetsFail(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		b.resolver = example
		start := time.Now()
		l := b.dial(Destination{URI: "sip:bob@example.com"})
		<-l.Done()
		if got := time.Since(start); got != patience+32*time.Second || progress(l) != "408" {
			t.Errorf("after %v: %v", got, l.Err())
		}
	})
}

func TestSlowResolver(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		b.resolver = zone{lag: time.Minute}
		start := time.Now()
		l := b.dial(Destination{URI: "sip:bob@example.com"})
		b.phone("meanwhile").invite(pcmu) // others are answered meanwhile
		if time.Since(start) != 0 {
			t.Error("a lookup has held up the server")
		}
		<-l.Done()
		if got := time.Since(start); got != resolveTime || progress(l) != "503" {
			t.Errorf("after %v: %v", got, l.Err())
		}
	})
	bubble(t, nil, func(b *bench) {
		b.resolver = zone{lag: time.Minute}
		l := b.dial(Destination{URI: "sip:bob@example.com"})
		synctest.Wait()
		start := time.Now()
		l.Hangup(context.Background())
		if time.Since(start) != 0 || l.Err() != ErrHungUp {
			t.Errorf("after %v: %v", time.Since(start), l.Err())
		}
	})
}

func TestRedirects(t *testing.T) {
	moved := func(contacts string) string { return "Contact: " + contacts + "\r\n" }
	for _, c := range []struct {
		name   string
		allow  func(uri string) bool
		answer func(i int) (status, extra string) // to the i-th INVITE
		want   []string                           // request URIs
		final  string
	}{
		{"followed", func(string) bool { return true }, func(i int) (string, string) {
			return []string{"302 Moved", "200 OK"}[i], moved("<sip:carol@192.0.2.7:5070>")
		}, []string{"sip:bob@192.0.2.7:5070", "sip:carol@192.0.2.7:5070"}, "200"},
		{"most wanted first", func(string) bool { return true }, func(i int) (string, string) {
			return []string{"300 Many", "486 Busy", "200 OK"}[i], moved("<sip:last@192.0.2.7:5070>;q=0.1, \"x, y\" <sip:first@192.0.2.7:5070>;q=0.9, <sip:second@192.0.2.7:5070>;q=0.5")
		}, []string{"sip:bob@192.0.2.7:5070", "sip:first@192.0.2.7:5070", "sip:second@192.0.2.7:5070"}, "200"},
		{"only where it is allowed", func(uri string) bool { return uri == "sip:carol@192.0.2.7:5070" }, func(i int) (string, string) {
			return []string{"302 Moved", "200 OK"}[i], moved("<sip:premium@192.0.2.7:5070>, <sip:carol@192.0.2.7:5070>")
		}, []string{"sip:bob@192.0.2.7:5070", "sip:carol@192.0.2.7:5070"}, "200"},
		{"never unless told", nil, func(i int) (string, string) { return "302 Moved", moved("<sip:carol@192.0.2.7:5070>") },
			[]string{"sip:bob@192.0.2.7:5070"}, "302"},
		{"a loop", func(string) bool { return true }, func(i int) (string, string) {
			return "302 Moved", moved([]string{"<sip:carol@192.0.2.7:5070>", "<sip:bob@192.0.2.7:5070>"}[i])
		}, []string{"sip:bob@192.0.2.7:5070", "sip:carol@192.0.2.7:5070"}, "302"},
		{"no end", func(string) bool { return true }, func(i int) (string, string) {
			return "302 Moved", moved(fmt.Sprintf("<sip:%d@192.0.2.7:5070>", i))
		}, []string{"sip:bob@192.0.2.7:5070", "sip:0@192.0.2.7:5070", "sip:1@192.0.2.7:5070", "sip:2@192.0.2.7:5070", "sip:3@192.0.2.7:5070", "sip:4@192.0.2.7:5070"}, "302"},
		{"not a SIP URI", func(string) bool { return true }, func(i int) (string, string) { return "302 Moved", moved("<tel:+1900555>, <mailto:x@y>") },
			[]string{"sip:bob@192.0.2.7:5070"}, "302"},
		{"refused by all", func(string) bool { return true }, func(i int) (string, string) {
			return []string{"302 Moved", "603 Decline"}[i], moved("<sip:a@192.0.2.7:5070>, <sip:b@192.0.2.7:5070>")
		}, []string{"sip:bob@192.0.2.7:5070", "sip:a@192.0.2.7:5070"}, "603"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				p := b.callee("192.0.2.7:5070")
				l := b.dial(Destination{Redirect: c.allow})
				for i, uri := range c.want {
					inv := p.want("INVITE " + uri + " SIP/2.0")
					status, extra := c.answer(i)
					if status == "200 OK" {
						p.takes(inv, "b")
						l.hangs(p)
						break
					}
					p.answer(inv, status, "b", extra, "")
					p.want("ACK ")
				}
				<-l.Done()
				if got := progress(l); got != c.final {
					t.Errorf("progress %s, want %s", got, c.final)
				}
				p.silent(time.Minute)
			})
		})
	}
}

// A redirect to another host must not learn what our password makes of a
// challenge of its own.
func TestNoPasswordAfterRedirect(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p, thief := b.callee("192.0.2.7:5070"), b.callee("192.0.2.66:5060")
		l := b.dial(Destination{Username: "alice", Password: "secret", Redirect: func(string) bool { return true }})
		p.answer(p.want("INVITE "), "302 Moved", "b", "Contact: <sip:x@192.0.2.66>\r\n", "")
		p.want("ACK ")
		thief.answer(thief.want("INVITE "), "401 Who are you", "t", `WWW-Authenticate: Digest realm="r", nonce="n"`+"\r\n", "")
		thief.want("ACK ")
		<-l.Done()
		if got := progress(l); got != "401" {
			t.Errorf("progress %s", got)
		}
		thief.silent(time.Minute)
	})
}

// Whom a call is placed to may speak within that call, and nothing else.
func TestGuests(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.callee("198.51.100.7:5070")
		probes := func() {
			p.raw("OPTIONS sip:x@192.0.2.1 SIP/2.0\r\nVia: broken")
			for _, method := range []string{"OPTIONS", "INVITE", "REGISTER", "BYE", "CANCEL", "NONSENSE"} {
				p.send(method, "probe"+method, "", "")
			}
			p.toTag = "unknown"
			p.send("BYE", "probe2", "", "")
			p.toTag = ""
			p.silent(10 * time.Second)
		}
		probes()
		l := b.dial(Destination{URI: "sip:bob@198.51.100.7:5070"})
		inv := p.want("INVITE ")
		p.takes(inv, "b")
		probes()
		p.says(inv, "OPTIONS", "b", 1, "", "")
		p.want("SIP/2.0 200")
		l.hangs(p)
		synctest.Wait()
		p.says(inv, "INFO", "b", 2, "", "") // for a call that is over
		p.silent(linger + time.Second)
		if b.reads(p.addr.Addr()) {
			t.Error("a guest stays for ever")
		}
		b.guests.mu.Lock()
		defer b.guests.mu.Unlock()
		if n := len(b.guests.calls); n != 0 {
			t.Errorf("%d guests", n)
		}
	})
}

// What the called side says of itself sends us nowhere that the call did not go.
func TestContactOfStranger(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p, victim := b.callee("192.0.2.7:5070"), b.callee("203.0.113.5:5060")
		l := b.dial(Destination{})
		p.answer(p.want("INVITE "), "200 OK", "b", "Contact: <sip:x@203.0.113.5>\r\n", pcmu)
		p.want("ACK sip:x@203.0.113.5 ")
		l.hangs(p)
		victim.silent(time.Second)
	})
}
