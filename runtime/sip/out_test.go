package sip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
)

// callee is a phone that is called. Each of its messages is written by the test.
func (b *bench) callee(addr string) *phone { return b.phoneAt(addr, "callee "+addr) }

// dial places a call and fails the test when it cannot.
func (b *bench) dial(d Destination) *Leg {
	b.t.Helper()
	if d.URI == "" {
		d.URI = "sip:bob@192.0.2.7:5070"
	}
	l, err := b.Dial(d)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// answer answers a request of ours. Extra header lines end in CRLF.
func (p *phone) answer(req, status, tag, extra, body string) {
	p.answerAs(req, status, tag, extra, "application/sdp", body)
}

// answerAs is answer with a body of another type.
func (p *phone) answerAs(req, status, tag, extra, kind, body string) {
	var h strings.Builder
	h.WriteString("SIP/2.0 " + status + "\r\n")
	for l := range strings.SplitSeq(req, "\r\n") {
		switch name, _, _ := strings.Cut(l, ":"); name {
		case "Via", "From", "Call-ID", "CSeq":
			h.WriteString(l + "\r\n")
		case "To":
			h.WriteString(l)
			if tag != "" && !strings.Contains(l, ";tag=") {
				h.WriteString(";tag=" + tag)
			}
			h.WriteString("\r\n")
		}
	}
	if body != "" {
		extra += "Content-Type: " + kind + "\r\n"
	}
	p.raw(h.String() + extra + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
}

// inFlight is the number of our requests that are kept.
func (b *bench) inFlight() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.attempts) + len(b.requests)
}

func (p *phone) contact() string { return "Contact: <sip:bob@" + p.addr.String() + ">\r\n" }

// takes answers an INVITE with 200 and takes the ACK, which it returns.
func (p *phone) takes(inv, tag string) string {
	p.b.t.Helper()
	p.answer(inv, "200 OK", tag, p.contact(), pcmu)
	return p.want("ACK ")
}

// hears the BYE that is owed and answers it.
func (p *phone) hears() {
	p.b.t.Helper()
	p.answer(p.want("BYE "), "200 OK", "", "", "")
}

