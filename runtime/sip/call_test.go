package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
)

func TestCall(t *testing.T) {
	ended := make(chan error, 1)
	bubble(t, func(c *Config) {
		c.UserAgent = "hookswitch"
		c.Answer = func(ctx context.Context, l *Leg) {
			inv := l.Invite()
			if inv.From.User != "alice" || inv.From.Display != "A" || inv.To.User != "100" || inv.CallID != "call" || inv.Transport != "UDP" {
				t.Errorf("invite: %+v", inv)
			}
			if got := inv.Headers["X-Account"]; len(got) != 1 || got[0] != "7" {
				t.Errorf("X-Account: %q", got)
			}
			if l.Stream() != nil {
				t.Error("there is a stream before the answer")
			}
			l.Ring(ctx)
			l.Ring(ctx)
			if err := l.Answer(ctx); err != nil {
				t.Errorf("answer: %v", err)
			}
			if err := l.Answer(ctx); err != nil || l.Stream() == nil {
				t.Errorf("second answer: %v, stream %v", err, l.Stream())
			}
			<-l.Done()
			ended <- l.Err()
		}
	}, func(b *bench) {
		p := b.phone("call")
		p.send("INVITE", "1", "X-Account: 7\r\nRecord-Route: <sip:192.0.2.9;lr>\r\n"+sdpBody, pcmu)
		p.want("SIP/2.0 100 Trying")
		ringing := p.want("SIP/2.0 180 Ringing")
		ok := p.want("SIP/2.0 200 OK")
		for name, want := range map[string]string{
			"Via":          "SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK1;rport=5070;received=192.0.2.7",
			"From":         `"A" <sip:alice@example.com>;tag=a1`,
			"To":           headerOf(ringing, "To"),
			"CSeq":         "1 INVITE",
			"Contact":      "<sip:hookswitch@192.0.2.1:5060>",
			"Record-Route": "<sip:192.0.2.9;lr>",
			"Content-Type": "application/sdp",
			"Server":       "hookswitch",
		} {
			if got := headerOf(ok, name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(ok, "m=audio 40000 RTP/AVP 0 101\r\n") || !strings.Contains(ok, "c=IN IP4 192.0.2.1\r\n") {
			t.Errorf("answer: %s", ok)
		}
		p.toTag = tagOf(headerOf(ok, "To"))
		p.ack("")
		p.silent(time.Second)
		p.bye()
		if err := <-ended; err != ErrBye {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestLostAck(t *testing.T) {
	var err error
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) { err = l.Answer(ctx) }
	}, func(b *bench) {
		p := b.phone("noack")
		start := time.Now()
		p.invite(pcmu)
		for _, want := range []float64{0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5} {
			p.want("SIP/2.0 200")
			if got := time.Since(start).Seconds(); got != want {
				t.Errorf("200 at %v s, want %v", got, want)
			}
		}
		bye := p.want("BYE sip:alice@192.0.2.7:5070 SIP/2.0")
		if got := time.Since(start); got != 32*time.Second {
			t.Errorf("BYE at %v", got)
		}
		p.reply(bye, "200 OK")
		p.silent(time.Minute)
	})
	if err != ErrNoAck {
		t.Errorf("answer: %v", err)
	}
}

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

// A late CANCEL and an answer at the same moment leave one final state: 487 to
// the INVITE and no call, or a call that the CANCEL did nothing to.
func TestCancelRace(t *testing.T) {
	answered, canceled := 0, 0
	for seed := range uint64(2000) {
		bubble(t, func(c *Config) {
			c.Answer = func(ctx context.Context, l *Leg) {
				r := rand.New(rand.NewPCG(seed, 1))
				time.Sleep(time.Duration(r.IntN(3)) * time.Millisecond)
				if l.Answer(ctx) == nil {
					<-l.Done()
				}
			}
		}, func(b *bench) {
			r := rand.New(rand.NewPCG(seed, 2))
			p := b.phone("race")
			p.send("INVITE", "r", sdpBody, pcmu)
			time.Sleep(time.Duration(r.IntN(3)) * time.Millisecond)
			p.send("CANCEL", "r", "", "")
			finals := map[string]bool{}
			var ok string
			for range 5 { // 100, 200 to CANCEL, one final, and its repetitions
				select {
				case m := <-p.in:
					if strings.HasSuffix(headerOf(m, "CSeq"), "INVITE") && !strings.HasPrefix(m, "SIP/2.0 1") {
						finals[line1(m)] = true
						ok = m
					}
				case <-time.After(2 * time.Second):
				}
			}
			if len(finals) != 1 {
				t.Fatalf("seed %d: final answers %v", seed, finals)
			}
			p.toTag = tagOf(headerOf(ok, "To"))
			if finals["SIP/2.0 200 OK"] {
				answered++
				p.ack("")
				drain(p)
				p.bye()
				return
			}
			canceled++
			p.send("ACK", "r", "", "")
			drain(p)
			p.silent(time.Minute)
			if n := b.Calls(); n != 0 {
				t.Fatalf("seed %d: %d calls after the cancel", seed, n)
			}
		})
	}
	if answered < 100 || canceled < 100 {
		t.Errorf("%d answered, %d canceled: one side is hardly tried", answered, canceled)
	}
}

func drain(p *phone) {
	synctest.Wait()
	for len(p.in) > 0 {
		<-p.in
	}
}

func TestCancelBeforeAnswer(t *testing.T) {
	var err error
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) {
			l.Ring(ctx)
			<-ctx.Done()
			err = context.Cause(ctx)
			if err := l.Answer(ctx); err != ErrCanceled {
				t.Errorf("late answer: %v", err)
			}
		}
	}, func(b *bench) {
		p := b.phone("cancel")
		p.send("INVITE", "1", sdpBody, pcmu)
		p.want("SIP/2.0 100")
		ringing := p.want("SIP/2.0 180")
		p.send("CANCEL", "1", "", "")
		ok := p.want("SIP/2.0 200")
		if headerOf(ok, "To") != headerOf(ringing, "To") || headerOf(ok, "CSeq") != "1 CANCEL" {
			t.Errorf("200 to CANCEL: %s", ok)
		}
		p.want("SIP/2.0 487")
		p.want("SIP/2.0 487") // until the ACK
		p.toTag = tagOf(headerOf(ok, "To"))
		p.send("ACK", "1", "", "")
		p.silent(time.Minute)
	})
	if err != ErrCanceled {
		t.Errorf("cause: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(ctx context.Context, l *Leg)
		want   string
		err    error
	}{
		{"busy", func(ctx context.Context, l *Leg) { l.Reject(ctx, 486, "") }, "SIP/2.0 486 Busy Here", ErrRejected},
		{"a reason", func(ctx context.Context, l *Leg) { l.Reject(ctx, 404, "No route\r\nX: y") }, "SIP/2.0 404 No route..X: y", ErrRejected},
		{"nothing was done", func(context.Context, *Leg) {}, "SIP/2.0 480 Temporarily Unavailable", ErrRejected},
		{"hung up while ringing", func(ctx context.Context, l *Leg) { l.Hangup(ctx) }, "SIP/2.0 480", ErrRejected},
		{"a panic", func(context.Context, *Leg) { panic("broken") }, "SIP/2.0 500", ErrFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			var leg *Leg
			bubble(t, func(cfg *Config) {
				cfg.Answer = func(ctx context.Context, l *Leg) { leg = l; c.answer(ctx, l) }
			}, func(b *bench) {
				p := b.phone("refused")
				p.send("INVITE", "1", sdpBody, pcmu)
				p.want("SIP/2.0 100")
				m := p.want(c.want)
				p.toTag = tagOf(headerOf(m, "To"))
				p.send("ACK", "1", "", "")
				p.silent(time.Minute)
				if b.Calls() != 0 {
					t.Error("the call is still there")
				}
			})
			if leg.Err() != c.err {
				t.Errorf("ended with %v, want %v", leg.Err(), c.err)
			}
		})
	}
}

