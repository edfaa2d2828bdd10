package verbs

import (
	"context"
	"net/url"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// Queued is how a caller has left a queue.
type Queued struct {
	Result string        // as QueueResult has it: bridged, leave, hangup, …
	SID    string        // of the queue
	Waited time.Duration // in it
	HangUp bool          // the wait document wants the call to end
	Move   *Fetch        // brings the document that the call goes on with; nil is none
}

// enqueue lets the caller wait in a queue. However it leaves, the action is
// told; without one the verb below runs. A caller who was moved elsewhere goes
// there, and not where the action's answer leads.
type enqueue struct{ *texml.Enqueue }

func (e enqueue) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	warn(call, e.Enqueue)
	done, err := call.Enqueue(ctx, e.Enqueue)
	if err != nil && context.Cause(ctx) == nil {
		return Next{}, err
	}
	next := Next{End: done.HangUp, Fetch: done.Move}
	if e.Action == "" {
		return next, err
	}
	f := url.Values{"QueueResult": {done.Result}, "QueueTime": {seconds(done.Waited)}}
	if done.SID != "" {
		f.Set("QueueSid", done.SID)
	}
	action := &Fetch{URL: e.Action, Method: e.Method, Form: f, Outcome: true}
	if done.Move != nil {
		next.Tell = action
	} else {
		next.Fetch = action
	}
	return next, err
}
