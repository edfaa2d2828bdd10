package runtime

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/recording"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// shelf keeps recordings in memory, and the records of the account AC1.
type shelf struct {
	Store
	Recordings
	mu        sync.Mutex
	buffers   map[string]*recording.Buffer
	statuses  []string
	discarded []string
	own       []string // SIDs that belong to AC1
}

func (s *shelf) Create(sid string) (recording.File, error) {
	s.buffers[sid] = &recording.Buffer{}
	return s.buffers[sid], nil
}

func (s *shelf) Commit(context.Context, string, string) (string, error) { return "wav", nil }

func (s *shelf) Discard(sid string) error {
	s.discarded = append(s.discarded, sid)
	return nil
}

type shelved struct{ *bytes.Reader }

func (shelved) Close() error { return nil }

func (s *shelf) Open(string) (io.ReadSeekCloser, string, error) {
	return shelved{bytes.NewReader([]byte("sound"))}, "audio/wav", nil
}

func (s *shelf) SaveRecording(_ context.Context, r RecordingRecord, _ []Callback) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses = append(s.statuses, r.Status)
	return nil
}

func (*shelf) Save(context.Context, CallRecord, []Event, []Callback) error { return nil }

func (s *shelf) Recording(_ context.Context, account, sid string) (RecordingRecord, error) {
	if account != "AC1" || !slices.Contains(s.own, sid) {
		return RecordingRecord{}, ErrNoRecording
	}
	return RecordingRecord{SID: sid, AccountSID: account}, nil
}

// refusing is a shelf whose files cannot be written.
type refusing struct{ *shelf }

type noFile struct{ *recording.Buffer }

func (noFile) WriteAt([]byte, int64) (int, error) { return 0, errors.New("the disk is full") }

func (refusing) Create(string) (recording.File, error) { return noFile{&recording.Buffer{}}, nil }

// testScript is a script of a call of AC1 without a leg.
func testScript(t *testing.T, keep Recordings, st Store) *script {
	s := New(Config{Store: st, Recordings: keep, PublicURL: "http://me.test", Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(s.Close)
	c := newCall(s, nil, Setup{Account: Account{SID: "AC1"}, Dialect: texml.Twilio})
	return &script{call: c}
}

func TestPauseOfARecording(t *testing.T) {
	for _, c := range []struct {
		name   string
		skip   bool
		frames int // in the file of 10 heard before, 5 while it is paused, and 10 after
	}{
		{"skip leaves the time out", true, 20},
		{"silence stands for it", false, 25},
	} {
		t.Run(c.name, func(t *testing.T) {
			keep := &shelf{buffers: map[string]*recording.Buffer{}}
			s := testScript(t, keep, keep)
			var hear func(pcm.Frame)
			own := func(f func(pcm.Frame)) func() { hear = f; return func() {} }
			rec := s.record(nil, takeOptions{source: "StartCallRecordingAPI", channels: 1}, own, 8000)
			frames := func(n int) {
				for range n {
					hear(pcm.Tone(8000, pcm.FrameTime, 0.3, 440).Samples)
				}
			}
			if err := rec.resume(); !errors.Is(err, errNotRecording) {
				t.Errorf("resumed what goes on: %v", err)
			}
			frames(10)
			if err := rec.pause(c.skip); err != nil {
				t.Fatal(err)
			}
			if err := rec.pause(c.skip); !errors.Is(err, errNotRecording) {
				t.Errorf("paused twice: %v", err)
			}
			frames(5)
			if err := rec.resume(); err != nil {
				t.Fatal(err)
			}
			frames(10)
			done := rec.stop(t.Context())
			if err := rec.pause(c.skip); !errors.Is(err, errNotRecording) {
				t.Errorf("paused what is over: %v", err)
			}
			if got := int(done.Duration / pcm.FrameTime); got != c.frames {
				t.Errorf("got %d frames, want %d", got, c.frames)
			}
			s.s.Close()
			want := []string{"in-progress", "paused", "in-progress", "completed"}
			if !slices.Equal(keep.statuses, want) {
				t.Errorf("got statuses %v, want %v", keep.statuses, want)
			}
		})
	}
}

// encoder is a shelf whose files take a second to be finished.
type encoder struct{ *shelf }

func (encoder) Commit(context.Context, string, string) (string, error) {
	time.Sleep(time.Second)
	return "mp3", nil
}

func TestALongRecordingIsFinishedBeside(t *testing.T) {
	for _, test := range []struct {
		name   string
		length time.Duration
		waits  time.Duration
	}{
		{"a minute is ready when it ends", time.Minute, time.Second},
		{"more is not waited for", time.Minute + pcm.FrameTime, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				keep := &shelf{buffers: map[string]*recording.Buffer{}}
				s := testScript(t, encoder{keep}, keep)
				var hear func(pcm.Frame)
				own := func(f func(pcm.Frame)) func() { hear = f; return func() {} }
				rec := s.record(nil, takeOptions{channels: 1}, own, 8000)
				for range int(test.length / pcm.FrameTime) {
					hear(pcm.Tone(8000, pcm.FrameTime, 0.3, 440).Samples)
				}
				began := time.Now()
				if done := rec.stop(t.Context()); done.Duration != test.length {
					t.Errorf("it lasts %v, want %v", done.Duration, test.length)
				}
				if waited := time.Since(began); waited != test.waits {
					t.Errorf("its end took %v, want %v", waited, test.waits)
				}
				s.finishing.Wait()
				if took := time.Since(began); took != time.Second {
					t.Errorf("the file was there after %v, want 1s", took)
				}
			})
		})
	}
}

func TestNothingIsLeftOfARecordingThatCannotBegin(t *testing.T) {
	keep := &shelf{buffers: map[string]*recording.Buffer{}}
	s := testScript(t, refusing{keep}, keep)
	n := &texml.Recording{}
	if s.record(n, takeOptions{channels: 1}, nil, 8000) != nil {
		t.Fatal("it began")
	}
	s.s.Close()
	if len(keep.discarded) != 1 || !slices.Equal(keep.statuses, []string{"failed"}) {
		t.Errorf("discarded %v with statuses %v, want one, failed", keep.discarded, keep.statuses)
	}
}

// noWeb has nothing.
type noWeb struct{ Web }

func (noWeb) Media(_ context.Context, url string) (*webhook.Response, error) {
	return nil, &webhook.Error{Code: 11205, URL: url}
}

func TestAnAccountPlaysItsOwnRecordings(t *testing.T) {
	own, foreign := "RE0123456789abcdef0123456789abcdef", "REfedcba9876543210fedcba9876543210"
	keep := &shelf{own: []string{own}}
	s := testScript(t, keep, keep)
	s.s.Web = noWeb{}
	for _, c := range []struct {
		name, url string
		heard     bool
	}{
		{"its own", "http://me.test/2010-04-01/Accounts/AC1/Recordings/" + own, true},
		{"its own as a WAV file", "http://me.test/2010-04-01/Accounts/AC1/Recordings/" + own + ".wav", true},
		{"another account's, by its SID", "http://me.test/2010-04-01/Accounts/AC1/Recordings/" + foreign, false},
		{"another account's, by its URL", "http://me.test/2010-04-01/Accounts/AC2/Recordings/" + own, false},
	} {
		resp, err := s.media(t.Context(), c.url)
		if heard := err == nil && string(resp.Body) == "sound"; heard != c.heard {
			t.Errorf("%s: heard %v (%v), want %v", c.name, heard, err, c.heard)
		}
	}
}
