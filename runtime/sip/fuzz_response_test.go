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
