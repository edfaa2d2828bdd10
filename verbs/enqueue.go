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
}

// enqueue lets the caller wait in a queue. However it leaves, the action is
// told; without one the verb below runs.
type enqueue struct{ *texml.Enqueue }

func (e enqueue) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	done, err := call.Enqueue(ctx, e.Enqueue)
	if err != nil && context.Cause(ctx) == nil {
		return Next{}, err
	}
	next := Next{End: done.HangUp}
	if e.Action != "" {
		next.Fetch = &Fetch{URL: e.Action, Method: e.Method, Form: url.Values{
			"QueueResult": {done.Result}, "QueueTime": {seconds(done.Waited)},
		}}
		if done.SID != "" {
			next.Fetch.Form.Set("QueueSid", done.SID)
		}
	}
	return next, err
}