// says sends a request of the called side within the call that inv began.
func (p *phone) says(inv, method, tag string, seq int, extra, body string) {
	if body != "" {
		extra += sdpBody
	}
	p.raw(method + " sip:hookswitch@192.0.2.1:5060 SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP " + p.addr.String() + fmt.Sprintf(";branch=z9hG4bK%s%d;rport\r\n", method, seq) +
		"From: " + headerOf(inv, "To") + ";tag=" + tag + "\r\nTo: " + headerOf(inv, "From") + "\r\nCall-ID: " + headerOf(inv, "Call-ID") +
		fmt.Sprintf("\r\nCSeq: %d %s\r\n", seq, method) + p.contact() + extra + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
}

// progress is all that the leg has told until its end.
func progress(l *Leg) string {
	var all []string
	for status := range l.Progress() {
		all = append(all, fmt.Sprint(status))
	}
	return strings.Join(all, " ")
}

func TestDial(t *testing.T) {
	bubble(t, func(c *Config) { c.UserAgent = "hookswitch" }, func(b *bench) {
		p := b.callee("192.0.2.7:5070")
		l := b.dial(Destination{URI: "sip:bob@192.0.2.7:5070;x=y", From: "+1 555", Display: `Al "the" Ice`, Headers: map[string][]string{"X-Account": {"7", "8"}}})
		inv := p.want("INVITE sip:bob@192.0.2.7:5070;x=y SIP/2.0")
		for name, want := range map[string]string{
			"From":         `"Al .the. Ice" <sip:+1%20555@192.0.2.1>;tag=` + tagOf(headerOf(inv, "From")),
			"To":           "<sip:bob@192.0.2.7>",
			"CSeq":         "1 INVITE",
			"Call-ID":      l.CallID(),
			"Contact":      "<sip:hookswitch@192.0.2.1:5060>",
			"Max-Forwards": "70",
			"X-Account":    "7",
			"User-Agent":   "hookswitch",
			"Content-Type": "application/sdp",
		} {
			if got := headerOf(inv, name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(inv, "X-Account: 8\r\n") || !strings.Contains(inv, "m=audio 40000 RTP/AVP 0 8 101\r\n") {
			t.Errorf("INVITE: %s", inv)
		}
		p.answer(inv, "100 Trying", "", "", "")
		p.answer(inv, "180 Ringing", "b1", p.contact(), "")
		synctest.Wait()
		if l.Stream() != nil || l.Headers() != nil {
			t.Error("there is a stream or a header before the answer")
		}
		p.answer(inv, "200 OK", "b1", "X-Room: 4\r\n"+p.contact(), pcmu)
		ack := p.want("ACK sip:bob@192.0.2.7:5070 SIP/2.0")
		if headerOf(ack, "CSeq") != "1 ACK" || headerOf(ack, "Via") == headerOf(inv, "Via") || tagOf(headerOf(ack, "To")) != "b1" {
			t.Errorf("ACK: %s", ack)
		}
		synctest.Wait()
		if l.Stream() == nil || b.sent.Load() != 1 {
			t.Errorf("stream %v, %d packets", l.Stream(), b.sent.Load())
		}
		if got := progress(l); got != "180 200" {
			t.Errorf("progress %s", got)
		}
		if got := l.Headers()["X-Room"]; !slices.Equal(got, []string{"4"}) {
			t.Errorf("X-Room: %q", got)
		}
		p.says(inv, "INVITE", "b1", 1, "", pcmu+"a=sendonly\r\n") // holds us
		if ok := p.want("SIP/2.0 200"); !strings.Contains(ok, "a=recvonly") {
			t.Errorf("answer to hold: %s", ok)
		}
		p.says(inv, "ACK", "b1", 1, "", "")
		p.says(inv, "INFO", "b1", 2, "", "")
		p.want("SIP/2.0 200")
		p.says(inv, "BYE", "b1", 3, "", "")
		p.want("SIP/2.0 200")
		<-l.Done()
		if l.Err() != ErrBye {
			t.Errorf("ended with %v", l.Err())
		}
		p.silent(time.Minute)
	})
}

// What the called side may do, and what becomes of the call.
func TestCalledSide(t *testing.T) {
	const ring, busy = "180 Ringing", "486 Busy Here"
	refused := func(status int, reason string) error { return &Refused{status, reason} }
	for _, c := range []struct {
		name     string
		side     func(b *bench, p *phone, inv string, l *Leg)
		progress string
		err      error
	}{
		{"100 times 180, then 200", func(b *bench, p *phone, inv string, l *Leg) {
			for range 100 {
				p.answer(inv, ring, "b", p.contact(), "")
			}
			p.takes(inv, "b")
			l.hangs(p)
		}, "180 200", ErrHungUp},
		{"early media, then ringing, then 200 without a description", func(b *bench, p *phone, inv string, l *Leg) {
			p.answer(inv, "183 Session Progress", "b", p.contact(), pcmu)
			synctest.Wait()
			if l.Stream() == nil || b.sent.Load() == 0 {
				b.t.Error("no early media")
			}
			p.answer(inv, ring, "b", p.contact(), "")
			p.answer(inv, "200 OK", "b", p.contact(), "")
			p.want("ACK ")
			l.hangs(p)
		}, "183 180 200", ErrHungUp},
		{"200 at once", func(b *bench, p *phone, inv string, l *Leg) { p.takes(inv, "b"); l.hangs(p) }, "200", ErrHungUp},
		{"200 without any description", func(b *bench, p *phone, inv string, l *Leg) {
			p.answer(inv, "200 OK", "b", p.contact(), "")
			p.want("ACK ")
			p.hears()
		}, "488", ErrOffer},
		{"200 with a codec that was not offered", func(b *bench, p *phone, inv string, l *Leg) {
			p.answer(inv, "200 OK", "b", p.contact(), strings.Replace(pcmu, "RTP/AVP 0 101", "RTP/AVP 18", 1))
			p.want("ACK ")
			p.hears()
		}, "488", ErrOffer},
		{"200 five times", func(b *bench, p *phone, inv string, l *Leg) {
			for range 5 {
				ack := p.takes(inv, "b")
				if headerOf(ack, "CSeq") != "1 ACK" {
					b.t.Errorf("ACK: %s", ack)
				}
				time.Sleep(time.Second)
			}
			l.hangs(p)
		}, "200", ErrHungUp},
		{"200 again after its transaction", func(b *bench, p *phone, inv string, l *Leg) {
			p.takes(inv, "b")
			time.Sleep(40 * time.Second)
			p.takes(inv, "b")
			l.hangs(p)
		}, "200", ErrHungUp},
		{"busy, and the ACK gets lost", func(b *bench, p *phone, inv string, l *Leg) {
			for range 3 {
				p.answer(inv, busy, "b", "", "")
				ack := p.next(50 * time.Millisecond)
				if headerOf(ack, "Via") != headerOf(inv, "Via") || headerOf(ack, "CSeq") != "1 ACK" || tagOf(headerOf(ack, "To")) != "b" {
					b.t.Errorf("ACK: %s", ack)
				}
			}
		}, "486", refused(486, "Busy Here")},
		{"declined after ringing", func(b *bench, p *phone, inv string, l *Leg) {
			p.answer(inv, ring, "b", p.contact(), "")
			p.answer(inv, "603 Decline", "b", "", "")
			p.want("ACK ")
		}, "180 603", refused(603, "Decline")},
		{"no answer at all", func(b *bench, p *phone, inv string, l *Leg) {
			start := time.Now()
			for range 6 { // after 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s
				p.want("INVITE ")
			}
			<-l.Done()
			if got := time.Since(start); got != 32*time.Second {
				b.t.Errorf("given up after %v", got)
			}
		}, "408", refused(408, "no answer")},
		{"rings for ever", func(b *bench, p *phone, inv string, l *Leg) {
			p.answer(inv, ring, "b", p.contact(), "")
			p.cancelled(inv, "b")
		}, "180 408", refused(408, "no answer")},
		{"503", func(b *bench, p *phone, inv string, l *Leg) {
			p.answer(inv, "503 Service Unavailable", "b", "Retry-After: 5\r\n", "")
			p.want("ACK ")
		}, "503", refused(503, "Service Unavailable")},
		{"redirect, which is not allowed", func(b *bench, p *phone, inv string, l *Leg) {
			p.answer(inv, "302 Moved", "b", "Contact: <sip:carol@192.0.2.8>\r\n", "")
			p.want("ACK ")
		}, "302", refused(302, "Moved")},
		{"BYE right after its 200", func(b *bench, p *phone, inv string, l *Leg) {
			p.answer(inv, "200 OK", "b", p.contact(), pcmu)
			p.says(inv, "BYE", "b", 1, "", "")
			p.want("ACK ")
			p.want("SIP/2.0 200")
		}, "200", ErrBye},
		{"BYE while it rings", func(b *bench, p *phone, inv string, l *Leg) {
			p.answer(inv, ring, "b", p.contact(), "")
			p.says(inv, "BYE", "b", 0, "", "")
			p.want("SIP/2.0 200")
			p.cancelled(inv, "b")
		}, "180 487", ErrBye},
		{"a 401 without a password of ours", func(b *bench, p *phone, inv string, l *Leg) {
			p.answer(inv, "401 Unauthorized", "b", `WWW-Authenticate: Digest realm="r", nonce="n"`+"\r\n", "")
			p.want("ACK ")
		}, "401", refused(401, "Unauthorized")},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				p := b.callee("192.0.2.7:5070")
				l := b.dial(Destination{})
				c.side(b, p, p.want("INVITE "), l)
				<-l.Done()
				if got := progress(l); got != c.progress {
					t.Errorf("progress %q, want %q", got, c.progress)
				}
				if got := l.Err(); fmt.Sprint(got) != fmt.Sprint(c.err) {
					t.Errorf("ended with %v, want %v", got, c.err)
				}
				p.silent(time.Minute)
				if n := b.Calls(); n != 0 {
					t.Errorf("%d calls are left", n)
				}
			})
		})
	}
}

