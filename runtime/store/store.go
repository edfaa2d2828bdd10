// Package store keeps call records, timelines and the callbacks that are owed:
// [Open] on SQLite, where they outlive a crash, and [Memory] for tests and call
// scripts. Both are a runtime.Store and behave alike. So do the two kinds of
// runtime.Recordings, for the sound: [OpenFolder] and [MemoryRecordings].
// [Recover] finishes the recordings that a crash cut off.
package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
)

// check refuses a record that could not be found again.
func check(call runtime.CallRecord) error {
	if call.AccountSID == "" || call.SID == "" {
		return fmt.Errorf("save call %q of account %q: %w", call.SID, call.AccountSID, errNoKey)
	}
	return nil
}

func checkRecording(r runtime.RecordingRecord) error {
	if r.AccountSID == "" || r.SID == "" || r.CallSID == "" && r.ConferenceSID == "" {
		return fmt.Errorf("save recording %q of account %q: %w, and a recording a call or a conference", r.SID, r.AccountSID, errNoKey)
	}
	return nil
}

func checkTranscript(t runtime.TranscriptRecord) error {
	if t.AccountSID == "" || t.SID == "" {
		return fmt.Errorf("save transcript %q of account %q: %w", t.SID, t.AccountSID, errNoKey)
	}
	return nil
}

var errNoKey = errors.New("a record needs an SID and an account")

// millis and instant keep a time to the millisecond; 0 is the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
