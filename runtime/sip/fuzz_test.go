package sip

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// FuzzFrontDoor checks that what split lets through is safe to write again: it
// has as many header lines as were counted, and no line end hides in one.
func FuzzFrontDoor(f *testing.F) {
	for _, m := range tortures(f) {
		f.Add(m.bytes)
	}
	f.Add([]byte(bomb(32)))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), maxMessage)]
		head, body, _ := bytes.Cut(b, []byte("\r\n\r\n"))
		m, fault := split(string(head))
		if fault != nil {
			return
		}
		m.body = body
		text := string(m.bytes())
		newHead, newBody, _ := strings.Cut(text, "\r\n\r\n")
		if newBody != string(body) {
			t.Errorf("body %q became %q", body, newBody)
		}
		for l := range strings.SplitSeq(newHead, "\r\n") {
			if strings.ContainsAny(l, "\r\n\x00") {
				t.Errorf("line %q", l)
			}
		}
		again, fault := split(newHead)
		if fault != nil {
			t.Fatalf("%q is refused: %s", newHead, fault.text)
		}
		if got, want := len(again.fields), len(m.fields)+1-m.count("Content-Length"); got != want {
			t.Errorf("%d fields became %d", want, got)
		}
	})
}

// FuzzServer sends a datagram of a peer's to a server that has a call up, with a
// transfer under way. It must not panic, and must be alive after it.
func FuzzServer(f *testing.F) {
	for _, m := range tortures(f) {
		f.Add(m.bytes)
	}
	for _, method := range []string{"BYE", "INFO", "UPDATE", "INVITE", "ACK", "CANCEL", "REFER"} {
		f.Add([]byte(method + " sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKx;rport\r\nFrom: <sip:alice@example.com>;tag=a1\r\nTo: <sip:100@192.0.2.1>;tag=TAG\r\nCall-ID: up\r\nCSeq: 2 " + method +
			"\r\nContact: <sip:a@192.0.2.7>\r\nContent-Type: application/sdp\r\n\r\n" + pcmu))
	}
	const end = "Event: refer;id=1\r\nSubscription-State: terminated;reason=noresource\r\nContent-Type: message/sipfrag\r\n"
	for _, r := range []field{{"REFER", toBob}, {"NOTIFY", end}} {
		f.Add([]byte(r.name + " sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKx;rport\r\nFrom: <sip:alice@example.com>;tag=a1\r\nTo: <sip:100@192.0.2.1>;tag=TAG\r\nCall-ID: up\r\nCSeq: 2 " + r.name +
			"\r\nContact: <sip:a@192.0.2.7>\r\n" + r.value + "\r\nSIP/2.0 200 OK\r\n"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bubble(t, func(c *Config) {
			c.Log = panics(t)
			c.Answer = func(ctx context.Context, l *Leg) {
				l.OnRefer(func(string, func(int)) bool { return true })
				if l.Answer(ctx) == nil {
					l.Refer(ctx, "sip:bob@example.com", nil)
					<-l.Done()
				}
			}
		}, func(bench *bench) {
			p := bench.phone("up")
			p.invite(pcmu)
			p.ack("")
			drain(p)
			bench.socket.in <- datagram{bytes.ReplaceAll(b, []byte("TAG"), []byte(p.toTag)), p.addr}
			o := bench.phoneAt("192.0.2.8:5060", "probe")
			o.send("OPTIONS", "probe", "", "")
			for !strings.Contains(o.next(time.Second), "z9hG4bKprobe") {
			}
		})
		// The same bytes on a line.
		s, l := onLine(t)
		l.Write(b)
		l.Close()
		s.Close()
	})
}