// soundTo is the port that the sound goes to.
func (l *Leg) soundTo() uint16 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.agreed.Remote.Port()
}

// hangs hangs up and lets the called side agree.
func (l *Leg) hangs(p *phone) {
	p.b.t.Helper()
	done := make(chan error, 1)
	go func() { done <- l.Hangup(context.Background()) }()
	p.hears()
	if err := <-done; err != nil {
		p.b.t.Errorf("hang up: %v", err)
	}
}

// cancelled takes the CANCEL of inv and ends the INVITE with 487.
func (p *phone) cancelled(inv, tag string) {
	p.b.t.Helper()
	var cancel string
	select {
	case cancel = <-p.in:
	case <-time.After(time.Hour):
		p.b.t.Fatal("no CANCEL")
	}
	for name, want := range map[string]string{"Via": headerOf(inv, "Via"), "To": headerOf(inv, "To"), "From": headerOf(inv, "From"),
		"Call-ID": headerOf(inv, "Call-ID"), "CSeq": strings.Replace(headerOf(inv, "CSeq"), "INVITE", "CANCEL", 1), "Route": headerOf(inv, "Route")} {
		if got := headerOf(cancel, name); got != want {
			p.b.t.Errorf("CANCEL: %s: %q, want %q", name, got, want)
		}
	}
	if got, want := line1(cancel), strings.Replace(line1(inv), "INVITE", "CANCEL", 1); got != want {
		p.b.t.Errorf("CANCEL: %q, want %q", got, want)
	}
	p.answer(cancel, "200 OK", tag, "", "")
	p.answer(inv, "487 Request Terminated", tag, "", "")
	p.want("ACK ")
}

