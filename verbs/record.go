package verbs

import (
	"context"
	"net/url"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// Recorded is a recording that is over.
type Recorded struct {
	SID      string
	URL      string // "" when it may not be told, or there is none
	Status   string // completed, absent or failed
	Duration time.Duration
	Speech   bool   // a voice or a tone was heard
	Digits   string // the key that ended it, or hangup
}

// addTo adds the recording to what an action is told.
func (r *Recorded) addTo(f url.Values) {
	f.Set("RecordingSid", r.SID)
	if r.URL != "" {
		f.Set("RecordingUrl", r.URL)
	}
	f.Set("RecordingDuration", seconds(r.Duration))
	f.Set("RecordingStatus", r.Status)
}

// record takes a message. Silence alone is none: the verb below then runs, as
// on Twilio, and nobody is asked for anything. The same when nothing could be
// recorded and no action is written to be told of it.
type record struct{ *texml.Record }

func (r record) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	warn(call, r.Record)
	done, err := call.Record(ctx, r.Record)
	switch {
	case r.Action == "" && (call.Dialect() == texml.Telnyx || done.Status == "failed" && done.SID == ""):
		return Next{}, err
	case done.Digits == "" && !done.Speech && done.Status != "failed":
		return Next{}, err
	}
	f := url.Values{}
	if done.SID != "" {
		done.addTo(f)
	}
	if done.Digits != "" || call.Dialect() == texml.Twilio {
		f.Set("Digits", done.Digits)
	}
	return Next{Fetch: &Fetch{URL: r.Action, Method: r.Method, Form: f, Outcome: true}}, err
}