func TestNoPorts(t *testing.T) {
	none := errors.New("all taken")
	var err error
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) { err = l.Answer(ctx) }
	}, func(b *bench) {
		b.openWire = func() (media.Wire, int, error) { return nil, 0, none }
		p := b.phone("ports")
		p.send("INVITE", "1", sdpBody, pcmu)
		p.want("SIP/2.0 100")
		if m := p.want("SIP/2.0 503"); headerOf(m, "Retry-After") == "" {
			t.Error("no Retry-After")
		}
		p.send("ACK", "1", "", "")
	})
	if !errors.Is(err, none) {
		t.Errorf("answer: %v", err)
	}
}

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
			bubble(t, nil, func(b *bench) {
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
		p.send("REFER", "r", "Refer-To: <sip:evil@192.0.2.66>\r\n", "")
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

func TestStrangersGetSilence(t *testing.T) {
	calls := 0
	bubble(t, func(c *Config) {
		c.Answer = func(context.Context, *Leg) { calls++ }
	}, func(b *bench) {
		p := b.phoneAt("198.51.100.9:5060", "scan")
		for _, method := range []string{"OPTIONS", "REGISTER", "INVITE", "BYE", "NONSENSE"} {
			p.send(method, method, "", "")
		}
		p.raw("INVITE sip:x SIP/2.0\r\nVia: broken")
		p.silent(time.Minute)
	})
	if calls != 0 {
		t.Errorf("%d calls", calls)
	}
}

func TestMergedInvite(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("merged")
		p.invite(pcmu)
		tag := p.toTag
		p.toTag = ""
		p.send("INVITE", "otherway", sdpBody, pcmu)
		p.want("SIP/2.0 482")
		p.send("INVITE", "invmerged1", sdpBody, pcmu) // and a mere copy is absorbed
		p.toTag = tag
		p.ack("")
		p.silent(time.Minute)
		p.bye()
	})
}

