package sip

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
)

// earlySound answers with 183, and three seconds later as then says.
func earlySound(t *testing.T, b **bench, then func(ctx context.Context, l *Leg)) func(*Config) {
	return func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) {
			for range 2 { // the second does nothing
				if err := l.Early(ctx); err != nil || l.Stream() == nil {
					t.Errorf("early: %v, stream %v", err, l.Stream())
				}
			}
			time.Sleep(3 * time.Second)
			if n := (*b).sent.Load(); n < 140 || n > 160 {
				t.Errorf("%d packets in 3 s before the answer", n)
			}
			then(ctx, l)
		}
	}
}

func TestEarly(t *testing.T) {
	var b *bench
	bubble(t, earlySound(t, &b, func(ctx context.Context, l *Leg) {
		early := l.Stream()
		if err := l.Answer(ctx); err != nil || l.Stream() != early {
			t.Errorf("answer: %v, another stream: %v", err, l.Stream() != early)
		}
		<-ctx.Done()
	}), func(bench *bench) {
		b = bench
		p := b.phone("early")
		p.send("INVITE", "1", sdpBody, pcmu)
		p.want("SIP/2.0 100")
		m := p.want("SIP/2.0 183 Session Progress")
		if headerOf(m, "Content-Type") != "application/sdp" || headerOf(m, "Contact") == "" || !strings.Contains(m, "m=audio 40000 RTP/AVP 0 101\r\n") {
			t.Errorf("183: %s", m)
		}
		ok := p.want("SIP/2.0 200")
		if bodyOf(ok) != bodyOf(m) {
			t.Errorf("the answer has another description:\n%s\n%s", bodyOf(ok), bodyOf(m))
		}
		if tagOf(headerOf(ok, "To")) != tagOf(headerOf(m, "To")) {
			t.Error("the answer has another tag")
		}
		if n := b.wires.Load(); n != 1 {
			t.Errorf("%d ports are open", n)
		}
		p.toTag = tagOf(headerOf(ok, "To"))
		p.ack("")
		p.silent(2 * ringAgain)
		p.bye()
	})
}

// bubble checks that the port and the stream are closed, too.
func TestEarlyWithoutAnswer(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(ctx context.Context, l *Leg)
		end  func(p *phone)
	}{
		{"cancelled", func(ctx context.Context, l *Leg) { <-ctx.Done() }, func(p *phone) {
			time.Sleep(4 * time.Second)
			p.send("CANCEL", "1", "", "")
			p.want("SIP/2.0 200")
			p.want("SIP/2.0 487")
		}},
		{"refused", func(ctx context.Context, l *Leg) { l.Reject(ctx, 486, "") }, func(p *phone) { p.want("SIP/2.0 486") }},
		{"let go", func(context.Context, *Leg) {}, func(p *phone) { p.want("SIP/2.0 480") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b *bench
			bubble(t, earlySound(t, &b, c.then), func(bench *bench) {
				b = bench
				p := b.phone("unanswered")
				p.send("INVITE", "1", sdpBody, pcmu)
				p.want("SIP/2.0 100")
				p.toTag = tagOf(headerOf(p.want("SIP/2.0 183"), "To"))
				c.end(p)
				p.send("ACK", "1", "", "")
				synctest.Wait()
				if n := b.wires.Load(); n != 0 {
					t.Errorf("%d ports are open", n)
				}
				p.silent(2 * ringAgain)
			})
		})
	}
}

func TestEarlyCannot(t *testing.T) {
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) {
			if err := l.Early(ctx); err == nil || !strings.Contains(err.Error(), "no offer") || l.Stream() != nil {
				t.Errorf("without an offer: %v", err)
			}
			if err := l.Answer(ctx); err != nil {
				t.Errorf("answer: %v", err)
			}
			if err := l.Early(ctx); err != nil {
				t.Errorf("when answered: %v", err)
			}
			<-ctx.Done()
			if err := l.Early(ctx); err != ErrBye {
				t.Errorf("when over: %v", err)
			}
		}
	}, func(b *bench) {
		p := b.phone("no offer")
		p.invite("")
		p.ack(pcmu)
		synctest.Wait()
		p.bye()
	})
}

func TestEarlyNoPort(t *testing.T) {
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) {
			if err := l.Early(ctx); err == nil || l.Stream() != nil || l.Err() != nil {
				t.Errorf("early: %v, the leg: %v", err, l.Err())
			}
		}
	}, func(b *bench) {
		b.openWire = func() (media.Wire, int, error) { return nil, 0, errors.New("none") }
		p := b.phone("no port")
		p.send("INVITE", "1", sdpBody, pcmu)
		p.want("SIP/2.0 100")
		p.want("SIP/2.0 480")
		p.send("ACK", "1", "", "")
	})
}

// What is not confirmed is said again each minute, the latest of it.
func TestRingsOn(t *testing.T) {
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) {
			l.Ring(ctx)
			time.Sleep(150 * time.Second)
			l.Early(ctx)
			l.Ring(ctx)
			time.Sleep(90 * time.Second)
		}
	}, func(b *bench) {
		p := b.phone("on")
		start := time.Now()
		p.send("INVITE", "1", sdpBody, pcmu)
		p.want("SIP/2.0 100")
		var got []string
		for {
			m := p.next(2 * ringAgain)
			got = append(got, fmt.Sprintf("%v %s", time.Since(start), strings.Fields(m)[1]))
			if strings.HasPrefix(m, "SIP/2.0 480") {
				break
			}
		}
		if s := strings.Join(got, ", "); s != "0s 180, 1m0s 180, 2m0s 180, 2m30s 183, 3m30s 183, 4m0s 480" {
			t.Error(s)
		}
		p.send("ACK", "1", "", "")
		p.silent(2 * ringAgain)
	})
}
