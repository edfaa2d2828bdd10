package runtime

import (
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media/recording"
)

// Recordings keeps the sound of recordings, each under its SID: RE and 32 hex
// digits. Package runtime/store has them in a folder and in memory. All methods
// may be called from any goroutine; those that take a SID that is none, or
// that there is no sound of, return ErrNoRecording.
type Recordings interface {
	// Create begins the file of a recording, under a temporary name.
	Create(sid string) (recording.File, error)

	// Commit gives a file that was written and closed its name, durably. It
	// is made an MP3 before when format is "mp3" and an encoder is there; got
	// is "wav" or "mp3". An error with a got says why it is not an MP3
	// (recording.ErrNoEncoder, or what the encoder said) and is a warning.
	Commit(ctx context.Context, sid, format string) (got string, err error)

	// Discard takes away a file that was begun and is not wanted.
	Discard(sid string) error

	// Open returns a committed recording and its content type, audio/wav or
	// audio/mpeg.
	Open(sid string) (sound io.ReadSeekCloser, contentType string, err error)

	// Delete takes away a committed recording.
	Delete(sid string) error

	// Unfinished returns the SIDs of recordings that were begun and neither
	// committed nor discarded: after a start, those that a crash left.
	Unfinished() ([]string, error)
}

// ErrNoRecording is the error of stores that have no recording of that SID.
var ErrNoRecording = errors.New("no such recording")

// RecordingRecord is what is known of a recording, as the API sees it.
type RecordingRecord struct {
	SID, AccountSID string
	CallSID         string // "" for one of a conference
	ConferenceSID   string
	Source          string // RecordVerb, DialVerb, Conference, StartCallRecordingAPI, …
	Track           string // inbound, outbound, both
	Channels        int
	Format          string // wav or mp3: what was asked for, and once it is completed what the file is
	Status          string // in-progress, paused, completed, absent, failed
	Started         time.Time
	Duration        time.Duration // kept to the millisecond
	ErrorCode       int           // what went wrong, 0 for nothing

	// Callback says whom to tell, so that it can be done after a crash, too.
	Callback RecordingCallback

	// Transcript says what is to become of it then.
	Transcript TranscriptOrder
}

// RecordingCallback is where the status callbacks of a recording go.
type RecordingCallback struct {
	URL    string // "" is nowhere
	Method string // "" is POST
	Events string // in-progress completed absent failed, between spaces; "" is completed
	Form   string // encoded: what each callback says beside what [RecordingRecord.Owed] adds
}

// Owed is the callback that is owed now that the recording has its status:
// none when there is no URL, or when nobody asked for that event. A failed
// recording is told to those who asked for a completed one; a pause is told to
// nobody.
//
// The form's RecordingUrl is told always in the Twilio dialect, and of a
// completed recording only in the Telnyx one, which is known by its
// CallSidLegacy.
func (r RecordingRecord) Owed(now time.Time, token string) []Callback {
	to := r.Callback
	event, events := r.Status, strings.Fields(to.Events)
	if event == "failed" {
		event = "completed"
	}
	if len(events) == 0 {
		events = []string{"completed"}
	}
	if to.URL == "" || !slices.Contains(events, event) {
		return nil
	}
	f, _ := url.ParseQuery(to.Form) // what can be read of it
	f.Set("AccountSid", r.AccountSID)
	of := r.CallSID
	if of != "" {
		f.Set("CallSid", of)
	} else {
		of = r.ConferenceSID
		f.Set("ConferenceSid", of)
	}
	f.Set("RecordingSid", r.SID)
	f.Set("RecordingStatus", r.Status)
	f.Set("RecordingChannels", strconv.Itoa(r.Channels))
	f.Set("RecordingSource", r.Source)
	if r.Status == "completed" {
		f.Set("RecordingDuration", strconv.Itoa(int(r.Duration.Round(time.Second).Seconds())))
	}
	if !f.Has("CallSidLegacy") {
		f.Set("RecordingStartTime", r.Started.UTC().Format("Mon, 2 Jan 2006 15:04:05 -0700"))
		f.Set("RecordingTrack", r.Track)
	} else if r.Status != "completed" {
		f.Del("RecordingUrl")
	}
	if r.ErrorCode != 0 {
		f.Set("ErrorCode", strconv.Itoa(r.ErrorCode))
	}
	return []Callback{{
		CallSID: of, AccountSID: r.AccountSID, URL: to.URL, Method: method(to.Method), Form: f.Encode(),
		Token: token, Created: now, Due: now,
	}}
}
