package calltest

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// How long a subscription lasts that brings nothing, and any (RFC 3515 §2.4).
const (
	firstNotify = 32 * time.Second
	allNotifies = 3 * time.Minute
)

var errNotAnswered = errors.New("only an answered call can be referred")

// Refer asks this phone to call uri instead (runtime.Leg). What it answers is
// the script's.
func (p *phone) Refer(ctx context.Context, uri string, h map[string][]string) (int, <-chan int, error) {
	p.mu.Lock()
	err := p.err
	if err == nil && !p.answered {
		err = errNotAnswered
	}
	p.mu.Unlock()
	if err != nil {
		return 0, nil, err
	}
	if p.stage.trace.shows("REFER") {
		p.note("REFER " + uri + headers(h))
	}
	says := p.stage.script.known(p.letter).referred
	if says == nil {
		says = usualReferred
	}
	if err := p.later(ctx, says[0].after); err != nil {
		return 0, nil, err
	}
	if says[0].status >= 300 {
		return says[0].status, nil, nil
	}
	notified := make(chan int, len(says))
	p.asked.Go(func() { p.notifies(says[1:], notified) })
	return says[0].status, notified, nil
}

// notifies tells what becomes of a REFER until the subscription ends.
func (p *phone) notifies(list []said, notified chan<- int) {
	defer close(notified)
	ctx := context.Background() // the end of the leg is the end of it
	began := time.Now()
	for _, s := range list {
		if p.later(ctx, s.after) != nil {
			return
		}
		notified <- s.status
		if s.status >= 200 {
			return
		}
	}
	left := firstNotify
	if len(list) > 0 {
		left = allNotifies - time.Since(began)
	}
	p.later(ctx, left) // the end says it all
}

// later waits for d, and then for its turn on the stage. It returns the cause
// of ctx, or that the call is over.
func (p *phone) later(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return p.stage.enter(ctx, p.sid, "")
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.done:
		return p.Err()
	}
}

// OnRefer sets who decides about a REFER of this phone (runtime.Leg).
func (p *phone) OnRefer(decide func(uri string, notify func(status int)) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decide = decide
}

// refer asks our side to call uri instead.
func (p *phone) refer(uri string) {
	p.mu.Lock()
	decide := p.decide
	p.mu.Unlock()
	if decide == nil {
		p.note("refer " + uri + ": refused")
		return
	}
	p.asked.Go(func() {
		notify := func(status int) {
			if p.Err() == nil {
				p.note("notified " + strconv.Itoa(status))
			}
		}
		if decide(uri, notify) {
			p.note("refer " + uri + ": accepted")
		} else {
			p.note("refer " + uri + ": refused")
		}
	})
}
