package verbs

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// Dialed is what became of a <Dial>.
type Dialed struct {
	Status string // completed, answered (a conference), busy, no-answer, failed or canceled

	// The rest is of the call that was tried last; a conference has none.
	SID       string
	To        string        // as dialled
	Duration  time.Duration // from its answer on, 0 when there was none
	Answered  bool
	Bridged   bool
	SIP       bool // a <Sip>: the three below are told, too
	SIPCallID string
	SIPStatus int               // of the final answer, 0 when none came
	Headers   map[string]string // X- headers of the final answer

	Code    int // the platforms' code for a failure, 0 for none
	Message string

	Recording *Recorded // nil when nothing was recorded
	Queue     *Dequeued // of a <Queue>
	HangUp    bool      // the call is to end
	Referred  string    // where the called side wants the call to go: ask ReferURL
}

// dial connects the call to others. Without an action the verb below runs when
// they are gone.
type dial struct{ *texml.Dial }

func (d dial) Run(ctx context.Context, call Call) (Next, error) {
	warn(call, d.Dial)
	if !d.AnswerOnBridge || !calls(d.Nouns[0]) {
		if err := call.Answer(ctx); err != nil {
			return Next{}, err
		}
	}
	var done Dialed
	var err error
	switch n := d.Nouns[0].(type) {
	case *texml.Conference:
		done, err = call.Confer(ctx, d.Dial, n)
	case *texml.Queue:
		done, err = call.Dequeue(ctx, d.Dial, n)
	default:
		done, err = call.Dial(ctx, d.Dial)
	}
	if err != nil && context.Cause(ctx) == nil {
		return Next{}, err
	}
	if done.Referred != "" {
		return Next{Fetch: &Fetch{URL: d.ReferURL, Method: d.ReferMethod, Form: url.Values{"ReferTransferTarget": {done.Referred}}}}, err
	}
	next := Next{End: done.HangUp}
	if d.Action != "" {
		next.Fetch = &Fetch{URL: d.Action, Method: d.Method, Form: d.form(done, call.Dialect()), Outcome: true}
	}
	return next, err
}

func (all *limits) ofDial(d *texml.Dial) {
	all.ignore(d, "callReason", d.CallReason != "")
	all.ignore(d, "events", d.Events != "")
	all.ignore(d, "passports", d.Passports != "")
	all.ignore(d, "recordingConfigurationId", d.RecordingConfigurationID != "")
	for _, n := range d.Nouns {
		switch n := n.(type) {
		case *texml.Number:
			all.ignore(n, "byoc", n.BYOC != "")
			all.ofLeg(n, n.Leg)
		case *texml.Sip:
			all.ofLeg(n, n.Leg)
		case *texml.Conference:
			all.ignore(n, "recordingConfigurationId", n.RecordingConfigurationID != "")
			all.ignore(n, "region", n.Region != "")
			all.ignore(n, "eventCallbackUrl", n.EventCallbackURL != "")
		case *texml.Queue:
			all.ignore(n, "reservationSid", n.ReservationSID != "")
			all.ignore(n, "postWorkActivitySid", n.PostWorkActivitySID != "")
		}
	}
}

func (all *limits) ofLeg(n texml.Node, leg texml.Leg) {
	all.add(n, 0, "detectionMode "+leg.AMD.Detection+" runs the detector of Regular", leg.AMD.Mode != "" && leg.AMD.Detection != "Regular")
	all.ignore(n, "machineDetectionPromptEndTimeout", leg.AMD.PromptEndTimeout != 0)
	all.ignore(n, "deepfakeDetection", leg.DeepfakeDetection)
	all.ignore(n, "sipRegion", leg.SIPRegion != "US")
	for _, event := range []string{"dtmf", "deepfake"} {
		all.ignore(n, "statusCallbackEvent "+event, slices.Contains(leg.StatusCallbackEvent, event))
	}
}

// calls reports whether a noun is somebody to be called.
func calls(n texml.Node) bool {
	switch n.(type) {
	case *texml.Conference, *texml.Queue:
		return false
	}
	return true
}

// form is what the action is told, in the words of its platform.
func (d dial) form(done Dialed, dialect texml.Dialect) url.Values {
	f := url.Values{"DialCallStatus": {done.Status}}
	set := func(name, value string) {
		if value != "" {
			f.Set(name, value)
		}
	}
	if done.Recording != nil {
		done.Recording.addTo(f)
	}
	if done.Queue != nil {
		done.Queue.addTo(f)
	}
	if done.SID == "" {
		return f
	}
	set("DialCallSid", done.SID)
	if done.Bridged {
		set("DialBridgedTo", done.To)
	}
	f.Set("DialBridged", strconv.FormatBool(done.Bridged))
	if done.Answered {
		f.Set("DialCallDuration", seconds(done.Duration))
	}
	if dialect == texml.Telnyx {
		set("DialCallSidLegacy", done.SID)
		set("ErrorMessage", done.Message)
		if done.Code != 0 {
			f.Set("ErrorCode", strconv.Itoa(done.Code))
		}
	}
	if done.SIP {
		set("DialSipCallId", done.SIPCallID)
		if done.SIPStatus != 0 {
			f.Set("DialSipResponseCode", strconv.Itoa(done.SIPStatus))
		}
		for name, value := range done.Headers {
			f.Set("DialSipHeader_"+name, value)
		}
	}
	return f
}
