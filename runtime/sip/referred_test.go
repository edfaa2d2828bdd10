package sip

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// deciding answers calls; their transfers are decided on by decide.
func deciding(c *Config, decide func(l *Leg, uri string, notify func(int)) bool) {
	c.Answer = func(ctx context.Context, l *Leg) {
		l.OnRefer(func(uri string, notify func(int)) bool { return decide(l, uri, notify) })
		if l.Answer(ctx) == nil {
			<-l.Done()
		}
	}
}

func (p *phone) refer(branch, extra string) {
	p.seq++
	p.send("REFER", branch, extra, "")
}

const toBob = "Refer-To: <sip:bob@example.com?Replaces=1%40h>\r\n"

// told takes a NOTIFY and answers it.
func (p *phone) told(state, body string) (m string) {
	p.b.t.Helper()
	m = p.want("NOTIFY sip:alice@192.0.2.7:5070 SIP/2.0")
	if got := headerOf(m, "Subscription-State"); !strings.HasPrefix(got, state) {
		p.b.t.Errorf("Subscription-State %q, want %q", got, state)
	}
	if got := bodyOf(m); got != body {
		p.b.t.Errorf("body %q, want %q", got, body)
	}
	p.reply(m, "200 OK")
	synctest.Wait()
	return m
}

func TestReferred(t *testing.T) {
	bubble(t, func(c *Config) {
		deciding(c, func(l *Leg, uri string, notify func(int)) bool {
			if want := "sip:bob@example.com?Replaces=1%40h"; uri != want {
				t.Errorf("URI %q, want %q", uri, want)
			}
			go func() {
				time.Sleep(time.Second)
				for _, status := range []int{180, 180, 99, 700, 200, 486} {
					notify(status)
				}
			}()
			return true
		})
	}, func(b *bench) {
		p := b.phone("referred")
		p.invite(pcmu)
		p.ack("")
		for _, branch := range []string{"first", "second"} {
			p.refer(branch, toBob)
			ok := p.want("SIP/2.0 202 Accepted")
			if headerOf(ok, "Contact") == "" {
				t.Errorf("no Contact: %s", ok)
			}
			m := p.told("active;expires=180", "SIP/2.0 100 Trying\r\n")
			if got, want := headerOf(m, "Event"), "refer;id="+cseq(ok); got != want {
				t.Errorf("Event %q, want %q", got, want)
			}
			if got := headerOf(m, "Content-Type"); got != "message/sipfrag;version=2.0" {
				t.Errorf("Content-Type %q", got)
			}
			p.told("active;expires=179", "SIP/2.0 180 Ringing\r\n")
			p.told("terminated;reason=noresource", "SIP/2.0 200 OK\r\n")
			p.silent(10 * time.Second)
		}
		p.bye()
	})
}

func TestReferredRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		decide func(l *Leg, uri string, notify func(int)) bool
		extra  string
		want   string
	}{
		{"nobody decides", nil, toBob, "603"},
		{"decided against", func(_ *Leg, _ string, notify func(int)) bool { notify(200); return false }, toBob, "603"},
		{"no Refer-To", accept, "", "400"},
		{"two Refer-To", accept, toBob + toBob, "400"},
		{"an option that is not ours", accept, toBob + "Require: gruu\r\n", "420"},
		{"another method", accept, "Refer-To: <sip:bob@example.com;method=BYE>\r\n", "603"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(cfg *Config) {
				if c.decide != nil {
					deciding(cfg, c.decide)
				}
			}, func(b *bench) {
				p := b.phone("refused")
				p.invite(pcmu)
				p.ack("")
				p.refer("r", c.extra)
				p.want("SIP/2.0 " + c.want)
				p.silent(time.Minute)
				p.bye()
			})
		})
	}
}

func accept(*Leg, string, func(int)) bool { return true }

func TestReferredTwice(t *testing.T) {
	bubble(t, func(c *Config) { deciding(c, accept) }, func(b *bench) {
		p := b.phone("again")
		p.send("INVITE", "i", sdpBody, pcmu)
		p.want("SIP/2.0 100")
		p.toTag = tagOf(headerOf(p.want("SIP/2.0 200"), "To"))
		p.refer("early", toBob)
		p.want("SIP/2.0 500 The call is not up yet")
		p.seq--
		p.ack("")
		p.seq++
		p.refer("first", toBob)
		p.want("SIP/2.0 202")
		p.told("active", "SIP/2.0 100 Trying\r\n")
		p.refer("second", toBob)
		if m := p.want("SIP/2.0 500 An earlier transfer is not over"); headerOf(m, "Retry-After") == "" {
			t.Errorf("no Retry-After: %s", m)
		}
		time.Sleep(referTime) // nobody has told its end
		p.told("terminated;reason=timeout", "SIP/2.0 100 Trying\r\n")
		p.refer("third", toBob)
		p.want("SIP/2.0 202")
		p.told("active", "SIP/2.0 100 Trying\r\n")
		p.bye()
		p.silent(time.Minute)
	})
}

func TestReferredQuietly(t *testing.T) {
	for _, extra := range []string{"Refer-Sub: false\r\n", "Refer-Sub: FALSE;x\r\nRequire: norefersub\r\n"} {
		bubble(t, func(c *Config) {
			deciding(c, func(_ *Leg, _ string, notify func(int)) bool {
				time.AfterFunc(time.Second, func() { notify(200) })
				return true
			})
		}, func(b *bench) {
			p := b.phone("quiet")
			p.invite(pcmu)
			p.ack("")
			p.refer("1", toBob+extra)
			if m := p.want("SIP/2.0 202"); headerOf(m, "Refer-Sub") != "false" {
				t.Errorf("Refer-Sub: %s", m)
			}
			p.refer("2", toBob+extra)
			p.want("SIP/2.0 500")
			p.silent(time.Minute)
			p.refer("3", toBob+extra)
			p.want("SIP/2.0 202")
			p.bye()
			p.silent(time.Minute)
		})
	}
}

