package sip

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestGiveUp(t *testing.T) {
	t.Run("before anything has come", func(t *testing.T) {
		bubble(t, nil, func(b *bench) {
			p := b.callee("192.0.2.7:5070")
			l := b.dial(Destination{})
			inv := p.want("INVITE ")
			start := time.Now()
			l.Hangup(context.Background())
			if time.Since(start) != 0 || l.Err() != ErrHungUp || progress(l) != "487" {
				t.Errorf("after %v: %v", time.Since(start), l.Err())
			}
			p.want("INVITE ")
			p.answer(inv, "100 Trying", "", "", "")
			p.cancelled(inv, "b")
			p.silent(time.Minute)
		})
	})
	t.Run("and nothing comes", func(t *testing.T) {
		bubble(t, nil, func(b *bench) {
			p := b.callee("192.0.2.7:5070")
			l := b.dial(Destination{})
			p.want("INVITE ")
			l.Hangup(context.Background())
			for range 6 {
				p.want("INVITE ")
			}
			p.silent(time.Minute)
			if b.inFlight() != 0 {
				t.Error("the INVITE is still kept")
			}
		})
	})
	t.Run("and the answer crosses the CANCEL", func(t *testing.T) {
		bubble(t, nil, func(b *bench) {
			p := b.callee("192.0.2.7:5070")
			l := b.dial(Destination{})
			inv := p.want("INVITE ")
			p.answer(inv, "180 Ringing", "b", p.contact(), "")
			synctest.Wait()
			go l.Hangup(context.Background())
			cancel := p.want("CANCEL ")
			p.answer(inv, "200 OK", "b", p.contact(), pcmu)
			p.want("ACK ")
			p.hears()
			p.answer(cancel, "481 No such transaction", "b", "", "")
			if l.Err() != ErrHungUp {
				t.Errorf("ended with %v", l.Err())
			}
			p.silent(time.Minute)
		})
	})
	t.Run("and nothing answers the CANCEL", func(t *testing.T) {
		bubble(t, nil, func(b *bench) {
			p := b.callee("192.0.2.7:5070")
			l := b.dial(Destination{})
			inv := p.want("INVITE ")
			p.answer(inv, "180 Ringing", "b", p.contact(), "")
			synctest.Wait()
			start := time.Now()
			l.Hangup(context.Background())
			if got := time.Since(start); got != byeTime {
				t.Errorf("hung up after %v", got)
			}
			time.Sleep(time.Minute)
			if b.inFlight() != 0 {
				t.Error("the INVITE is still kept")
			}
		})
	})
}

// Whatever moment a call is given up in, the called side is left with none.
func TestGiveUpAtAnyMoment(t *testing.T) {
	answered, cancelled := 0, 0
	for seed := range uint64(1000) {
		bubble(t, nil, func(b *bench) {
			r := rand.New(rand.NewPCG(seed, 3))
			wait := func() { time.Sleep(time.Duration(r.IntN(4)) * time.Millisecond) }
			p := b.callee("192.0.2.7:5070")
			l := b.dial(Destination{})
			hung := make(chan struct{})
			gaveUp := time.Duration(r.IntN(12)) * time.Millisecond
			go func() {
				defer close(hung)
				time.Sleep(gaveUp)
				l.Hangup(context.Background())
			}()
			var inv string
			select {
			case inv = <-p.in:
			case <-time.After(time.Second): // given up before it was sent
				<-hung
				return
			}
			wait()
			p.answer(inv, "100 Trying", "", "", "")
			wait()
			p.answer(inv, "180 Ringing", "b", p.contact(), "")
			up, final, bye := false, false, false
			answers := time.After(time.Duration(r.IntN(6)) * time.Millisecond)
			for over := time.After(10 * time.Second); over != nil; {
				select {
				case <-answers:
					if !final {
						final, up = true, true
						p.answer(inv, "200 OK", "b", p.contact(), pcmu)
					}
				case m := <-p.in:
					switch method, _, _ := strings.Cut(m, " "); method {
					case "CANCEL":
						p.answer(m, "200 OK", "b", "", "")
						if !final {
							final = true
							p.answer(inv, "487 Request Terminated", "b", "", "")
						}
					case "BYE":
						up, bye = false, true
						p.answer(m, "200 OK", "", "", "")
					}
				case <-over:
					over = nil
				}
			}
			<-hung
			if bye {
				answered++
			} else {
				cancelled++
			}
			if up || !final || l.Err() != ErrHungUp || b.Calls() != 0 {
				t.Fatalf("seed %d: called side up %v, final answer %v, %v, %d calls", seed, up, final, l.Err(), b.Calls())
			}
		})
	}
	if answered < 100 || cancelled < 100 {
		t.Errorf("%d answered, %d cancelled: one side is hardly tried", answered, cancelled)
	}
}

// Close hangs up what was placed, in whatever state, and after it nothing is.
func TestCloseWithPlacedCalls(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		silent, rings, up := b.callee("192.0.2.6:5070"), b.callee("192.0.2.7:5070"), b.callee("192.0.2.8:5070")
		var legs []*Leg
		for _, p := range []*phone{silent, rings, up} {
			legs = append(legs, b.dial(Destination{URI: "sip:bob@" + p.addr.String()}))
		}
		silent.want("INVITE ")
		ringing := rings.want("INVITE ")
		rings.answer(ringing, "180 Ringing", "b", rings.contact(), "")
		up.takes(up.want("INVITE "), "b")
		synctest.Wait()
		b.Drain()
		more := b.dial(Destination{URI: "sip:bob@" + up.addr.String()}) // a call that is up may need it
		up.takes(up.want("INVITE "), "c")
		go func() {
			for range 2 {
				up.hears()
			}
			rings.cancelled(ringing, "b")
		}()
		start := time.Now()
		b.Close()
		if got := time.Since(start); got > byeTime {
			t.Errorf("closed after %v", got)
		}
		for i, l := range append(legs, more) {
			if l.Err() != ErrHungUp {
				t.Errorf("leg %d ended with %v", i, l.Err())
			}
		}
		l := b.dial(Destination{})
		<-l.Done()
		if progress(l) != "503" {
			t.Errorf("after Close: %v", l.Err())
		}
	})
}
