package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
)

func recorded(account, sid, call string) runtime.RecordingRecord {
	return runtime.RecordingRecord{SID: sid, AccountSID: account, CallSID: call, Status: "completed", Started: noon}
}

func saveRecorded(t *testing.T, s runtime.Store, r runtime.RecordingRecord, callbacks ...runtime.Callback) {
	t.Helper()
	if err := s.SaveRecording(t.Context(), r, callbacks); err != nil {
		t.Fatal(err)
	}
}

func sids(all []runtime.RecordingRecord) string {
	var s []string
	for _, r := range all {
		s = append(s, r.SID)
	}
	return strings.Join(s, " ")
}

func TestARecordingComesBackAsItWasSavedLast(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		want := runtime.RecordingRecord{
			SID: "RE1", AccountSID: "AC1", CallSID: "CA1", ConferenceSID: "CF1", Source: "RecordVerb", Track: "inbound", Channels: 2,
			Format: "mp3", Status: "in-progress", Started: noon,
			Callback: runtime.RecordingCallback{URL: "http://a/x", Method: "GET", Events: "in-progress absent", Form: "ConnectionId=1"},
		}
		saveRecorded(t, s, want)
		want.Status, want.Format, want.Duration, want.ErrorCode = "failed", "wav", 1234*time.Millisecond, 16101
		saveRecorded(t, s, want)
		got, err := s.Recording(t.Context(), "AC1", "RE1")
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if all, err := s.RecordingsOf(t.Context(), "AC1", "CA1"); err != nil || len(all) != 1 || all[0] != want {
			t.Errorf("got %+v, %v; want that one", all, err)
		}
	})
}

func TestRecordingsOfACallAndOfAConference(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		saveRecorded(t, s, recorded("AC1", "RE2", "CA1"))
		saveRecorded(t, s, recorded("AC1", "RE1", "CA1"))
		saveRecorded(t, s, recorded("AC1", "RE3", "CA2"))
		saveRecorded(t, s, recorded("AC2", "RE1", "CA1"))
		room := recorded("AC1", "RE4", "")
		room.ConferenceSID = "CF1"
		saveRecorded(t, s, room)
		saveRecorded(t, s, recorded("AC1", "RE2", "CA1")) // keeps its place
		for _, c := range []struct{ name, account, of, want string }{
			{"of a call, the first saved first", "AC1", "CA1", "RE2 RE1"},
			{"of another account", "AC2", "CA1", "RE1"},
			{"of a conference", "AC1", "CF1", "RE4"},
			{"of nothing", "AC1", "", ""},
			{"of an unknown call", "AC1", "CA%", ""},
		} {
			all, err := s.RecordingsOf(t.Context(), c.account, c.of)
			if got := sids(all); err != nil || got != c.want {
				t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
			}
		}
	})
}

func TestAnUnknownRecordingIsErrNoRecording(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		saveRecorded(t, s, recorded("AC1", "RE1", "CA1"))
		for _, k := range []key{{"AC1", "RE2"}, {"AC2", "RE1"}, {"", "RE1"}} {
			if _, err := s.Recording(t.Context(), k.account, k.sid); !errors.Is(err, runtime.ErrNoRecording) {
				t.Errorf("recording of %v: got %v, want ErrNoRecording", k, err)
			}
		}
	})
}

func TestARecordingThatCouldNotBeFoundIsRefused(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		for _, r := range []runtime.RecordingRecord{recorded("", "RE1", "CA1"), recorded("AC1", "", "CA1"), recorded("AC1", "RE1", "")} {
			if err := s.SaveRecording(t.Context(), r, []runtime.Callback{owed("/a", noon)}); err == nil {
				t.Errorf("%+v was saved", r)
			}
		}
		if got := urls(t, s, at(1), 10); got != "" {
			t.Errorf("got callbacks %q of a refused record", got)
		}
		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := s.SaveRecording(ctx, recorded("AC1", "RE1", "CA1"), nil); !errors.Is(err, cause) {
			t.Errorf("got %v, want the cause", err)
		}
	})
}

func TestUnfinishedRecordingsAreThoseUnderWay(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		for i, status := range []string{"completed", "in-progress", "absent", "paused", "failed", "in-progress"} {
			r := recorded("AC1", fmt.Sprint("RE", i), "CA1")
			r.Status = status
			saveRecorded(t, s, r)
		}
		last := recorded("AC1", "RE5", "CA1")
		saveRecorded(t, s, last)
		all, err := s.UnfinishedRecordings(t.Context())
		if got := sids(all); err != nil || got != "RE1 RE3" {
			t.Errorf("got %q, %v; want RE1 RE3", got, err)
		}
	})
}

func TestCallbacksOfARecordingStandBehindThoseOfItsCall(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		call, room := recorded("AC1", "RE1", "CA1"), recorded("AC1", "RE2", "")
		room.ConferenceSID = "CF1"
		save(t, s, record("AC1", "CA1", noon), nil, owed("/s?answered", at(0)))
		saveRecorded(t, s, call, owed("/s?recorded", at(0)))
		saveRecorded(t, s, room, owed("/room", at(1)), owed("/room?2", at(1)))
		save(t, s, record("AC1", "CA1", noon), nil, owed("/s?completed", at(0)))
		var got []string
		for range 3 {
			got = append(got, urls(t, s, at(1), 10))
			for _, id := range dueIDs(t, s, at(1)) {
				if err := s.Delivered(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
		}
		if want := []string{"/s?answered /room", "/s?recorded /room?2", "/s?completed"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A database of the first version has calls, and callbacks that are owed.
func TestADatabaseOfVersionOneIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	script, err := migrations.ReadFile("migrations/0001.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{string(script), "PRAGMA user_version = 1",
		`INSERT INTO calls (` + columns + `) VALUES ('AC1', 'CA1', '', '', '', '', 'completed', '', '', '', 0, '', 1, 0, 0)`,
		`INSERT INTO callbacks (account, call, url, method, form, token, created, due, attempts)
			VALUES ('AC1', 'CA1', '/owed', 'POST', '', '', 1, 1, 0)`} {
		if _, err := raw.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if call, err := db.Call(t.Context(), "AC1", "CA1"); err != nil || call.Status != "completed" {
		t.Errorf("got call %+v, %v", call, err)
	}
	saveRecorded(t, db, recorded("AC1", "RE1", "CA1"), owed("/owed?later", noon))
	if got := urls(t, db, noon, 10); got != "/owed" {
		t.Errorf("got due %q, want /owed before what came later", got)
	}
	if all, err := db.RecordingsOf(t.Context(), "AC1", "CA1"); err != nil || len(all) != 1 {
		t.Errorf("got %d recordings, %v; want 1", len(all), err)
	}
}
