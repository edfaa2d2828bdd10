package runtime

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/recording"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// encodeAtOnce is the longest recording whose file is ready when its verb ends.
// A longer one is finished beside the call, so that nobody waits for an encoder.
const encodeAtOnce = time.Minute

// take is a recording under way: what it records, and its record.
type take struct {
	call  *call
	send  bool   // the URL is told
	mp3   string // place in the document that asks for an MP3 by name; "" is none
	sound *recording.Recording
	taps  []func() // take the inputs away

	mu  sync.Mutex // guards rec: a pause comes from the API
	rec RecordingRecord
}

// takeOptions say what is recorded, and who is told.
type takeOptions struct {
	source     string // RecordingSource of callbacks
	conference string // its SID, for a recording of a conference
	track      string // inbound, outbound or both
	channels   int
	trim       bool
	format     string // wav or mp3; "" is the dialect's
	named      bool   // the document asks for the format by name
	longest    time.Duration
	told       texml.RecordingCallbacks
	send       bool // RecordingUrl is told
}

// tap is a place where sound can be heard: media.Stream.Tap, or TapSent.
type tap func(func(pcm.Frame)) (remove func())

// record begins a recording on channel 0 of what own hears. It returns nil, with
// a warning at n, when there is no room for it; the call goes on.
func (c *script) record(n texml.Node, o takeOptions, own tap, rate int) *take {
	t := c.newTake(n, o)
	err := errors.New("this server keeps no recordings")
	if c.s.Recordings != nil {
		var file recording.File
		if file, err = c.s.Recordings.Create(t.rec.SID); err == nil {
			if t.sound, err = recording.New(file, recording.Options{Rate: rate, Channels: o.channels, Trim: o.trim, MaxLength: o.longest}); err != nil {
				file.Close()
				c.s.Recordings.Discard(t.rec.SID) // what stays is told at the next start
			}
		}
	}
	if err != nil {
		c.Warn(n, 0, "nothing is recorded: "+err.Error())
		t.rec.Status = "failed"
		t.save()
		return nil
	}
	c.note("record", "", "", 0)
	t.save()
	t.add(0, own)
	return t
}

// newTake is a recording that has not begun.
func (c *script) newTake(n texml.Node, o takeOptions) *take {
	t := &take{call: c.call, send: o.send, rec: RecordingRecord{
		SID: c.s.NewID("RE"), AccountSID: c.rec.AccountSID, CallSID: c.rec.SID, Source: o.source,
		Track: o.track, Channels: o.channels, Format: cmp.Or(o.format, by(c.set.Dialect, "mp3", "wav")), Status: "in-progress", Started: time.Now(),
	}}
	if o.conference != "" {
		t.rec.CallSID, t.rec.ConferenceSID = "", o.conference
	}
	if o.named && o.format == "mp3" {
		t.mp3 = c.at(n)
	}
	t.tell(c, n, o)
	if r, ok := n.(*texml.Record); ok && r.Transcription {
		t.rec.Transcript = c.orderTranscript(r, t.rec.SID)
	}
	return t
}

// tell notes whom the recording's status is told.
func (t *take) tell(c *script, n texml.Node, o takeOptions) {
	f := url.Values{}
	if c.set.Dialect == texml.Telnyx {
		f.Set("CallSid", c.rec.SID) // of a conference's recording, too
		f.Set("CallSidLegacy", c.rec.SID)
		f.Set("ConnectionId", connectionID(c.rec.AccountSID))
	} else {
		f.Set("ApiVersion", "2010-04-01")
	}
	if o.send {
		// Plain: it is signed when it is told, which may be long after now.
		f.Set("RecordingUrl", c.s.recordingURL(t.rec.AccountSID, t.rec.SID))
	}
	to := RecordingCallback{Method: o.told.RecordingStatusCallbackMethod,
		Events: strings.Join(o.told.RecordingStatusCallbackEvent, " "), Form: f.Encode()}
	if o.told.RecordingStatusCallback != "" {
		at, err := resolve(c.page.url, o.told.RecordingStatusCallback)
		if err != nil {
			c.Warn(n, 11100, "recordingStatusCallback: "+err.Error())
		}
		to.URL = at
	}
	t.rec.Callback = to
}

