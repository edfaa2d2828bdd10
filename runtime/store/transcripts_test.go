package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
)

// ordered is a recording whose text is wanted.
func ordered(sid, transcript string) runtime.RecordingRecord {
	r := recorded("AC1", sid, "CA1")
	r.Duration = 3 * time.Second
	r.Transcript = runtime.TranscriptOrder{SID: transcript, Language: "en-US", Engine: "Google", Model: "m", URL: "http://a/text", Form: "From=1"}
	return r
}

func saveTranscribed(t *testing.T, s runtime.Store, tr runtime.TranscriptRecord, events []runtime.Event, callbacks ...runtime.Callback) {
	t.Helper()
	if err := s.SaveTranscript(t.Context(), tr, events, callbacks); err != nil {
		t.Fatal(err)
	}
}

func pending(t *testing.T, s runtime.Store, limit int) string {
	t.Helper()
	all, err := s.PendingTranscripts(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	var sids []string
	for _, tr := range all {
		sids = append(sids, tr.SID)
	}
	return strings.Join(sids, " ")
}

func TestACompletedRecordingOrdersItsTranscript(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*runtime.RecordingRecord)
		want   string
	}{
		{"a completed one", func(*runtime.RecordingRecord) {}, "TR1"},
		{"one that goes on", func(r *runtime.RecordingRecord) { r.Status = "in-progress" }, ""},
		{"an absent one", func(r *runtime.RecordingRecord) { r.Status = "absent" }, ""},
		{"a failed one", func(r *runtime.RecordingRecord) { r.Status = "failed" }, ""},
		{"one whose text nobody wants", func(r *runtime.RecordingRecord) { r.Transcript = runtime.TranscriptOrder{} }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, s runtime.Store) {
				r := ordered("RE1", "TR1")
				c.change(&r)
				saveRecorded(t, s, r)
				if got := pending(t, s, 10); got != c.want {
					t.Errorf("got pending %q, want %q", got, c.want)
				}
				if got, err := s.Recording(t.Context(), "AC1", "RE1"); err != nil || got != r {
					t.Errorf("got %+v, %v; want %+v", got, err, r)
				}
			})
		})
	}
}

func TestATranscriptComesBackAsItWasSavedLast(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		save(t, s, record("AC1", "CA1", noon), nil)
		saveRecorded(t, s, ordered("RE1", "TR1"))
		end := noon.Add(3 * time.Second)
		want := runtime.TranscriptRecord{SID: "TR1", AccountSID: "AC1", CallSID: "CA1", RecordingSID: "RE1", Status: "in-progress", Created: end, Due: end}
		if got, err := s.Transcript(t.Context(), "AC1", "TR1"); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		want.Status, want.Text, want.ErrorCode, want.Ended, want.Due, want.Attempts = "failed", "two five", 13620, at(60), at(30), 3
		saveTranscribed(t, s, want, []runtime.Event{{At: noon, Kind: "transcribed", Text: "RE1", Private: "two five"}}, owed("/text", noon))
		saveRecorded(t, s, ordered("RE1", "TR1")) // as after a crash: what is there stays
		if got, err := s.Transcript(t.Context(), "AC1", "TR1"); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		if all, err := s.TranscriptsOf(t.Context(), "AC1", "RE1"); err != nil || len(all) != 1 || all[0] != want {
			t.Errorf("got %+v, %v; want that one", all, err)
		}
		if got := urls(t, s, at(1), 10); got != "/text" {
			t.Errorf("got callbacks %q, want /text", got)
		}
		events, err := s.Events(t.Context(), "AC1", "CA1")
		if err != nil || len(events) != 1 || events[0] != (runtime.Event{At: noon, Kind: "transcribed", Text: "RE1"}) {
			t.Errorf("got events %+v, %v; want one without what was said", events, err)
		}
	})
}

func TestPendingTranscriptsAreThoseThatAreLongestDue(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		for _, sid := range []string{"TR1", "TR2", "TR3", "TR4"} {
			saveRecorded(t, s, ordered("RE"+sid[2:], sid))
		}
		later := func(sid, status string, due time.Time) {
			tr, err := s.Transcript(t.Context(), "AC1", sid)
			if err != nil {
				t.Fatal(err)
			}
			tr.Status, tr.Due = status, due
			saveTranscribed(t, s, tr, nil)
		}
		later("TR1", "in-progress", noon.Add(time.Hour))
		later("TR3", "completed", noon)
		if got, want := pending(t, s, 10), "TR2 TR4 TR1"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got, want := pending(t, s, 1), "TR2"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestAnUnknownTranscriptIsErrNoTranscript(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		saveRecorded(t, s, ordered("RE1", "TR1"))
		for _, k := range []key{{"AC1", "TR2"}, {"AC2", "TR1"}, {"", "TR1"}} {
			if _, err := s.Transcript(t.Context(), k.account, k.sid); !errors.Is(err, runtime.ErrNoTranscript) {
				t.Errorf("transcript of %v: got %v, want ErrNoTranscript", k, err)
			}
		}
		if all, err := s.TranscriptsOf(t.Context(), "AC2", "RE1"); err != nil || len(all) != 0 {
			t.Errorf("got %+v, %v of another account", all, err)
		}
	})
}

func TestATranscriptThatCouldNotBeFoundIsRefused(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		for _, tr := range []runtime.TranscriptRecord{{SID: "TR1"}, {AccountSID: "AC1"}} {
			if err := s.SaveTranscript(t.Context(), tr, nil, []runtime.Callback{owed("/a", noon)}); err == nil {
				t.Errorf("%+v was saved", tr)
			}
		}
		if got := urls(t, s, at(1), 10); got != "" {
			t.Errorf("got callbacks %q of a refused record", got)
		}
		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := s.SaveTranscript(ctx, runtime.TranscriptRecord{SID: "TR1", AccountSID: "AC1"}, nil, nil); !errors.Is(err, cause) {
			t.Errorf("got %v, want the cause", err)
		}
	})
}

// A recording that a crash cut off has its transcript ordered when it is
// finished at the next start.
func TestRecoveryOrdersTheTranscript(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		d := folder(t, t.TempDir())
		r := ordered(re(1), "TR1")
		r.Status, r.Duration, r.Channels = "in-progress", 0, 1
		saveRecorded(t, s, r)
		recordFrames(t, d, r.SID, 50)
		if err := Recover(t.Context(), s, d); err != nil {
			t.Fatal(err)
		}
		if got := pending(t, s, 10); got != "TR1" {
			t.Errorf("got pending %q, want TR1", got)
		}
	})
}
