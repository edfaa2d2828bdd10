package runtime

import (
	"cmp"
	"context"
	"errors"
	"time"
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

// place calls to and returns when it is answered. The error is an *unreached
// or, when ctx ended first, its cause; the leg is hung up then. ringing, which
// may be nil, is called at each news before the answer; early tells that there
// is sound already.
func (c *call) place(ctx context.Context, to Destination, ringing func(early bool)) error {
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
			switch {
			case !ok:
				return c.unreached(last)
			case status < 200:
				c.rings(status)
				if ringing != nil {
					ringing(leg.Stream() != nil)
				}
			case status < 300:
				c.rec.Answered, c.rec.Status = time.Now(), "in-progress"
				c.sipStatus = status
				c.note("answer", "", "", 0)
				c.save(c.callback(answered, c.rec.Answered))
				return nil
			default:
				last = status
			}
		case <-ctx.Done():
			c.hangUp(ctx)
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

// unreached makes an outcome of a final status 0 for none.
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

// over closes the record of a dialled call: err is what place or what came
// after it ended with, nil when the call was ended from here.
func (c *call) over(ctx context.Context, err error) {
	c.rec.HangupCause, c.rec.HangupSource = "normal_clearing", "caller"
	if c.leg != nil && c.leg.Err() != nil && !c.rec.Answered.IsZero() {
		c.hungUp("callee")
	}
	var u *unreached
	switch {
	case !c.rec.Answered.IsZero():
		c.rec.Status = "completed"
		if errors.Is(err, ErrTimeLimit) {
			c.rec.HangupCause = "time_limit"
		}
	case errors.As(err, &u):
		c.rec.Status, c.rec.HangupCause, c.rec.HangupSource = u.status, u.cause, "callee"
		if u.status == "failed" {
			c.note("warning", u.msg, "", u.code)
			c.blame(u.code, u.msg)
		}
	case errors.Is(err, errNoAnswer):
		c.rec.Status, c.rec.HangupCause = "no-answer", "timeout"
	default:
		c.rec.Status, c.rec.HangupCause = "canceled", "originator_cancel"
	}
	if c.leg != nil && c.leg.Err() == nil {
		c.note("hangup", "", "", 0)
		c.hangUp(ctx)
	}
	c.close(ctx)
}