// Who does not answer a NOTIFY, or with a refusal, is told nothing more.
func TestNotifyRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(p *phone, m string)
	}{
		{"481", func(p *phone, m string) { p.reply(m, "481 Gone") }},
		{"no answer", func(p *phone, m string) {
			for range 10 {
				p.want("NOTIFY ")
			}
			time.Sleep(time.Second)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tell func(int)
			bubble(t, func(cfg *Config) {
				deciding(cfg, func(_ *Leg, _ string, notify func(int)) bool { tell = notify; return true })
			}, func(b *bench) {
				p := b.phone("deaf")
				p.invite(pcmu)
				p.ack("")
				p.refer("1", toBob)
				p.want("SIP/2.0 202")
				c.answer(p, p.want("NOTIFY "))
				synctest.Wait()
				tell(200)
				p.silent(time.Minute)
				p.refer("2", toBob)
				p.want("SIP/2.0 202")
				p.told("active", "SIP/2.0 100 Trying\r\n")
				p.bye()
			})
		})
	}
}

// What is told before the answer to REFER, or before a hang-up, comes in order.
func TestNotifyOrder(t *testing.T) {
	bubble(t, func(c *Config) {
		deciding(c, func(l *Leg, _ string, notify func(int)) bool {
			notify(183)
			notify(486)
			go func() {
				time.Sleep(time.Second)
				l.Hangup(context.Background())
			}()
			return true
		})
	}, func(b *bench) {
		p := b.phone("order")
		p.invite(pcmu)
		p.ack("")
		p.refer("1", toBob)
		p.want("SIP/2.0 202")
		p.told("active", "SIP/2.0 100 Trying\r\n")
		p.told("active", "SIP/2.0 183 Session Progress\r\n")
		p.told("terminated;reason=noresource", "SIP/2.0 486 Busy Here\r\n")
		p.reply(p.want("BYE "), "200 OK")
	})
	bubble(t, func(c *Config) {
		deciding(c, func(l *Leg, _ string, notify func(int)) bool {
			go func() {
				time.Sleep(time.Second)
				notify(200)
				l.Hangup(context.Background())
				notify(200)
			}()
			return true
		})
	}, func(b *bench) {
		p := b.phone("last")
		p.invite(pcmu)
		p.ack("")
		p.refer("1", toBob)
		p.want("SIP/2.0 202")
		p.told("active", "SIP/2.0 100 Trying\r\n")
		p.told("terminated;reason=noresource", "SIP/2.0 200 OK\r\n")
		p.reply(p.want("BYE "), "200 OK")
		p.silent(time.Minute)
	})
}

// Who does not take the last status is hung up on all the same.
func TestNotifyBeforeBye(t *testing.T) {
	bubble(t, func(c *Config) {
		deciding(c, func(l *Leg, _ string, notify func(int)) bool {
			time.AfterFunc(time.Second, func() { notify(200); l.Hangup(context.Background()) })
			return true
		})
	}, func(b *bench) {
		p := b.phone("hung up")
		p.invite(pcmu)
		p.ack("")
		p.refer("1", toBob)
		p.want("SIP/2.0 202")
		p.told("active", "SIP/2.0 100 Trying\r\n")
		p.want("NOTIFY ")
		start := time.Now()
		m := p.want("NOTIFY ")
		for strings.HasPrefix(m, "NOTIFY ") {
			m = p.next(byeTime)
		}
		if took := time.Since(start); took != byeTime || !strings.HasPrefix(m, "BYE ") {
			t.Errorf("after %v: %s", took, line1(m))
		}
		p.reply(m, "200 OK")
	})
}

// The caller hangs up while it is decided.
func TestReferredAndGone(t *testing.T) {
	var late atomic.Bool
	bubble(t, func(c *Config) {
		deciding(c, func(l *Leg, _ string, notify func(int)) bool {
			<-l.Done()
			notify(200)
			late.Store(true)
			return true
		})
	}, func(b *bench) {
		p := b.phone("gone")
		p.invite(pcmu)
		p.ack("")
		p.refer("1", toBob)
		p.bye()
		p.want("SIP/2.0 487")
		p.silent(time.Minute)
	})
	if !late.Load() {
		t.Error("nobody was asked")
	}
}

func TestReferredPanic(t *testing.T) {
	bubble(t, func(c *Config) {
		deciding(c, func(*Leg, string, func(int)) bool { panic("no") })
	}, func(b *bench) {
		p := b.phone("panic")
		p.invite(pcmu)
		p.ack("")
		p.refer("1", toBob)
		p.want("SIP/2.0 603")
		p.bye()
	})
}

// Nothing outside a call moves one.
func TestReferOutside(t *testing.T) {
	bubble(t, func(c *Config) { deciding(c, accept) }, func(b *bench) {
		p := b.phone("outside")
		p.send("REFER", "1", toBob, "")
		p.want("SIP/2.0 603")
		p.send("NOTIFY", "2", "Event: refer\r\nSubscription-State: active\r\n", "")
		p.want("SIP/2.0 481")
		mine := b.phone("mine")
		mine.invite(pcmu)
		mine.ack("")
		thief := b.phoneAt("192.0.2.66:5070", "mine")
		thief.toTag = mine.toTag
		thief.refer("3", toBob)
		thief.want("SIP/2.0 481")
		mine.notify("refer", "active", "", "481") // there is no subscription
		mine.bye()
	})
}
