package verbs

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// Referred is what became of a <Refer>.
type Referred struct {
	Status    string // of the new call: in-progress, busy, no-answer, failed, canceled
	SIPStatus int    // of the answer to REFER, 0 when none came
	Notified  int    // the last status that was told of the new call, 0 for none
}

// refer moves the call elsewhere, out of our hands. The document goes on after
// it: with the action when there is one, else below.
type refer struct{ *texml.Refer }

func (r refer) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	done, err := call.Refer(ctx, r.Refer)
	if err != nil && context.Cause(ctx) == nil {
		return Next{}, err
	}
	if r.Action == "" {
		return Next{}, err
	}
	f := url.Values{"ReferCallStatus": {done.Status}}
	if done.SIPStatus != 0 {
		f.Set("ReferSipResponseCode", strconv.Itoa(done.SIPStatus))
	}
	if done.Notified != 0 {
		f.Set("NotifySipResponseCode", strconv.Itoa(done.Notified))
	}
	if call.Dialect() == texml.Telnyx {
		f.Set("Timestamp", time.Now().UTC().Format(time.RFC3339))
	}
	return Next{Fetch: &Fetch{URL: r.Action, Method: r.Method, Form: f, Outcome: true}}, err
}
