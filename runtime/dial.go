package runtime

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/tones"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// dialing is one <Dial> of people while it runs.
type dialing struct {
	*script
	d       *texml.Dial
	several bool           // ring at once
	ringer  *ringer        // what the caller hears meanwhile
	took    *take          // the recording; nil is none
	calls   sync.WaitGroup // attempts; those that lost may still be hanging up
}

// attempt is the call to one target. It belongs to its goroutine until that has
// handed it over.
type attempt struct {
	*call
	target target
	err    error // nil: answered, and the first
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
	dl := &dialing{script: c, d: d, several: len(targets) > 1 && !d.Sequential}
	defer dl.calls.Wait()
	dl.ringer = c.ring(ctx, d)
	defer dl.ringer.stop()

	if strings.HasPrefix(d.Record, "record-from-ringing") {
		dl.took = c.recordDial(d)
	}
	groups := [][]target{targets}
	if !dl.several {
		groups = groups[:0]
		for _, t := range targets {
			groups = append(groups, []target{t})
		}
	}
	var done verbs.Dialed
	for len(groups) > 0 && context.Cause(ctx) == nil {
		last := dl.race(ctx, groups[0])
		groups = groups[1:]
		if last.err == nil {
			last = dl.connect(ctx, last, &done)
		}
		last.result(&done)
		if done.Bridged {
			break
		}
	}
	done.Recording = dl.took.stop(ctx)
	return done, context.Cause(ctx)
}

// race calls all of group and returns the first that is answered, or the one
// that ended last. The others are hung up, in their own time.
func (dl *dialing) race(ctx context.Context, group []target) (last *attempt) {
	ringing, lose := context.WithCancelCause(ctx)
	patience := time.AfterFunc(dl.d.Timeout, func() { lose(errNoAnswer) })
	defer patience.Stop()
	results := make(chan *attempt, len(group))
	var won atomic.Bool
	for _, t := range group {
		dl.calls.Go(func() {
			var a *attempt
			err := verbs.Guard(func() error { a = dl.try(ringing, t, &won); return nil })
			if err != nil {
				dl.fail(err)
				a = &attempt{target: t, err: err}
			}
			results <- a
		})
	}
	for range group {
		if last = <-results; last.err == nil {
			lose(errLost)
			return last
		}
	}
	lose(nil)
	return last
}

// try calls the addresses of one target until one of them answers.
func (dl *dialing) try(ctx context.Context, t target, won *atomic.Bool) (a *attempt) {
	for i, to := range t.to {
		set, err := dl.childSetup(t, to)
		if err != nil {
			dl.Warn(t.node, 0, err.Error())
		}
		a = &attempt{call: dl.child(set), target: t}
		a.err = a.place(ctx, to, func(early bool) {
			if early && !dl.several {
				dl.ringer.early(a.leg.Stream())
			}
		})
		if a.err == nil && won.Swap(true) {
			a.err = errLost
		}
		if a.err == nil {
			return a
		}
		a.over(ctx, a.err)
		var u *unreached
		if !errors.As(a.err, &u) || u.status == "busy" || i == len(t.to)-1 {
			break
		}
	}
	return a
}

// connect joins the call with a, and with whom a transfers it to, until they are
// apart. It returns the last of them, who is hung up.
func (dl *dialing) connect(ctx context.Context, a *attempt, done *verbs.Dialed) *attempt {
	for {
		err := dl.speak(ctx, a, done)
		move, moved := errors.AsType[*transfer](err)
		if !moved || dl.d.ReferURL != "" || ctx.Err() != nil {
			if moved {
				done.Referred = move.uri
				move.tell(200) // it is taken on; what comes of it is the document's
			}
			a.over(ctx, err)
			return a
		}
		dl.note("transfer", move.uri, "", 0)
		dl.ringer = dl.ring(ctx, dl.d)
		next := dl.race(ctx, []target{{node: dl.d, to: []Destination{dl.to(dl.d, move.uri)}, sip: true}})
		move.tell(next.outcome())
		a.over(ctx, err)
		if next.err != nil {
			dl.ringer.stop()
			return next
		}
		a = next
	}
}

// transfer is the end of a conversation that the called side wants to go on
// elsewhere.
type transfer struct {
	uri  string
	tell func(status int)
}

func (*transfer) Error() string { return "the called side moves the call elsewhere" }

// outcome is the status that tells what became of the attempt.
func (a *attempt) outcome() int {
	if a.err == nil {
		return 200
	}
	if a.call == nil || a.sipStatus < 300 {
		return 480
	}
	return a.sipStatus
}

// speak runs what comes before the two are joined on the called leg, then joins
// them. It returns why they are no longer together, nil when the called side
// refused.
func (dl *dialing) speak(ctx context.Context, a *attempt, done *verbs.Dialed) error {
	live, stop := alive(ctx, a.leg, dl.s.MaxCall)
	defer stop()
	if a.target.digits != "" {
		a.note("send", "", a.target.digits, 0)
		if err := a.leg.Stream().SendDigits(live, a.target.digits); err != nil {
			return err
		}
	}
	if a.target.whisper.URL != "" {
		if ok, err := dl.whisper(live, a); !ok {
			return err
		}
	}
	if err := dl.Answer(live); err != nil {
		return err
	}
	dl.ringer.stop()
	done.Bridged = true
	if dl.took == nil && dl.d.Record != "do-not-record" {
		dl.took = dl.recordDial(dl.d)
	}
	live, move := context.WithCancelCause(live)
	defer move(nil)
	if dl.d.ReferURL != "" || dl.set.Transfers {
		a.leg.OnRefer(func(uri string, tell func(int)) bool {
			move(&transfer{uri, tell})
			return true
		})
		defer a.leg.OnRefer(nil)
	}
	dl.note("bridge", a.rec.SID, "", 0)
	return dl.together(live, dl.d, a.leg.Stream())
}

// whisper runs the document that only the called side hears, and reports
// whether it wants the call.
func (dl *dialing) whisper(live context.Context, a *attempt) (bool, error) {
	at, err := resolve(dl.page.url, a.target.whisper.URL)
	if err != nil {
		dl.Warn(a.target.node, 11100, "url: "+err.Error())
		return false, nil
	}
	w := &script{call: a.call, first: Request{URL: at, Method: a.target.whisper.Method}, allowed: whispers, code: 13201}
	err = w.documents(live)
	return err == nil && !w.hungUp, err
}

// together lets the call and another one speak until ctx is done, which it is
// when one of them is gone, the time of d is up, or the caller presses star. It
// returns why.
func (c *script) together(ctx context.Context, d *texml.Dial, other *media.Stream) error {
	own := c.leg.Stream()
	split := media.Relay(own, other, tones.Music(own.Rate()))
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
	if a.call == nil { // it crashed
		done.Status = "failed"
		return
	}
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
