package sip

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answered is a recording session that the recorder has taken.
func (b *bench) answered(change func(*Recording)) (p *phone, l *Leg, inv string) {
	b.t.Helper()
	p = b.callee("192.0.2.7:5070")
	l = b.record(change)
	inv = p.want("INVITE ")
	p.answer(inv, "200 OK", "b1", p.contact()+"Session-Expires: 600;refresher=uac\r\n", srs(30000, 30002))
	p.want("ACK ")
	return p, l, inv
}

// refusal takes the refusal of the INVITE that says has sent, and confirms it.
func (p *phone) refusal(inv, want string, seq int) {
	p.b.t.Helper()
	to := headerOf(p.want(want), "To")
	p.raw("ACK sip:hookswitch@192.0.2.1:5060 SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP " + p.addr.String() + fmt.Sprintf(";branch=z9hG4bKINVITE%d;rport\r\n", seq) +
		"From: " + headerOf(inv, "To") + ";tag=b1\r\nTo: " + to + "\r\nCall-ID: " + headerOf(inv, "Call-ID") +
		fmt.Sprintf("\r\nCSeq: %d ACK\r\nContent-Length: 0\r\n\r\n", seq))
}

// A session is offered again at half of its timer, with all of its metadata.
func TestSessionTimer(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		tracked(b)
		p, l, inv := b.answered(func(r *Recording) { r.Expires = 30 * time.Minute })
		if got := headerOf(inv, "Session-Expires"); got != "1800;refresher=uac" {
			t.Errorf("Session-Expires: %q", got)
		}
		began := time.Now()
		for i, want := range []time.Duration{5 * time.Minute, 20 * time.Minute} {
			time.Sleep(want - time.Since(began) - time.Second)
			p.silent(time.Second - time.Nanosecond)
			again := p.want("INVITE ")
			if time.Since(began) != want {
				t.Errorf("INVITE after %v, want %v", time.Since(began), want)
			}
			if headerOf(again, "Call-ID") != l.CallID() || tagOf(headerOf(again, "To")) != "b1" {
				t.Errorf("INVITE of another dialog: %s", again)
			}
			bodies, _ := parts(t, again)
			first, _ := parts(t, inv)
			if bodies["application/sdp"] != first["application/sdp"] || bodies["application/rs-metadata+xml"] != "<recording/>" {
				t.Errorf("INVITE %d: %s", i, again)
			}
			p.answer(again, "200 OK", "", p.contact(), srs(30000, 30002)) // 1800 s, as we said
			if ack := p.want("ACK "); headerOf(ack, "CSeq") != strings.Replace(headerOf(again, "CSeq"), "INVITE", "ACK", 1) {
				t.Errorf("ACK: %s", ack)
			}
			p.answer(again, "200 OK", "", p.contact(), srs(30000, 30002)) // it was lost
			p.want("ACK ")
		}
		l.hangs(p)
		p.silent(time.Hour)
	})
}

// A recorder that has lost the session, or is gone, ends it.
func TestRecorderIsGone(t *testing.T) {
	for _, status := range []string{"481 No such call", ""} {
		t.Run(status, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				tracked(b)
				p, l, _ := b.answered(func(r *Recording) { r.Expires = 90 * time.Second })
				time.Sleep(45 * time.Second)
				again := p.want("INVITE ")
				if status != "" {
					p.answer(again, status, "", "", "")
					p.want("ACK ")
				} else {
					for range 6 {
						p.want("INVITE ")
					}
				}
				p.hears()
				<-l.Done()
				if l.Err() != ErrGone {
					t.Errorf("ended with %v", l.Err())
				}
			})
		})
	}
}

