package runtime

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// TranscriptOrder asks for the text of a recording once that is completed.
type TranscriptOrder struct {
	SID           string // of the transcript: TR and 32 hex digits; "" asks for none
	Language      string // BCP 47
	Engine, Model string // as the document names them; "": the configured ones
	URL           string // is told the text, by POST; "" is nobody
	Form          string // encoded: what it is told beside
}

// TranscriptRecord is what is known of the transcript of a recording, as the API
// sees it.
type TranscriptRecord struct {
	SID, AccountSID string
	CallSID         string // of the recording; "" for one of a conference
	RecordingSID    string
	Status          string // in-progress, completed, failed
	Text            string // what was said; private
	ErrorCode       int    // what went wrong, 0 for nothing
	Created         time.Time
	Ended           time.Time // zero until then
	Due             time.Time // not to be tried before
	Attempts        int       // tries that failed
}

// ErrNoTranscript is the error of a store that has no transcript of that SID.
var ErrNoTranscript = errors.New("no such transcript")

// Ordered is the transcript that is to be made now that the recording has its
// status. ok is false when nobody wants one, and when there is no sound.
func (r RecordingRecord) Ordered() (t TranscriptRecord, ok bool) {
	if r.Transcript.SID == "" || r.Status != "completed" {
		return t, false
	}
	end := r.Started.Add(r.Duration)
	return TranscriptRecord{
		SID: r.Transcript.SID, AccountSID: r.AccountSID, CallSID: r.CallSID, RecordingSID: r.SID,
		Status: "in-progress", Created: end, Due: end,
	}, true
}

// What a transcript's callback says of the call. Twilio's Called, Caller and
// TranscriptionType are in no manual, but on the wire.
var (
	transcriptTelnyx = []string{"AccountSid", "CallSid", "CallSidLegacy", "CallStatus", "From", "To"}
	transcriptTwilio = []string{"AccountSid", "ApiVersion", "CallSid", "CallStatus", "Called", "Caller", "Direction", "ForwardedFrom", "From", "To"}
)

// orderTranscript is the order for the transcript of a recording that r begins.
func (c *script) orderTranscript(r *texml.Record, recording string) TranscriptOrder {
	o := TranscriptOrder{SID: c.s.NewID("TR"), Language: r.TranscriptionLanguage, Engine: r.TranscriptionEngine, Model: r.TranscriptionModel}
	if r.TranscriptionCallback != "" {
		at, err := resolve(c.page.url, r.TranscriptionCallback)
		if err != nil {
			c.Warn(r, 11100, "the transcript is told nobody: "+err.Error())
		}
		o.URL = at
	}
	f, all := url.Values{}, c.params(nil)
	for _, name := range by(c.set.Dialect, transcriptTelnyx, transcriptTwilio) {
		if all.Has(name) {
			f[name] = all[name]
		}
	}
	f.Set("RecordingSid", recording)
	f.Set("RecordingUrl", c.s.recordingURL(c.rec.AccountSID, recording)) // plain: it is signed when it is told
	if c.set.Dialect == texml.Twilio {
		f.Set("TranscriptionType", "fast")
		f.Set("TranscriptionUrl", c.s.recordingURL(c.rec.AccountSID, recording)+"/Transcriptions/"+o.SID)
	}
	o.Form = f.Encode()
	return o
}

// inTelnyx tells the dialect of the document that the order is from.
func (o TranscriptOrder) inTelnyx() bool { return strings.Contains(o.Form, "CallSidLegacy=") }

// tellTranscript is the callback that is owed now that t is over.
func (s *Server) tellTranscript(ctx context.Context, t TranscriptRecord, to TranscriptOrder) []Callback {
	if to.URL == "" {
		return nil
	}
	f, _ := url.ParseQuery(to.Form) // what can be read of it
	if call, err := s.Store.Call(ctx, t.AccountSID, t.CallSID); err == nil {
		f.Set("CallStatus", call.Status) // it has gone on
	}
	f.Set("TranscriptionSid", t.SID)
	f.Set("TranscriptionStatus", t.Status)
	f.Set("TranscriptionText", t.Text)
	return []Callback{{
		CallSID: t.CallSID, AccountSID: t.AccountSID, URL: to.URL, Method: http.MethodPost, Form: f.Encode(),
		Token:   t.SID, // it is told once
		Created: t.Ended, Due: t.Ended,
	}}
}