// add records what is heard at a further place, on a channel of the file.
func (t *take) add(channel int, from tap) {
	if t == nil {
		return
	}
	t.taps = append(t.taps, from(t.sound.Input(min(channel, t.rec.Channels-1))))
}

// full is closed when the recording has its greatest length.
func (t *take) full() <-chan struct{} {
	if t == nil {
		return nil
	}
	return t.sound.Done()
}

// stop ends the recording and tells what there is of it. It may be called on
// none.
func (t *take) stop(ctx context.Context) *verbs.Recorded {
	if t == nil {
		return nil
	}
	for _, remove := range t.taps {
		remove()
	}
	sum, err := t.sound.Close()
	t.mu.Lock()
	t.rec.Duration, t.rec.Status = sum.Duration, "completed"
	switch {
	case err != nil && sum.Duration == 0:
		t.rec.Status = "failed"
	case sum.Duration == 0:
		t.rec.Status = "absent"
	}
	t.mu.Unlock() // a pause that comes now finds it over
	if err != nil {
		t.call.note("warning", "the recording is cut short: "+err.Error(), "", 0)
	}
	done := &verbs.Recorded{SID: t.rec.SID, Status: t.rec.Status, Duration: t.rec.Duration, Speech: sum.Speech}
	if t.send && t.rec.Status == "completed" {
		s, account := t.call.s, t.rec.AccountSID
		done.URL = s.toldURL(account, s.recordingURL(account, t.rec.SID), t.call.set.Dialect == texml.Telnyx)
	}
	ctx = context.WithoutCancel(ctx)
	if t.rec.Duration <= encodeAtOnce {
		t.finish(ctx)
	} else {
		t.call.finishing.Go(func() { t.finish(ctx) })
	}
	return done
}

// finish gives the recording its name and tells that it is there.
func (t *take) finish(ctx context.Context) {
	keep, rec := t.call.s.Recordings, t.rec
	// A call is not held up by an encoder that hangs: the WAV is kept then.
	ctx, stop := context.WithTimeout(ctx, 10*time.Second+rec.Duration/4)
	defer stop()
	if rec.Status != "completed" {
		keep.Discard(rec.SID) // what stays is told at the next start
	} else if got, err := keep.Commit(ctx, rec.SID, rec.Format); got != "" {
		if rec.Format = got; err != nil {
			t.keptAsWAV(err)
		}
	} else {
		rec.Status = "failed"
		t.call.note("warning", "the recording is lost: "+err.Error(), "", 0)
	}
	t.mu.Lock()
	t.rec = rec
	t.mu.Unlock()
	t.save()
}

// keptAsWAV tells that there is no MP3: the log always, the timeline when the
// document asked for one by name.
func (t *take) keptAsWAV(err error) {
	t.call.s.Log.Warn("a recording is kept as WAV", "call", t.call.rec.SID, "recording", t.rec.SID, "error", err)
	if t.mp3 != "" {
		t.call.note("warning", t.mp3+"the recording is kept as WAV: "+err.Error(), "", 0)
	}
}

// errNotRecording is the error for a recording that is over, or paused already,
// or not paused.
var errNotRecording = errors.New("the recording is not in the state for that")

// pause interrupts the recording until resume. The time is left out of it when
// skip is set, and is silence else. Both may be called from any goroutine.
func (t *take) pause(skip bool) error {
	return t.turn("in-progress", "paused", func() { t.sound.Pause(skip) })
}

func (t *take) resume() error { return t.turn("paused", "in-progress", t.sound.Resume) }

// turn takes the recording from one status to another. Nobody is told: callbacks
// know of no pause.
func (t *take) turn(from, to string, do func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rec.Status != from {
		return errNotRecording
	}
	do()
	t.rec.Status = to
	rec := t.rec
	t.call.s.records.put(save{call: CallRecord{SID: t.call.rec.SID}, recording: &rec})
	return nil
}

// save hands the record over as it now is, with the callback that is owed.
func (t *take) save() {
	now := time.Now()
	rec := t.rec
	// The call's record may change meanwhile, when a long recording is finished
	// beside it; its SID keeps the order of what is saved.
	t.call.s.records.put(save{call: CallRecord{SID: t.call.rec.SID}, recording: &rec, callbacks: rec.Owed(now, t.call.s.NewID(""))})
}
