package runtime

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/amd"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// call is one leg and its record. Its fields belong to the goroutine that runs
// it but for those that say otherwise.
type call struct {
	s        *Server
	leg      Leg
	incoming Incoming // leg, when somebody called us; nil when we did
	outgoing Outgoing // leg, when we have placed it and it was placed
	set      Setup
	jar      http.CookieJar
	rec      CallRecord

	sequence  int             // of the next status callback
	services  []running       // beside the verbs
	finishing sync.WaitGroup  // recordings whose files are being finished, dialled calls that are being ended
	recorded  *verbs.Recorded // of a dialled call, while it was joined with its parent; nil is none
	sipStatus int             // of the final answer to a placed call, 0 while there is none
	verdict   *amd.Verdict    // who has answered a placed call; nil: not known. Belongs to detectBeside while that runs
	reject    *rejection

	mu     sync.Mutex // guards events: prompts note theirs from their own goroutine
	events []Event
}

// rejection is how an unanswered call is to be refused at its end.
type rejection struct {
	status  int
	reason  string
	becomes string // the call's final status
	cause   string
}

func newCall(s *Server, leg Leg, set Setup) *call {
	jar, _ := cookiejar.New(nil) // cannot fail without options
	sid := set.SID
	if sid == "" {
		sid = s.NewID("CA")
	}
	return &call{
		s: s, leg: leg, set: set, jar: jar,
		rec: CallRecord{
			SID: sid, ParentSID: set.ParentSID, AccountSID: set.Account.SID,
			From: set.From, To: set.To, Direction: set.Direction,
			Status: "ringing", SIPCallID: set.SIPCallID, Created: time.Now(),
		},
	}
}

// note adds a line to the call's timeline.
func (c *call) note(kind, text, private string, code int) {
	e := Event{At: time.Now(), Kind: kind, Text: text, Private: private, Code: code}
	c.mu.Lock()
	c.events = append(c.events, e)
	c.mu.Unlock()
	if c.s.Observe != nil {
		c.s.Observe(c.rec.SID, e)
	}
}

// save hands the record as it now is to the store, with the timeline since the
// last time and the callbacks the change caused.
func (c *call) save(owed []Callback) {
	c.mu.Lock()
	events := c.events
	c.events = nil
	c.mu.Unlock()
	c.s.records.put(save{call: c.rec, events: events, callbacks: owed})
}

// begin opens the record and tells the caller that it rings.
func (c *call) begin(ctx context.Context) {
	owed := append(c.callback(initiated, c.rec.Created), c.callback(ringing, c.rec.Created)...)
	c.save(owed)
	if err := c.incoming.Ring(ctx); err != nil {
		c.s.Log.Debug("no ringing sent", "call", c.rec.SID, "error", err)
	}
}

// finish ends the leg, closes the record and queues the last callback. err is
// what the documents ended with, ended what ended the call before they did.
func (c *call) finish(ctx context.Context, ended, err error) {
	if ended == nil && errors.Is(err, ErrHungUp) {
		ended = ErrHungUp
	}
	c.rec.HangupCause, c.rec.HangupSource = "normal_clearing", "callee"
	switch {
	case errors.Is(ended, ErrHungUp):
		c.hungUp("caller")
	case errors.Is(ended, ErrTimeLimit):
		c.rec.HangupCause = "time_limit"
		c.note("warning", ended.Error(), "", 32015)
		c.blame(32015, ended.Error())
	case err != nil && ended == nil:
		c.fail(err)
		c.failed()
	}
	c.rec.Status = "completed"
	if c.rec.Answered.IsZero() {
		c.unanswered(ended)
	}
	hangup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	switch {
	case errors.Is(ended, ErrHungUp):
	case c.reject != nil && c.rec.Answered.IsZero():
		c.note("reject", strconv.Itoa(c.reject.status)+" "+c.reject.reason, "", 0)
		if err := c.incoming.Reject(hangup, c.reject.status, c.reject.reason); err == nil {
			break
		}
		fallthrough // an answer is out and not confirmed yet: it takes a BYE
	default:
		c.note("hangup", "", "", 0)
		if err := c.leg.Hangup(hangup); err != nil {
			c.s.Log.Info("hang-up not confirmed", "call", c.rec.SID, "error", err)
		}
	}
	c.close(ctx)
}

// close finishes the recordings, closes the record and queues the last callback.
func (c *call) close(ctx context.Context) {
	if c.rec.Ended.IsZero() {
		c.rec.Ended = time.Now()
	}
	c.stopServices(ctx)
	c.finishing.Wait()
	c.save(c.callback(completed, c.rec.Ended))
}

