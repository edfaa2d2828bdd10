package runtime

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/verbs"
)

// Why a call that was dialled is given up before it is answered.
var (
	errNoAnswer = errors.New("nobody answered in time")
	errLost     = errors.New("another one was faster")
)

// errClosed is the error of a leg that tells no final status.
var errClosed = errors.New("the call failed on our side")

// unreached is why a dialled call was not answered.
type unreached struct {
	status string // busy, no-answer, failed or canceled
	cause  string // HangupCause of Telnyx
	sip    int    // final status, 0 when none came
	code   int    // the platforms' code, 0 for none
	msg    string
}

func (u *unreached) Error() string { return u.msg }

// child is a call that this one has dialled, not placed yet.
func (c *call) child(set Setup) *call {
	set.Account, set.Dialect = c.set.Account, c.set.Dialect
	set.ParentSID, set.Direction = c.rec.SID, "outbound-dial"
	child := newCall(c.s, nil, set)
	child.rec.Status = "initiated"
	child.jar = c.jar
	return child
}

// place calls to and returns when it is answered. The error is an *unreached, or
// the cause of ctx when that ended first, or what told said: it gets each status
// up to the answer's, with the sound that comes before the answer, nil for none,
// and an error of it gives the call up. Settle and end what failed. Where
// documents wait for who has answered, ask that next: the answer is not told yet.
func (c *call) place(ctx context.Context, to Destination, told func(status int, early *media.Stream) error) error {
	to.CallSID, to.AccountSID = c.rec.SID, c.rec.AccountSID
	c.note("dial", to.To, "", 0)
	c.save(c.callback(initiated, c.rec.Created))
	if c.s.Dial == nil {
		return &unreached{status: "failed", cause: "unspecified", code: 13224, msg: "this server cannot call anybody"}
	}
	leg, err := c.s.Dial(ctx, to)
	if err != nil {
		u := &unreached{status: "failed", cause: "call_rejected", code: 13224, msg: err.Error()}
		if b, ok := errors.AsType[broken](err); ok {
			u.code = b.Code()
		}
		return u
	}
	c.leg, c.outgoing = leg, leg
	c.rec.SIPCallID = leg.CallID()
	progress, last := leg.Progress(), 0
	for {
		select {
		case status, ok := <-progress:
			if !ok {
				<-leg.Done() // the news is out a moment before the end that explains it
				return c.unreached(last)
			}
			if status >= 300 {
				last = status
				continue
			}
			if err := context.Cause(ctx); err != nil {
				return err
			}
			early := leg.Stream()
			if status >= 200 || len(progress) > 0 { // it may be the answer's sound
				early = nil
			}
			if err := told(status, early); err != nil {
				return err
			}
			if status < 200 {
				c.rings(status)
				continue
			}
			c.rec.Answered, c.rec.Status = time.Now(), "in-progress"
			c.sipStatus = status
			c.note("answer", "", "", 0)
			if c.set.AMD.waits() { // and the news with it
				return nil
			}
			c.save(c.callback(answered, c.rec.Answered))
			c.detectBeside()
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// rings notes the first news that the other side's phone rings.
func (c *call) rings(status int) {
	if status < 180 || c.rec.Status == "ringing" {
		return
	}
	c.rec.Status = "ringing"
	c.note("ringing", "", "", 0)
	c.save(c.callback(ringing, time.Now()))
}

// hangUp ends the leg, whatever has become of ctx, within 5 seconds.
func (c *call) hangUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := c.leg.Hangup(ctx); err != nil {
		c.s.Log.Info("hang-up not confirmed", "call", c.rec.SID, "error", err)
	}
}

// unreached makes an outcome of a final status, 0 for none.
func (c *call) unreached(status int) *unreached {
	err := cmp.Or(c.leg.Err(), errClosed)
	u := &unreached{sip: status, msg: err.Error()}
	if b, ok := errors.AsType[broken](err); ok {
		u.code = b.Code()
	}
	c.sipStatus = status
	u.status, u.cause = outcomeOf(status)
	return u
}

// outcomeOf is what a final status of 300 or more says of a call: its status,
// and Telnyx' HangupCause. 0 is none at all.
func outcomeOf(status int) (outcome, cause string) {
	switch status {
	case 486, 600:
		return "busy", "user_busy"
	case 408:
		return "no-answer", "timeout"
	case 480, 487:
		return "no-answer", "no_answer"
	case 403, 603:
		return "failed", "call_rejected"
	case 404, 410, 484, 604:
		return "failed", "not_found"
	}
	return "failed", "unspecified"
}

// over settles and ends a placed call.
func (c *call) over(ctx context.Context, err error) {
	c.settle(err)
	if u, ok := errors.AsType[*unreached](err); ok && u.status == "failed" {
		c.note("warning", u.msg, "", u.code)
	}
	c.end(ctx)
}

// settle gives the record of a placed call its last words: err is what place or
// what came after it ended with, nil when the call was ended from here.
func (c *call) settle(err error) {
	c.rec.Ended = time.Now()
	c.rec.HangupCause, c.rec.HangupSource = "normal_clearing", "caller"
	if c.leg != nil && c.leg.Err() != nil && !c.rec.Answered.IsZero() {
		c.hungUp("callee")
	}
	crash, crashed := errors.AsType[*verbs.Crash](err)
	u, unreached := errors.AsType[*unreached](err)
	if crashed {
		c.fail(crash)
	}
	switch {
	case !c.rec.Answered.IsZero():
		c.rec.Status = "completed"
		if errors.Is(err, ErrTimeLimit) {
			c.rec.HangupCause = "time_limit"
		}
	case unreached:
		c.rec.Status, c.rec.HangupCause, c.rec.HangupSource = u.status, u.cause, "callee"
		if u.status == "failed" {
			c.blame(u.code, u.msg)
		}
		if c.leg == nil { // nobody was asked
			c.rec.HangupSource = "unknown"
		}
	case errors.Is(err, errNoAnswer):
		c.rec.Status, c.rec.HangupCause = "no-answer", "timeout"
	case crashed:
		c.rec.Status, c.rec.HangupCause, c.rec.HangupSource = "failed", "unspecified", "unknown"
	default:
		c.rec.Status, c.rec.HangupCause = "canceled", "originator_cancel"
	}
}

// beside runs f while the call goes on: the end of one that it has dialled, a
// request that nobody waits for. The call is not over before f is.
func (c *call) beside(f func()) { c.finishing.Go(func() { c.guard(f) }) }

// guard runs f, which goes on in a goroutine of its own: a fault of ours in it is
// logged and ends f, and not the server.
func (c *call) guard(f func()) {
	err := verbs.Guard(func() error { f(); return nil })
	if crash, ok := errors.AsType[*verbs.Crash](err); ok {
		c.s.Log.Error("a fault in hookswitch ended what goes on beside a call", "call", c.rec.SID, "stack", string(crash.Stack))
	}
}

// end hangs up a settled call that is not over, and closes its record.
func (c *call) end(ctx context.Context) {
	if c.leg != nil && c.leg.Err() == nil {
		if !c.rec.Answered.IsZero() {
			c.note("hangup", "", "", 0)
		}
		c.hangUp(ctx)
	}
	c.close(ctx)
}
