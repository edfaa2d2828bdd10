package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHoldAndResume(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("hold")
		first := p.invite(pcmu)
		p.ack("")
		for _, c := range []struct{ name, sdp, want string }{
			{"the same again", pcmu, "a=sendrecv"},
			{"hold", pcmu + "a=sendonly\r\n", "a=recvonly"},
			{"both silent", pcmu + "a=inactive\r\n", "a=inactive"},
			{"resume elsewhere", strings.Replace(pcmu, "30000", "30002", 1), "a=sendrecv"},
		} {
			p.seq++
			ok := p.invite(c.sdp)
			if !strings.Contains(ok, c.want) {
				t.Errorf("%s: %s", c.name, ok)
			}
			if c.name == "the same again" && bodyOf(ok) != bodyOf(first) {
				t.Errorf("the answer has changed:\n%s\n%s", bodyOf(ok), bodyOf(first))
			}
			p.ack("")
		}
		p.silent(time.Minute)
		p.bye()
	})
}

func bodyOf(m string) string { _, b, _ := strings.Cut(m, "\r\n\r\n"); return b }

func TestNothingInCommon(t *testing.T) {
	g729 := strings.Replace(pcmu, "RTP/AVP 0 101", "RTP/AVP 18", 1)
	answered := false
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) { answered = true }
	}, func(b *bench) {
		p := b.phone("g729")
		p.send("INVITE", "1", sdpBody, g729)
		m := p.want("SIP/2.0 488 the offer has only G729")
		if w := headerOf(m, "Warning"); !strings.HasPrefix(w, `305 hookswitch "the offer has only G729; we speak PCMU, PCMA`) {
			t.Errorf("Warning: %s", w)
		}
	})
	if answered {
		t.Error("the application has seen the call")
	}
}

func TestRefusedReinviteChangesNothing(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("keep")
		first := p.invite(pcmu)
		p.ack("")
		p.seq++
		p.send("INVITE", "2", sdpBody, strings.Replace(pcmu, "RTP/AVP 0 101", "RTP/AVP 18", 1))
		p.want("SIP/2.0 488")
		p.send("ACK", "2", "", "")
		p.seq++
		if again := p.invite(pcmu); bodyOf(again) != bodyOf(first) {
			t.Errorf("the answer has changed:\n%s\n%s", bodyOf(again), bodyOf(first))
		}
		p.ack("")
		p.bye()
	})
}

func TestOfferInAck(t *testing.T) {
	for _, c := range []struct {
		name, answer, want string
	}{
		{"answered", strings.Replace(pcmu, "RTP/AVP 0 101", "RTP/AVP 8 101", 1), ""},
		{"not answered", "", "BYE "},
		{"answered with something else", strings.Replace(pcmu, "RTP/AVP 0 101", "RTP/AVP 18", 1), "BYE "},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(cfg *Config) {
				cfg.Answer = func(ctx context.Context, l *Leg) {
					err := l.Answer(ctx)
					if c.want != "" {
						if err != ErrOffer {
							t.Errorf("answer: %v", err)
						}
						return
					}
					if err != nil || l.Stream() == nil {
						t.Errorf("answer: %v, stream %v", err, l.Stream())
					}
					<-l.Done()
				}
			}, func(b *bench) {
				p := b.phone("late")
				ok := p.invite("")
				if !strings.Contains(ok, "m=audio 40000 RTP/AVP 0 8 101\r\n") {
					t.Errorf("offer: %s", ok)
				}
				p.ack(c.answer)
				if c.want != "" {
					p.reply(p.want(c.want), "200 OK")
					return
				}
				p.silent(time.Second)
				p.seq++ // and a re-INVITE that asks again
				ok = p.invite("")
				if !strings.Contains(ok, "m=audio 40000 RTP/AVP ") {
					t.Errorf("second offer: %s", ok)
				}
				p.ack(pcmu)
				p.silent(time.Second)
				p.bye()
			})
		})
	}
}

// An INVITE that overtakes the ACK before it waits for it; a third is too many.
func TestReinviteBeforeAck(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("overtaken")
		p.invite(pcmu)
		p.seq = 2
		p.send("INVITE", "second", sdpBody, pcmu+"a=sendonly\r\n")
		p.want("SIP/2.0 100")
		p.seq = 3
		p.send("INVITE", "third", sdpBody, pcmu)
		if m := p.want("SIP/2.0 500"); headerOf(m, "Retry-After") == "" {
			t.Errorf("no Retry-After: %s", m)
		}
		p.send("ACK", "third", "", "")
		p.seq = 1
		p.ack("")
		if m := p.want("SIP/2.0 200"); headerOf(m, "CSeq") != "2 INVITE" || !strings.Contains(m, "a=recvonly") {
			t.Errorf("second: %s", m)
		}
		p.seq = 2
		p.ack("")
		p.silent(time.Second)
		p.seq = 3
		p.bye()
	})
}

func TestReinviteBeforeAnswer(t *testing.T) {
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) { l.Ring(ctx); <-ctx.Done() }
	}, func(b *bench) {
		p := b.phone("early")
		p.send("INVITE", "1", sdpBody, pcmu)
		p.want("SIP/2.0 100")
		p.toTag = tagOf(headerOf(p.want("SIP/2.0 180"), "To"))
		p.seq = 2
		p.send("INVITE", "2", sdpBody, pcmu)
		p.want("SIP/2.0 500 An earlier INVITE is not over")
		p.send("ACK", "2", "", "")
		p.bye() // of an early dialog
		p.want("SIP/2.0 487")
		p.send("ACK", "1", "", "")
	})
}

