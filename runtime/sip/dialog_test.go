package sip

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestNoAnswerToOurBye(t *testing.T) {
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) { l.Answer(ctx) }
	}, func(b *bench) {
		p := b.phone("deaf")
		p.invite(pcmu)
		p.ack("")
		start := time.Now()
		for range 4 {
			p.want("BYE ")
		}
		b.calling.Wait()
		if got := time.Since(start); got != byeTime {
			t.Errorf("gave up after %v", got)
		}
	})
}

func TestByeBeforeAck(t *testing.T) {
	var err error
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) { err = l.Answer(ctx) }
	}, func(b *bench) {
		p := b.phone("quick")
		p.invite(pcmu)
		p.bye()
		p.silent(time.Minute)
	})
	if err != ErrBye {
		t.Errorf("answer: %v", err)
	}
}

func TestByeGlare(t *testing.T) {
	hang := make(chan struct{})
	bubble(t, func(c *Config) {
		hang = make(chan struct{})
		c.Answer = func(ctx context.Context, l *Leg) { l.Answer(ctx); <-hang }
	}, func(b *bench) {
		p := b.phone("glare")
		p.invite(pcmu)
		p.ack("")
		synctest.Wait()
		close(hang)
		ours := p.want("BYE ")
		p.bye()
		p.reply(ours, "200 OK")
		b.calling.Wait()
	})
}

func TestHangupWaitsForAck(t *testing.T) {
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) {
			short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
			defer stop()
			if err := l.Answer(short); err != context.DeadlineExceeded {
				t.Errorf("answer: %v", err)
			}
		}
	}, func(b *bench) {
		p := b.phone("waits")
		p.invite(pcmu)
		p.want("SIP/2.0 200") // repeated, no BYE
		p.ack("")
		p.reply(p.want("BYE "), "200 OK")
	})
}

func TestStrictOrder(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("order")
		p.invite(pcmu)
		p.ack("")
		p.send("BYE", "same", "", "")
		p.want("SIP/2.0 500 CSeq 1 is not above 1")
		p.seq = 5
		p.send("OPTIONS", "o", "", "")
		p.want("SIP/2.0 200")
		p.seq = 4
		p.send("INFO", "low", "", "")
		p.want("SIP/2.0 500")
		p.seq = 6
		p.send("REGISTER", "r", "", "")
		if m := p.want("SIP/2.0 405"); headerOf(m, "Allow") != allow {
			t.Errorf("Allow: %q", headerOf(m, "Allow"))
		}
		p.bye()
	})
}

// Who knows the tags of a call but is not its other side changes nothing.
func TestFromElsewhere(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("mine")
		p.invite(pcmu)
		thief := b.phoneAt("192.0.2.66:5070", "mine")
		thief.toTag, thief.seq = p.toTag, 1
		thief.ack("")
		p.want("SIP/2.0 200") // not confirmed by that
		p.ack("")
		for _, method := range []string{"BYE", "INVITE", "INFO", "UPDATE", "REFER"} {
			thief.seq++
			thief.send(method, "t"+method, "", "")
			thief.want("SIP/2.0 481")
		}
		p.silent(time.Minute)
		if n := b.Calls(); n != 1 {
			t.Errorf("%d calls", n)
		}
		other := b.phoneAt("192.0.2.7:61000", "mine") // a NAT's new port
		other.toTag, other.seq = p.toTag, 9
		other.bye()
	})
}

func TestCancelFromElsewhere(t *testing.T) {
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) {
			time.Sleep(time.Second)
			if l.Answer(ctx) == nil {
				<-l.Done()
			}
		}
	}, func(b *bench) {
		p := b.phone("ring")
		p.send("INVITE", "1", sdpBody, pcmu)
		p.want("SIP/2.0 100")
		thief := b.phoneAt("192.0.2.66:5070", "ring")
		thief.raw("CANCEL sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=a1\r\nTo: <sip:100@192.0.2.1>\r\nCall-ID: ring\r\nCSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n")
		thief.want("SIP/2.0 481")
		p.toTag = tagOf(headerOf(p.want("SIP/2.0 200"), "To"))
		p.ack("")
		p.bye()
	})
}

