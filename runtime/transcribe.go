package runtime

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/verbs"
)

// How recordings are transcribed: a few at a time, and one that fails again
// after 30 s, 1 min, 2 min and so on, which is for a little more than an hour.
const (
	transcriptsAtOnce = 4
	transcriptTries   = 8
	firstTranscript   = 30 * time.Second // until the second try
)

// Twilio transcribes recordings of this length only.
const (
	shortestTranscribed = 2 * time.Second
	longestTranscribed  = 2 * time.Minute
)

// Transcribe makes the texts of recordings that are ordered, a few at a time, and
// has each told. Once the server is closed, Transcribe makes those that were due
// then, each once, and returns nil; [Server.Deliver] ends after it. When ctx ends
// it breaks off what is under way, which is done again after the next start, and
// returns the cause.
func (s *Server) Transcribe(ctx context.Context) error {
	s.transcribing.Store(true)
	defer s.transcribed()
	type outcome struct {
		sid string
		err error
	}
	done := make(chan outcome)
	under := map[string]bool{} // way, here and below by SID
	stuck := map[string]bool{} // those whose outcome could not be stored: they are left to the next start
	closing, last := s.closing, time.Time{}
	for {
		begin, wait := s.nextTranscripts(ctx, last, under, stuck)
		for _, t := range begin {
			under[t.SID] = true
			go func() { done <- outcome{t.SID, s.transcribe(ctx, t)} }()
		}
		if !last.IsZero() && len(under) == 0 {
			return context.Cause(ctx)
		}
		wake := time.NewTimer(wait)
		select {
		case <-s.transcripts:
		case o := <-done:
			delete(under, o.sid)
			if o.err != nil {
				stuck[o.sid] = true
			}
		case <-wake.C:
		case <-closing:
			closing, last = nil, time.Now()
		case <-ctx.Done():
			for range under {
				<-done
			}
			wake.Stop()
			return context.Cause(ctx)
		}
		wake.Stop()
	}
}

// transcribed ends Deliver when the server is closed.
func (s *Server) transcribed() {
	s.transcribing.Store(false)
	select {
	case <-s.closing:
		s.end()
	default:
	}
}

// nextTranscripts are those that are to be begun now, or, once the server is
// closed, that were due at last; and how long to wait when nothing else happens.
func (s *Server) nextTranscripts(ctx context.Context, last time.Time, under, stuck map[string]bool) (begin []TranscriptRecord, wait time.Duration) {
	pending, err := s.Store.PendingTranscripts(ctx, 2*transcriptsAtOnce+len(stuck))
	if err != nil {
		if ctx.Err() == nil {
			s.Log.Error("transcripts could not be read from the store", "error", err)
		}
		return nil, time.Second
	}
	now, wait := last, time.Hour
	if last.IsZero() {
		now = time.Now()
	}
	for _, t := range pending {
		switch {
		case under[t.SID] || stuck[t.SID]:
		case t.Due.After(now):
			if last.IsZero() {
				wait = min(wait, t.Due.Sub(now))
			}
		case len(under)+len(begin) < transcriptsAtOnce:
			begin = append(begin, t)
		}
	}
	return begin, wait
}

// transcribe tries one transcript once, and stores what came of it. The error is
// that this could not be stored.
func (s *Server) transcribe(ctx context.Context, t TranscriptRecord) error {
	stored := context.WithoutCancel(ctx) // what is known of it must not be lost
	r, err := s.Store.Recording(stored, t.AccountSID, t.RecordingSID)
	if err == nil {
		err = verbs.Guard(func() (err error) {
			t.Text, err = s.textOf(ctx, r)
			return err
		})
	}
	if err != nil && ctx.Err() != nil {
		return nil // not its fault: it is still to be done
	}
	if crash, ok := errors.AsType[*verbs.Crash](err); ok {
		s.Log.Error("a fault in hookswitch ended a transcription", "call", t.CallSID, "recording", t.RecordingSID, "stack", string(crash.Stack))
	}
	now := time.Now()
	e := Event{At: now, Kind: "warning", Code: transcriptCode(err)}
	switch {
	case err == nil:
		t.Status, t.Ended = "completed", now
		e = Event{At: now, Kind: "transcribed", Private: strconv.Quote(t.Text)}
	case hopeless(err) || t.Attempts+1 >= transcriptTries:
		t.Attempts++
		t.Status, t.Ended, t.ErrorCode = "failed", now, e.Code
		e.Text = "the recording is not transcribed: " + err.Error()
	default:
		t.Attempts++
		t.Due = now.Add(transcriptWait(err, t.Attempts))
		e.Text = fmt.Sprintf("transcription try %d failed: %v", t.Attempts, err)
	}
	if err != nil {
		s.Log.Warn("a recording was not transcribed", "call", t.CallSID, "recording", t.RecordingSID, "code", e.Code, "try", t.Attempts, "error", err)
	}
	var owed []Callback
	if t.Status != "in-progress" {
		owed = s.tellTranscript(stored, t, r.Transcript)
	}
	if err := s.Store.SaveTranscript(stored, t, []Event{e}, owed); err != nil {
		s.Log.Error("a transcript could not be stored; it is made again after the next start", "call", t.CallSID, "recording", t.RecordingSID, "error", err)
		return err
	}
	if s.Observe != nil {
		s.Observe(t.CallSID, e)
	}
	if len(owed) > 0 {
		signal(s.due)
	}
	return nil
}

// untranscribable is why a recording never has a text. Its code is the platform's.
type untranscribable struct {
	code int
	msg  string
}

func (e untranscribable) Error() string { return e.msg }

// transcriptCode is the platform's code of a transcription that failed.
func transcriptCode(err error) int {
	if e, ok := errors.AsType[untranscribable](err); ok {
		return e.code
	}
	return 13620
}

// hopeless reports whether a further try is of no use.
func hopeless(err error) bool {
	if e, ok := errors.AsType[*ai.Error](err); ok {
		return e.Kind == ai.Auth || e.Kind == ai.Content || e.Kind == ai.Unsupported
	}
	_, never := errors.AsType[untranscribable](err)
	_, crash := errors.AsType[*verbs.Crash](err)
	return never || crash || errors.Is(err, ErrNoRecording)
}

// transcriptWait is how long after so many tries that failed the next one is.
func transcriptWait(err error, tries int) time.Duration {
	wait := firstTranscript << (tries - 1)
	if e, ok := errors.AsType[*ai.Error](err); ok {
		wait = max(wait, e.After)
	}
	return min(wait, longestWait)
}