// Whoever has been told of an answer may use the stream, also when the other side
// has hung up in the meantime and the leg is forgotten.
func TestHangsUpAtOnce(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.callee("192.0.2.7:5070")
		l := b.dial(Destination{})
		inv := p.want("INVITE ")
		p.takes(inv, "b1")
		p.says(inv, "BYE", "b1", 1, "", "")
		p.want("SIP/2.0 200")
		time.Sleep(time.Second)
		if got := progress(l); got != "200" || l.Err() != ErrBye {
			t.Fatalf("progress %s, end %v; want 200 and %v", got, l.Err(), ErrBye)
		}
		if b.Calls() != 0 || l.Stream() == nil {
			t.Errorf("%d calls, stream %v; want none, and one that is closed", b.Calls(), l.Stream())
		}
	})
}

func TestForks(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.callee("192.0.2.7:5070")
		l := b.dial(Destination{})
		inv := p.want("INVITE ")
		p.answer(inv, "183 Session Progress", "b1", p.contact(), pcmu)
		p.answer(inv, "183 Session Progress", "b2", p.contact(), strings.Replace(pcmu, "30000", "30002", 1))
		synctest.Wait()
		if got := l.soundTo(); got != 30002 {
			t.Errorf("early media goes to port %d, want the latest", got)
		}
		p.answer(inv, "200 OK", "b1", p.contact(), pcmu)
		p.answer(inv, "200 OK", "b2", "Contact: <sip:two@192.0.2.7:5070>\r\nRecord-Route: <sip:192.0.2.9;lr>\r\n", pcmu)
		p.answer(inv, "200 OK", "b3", p.contact(), pcmu)
		proxy := b.callee("192.0.2.9:5060")
		start := time.Now()
		if ack := p.want("ACK "); tagOf(headerOf(ack, "To")) != "b1" {
			t.Errorf("first ACK: %s", ack)
		}
		if ack := proxy.want("ACK sip:two@192.0.2.7:5070 "); headerOf(ack, "Route") != "<sip:192.0.2.9;lr>" || tagOf(headerOf(ack, "To")) != "b2" {
			t.Errorf("second ACK: %s", ack)
		}
		bye := proxy.want("BYE sip:two@192.0.2.7:5070 ")
		if tagOf(headerOf(bye, "To")) != "b2" || headerOf(bye, "CSeq") != "2 BYE" {
			t.Errorf("BYE: %s", bye)
		}
		proxy.answer(bye, "200 OK", "", "", "")
		p.want("ACK ")
		bye = p.want("BYE ")
		if tagOf(headerOf(bye, "To")) != "b3" || time.Since(start) > 200*time.Millisecond {
			t.Errorf("BYE after %v: %s", time.Since(start), bye)
		}
		p.answer(bye, "200 OK", "", "", "")
		if got := l.soundTo(); got != 30000 {
			t.Errorf("sound goes to port %d, want that of who answered", got)
		}
		l.hangs(p)
		if got := progress(l); got != "183 200" {
			t.Errorf("progress %s", got)
		}
	})
}

