package runtime

import (
	"context"
	"time"
)

// Store keeps what must outlive a call. Package runtime/store has it on SQLite
// and in memory. All methods may be called from any goroutine; times are kept
// to the millisecond in UTC.
type Store interface {
	// Save writes the record as it now is, adds events to the call's timeline
	// and callbacks to its queue, in one durable commit: after it returns,
	// neither a crash nor a restart loses any of them. A callback is saved
	// with the state change that caused it, before that change is visible.
	Save(ctx context.Context, call CallRecord, events []Event, callbacks []Callback) error

	// Owe adds callbacks to the queue of something that is no call, such as a
	// conference, in one durable commit.
	Owe(ctx context.Context, account, sid string, callbacks []Callback) error

	// Call returns one record; ErrNoCall when the account has none of that SID.
	Call(ctx context.Context, account, sid string) (CallRecord, error)

	// Calls returns an account's records, newest first, at most limit.
	Calls(ctx context.Context, account string, limit int) ([]CallRecord, error)

	// Events returns a call's timeline in order.
	Events(ctx context.Context, account, sid string) ([]Event, error)

	// SaveRecording writes the record as it now is, adds callbacks to the queue
	// of its call, or of its conference when it has no call, and the transcript
	// that is [RecordingRecord.Ordered] now unless it is there, in one durable
	// commit.
	SaveRecording(ctx context.Context, r RecordingRecord, callbacks []Callback) error

	// Recording returns one record; ErrNoRecording when the account has none
	// of that SID.
	Recording(ctx context.Context, account, sid string) (RecordingRecord, error)

	// RecordingsOf returns an account's recordings of a call or a conference,
	// in the order in which they were first saved.
	RecordingsOf(ctx context.Context, account, sid string) ([]RecordingRecord, error)

	// UnfinishedRecordings returns those of all accounts that are in-progress
	// or paused: after a start, those that a crash left.
	UnfinishedRecordings(ctx context.Context) ([]RecordingRecord, error)

	// SaveTranscript writes the record as it now is, adds events to the timeline
	// of its call and callbacks to its queue, in one durable commit.
	SaveTranscript(ctx context.Context, t TranscriptRecord, events []Event, callbacks []Callback) error

	// Transcript returns one record; ErrNoTranscript when the account has none
	// of that SID.
	Transcript(ctx context.Context, account, sid string) (TranscriptRecord, error)

	// TranscriptsOf returns an account's transcripts of a recording, in the order
	// in which they were first saved.
	TranscriptsOf(ctx context.Context, account, recording string) ([]TranscriptRecord, error)

	// PendingTranscripts returns those of all accounts that are in-progress, the
	// longest due first and at most limit.
	PendingTranscripts(ctx context.Context, limit int) ([]TranscriptRecord, error)

	// Due returns, oldest first and at most limit, the first undelivered
	// callback of each call, or conference, to each destination, if its time
	// has come. A destination is a URL without query and fragment. Those behind
	// it wait, so that each destination is told in order and none waits for
	// another. Left out are those to the origins of except, such as
	// https://example.com:8443.
	Due(ctx context.Context, now time.Time, limit int, except []string) ([]Callback, error)

	// NextDue is when the earliest of these is to be tried; ok is false when
	// nothing is owed.
	NextDue(ctx context.Context) (at time.Time, ok bool, err error)

	// Delivered takes a callback off the queue; Retry puts off its next try.
	Delivered(ctx context.Context, id int64) error
	Retry(ctx context.Context, id int64, attempts int, at time.Time) error

	Close() error
}

// CallRecord is what is known of a call, as the API and the bills see it.
type CallRecord struct {
	SID, ParentSID, AccountSID string
	From, To                   string
	Direction                  string // inbound, outbound-api, outbound-dial
	Status                     string // queued, ringing, in-progress, completed, busy, failed, no-answer, canceled
	SIPCallID                  string
	HangupCause                string // normal_clearing, originator_cancel, …
	HangupSource               string // caller, callee, unknown
	ErrorCode                  int    // what went wrong, 0 for nothing
	ErrorMessage               string
	Created                    time.Time
	Answered, Ended            time.Time // zero until then
}

// Event is one line of a call's timeline.
type Event struct {
	At   time.Time
	Kind string // fetch, answer, say, key, warning, error, hangup, …
	Text string // for people; holds no digits and no words of the caller
	Code int    // platform's code, for warnings and errors

	// Private is what was pressed or said. It is shown to who watches the
	// call (Config.Observe) and is never stored or logged.
	Private string
}

// Callback is a status callback that is owed.
type Callback struct {
	ID         int64 // given by the store; grows within a call
	CallSID    string
	AccountSID string
	URL        string
	Method     string
	Form       string // encoded
	Token      string // idempotency token, the same on every try
	Created    time.Time
	Due        time.Time // not to be tried before
	Attempts   int       // tries that failed
}
