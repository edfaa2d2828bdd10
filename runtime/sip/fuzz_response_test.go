package sip

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// FuzzResponse sends whatever bytes for an answer to an INVITE of ours. The
// server must not panic, must live on, and must keep nothing of the call.
func FuzzResponse(f *testing.F) {
	const head = "\r\nVia: VIA\r\nFrom: FROM\r\nTo: <sip:bob@192.0.2.7>;tag=b\r\nCall-ID: CALL\r\nCSeq: 1 INVITE\r\n"
	for _, seed := range []string{
		"SIP/2.0 180 Ringing" + head + "\r\n",
		"SIP/2.0 183 Progress" + head + "Contact: <sip:bob@192.0.2.7:5070>\r\nContent-Type: application/sdp\r\n\r\n" + pcmu,
		"SIP/2.0 200 OK" + head + "Contact: <sip:bob@192.0.2.7:5070>\r\nRecord-Route: <sip:192.0.2.9;lr>, <sip:192.0.2.10>\r\nContent-Type: application/sdp\r\n\r\n" + pcmu,
		"SIP/2.0 200 OK" + head + "Contact: *\r\n\r\n",
		"SIP/2.0 302 Moved" + head + "Contact: <sip:carol@192.0.2.7:5070>;q=0.5, \"x\" <sip:192.0.2.8>;q=x, <tel:1>\r\n\r\n",
		"SIP/2.0 401 Who" + head + "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\nWWW-Authenticate: Digest algorithm=SHA-256, nonce=\"\"\r\n\r\n",
		"SIP/2.0 407 Who" + head + "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\", userhash=true\r\n\r\n",
		"SIP/2.0 503 Later" + head + "Retry-After: 99999999999999999999\r\n\r\n",
		"SIP/2.0 99 x" + head + "\r\n", "SIP/2.0 1000 x" + head + "\r\n", "SIP/2.0 -5 x" + head + "\r\n", "SIP/2.0 700 x" + head + "\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bubble(t, func(c *Config) { c.Log = panics(t) }, func(bench *bench) {
			p := bench.callee("192.0.2.7:5070")
			l := bench.dial(Destination{Username: "alice", Password: "secret", Redirect: func(string) bool { return true }})
			for range 3 {
				var inv string
				select {
				case inv = <-p.in:
				case <-time.After(time.Second):
				}
				for _, r := range [][2]string{{"VIA", headerOf(inv, "Via")}, {"FROM", headerOf(inv, "From")}, {"CALL", l.CallID()}} {
					b = bytes.ReplaceAll(b, []byte(r[0]), []byte(r[1]))
				}
				p.raw(string(b))
			}
			synctest.Wait()
			o := bench.phoneAt("192.0.2.8:5060", "probe")
			o.send("OPTIONS", "probe", "", "")
			for !strings.Contains(o.next(time.Second), "z9hG4bKprobe") {
			}
		})
	})
}

// FuzzDestination checks that nothing in a destination makes a header line of
// its own: an INVITE has the lines that we have written, and reads as it should.
func FuzzDestination(f *testing.F) {
	f.Add("sip:bob@192.0.2.7:5070", "", "alice", "Alice", "X-A", "1")
	f.Add("sip:bob@192.0.2.7:5070;user=phone", "192.0.2.7;transport=udp", "a>;tag=x\r\nX: y", "a\"\\\n", "X-A\r\nX-B: 1", "1\r\nX: y")
	f.Add("sip:b%0d%0a@192.0.2.7", "192.0.2.7:5070?X=y", "+1;x?y", "é", "Via", "\x00")
	f.Add("sip:a:b@192.0.2.7;x=\"<>,", "", "", "", "Subject", " ")
	f.Fuzz(func(t *testing.T, uri, proxy, from, display, name, value string) {
		bubble(t, func(c *Config) { c.Log = panics(t) }, func(b *bench) {
			l, err := b.Dial(Destination{URI: uri, Proxy: proxy, From: from, Display: display, Headers: map[string][]string{name: {value}}})
			if err != nil {
				if strings.ContainsAny(err.Error(), "\r\n\x00") {
					t.Errorf("the error has a line end: %q", err)
				}
				return
			}
			synctest.Wait()
			b.socket.mu.Lock()
			var inv string
			for _, q := range b.socket.out {
				if len(q) > 0 {
					inv = <-q
				}
			}
			b.socket.mu.Unlock()
			if inv == "" {
				return // an address that cannot be reached
			}
			head, _, _ := strings.Cut(inv, "\r\n\r\n")
			m, fault := split(head)
			if fault != nil && !strings.Contains(fault.text, "parameters") && !strings.Contains(fault.text, "quote") {
				t.Errorf("%s: %q", fault.text, inv)
			}
			if got := len(m.fields); got != 11 {
				t.Errorf("%d header lines: %q", got, inv)
			}
			if _, f := startLine(m.start, nil); f != nil {
				t.Errorf("%s: %q", f.text, m.start)
			}
			if got := tagOf(m.get("From")); got != l.local.tag {
				t.Errorf("From tag %q, want %q", got, l.local.tag)
			}
		})
	})
}