// The route set is the reverse of what the answer recorded, and CANCEL has
// nothing of it.
func TestRoutesOfPlacedCall(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.callee("192.0.2.7:5070")
		l := b.dial(Destination{URI: "sip:bob@example.com", Proxy: "192.0.2.7:5070"})
		inv := p.want("INVITE sip:bob@example.com SIP/2.0")
		p.answer(inv, "200 OK", "b", "Record-Route: <sip:10.0.0.1;lr>, <sip:192.0.2.7:5070;lr>\r\nContact: <sip:bob@10.0.0.9>\r\n", pcmu)
		ack := p.want("ACK sip:bob@10.0.0.9 ")
		if !strings.Contains(ack, "Route: <sip:192.0.2.7:5070;lr>\r\nRoute: <sip:10.0.0.1;lr>\r\n") {
			t.Errorf("ACK: %s", ack)
		}
		l.hangs(p)

		l = b.dial(Destination{URI: "sip:bob@example.com", Proxy: "192.0.2.7:5070"})
		inv = p.want("INVITE ")
		p.answer(inv, "180 Ringing", "b", "Record-Route: <sip:192.0.2.9;lr>\r\n"+p.contact(), "")
		synctest.Wait()
		go l.Hangup(context.Background())
		p.cancelled(inv, "b")
	})
}

func noWire() (media.Wire, int, error) { return nil, 0, errors.New("all taken") }

func TestNoPortForPlacedCall(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		b.openWire = noWire
		l := b.dial(Destination{})
		<-l.Done()
		var refused *Refused
		if progress(l) != "503" || !errors.As(l.Err(), &refused) || refused.Status != 503 {
			t.Errorf("ended with %v", l.Err())
		}
	})
}

// A slip in a destination is told at once, and by its name: nothing in it may
// end a header line.
func TestDestinationSlips(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		for _, c := range []struct {
			d    Destination
			want string
		}{
			{Destination{URI: ""}, "URI"},
			{Destination{URI: "bob"}, "not a SIP URI"},
			{Destination{URI: "tel:+1555"}, "not a SIP URI"},
			{Destination{URI: "sips:bob@192.0.2.7"}, "TLS"},
			{Destination{URI: "sip:bob@192.0.2.7?X-A=b"}, "headers"},
			{Destination{URI: "sip:bob@192.0.2.7;transport=ws"}, "transport"},
			{Destination{URI: "sip:bob@192.0.2.7\r\nX: y"}, "URI has a line end"},
			{Destination{URI: "sip:bob@192.0.2.7> <sip:x"}, "not a SIP URI"},
			{Destination{URI: "sip:b@192.0.2.7", Proxy: "h\r\nX: y"}, "Proxy has a line end"},
			{Destination{URI: "sip:b@192.0.2.7" + strings.Repeat(";x", 1000)}, "URI is longer than 1024 bytes"},
			{Destination{URI: "sip:b@192.0.2.7", Headers: map[string][]string{"X-A": make([]string, 100)}}, "headers"},
			{Destination{URI: "sip:b@192.0.2.7", From: "a\nb"}, "From has a line end"},
			{Destination{URI: "sip:b@192.0.2.7", Display: "a\x00b"}, "Display has a line end"},
			{Destination{URI: "sip:b@192.0.2.7", Headers: map[string][]string{"X-A": {"1", "b\r\nX: y"}}}, "header X-A has a line end"},
			{Destination{URI: "sip:b@192.0.2.7", Headers: map[string][]string{"X A": {"1"}}}, `"X A"`},
			{Destination{URI: "sip:b@192.0.2.7", Headers: map[string][]string{"X:\r\n": {"1"}}}, `"X:\r\n"`},
			{Destination{URI: "sip:b@192.0.2.7", Headers: map[string][]string{"Route": {"<sip:x>"}}}, "Route"},
			{Destination{URI: "sip:b@192.0.2.7", Headers: map[string][]string{"v": {"x"}}}, "Via"},
		} {
			_, err := b.Dial(c.d)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("%+v: %v, want %q", c.d, err, c.want)
			}
		}
	})
}
