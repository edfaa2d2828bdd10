package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
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

// However often an INVITE is repeated, it is one call, and what is sent for it
// stays less than what came.
func TestRepeatedInviteIsOneCall(t *testing.T) {
	calls := 0
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) { calls++; time.Sleep(time.Second); l.Reject(ctx, 486, "") }
	}, func(b *bench) {
		p := b.phone("storm")
		for range 1000 {
			p.send("INVITE", "1", sdpBody, pcmu)
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if got := len(p.in); got != 12 {
			t.Errorf("%d answers, want the 100, the same every 100 ms, and the 486", got)
		}
		for len(p.in) > 1 {
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

// An answer over the usual 1,300 bytes is sent all the same; the network cuts
// it into fragments.
func TestLargeAnswer(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("large")
		routes := strings.Repeat("Record-Route: <sip:192.0.2.9;lr;ftag="+strings.Repeat("x", 120)+">\r\n", 12)
		p.send("INVITE", "1", routes+sdpBody, pcmu)
		p.want("SIP/2.0 100")
		ok := p.want("SIP/2.0 200")
		if n := strings.Count(ok, "Record-Route: "); n != 12 || len(ok) < 2000 {
			t.Errorf("%d routes in %d bytes", n, len(ok))
		}
		p.toTag = tagOf(headerOf(ok, "To"))
		p.ack("")
		p.bye()
	})
}

// A flood from one peer, or in its name, leaves the others alone.
func TestFloodTakesOnlyItsOwnBudget(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		from := func(ip string) path {
			return path{remote: netip.AddrPortFrom(netip.MustParseAddr(ip), 5060), socket: b.socket}
		}
		taken := 0
		for range 2 * maxMessages {
			if b.admit(from("192.0.2.66")) {
				taken++
			}
		}
		if taken != maxMessages {
			t.Errorf("%d of the flood were taken, want %d", taken, maxMessages)
		}
		refused := 0
		for i := range 64 {
			if !b.admit(from(fmt.Sprintf("192.0.2.%d", 100+i))) {
				refused++
			}
		}
		if refused > 16 { // 1 has the same hash on average
			t.Errorf("%d of 64 others were refused", refused)
		}
	})
}

func TestLogIsSampled(t *testing.T) {
	lines := 0
	bubble(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(writer(func([]byte) { lines++ }), nil))
	}, func(b *bench) {
		p := b.phone("junk")
		for range 1000 {
			p.raw("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n")
		}
		synctest.Wait()
		if lines != 1 {
			t.Errorf("%d lines for one cause", lines)
		}
		time.Sleep(time.Second)
		p.raw("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n")
		synctest.Wait()
		if lines != 2 {
			t.Errorf("%d lines after a second", lines)
		}
	})
}
