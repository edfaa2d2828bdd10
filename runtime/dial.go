package runtime

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// dialing is one <Dial> of people while it runs.
type dialing struct {
	*script
	d      *texml.Dial
	ringer *ringer // what the caller hears meanwhile
	took   *take   // the recording; nil is none
	done   verbs.Dialed
}

// attempt is the call to one target. It belongs to its goroutine until that has
// handed it over, settled or answered.
type attempt struct {
	*call
	target target
	order  int           // in the document
	to     []Destination // the one that is called, and those that are when it cannot be reached
	err    error         // nil: answered, and the first
}

// whispers are the verbs of a document that the called side hears alone.
var whispers = []string{"Say", "Play", "Pause", "Gather", "Redirect", "Hangup"}

// Dial calls the nouns of d and joins the call to the first who answers
// (verbs.Call).
func (c *script) Dial(ctx context.Context, d *texml.Dial) (verbs.Dialed, error) {
	c.lively.Store(true)
	targets := c.targets(d)
	if len(targets) == 0 {
		return verbs.Dialed{Status: "failed"}, context.Cause(ctx)
	}
	dl := &dialing{script: c, d: d, done: verbs.Dialed{Status: "canceled"}}
	if strings.HasPrefix(d.Record, "record-from-ringing") {
		dl.took = c.recordDial(d)
	}
	dl.ringer = c.ring(ctx, d)
	defer func() { dl.ringer.stop() }()
	if d.Sequential {
		for len(targets) > 0 && !dl.done.Bridged && ctx.Err() == nil {
			dl.callAny(ctx, targets[:1])
			targets = targets[1:]
		}
	} else {
		dl.callAny(ctx, targets)
	}
	if dl.took != nil {
		dl.done.Recording = dl.took.stop(ctx)
	}
	if c.leg.Err() != nil { // the caller is gone, and the news of it is on its way
		<-ctx.Done()
	}
	return dl.done, context.Cause(ctx)
}

// callAny calls all of group and joins the call to the first who answers.
func (dl *dialing) callAny(ctx context.Context, group []target) {
	dl.ringAgain(ctx)
	var early func(*media.Stream)
	if len(group) == 1 { // of several nobody knows who will answer
		early = dl.ringer.early
	}
	last := dl.race(ctx, group, early)
	if last.err == nil {
		last = dl.connect(ctx, last)
	}
	last.result(&dl.done)
	if ctx.Err() != nil && !dl.done.Bridged {
		dl.done.Status = "canceled"
	}
}

// race calls all of group and returns the first that is answered, or else the
// one that failed last; of several at one time the last in the document. The
// others are hung up in their own time. early, which may be nil, gets what is
// heard before an answer.
func (dl *dialing) race(ctx context.Context, group []target, early func(*media.Stream)) (last *attempt) {
	ringing, lose := context.WithCancelCause(ctx)
	defer lose(errLost)
	patience := time.AfterFunc(dl.d.Timeout, func() { lose(errNoAnswer) })
	defer patience.Stop()
	var won atomic.Bool
	results := make(chan *attempt, len(group))
	all := make([]*attempt, len(group))
	for i, t := range group { // their SIDs are in the order of the document
		all[i] = dl.attempt(t, t.to)
		all[i].order = i
	}
	for _, a := range all {
		dl.call.beside(func() {
			a := dl.try(ringing, a, &won, early)
			failed := a.err != nil
			results <- a
			if failed {
				a.end(ctx)
			}
		})
	}
	for range group {
		a := <-results
		if a.err == nil {
			return a
		}
		if last == nil || a.rec.Ended.After(last.rec.Ended) || a.rec.Ended.Equal(last.rec.Ended) && a.order > last.order {
			last = a
		}
	}
	return last
}

// attempt is the call to one target, not placed yet, at the first of its
// addresses.
func (dl *dialing) attempt(t target, to []Destination) *attempt {
	return &attempt{call: dl.child(dl.childSetup(t, to[0])), target: t, to: to}
}

// try calls the addresses of one target until one of them answers. What failed
// is settled.
func (dl *dialing) try(ctx context.Context, a *attempt, won *atomic.Bool, early func(*media.Stream)) *attempt {
	for {
		a.err = verbs.Guard(func() error {
			return a.place(ctx, a.to[0], func(status int, sound *media.Stream) error {
				switch {
				case status >= 200 && won.Swap(true):
					return errLost
				case sound != nil && early != nil:
					early(sound)
				}
				return nil
			})
		})
		if a.err == nil {
			return a
		}
		a.settle(a.err)
		u, ok := errors.AsType[*unreached](a.err)
		if ok && u.status == "failed" {
			dl.Warn(a.target.node, u.code, u.msg)
		}
		if !ok || u.status == "busy" || len(a.to) == 1 {
			return a
		}
		a.end(ctx)
		order := a.order
		a = dl.attempt(a.target, a.to[1:])
		a.order = order
	}
}