func TestRepeatedInviteIsOneCall(t *testing.T) {
	calls := 0
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) { calls++; time.Sleep(time.Second); l.Reject(ctx, 486, "") }
	}, func(b *bench) {
		p := b.phone("storm")
		for range 1000 {
			p.send("INVITE", "1", sdpBody, pcmu)
		}
		for range 1000 {
			p.want("SIP/2.0 100")
		}
		p.want("SIP/2.0 486")
		p.send("ACK", "1", "", "")
		p.silent(time.Minute)
	})
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Config)
		want string
	}{
		{"calls at once", func(c *Config) { c.MaxCalls = 3 }, "SIP/2.0 503 Too many calls"},
		{"calls per second", func(c *Config) { c.MaxCPS = 3 }, "SIP/2.0 503 Too many calls per second"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, c.set, func(b *bench) {
				var up []*phone
				for i := range 3 {
					p := b.phone(fmt.Sprint("up", i))
					p.invite(pcmu)
					p.ack("")
					up = append(up, p)
				}
				p := b.phone("more")
				p.send("INVITE", "1", sdpBody, pcmu)
				if m := p.want(c.want); headerOf(m, "Retry-After") == "" {
					t.Error("no Retry-After")
				}
				time.Sleep(time.Second)
				for _, p := range up {
					p.bye()
				}
				synctest.Wait()
				p = b.phone("again")
				p.invite(pcmu)
				p.ack("")
				p.bye()
			})
		})
	}
}

func TestDrain(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("up")
		p.invite(pcmu)
		p.ack("")
		b.Drain()
		o := b.phone("o")
		o.send("OPTIONS", "o", "", "")
		o.want("SIP/2.0 503")
		o.send("INVITE", "i", sdpBody, pcmu)
		if m := o.want("SIP/2.0 503"); headerOf(m, "Retry-After") != "5" {
			t.Errorf("Retry-After: %s", m)
		}
		p.seq++
		p.invite(pcmu) // calls that are up go on
		p.ack("")
		p.bye()
	})
}

func TestCloseHangsUp(t *testing.T) {
	var err error
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) { l.Answer(ctx); <-ctx.Done(); err = l.Err() }
	}, func(b *bench) {
		p := b.phone("close")
		p.invite(pcmu)
		p.ack("")
		synctest.Wait()
		go func() { p.reply(p.want("BYE "), "200 OK") }()
	})
	if err != ErrHungUp {
		t.Errorf("ended with %v", err)
	}
}

func TestKeysByInfo(t *testing.T) {
	keys := make(chan rune, 10)
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) {
			l.Answer(ctx)
			for k := range l.Stream().Keys(ctx) {
				keys <- k.Digit
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