func TestKeysByInfo(t *testing.T) {
	keys := make(chan rune, 10)
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) {
			l.Answer(ctx)
			for k := range l.Stream().Keys(ctx) {
				keys <- k
			}
		}
	}, func(b *bench) {
		p := b.phone("keys")
		p.invite(pcmu)
		p.ack("")
		synctest.Wait()
		for _, c := range []struct{ mediaType, body, want string }{
			{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "SIP/2.0 200"},
			{"application/dtmf", "#", "SIP/2.0 200"},
			{"application/dtmf", "hello", "SIP/2.0 400"},
			{"application/media_control+xml", "<x/>", "SIP/2.0 415"},
			{"text/plain", "", "SIP/2.0 200"},
		} {
			p.seq++
			p.send("INFO", "i"+fmt.Sprint(p.seq), "Content-Type: "+c.mediaType+"\r\n", c.body)
			p.want(c.want)
		}
		p.send("INFO", "i2", "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\n") // a copy of the first
		p.want("SIP/2.0 200")
		synctest.Wait()
		if got := string([]rune{<-keys, <-keys}); got != "5#" || len(keys) != 0 {
			t.Errorf("keys %q and %d more", got, len(keys))
		}
		p.bye()
	})
}

func TestUpdate(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("upd")
		p.invite(pcmu)
		p.ack("")
		p.seq++
		p.send("UPDATE", "u1", "", "")
		if m := p.want("SIP/2.0 200"); bodyOf(m) != "" {
			t.Errorf("a refresh got a description: %s", m)
		}
		p.seq++
		p.send("UPDATE", "u2", sdpBody, pcmu+"a=sendonly\r\n")
		if m := p.want("SIP/2.0 200"); !strings.Contains(m, "a=recvonly") {
			t.Errorf("answer: %s", m)
		}
		p.bye()
	})
}

func TestNoMedia(t *testing.T) {
	for _, c := range []struct {
		name, sdp string
		after     time.Duration
	}{
		{"from the start", pcmu, 30 * time.Second},
		{"while we are held", pcmu + "a=sendonly\r\n", 60 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(cfg *Config) { cfg.MediaTimeout = 0 }, func(b *bench) {
				p := b.phone("mute")
				p.invite(c.sdp)
				p.ack("")
				synctest.Wait()
				start := time.Now()
				select {
				case m := <-p.in:
					if got := time.Since(start); got != c.after || !strings.HasPrefix(m, "BYE ") {
						t.Errorf("%q after %v, want BYE after %v", line1(m), got, c.after)
					}
					p.reply(m, "200 OK")
				case <-time.After(2 * time.Minute):
					t.Error("nothing came")
				}
			})
		})
	}
}

// A peer that has been heard is missed sooner.
func TestNoMediaAnyMore(t *testing.T) {
	const rtp = "\x80\x00\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x07\xff"
	bubble(t, func(cfg *Config) {
		cfg.MediaTimeout = 0
		cfg.Answer = func(ctx context.Context, l *Leg) {
			l.Answer(ctx)
			time.Sleep(20 * time.Second)
			l.Stream().Receive([]byte(rtp), netip.MustParseAddrPort("192.0.2.7:30000"))
			<-l.Done()
		}
	}, func(b *bench) {
		p := b.phone("gone")
		p.invite(pcmu)
		p.ack("")
		synctest.Wait()
		start := time.Now()
		p.reply(p.want("BYE "), "200 OK")
		if got := time.Since(start); got != 35*time.Second {
			t.Errorf("BYE after %v, want 15 s after the packet at 20 s", got)
		}
	})
}

// Whoever sends an INVITE in a peer's name must not have us send RTP to the
// address in its offer; only who has seen our answer can confirm it.
func TestNoSoundBeforeAck(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("unconfirmed")
		p.invite(pcmu)
		p.want("SIP/2.0 200") // after 0.5 s
		if got := b.sent.Load(); got != 0 {
			t.Errorf("%d RTP packets before the ACK", got)
		}
		p.ack("")
		synctest.Wait()
		if got := b.sent.Load(); got != 1 {
			t.Errorf("%d RTP packets at the ACK, want 1", got)
		}
		p.bye()
	})
}

// Re-INVITEs from the same place must not use up what is known of a peer's
// addresses.
func TestManyReinvitesThenAnotherContact(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("mobile")
		p.invite(pcmu)
		p.ack("")
		for range 20 {
			p.seq++
			p.invite(pcmu)
			p.ack("")
		}
		p.seq++
		moved := b.phoneAt("192.0.2.8:5070", "mobile")
		p.raw("UPDATE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKmove;rport\r\n" +
			"From: <sip:alice@example.com>;tag=a1\r\nTo: <sip:100@192.0.2.1>;tag=" + p.toTag + "\r\n" +
			"Call-ID: mobile\r\nCSeq: 50 UPDATE\r\nContact: <sip:alice@192.0.2.8:5070>\r\nContent-Length: 0\r\n\r\n")
		p.want("SIP/2.0 200")
		moved.toTag, moved.seq = p.toTag, 50
		moved.bye()
	})
}

func TestNoMediaAfterHold(t *testing.T) {
	bubble(t, func(cfg *Config) { cfg.MediaTimeout = 0 }, func(b *bench) {
		p := b.phone("resumed")
		p.invite(pcmu + "a=sendonly\r\n")
		p.ack("")
		time.Sleep(50 * time.Second)
		p.seq++
		p.invite(pcmu)
		p.ack("")
		p.silent(29 * time.Second)
		p.reply(p.want("BYE "), "200 OK")
	})
}