// connect joins the call with a, and with whom a moves it to, until they are
// apart. It returns the last of them.
func (dl *dialing) connect(ctx context.Context, a *attempt) *attempt {
	for {
		var next *attempt
		shut := dl.s.bridges.open(dl.bridge())
		err := verbs.Guard(func() (err error) {
			next, err = dl.speak(ctx, a)
			return err
		})
		if h, ok := errors.AsType[*handover](err); ok {
			left := &attempt{call: a.shadow(a.rec), target: a.target} // a is not ours any more
			if h.give(a) {
				shut()
				left.settle(nil)
				return left
			}
		}
		shut()
		if to, ok := errors.AsType[*referral](err); ok && ctx.Err() == nil {
			dl.done.Referred = to.uri
			to.tell(200) // it is taken on; what comes of it is the document's
		}
		apart := a
		apart.settle(err)
		if next == nil && dl.took != nil { // what is told of the leg tells of its recording
			apart.recorded = dl.took.stop(ctx)
			dl.done.Recording, dl.took = apart.recorded, nil
		}
		dl.call.beside(func() { apart.end(ctx) })
		if next == nil {
			return apart
		}
		a = next
	}
}

// speak runs what comes before the two are joined on the called leg, then joins
// them. It returns who is next when the called side has moved the call, and why
// the two are no longer together, nil when that was wanted here.
func (dl *dialing) speak(ctx context.Context, a *attempt) (next *attempt, err error) {
	live, stop := whileThere(ctx, a.leg.Done())
	defer stop()
	if a.target.digits != "" || a.target.whisper.URL != "" {
		dl.ringAgain(ctx) // that is not for the caller
	}
	if a.target.digits != "" {
		a.note("send", "", a.target.digits, 0)
		if err := a.leg.Stream().SendDigits(live, a.target.digits); err != nil {
			return nil, err
		}
	}
	if a.target.whisper.URL != "" {
		if ok, err := dl.whisper(live, a); !ok {
			return nil, err
		}
	}
	if err := dl.Answer(live); err != nil {
		return nil, err
	}
	dl.ringer.stop()
	dl.done.Bridged = true
	if dl.took == nil && dl.d.Record != "do-not-record" {
		dl.took = dl.recordDial(dl.d)
	}
	return dl.converse(ctx, live, a)
}

// whisper runs the document that only the called side hears, and reports
// whether it wants the call. What comes after a sound that cannot be had was not
// run, and it may be what asks.
func (dl *dialing) whisper(live context.Context, a *attempt) (bool, error) {
	at, err := resolve(dl.page.url, a.target.whisper.URL)
	if err != nil {
		dl.Warn(a.target.node, 11100, "url: "+err.Error())
		return false, nil
	}
	w := &script{call: a.call, first: Request{URL: at, Method: a.target.whisper.Method}, allowed: whispers, code: 13201}
	err = w.documents(live)
	return err == nil && !w.hungUp && !w.broken, err
}

// together lets the call and another one speak until ctx is done, which it is
// when one of them is gone, the time of d is up, or the caller presses star. It
// returns why.
func (c *script) together(ctx context.Context, d *texml.Dial, other *media.Stream) error {
	own := c.leg.Stream()
	split := media.Relay(own, other, c.s.music(own.Rate()))
	defer split()
	limit := time.NewTimer(d.TimeLimit)
	defer limit.Stop()
	var keys <-chan rune // nil hears nothing
	if d.HangupOnStar {
		keys = own.Keys(ctx)
	}
	for {
		select {
		case key := <-keys:
			if key == '*' {
				return nil
			}
		case <-limit.C:
			return ErrTimeLimit
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// result tells what became of the attempt.
func (a *attempt) result(done *verbs.Dialed) {
	done.Status, done.SID, done.To = a.rec.Status, a.rec.SID, a.rec.To
	done.SIP, done.SIPCallID, done.SIPStatus = a.target.sip, a.rec.SIPCallID, a.sipStatus
	done.Code, done.Message = a.rec.ErrorCode, a.rec.ErrorMessage
	done.Headers = map[string]string{}
	if a.outgoing != nil {
		for name, values := range a.outgoing.Headers() {
			if strings.HasPrefix(strings.ToLower(name), "x-") && len(values) > 0 {
				done.Headers[name] = values[0]
			}
		}
	}
	done.Answered = !a.rec.Answered.IsZero()
	if done.Answered {
		done.Duration = a.rec.Ended.Sub(a.rec.Answered)
	}
	if done.Answered && !done.Bridged {
		done.Status = "no-answer" // answered, and refused the call
	}
}