// A recorder may pause, move, and want the metadata again.
func TestRecorderAsks(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		wire := tracked(b)
		p, l, inv := b.answered(nil)
		sends := func(want bool) {
			t.Helper()
			before := wire(0).samples()
			time.Sleep(time.Second)
			if got := wire(0).samples() > before; got != want {
				t.Errorf("sends: %v, want %v", got, want)
			}
		}
		sends(true)
		p.says(inv, "INVITE", "b1", 1, "", strings.ReplaceAll(srs(30000, 30002), "recvonly", "inactive"))
		ok := p.want("SIP/2.0 200")
		if strings.Count(ok, "a=inactive") != 2 || !strings.Contains(ok, "a=label:1") || !strings.Contains(ok, "a=label:2") || !strings.Contains(headerOf(ok, "Contact"), ";+sip.src") {
			t.Errorf("answer to a pause: %s", ok)
		}
		p.says(inv, "ACK", "b1", 1, "", "")
		sends(false)
		p.says(inv, "INVITE", "b1", 2, "", "") // what is ours to offer?
		ok = p.want("SIP/2.0 200")
		if strings.Count(ok, "a=sendonly") != 2 {
			t.Errorf("offer in the answer: %s", ok)
		}
		p.says(inv, "ACK", "b1", 2, "", srs(31000, 31002))
		sends(true)
		if got := wire(0).to().Port(); got != 31000 {
			t.Errorf("the sound goes to %d, want 31000", got)
		}
		p.says(inv, "UPDATE", "b1", 3, "", strings.Replace(srs(31000, 31002), "m=audio 31000 RTP/AVP 0", "m=audio 31000 RTP/AVP 18", 1))
		if ok := p.want("SIP/2.0 200"); !strings.Contains(ok, "m=audio 0 ") {
			t.Errorf("answer to G.729: %s", ok)
		}
		sends(false)
		p.says(inv, "UPDATE", "b1", 4, "", srs(31000, 31002))
		p.want("SIP/2.0 200")
		p.says(inv, "INVITE", "b1", 5, "", strings.ReplaceAll(srs(31000, 31002), "RTP/AVP 0", "RTP/AVP 18"))
		p.refusal(inv, "SIP/2.0 488", 5)
		sends(true)

		p.says(inv, "UPDATE", "b1", 6, "Content-Type: application/rs-metadata-request\r\nContent-Disposition: recording-session\r\n", "")
		p.want("SIP/2.0 200")
		again := p.want("INVITE ")
		p.says(inv, "INVITE", "b1", 7, "", srs(31000, 31002)) // theirs meets ours
		p.refusal(inv, "SIP/2.0 491", 7)
		p.answer(again, "491 Request Pending", "", "", "")
		p.want("ACK ")
		synctest.Wait()
		time.Sleep(3 * time.Second)
		again = p.want("INVITE ")
		p.answer(again, "200 OK", "", p.contact(), srs(31000, 31002))
		p.want("ACK ")
		sends(true)
		l.hangs(p)
	})
}

// A recorder may ask who we are, also within the session.
func TestRecorderChallenges(t *testing.T) {
	const chal = `Digest realm="srs", nonce="n1", algorithm=MD5`
	bubble(t, nil, func(b *bench) {
		tracked(b)
		p := b.callee("192.0.2.7:5070")
		l := b.record(func(r *Recording) {
			r.Username, r.Password, r.Expires = "user", "secret", 90*time.Second
		})
		for i := range 2 {
			inv := p.want("INVITE ")
			p.answer(inv, "401 Unauthorized", "b0", "WWW-Authenticate: "+chal+"\r\n", "")
			p.want("ACK ")
			inv = p.want("INVITE ")
			if got := headerOf(inv, "Authorization"); !strings.Contains(got, `username="user"`) || strings.Contains(inv, "secret") {
				t.Errorf("INVITE %d: Authorization %q", i, got)
			}
			if bodies, _ := parts(t, inv); bodies["application/rs-metadata+xml"] == "" {
				t.Errorf("INVITE %d has no metadata", i)
			}
			p.answer(inv, "200 OK", "b1", p.contact(), srs(30000, 30002))
			p.want("ACK ")
			if i == 0 {
				time.Sleep(45 * time.Second)
			}
		}
		l.hangs(p)
	})
}