// failed says that an unanswered call is to be refused as a fault of ours.
func (c *call) failed() {
	c.reject = &rejection{status: 500, reason: "Server Internal Error", becomes: "failed", cause: "unspecified"}
}

// A broken leg ended because something failed and not because somebody hung up.
// Its Code is the platforms', or 0.
type broken interface {
	error
	Code() int
}

// hungUp tells a hang-up by the other side, who is called so, from a leg that
// broke.
func (c *call) hungUp(by string) {
	c.rec.HangupSource = by
	var b broken
	if err := c.leg.Err(); errors.As(err, &b) {
		c.rec.HangupCause, c.rec.HangupSource = "unspecified", "unknown"
		c.note("warning", err.Error(), "", b.Code())
		c.blame(b.Code(), err.Error())
	}
}

// unanswered gives a call that was never answered its final status.
func (c *call) unanswered(ended error) {
	switch {
	case errors.Is(ended, ErrHungUp) && c.rec.HangupSource == "unknown":
		c.rec.Status = "failed"
	case errors.Is(ended, ErrHungUp):
		c.rec.Status, c.rec.HangupCause = "canceled", "originator_cancel"
	case c.reject != nil:
		c.rec.Status, c.rec.HangupCause = c.reject.becomes, c.reject.cause
	default:
		c.reject = &rejection{status: 480, reason: "Temporarily Unavailable", becomes: "no-answer", cause: "no_answer"}
		c.rec.Status, c.rec.HangupCause = c.reject.becomes, c.reject.cause
	}
}

// fail notes what is wrong with a document, and keeps it in the record.
func (c *call) fail(err error) {
	if crash, ok := errors.AsType[*verbs.Crash](err); ok {
		c.s.Log.Error("a fault in hookswitch ended a document", "call", c.rec.SID, "stack", string(crash.Stack))
	}
	es, ok := errors.AsType[texml.Errors](err)
	if ok {
		c.slips(es)
		err = worst(es)
	} else {
		c.note("error", err.Error(), "", codeOf(err))
	}
	c.blame(codeOf(err), err.Error())
}

// blame keeps what went wrong in the record, unless something did before.
func (c *call) blame(code int, msg string) {
	if c.rec.ErrorMessage == "" {
		c.rec.ErrorCode, c.rec.ErrorMessage = code, msg
	}
}

// worst is the first slip that makes a document unusable.
func worst(es texml.Errors) error {
	for _, e := range es {
		if e.Level == texml.Fatal {
			return e
		}
	}
	return es
}

// codeOf is the platform's code for an error, 0 when it has none.
func codeOf(err error) int {
	if es, ok := errors.AsType[texml.Errors](err); ok {
		err = worst(es)
	}
	if e, ok := errors.AsType[*webhook.Error](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[*texml.Error](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[*loopError](err); ok {
		return e.code
	}
	return 0
}

// Answer takes the call (verbs.Call).
func (c *call) Answer(ctx context.Context) error {
	if !c.rec.Answered.IsZero() {
		return context.Cause(ctx)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := c.incoming.Answer(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		select {
		case <-c.leg.Done():
			return ErrHungUp
		default:
			return err
		}
	}
	c.rec.Answered, c.rec.Status = time.Now(), "in-progress"
	c.note("answer", "", "", 0)
	c.save(c.callback(answered, c.rec.Answered))
	return nil
}

// Reject refuses the call at its end (verbs.Call). The codes are those of the
// platforms: busy is 486 on both, rejected 404 on Telnyx and 603 elsewhere.
func (c *call) Reject(ctx context.Context, reason string) error {
	switch {
	case reason == "busy":
		c.reject = &rejection{status: 486, reason: "Busy Here", becomes: "busy", cause: "user_busy"}
	case c.set.Dialect == texml.Telnyx:
		c.reject = &rejection{status: 404, reason: "Not Found", becomes: "no-answer", cause: "call_rejected"}
	default:
		c.reject = &rejection{status: 603, reason: "Decline", becomes: "no-answer", cause: "call_rejected"}
	}
	return context.Cause(ctx)
}

// Dialect is the dialect of the call's documents (verbs.Call).
func (c *call) Dialect() texml.Dialect { return c.set.Dialect }

// plainURL is a URL without user, password and connection overrides.
func plainURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return webhook.Redact(raw)
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u.String()
}