// Our BYE goes the way that the INVITE came, to where the last Contact says.
func TestByeTakesTheRoute(t *testing.T) {
	for _, c := range []struct {
		name, routes, contact  string
		to, uri, route, recant string
	}{
		{"straight", "", "<sip:alice@192.0.2.7:5070>", "192.0.2.7:5070", "sip:alice@192.0.2.7:5070", "", ""},
		{"another port", "", "<sip:alice@192.0.2.7:5099>", "192.0.2.7:5099", "sip:alice@192.0.2.7:5099", "", ""},
		{"through proxies", "<sip:192.0.2.9:5064;lr>, <sip:192.0.2.10;lr>", "<sip:alice@10.0.0.7>", "192.0.2.9:5064", "sip:alice@10.0.0.7", "<sip:192.0.2.9:5064;lr>", ""},
		{"a strict router", "<sip:192.0.2.9:5064>", "<sip:alice@10.0.0.7>", "192.0.2.9:5064", "sip:192.0.2.9:5064", "<sip:alice@10.0.0.7>", ""},
		{"behind a NAT", "", "<sip:alice@10.0.0.7:5070>", "192.0.2.7:5070", "sip:alice@10.0.0.7:5070", "", ""},
		{"a stranger's address", "", "<sip:alice@203.0.113.1:22>", "192.0.2.7:5070", "sip:alice@203.0.113.1:22", "", ""},
		{"a name", "", "<sip:alice@metadata.internal>", "192.0.2.7:5070", "sip:alice@metadata.internal", "", ""},
		{"moved by a re-INVITE", "", "<sip:alice@192.0.2.7:5070>", "192.0.2.7:5098", "sip:new@192.0.2.7:5098", "", "<sip:new@192.0.2.7:5098>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			hang := make(chan struct{})
			bubble(t, func(cfg *Config) {
				hang = make(chan struct{})
				cfg.Answer = func(ctx context.Context, l *Leg) { l.Answer(ctx); <-hang }
			}, func(b *bench) {
				p := b.phone("route")
				invite := func(contact, branch string, seq int) {
					to := "<sip:100@192.0.2.1>"
					if p.toTag != "" {
						to += ";tag=" + p.toTag
					}
					text := fmt.Sprintf("INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK%s\r\nFrom: <sip:a@b>;tag=a1\r\nTo: %s\r\nCall-ID: route\r\nCSeq: %d INVITE\r\nContact: %s\r\n", branch, to, seq, contact)
					if c.routes != "" {
						text += "Record-Route: " + c.routes + "\r\n"
					}
					p.raw(text + "Content-Type: application/sdp\r\n\r\n" + pcmu)
					p.want("SIP/2.0 100")
				}
				invite(c.contact, "1", 1)
				p.toTag = tagOf(headerOf(p.want("SIP/2.0 200"), "To"))
				p.ack("")
				if c.recant != "" {
					p.raw(fmt.Sprintf("INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKre\r\nFrom: <sip:a@b>;tag=a1\r\nTo: <sip:100@192.0.2.1>;tag=%s\r\nCall-ID: route\r\nCSeq: 2 INVITE\r\nContact: %s\r\nContent-Type: application/sdp\r\n\r\n%s", p.toTag, c.recant, pcmu))
					p.want("SIP/2.0 200")
					p.seq = 2
					p.ack("")
				}
				synctest.Wait()
				close(hang)
				at := b.phoneAt(c.to, "route")
				bye := at.want("BYE " + c.uri + " SIP/2.0")
				if got := headerOf(bye, "Route"); got != c.route {
					t.Errorf("Route: %q, want %q", got, c.route)
				}
				if headerOf(bye, "To") != "<sip:a@b>;tag=a1" || headerOf(bye, "From") != "<sip:100@192.0.2.1>;tag="+p.toTag {
					t.Errorf("BYE: %s", bye)
				}
				at.reply(bye, "200 OK")
			})
		})
	}
}
