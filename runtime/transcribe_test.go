package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/recording"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// levels are ears that hear a word in each stretch of samples of one value: its
// number.
type levels struct {
	fail   []error       // of one Hear after the other, nil: it hears
	takes  time.Duration // each
	placed bool          // they tell where a word is

	mu      sync.Mutex
	asked   []ai.Hearing
	now     int // under way
	most    int
	crashes bool
}

func (l *levels) begin(h ai.Hearing) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.asked); n < len(l.fail) {
		err = l.fail[n]
	}
	l.asked = append(l.asked, h)
	l.now++
	l.most = max(l.most, l.now)
	return err
}

func (l *levels) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now--
}

func (l *levels) Hear(ctx context.Context, h ai.Hearing, sound <-chan pcm.Frame) iter.Seq2[ai.Result, error] {
	return func(yield func(ai.Result, error) bool) {
		err := l.begin(h)
		defer l.end()
		if l.crashes {
			panic("ears")
		}
		var words []ai.Result
		at, last := time.Duration(0), int16(0)
		for f := range sound {
			if f[0] != last && f[0] != 0 {
				r := ai.Result{Text: fmt.Sprint(f[0]), Final: true}
				if l.placed {
					r.Began, r.Ended = at, at+pcm.FrameTime
				}
				words = append(words, ai.Result{Text: "nothing"}, r)
			}
			last = f[0]
			at += pcm.FrameTime
		}
		select {
		case <-time.After(l.takes):
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err != nil {
			yield(ai.Result{}, err)
			return
		}
		for _, w := range words {
			if !yield(w, nil) {
				return
			}
		}
	}
}

const (
	recordingSID  = "RE00000000000000000000000000000001"
	transcriptSID = "TR00000000000000000000000000000001"
)

// desk is a server that transcribes, and the callbacks it has told.
type desk struct {
	*runtime.Server
	store runtime.Store
	keep  runtime.Recordings
	log   bytes.Buffer

	mu   sync.Mutex
	told []url.Values
	seen []runtime.Event
}

func newDesk(ears ai.ASR, s runtime.Store) *desk {
	d := &desk{store: s, keep: store.MemoryRecordings()}
	web := documents(func(r webhook.Request) (*webhook.Response, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.told = append(d.told, r.Form)
		return document(r.URL, "")
	})
	d.Server = runtime.New(runtime.Config{Web: web, Ears: ears, Store: s, Recordings: d.keep, PublicURL: "http://me", Log: slog.New(slog.NewTextHandler(&d.log, nil)),
		Observe: func(_ string, e runtime.Event) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.seen = append(d.seen, e)
		}})
	return d
}

// run transcribes and delivers until stop, which closes the server too.
func (d *desk) run(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var works sync.WaitGroup
	works.Go(func() { d.Transcribe(ctx) })
	works.Go(func() {
		d.Deliver(ctx, func(string, bool) (webhook.Signer, bool) { return webhook.Twilio("1"), true })
	})
	return func() {
		cancel(errors.New("the server stops"))
		works.Wait()
		d.Close()
	}
}

// record keeps a recording of these values, 100 ms each, a slice for each channel.
func (d *desk) record(t *testing.T, sid string, sides ...[]int16) {
	t.Helper()
	f, err := d.keep.Create(sid)
	if err != nil {
		t.Fatal(err)
	}
	r, err := recording.New(f, recording.Options{Rate: 8000, Channels: len(sides)})
	if err != nil {
		t.Fatal(err)
	}
	var inputs []func(pcm.Frame)
	for channel := range sides {
		inputs = append(inputs, r.Input(channel))
	}
	for i := range sides[0] {
		for range 5 {
			for channel := len(sides) - 1; channel >= 0; channel-- { // the first is the clock
				inputs[channel](slices.Repeat(pcm.Frame{sides[channel][i]}, 160))
			}
		}
		synctest.Wait() // sound that comes faster than it is written is lost
	}
	if _, err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.keep.Commit(t.Context(), sid, "wav"); err != nil {
		t.Fatal(err)
	}
}

// order stores the record of a recording of 3 s whose text is wanted.
func (d *desk) order(t *testing.T, sid, transcript string) {
	t.Helper()
	ctx := t.Context()
	call := runtime.CallRecord{SID: "CA1", AccountSID: "AC1", Status: "in-progress", Created: time.Now()}
	if err := d.store.Save(ctx, call, nil, nil); err != nil {
		t.Fatal(err)
	}
	r := runtime.RecordingRecord{SID: sid, AccountSID: "AC1", CallSID: "CA1", Status: "completed", Channels: 1, Started: time.Now().Add(-3 * time.Second), Duration: 3 * time.Second,
		Transcript: runtime.TranscriptOrder{SID: transcript, Language: "de-DE", Engine: "Deepgram", Model: "nova-3", URL: "http://a.example/text", Form: "From=1&CallStatus=ringing"}}
	if err := d.store.SaveRecording(ctx, r, nil); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) callbacks() []url.Values {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.told)
}

func (d *desk) events() []runtime.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seen)
}

func (d *desk) transcript(t *testing.T) runtime.TranscriptRecord {
	t.Helper()
	got, err := d.store.Transcript(t.Context(), "AC1", transcriptSID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWhatIsSaidIsOneTextInOrderOfTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		placed bool
		sides  [][]int16
		want   string
	}{
		{"one side", true, [][]int16{{0, 901, 0, 902, 903, 0}}, "901 902 903"},
		{"two sides in turn", true, [][]int16{{901, 0, 0, 903, 0, 0}, {0, 0, 902, 0, 0, 904}}, "901 902 903 904"},
		{"two sides whose places are not known", false, [][]int16{{0, 901, 903, 0}, {902, 0, 0, 904}}, "901 903 902 904"},
		{"silence", true, [][]int16{{0, 0, 0}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ears := &levels{placed: c.placed}
				d := newDesk(ears, store.Memory())
				d.record(t, recordingSID, c.sides...)
				d.order(t, recordingSID, transcriptSID)
				defer d.run(t.Context())()
				synctest.Wait()
				got := d.transcript(t)
				if got.Status != "completed" || got.Text != c.want || got.Ended != time.Now().UTC() || got.Attempts != 0 {
					t.Errorf("got %+v, want the text %q, completed now", got, c.want)
				}
				for _, h := range ears.asked {
					if want := (ai.Hearing{Rate: 8000, Language: "de-DE", Engine: "Deepgram", Model: "nova-3"}); fmt.Sprint(h) != fmt.Sprint(want) {
						t.Errorf("the engine was told %+v, want %+v", h, want)
					}
				}
			})
		})
	}
}

func TestATextIsToldAndIsInNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(&levels{}, store.Memory())
		d.record(t, recordingSID, []int16{901, 902})
		d.order(t, recordingSID, transcriptSID)
		defer d.run(t.Context())()
		synctest.Wait()
		want := url.Values{"From": {"1"}, "CallStatus": {"in-progress"}, "TranscriptionSid": {transcriptSID}, "TranscriptionStatus": {"completed"}, "TranscriptionText": {"901 902"}}
		if len(d.callbacks()) != 1 || d.callbacks()[0].Encode() != want.Encode() {
			t.Errorf("got told %v, want %v", d.callbacks(), want)
		}
		if i := slices.IndexFunc(d.events(), func(e runtime.Event) bool { return e.Kind == "transcribed" && e.Private == `"901 902"` }); i < 0 {
			t.Errorf("who watches the call saw %+v, want the text", d.events())
		}
		events, err := d.store.Events(t.Context(), "AC1", "CA1")
		if err != nil || len(events) != 1 || events[0].Kind != "transcribed" || strings.Contains(fmt.Sprint(events), "901") {
			t.Errorf("got the timeline %+v, %v; want that it is transcribed, without the text", events, err)
		}
		if strings.Contains(d.log.String(), "901") {
			t.Errorf("the text is in the log: %s", &d.log)
		}
	})
}

func TestTriesOfATranscript(t *testing.T) {
	fault := func(k ai.Kind) error { return &ai.Error{Provider: "x", Kind: k, Msg: "no"} }
	always := func(err error) []error { return slices.Repeat([]error{err}, 20) }
	for _, c := range []struct {
		name  string
		fail  []error
		tries int
		after time.Duration
		want  string
	}{
		{"a wrong key is not tried again", always(fault(ai.Auth)), 1, 0, "failed"},
		{"nor sound that is refused", always(fault(ai.Content)), 1, 0, "failed"},
		{"nor what there is not", always(fault(ai.Unsupported)), 1, 0, "failed"},
		{"a fault of a server is, twice", []error{fault(ai.Unavailable), fault(ai.Timeout)}, 3, 90 * time.Second, "completed"},
		{"so is an answer that makes no sense", []error{fault(ai.Protocol)}, 2, 30 * time.Second, "completed"},
		{"and any other fault", []error{errors.New("disk")}, 2, 30 * time.Second, "completed"},
		{"as late as the server says", []error{&ai.Error{Provider: "x", Kind: ai.RateLimit, Msg: "no", After: 10 * time.Minute}}, 2, 10 * time.Minute, "completed"},
		{"an hour later at most", []error{&ai.Error{Provider: "x", Kind: ai.RateLimit, Msg: "no", After: 10 * time.Hour}}, 2, time.Hour, "completed"},
		{"eight times in a little more than an hour", always(fault(ai.Unavailable)), 8, 63*time.Minute + 30*time.Second, "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ears := &levels{fail: c.fail}
				d := newDesk(ears, store.Memory())
				d.record(t, recordingSID, []int16{901})
				d.order(t, recordingSID, transcriptSID)
				began := time.Now()
				defer d.run(t.Context())()
				if c.after > 0 {
					time.Sleep(c.after - time.Millisecond)
					synctest.Wait()
					if got := d.transcript(t); got.Status != "in-progress" || len(d.callbacks()) != 0 {
						t.Errorf("before the last try: got %+v, told %v", got, d.callbacks())
					}
				}
				time.Sleep(10 * time.Hour)
				synctest.Wait()
				got := d.transcript(t)
				if got.Status != c.want || len(ears.asked) != c.tries || got.Ended.Sub(began) != c.after {
					t.Errorf("got %s after %d tries and %v, want %s after %d and %v", got.Status, len(ears.asked), got.Ended.Sub(began), c.want, c.tries, c.after)
				}
				if (c.want == "failed") != (got.ErrorCode == 13620) {
					t.Errorf("got code %d of one that is %s", got.ErrorCode, got.Status)
				}
				if len(d.callbacks()) != 1 || d.callbacks()[0].Get("TranscriptionStatus") != c.want {
					t.Errorf("got told %v, want once that it is %s", d.callbacks(), c.want)
				}
			})
		})
	}
}

func TestARecordingThatHasNoText(t *testing.T) {
	long := func(d time.Duration, form string) func(*desk, *runtime.RecordingRecord) {
		return func(_ *desk, r *runtime.RecordingRecord) { r.Duration, r.Transcript.Form = d, form }
	}
	for _, c := range []struct {
		name   string
		ears   ai.ASR
		change func(*desk, *runtime.RecordingRecord)
		status string
		code   int
	}{
		{"nobody hears", nil, func(*desk, *runtime.RecordingRecord) {}, "failed", 13620},
		{"its sound is deleted", &levels{}, func(d *desk, _ *runtime.RecordingRecord) { d.keep.Delete(recordingSID) }, "failed", 13620},
		{"the engine crashes", &levels{crashes: true}, func(*desk, *runtime.RecordingRecord) {}, "failed", 13620},
		{"too short for Twilio", &levels{}, long(1400*time.Millisecond, ""), "failed", 13617},
		{"just long enough for Twilio", &levels{}, long(1500*time.Millisecond, ""), "completed", 0},
		{"just short enough for Twilio", &levels{}, long(120400*time.Millisecond, ""), "completed", 0},
		{"too long for Twilio", &levels{}, long(121*time.Second, ""), "failed", 13617},
		{"as short as it likes on Telnyx", &levels{}, long(100*time.Millisecond, "CallSidLegacy=CA1"), "completed", 0},
		{"as long as it likes on Telnyx", &levels{}, long(time.Hour, "CallSidLegacy=CA1"), "completed", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(c.ears, store.Memory())
				d.record(t, recordingSID, []int16{901})
				d.order(t, recordingSID, transcriptSID)
				r, err := d.store.Recording(t.Context(), "AC1", recordingSID)
				if err != nil {
					t.Fatal(err)
				}
				c.change(d, &r)
				if err := d.store.SaveRecording(t.Context(), r, nil); err != nil {
					t.Fatal(err)
				}
				defer d.run(t.Context())()
				synctest.Wait()
				if got := d.transcript(t); got.Status != c.status || got.ErrorCode != c.code {
					t.Errorf("got %+v, want %s with code %d", got, c.status, c.code)
				}
				if len(d.callbacks()) != 1 || d.callbacks()[0].Get("TranscriptionStatus") != c.status {
					t.Errorf("got told %v, want %s", d.callbacks(), c.status)
				}
				if c.code != 0 && !slices.ContainsFunc(d.events(), func(e runtime.Event) bool { return e.Kind == "warning" && e.Code == c.code }) {
					t.Errorf("got events %+v, want a warning of code %d", d.events(), c.code)
				}
			})
		})
	}
}

// A server that is killed while it hears does it again at the next start.
func TestATranscriptIsMadeAgainAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := store.Memory()
		d := newDesk(&levels{takes: time.Minute}, records)
		d.record(t, recordingSID, []int16{901})
		d.order(t, recordingSID, transcriptSID)
		stop := d.run(t.Context())
		time.Sleep(30 * time.Second)
		synctest.Wait()
		stop()
		if got := d.transcript(t); got.Status != "in-progress" || got.Attempts != 0 || len(d.callbacks()) != 0 {
			t.Errorf("got %+v, told %v; want it as it was", got, d.callbacks())
		}
		next := newDesk(&levels{takes: time.Minute}, records)
		next.keep = d.keep
		next.Recordings = d.keep
		defer next.run(t.Context())()
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := d.transcript(t); got.Status != "completed" || got.Text != "901" {
			t.Errorf("got %+v, want the text", got)
		}
		if len(next.callbacks()) != 1 {
			t.Errorf("got told %v, want once", next.callbacks())
		}
	})
}

// A server that is closed first makes the texts that are due and tells them; what
// is to be tried again later stays.
func TestAClosedServerMakesTheTextsThatAreDue(t *testing.T) {
	for _, c := range []struct {
		name string
		fail []error
		told int
		want string
	}{
		{"one that is heard", nil, 1, "completed"},
		{"one that fails", []error{errors.New("disk")}, 0, "in-progress"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ears := &levels{takes: time.Minute, fail: c.fail}
				d := newDesk(ears, store.Memory())
				d.record(t, recordingSID, []int16{901})
				d.order(t, recordingSID, transcriptSID)
				var works sync.WaitGroup
				var transcribed, delivered error
				works.Go(func() { transcribed = d.Transcribe(t.Context()) })
				works.Go(func() {
					delivered = d.Deliver(t.Context(), func(string, bool) (webhook.Signer, bool) { return webhook.Twilio("1"), true })
				})
				synctest.Wait()
				d.Close()
				works.Wait()
				if transcribed != nil || delivered != nil {
					t.Errorf("got %v and %v, want nil", transcribed, delivered)
				}
				if got := d.transcript(t); got.Status != c.want || len(d.callbacks()) != c.told || len(ears.asked) != 1 {
					t.Errorf("got %+v, told %v, after %d tries; want %s, told %d times, after one", got, d.callbacks(), len(ears.asked), c.want, c.told)
				}
			})
		})
	}
}

func TestAFewAreTranscribedAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ears := &levels{takes: time.Minute}
		d := newDesk(ears, store.Memory())
		const all = 10
		for n := range all {
			sid := fmt.Sprintf("%032x", n)
			d.record(t, "RE"+sid, []int16{901})
			d.order(t, "RE"+sid, "TR"+sid)
		}
		began := time.Now()
		defer d.run(t.Context())()
		for len(d.callbacks()) < all {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if took := time.Since(began); ears.most != 4 || took != 3*time.Minute {
			t.Errorf("got %d at a time, all after %v; want 4 and 3m", ears.most, took)
		}
	})
}

// full is a store that cannot keep transcripts.
type full struct{ runtime.Store }

func (full) SaveTranscript(context.Context, runtime.TranscriptRecord, []runtime.Event, []runtime.Callback) error {
	return errors.New("the disk is full")
}

// An engine costs money: one whose outcome cannot be kept is not asked on and on.
func TestATranscriptThatCannotBeStoredIsLeftToTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ears := &levels{}
		d := newDesk(ears, full{store.Memory()})
		d.record(t, recordingSID, []int16{901})
		d.order(t, recordingSID, transcriptSID)
		defer d.run(t.Context())()
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		if len(ears.asked) != 1 || len(d.callbacks()) != 0 || len(d.events()) != 0 {
			t.Errorf("got %d tries, told %v, seen %v; want one try", len(ears.asked), d.callbacks(), d.events())
		}
		if !strings.Contains(d.log.String(), "the disk is full") {
			t.Errorf("got the log %q", &d.log)
		}
	})
}

// An engine that never ends is given up.
func TestAnEngineHasFiveMinutesForAPiece(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(&levels{takes: 24 * time.Hour}, store.Memory())
		d.record(t, recordingSID, []int16{901})
		d.order(t, recordingSID, transcriptSID)
		defer d.run(t.Context())()
		time.Sleep(5*time.Minute + time.Second)
		synctest.Wait()
		if got := d.transcript(t); got.Status != "in-progress" || got.Attempts != 1 {
			t.Errorf("got %+v, want one try that failed", got)
		}
	})
}

// The next engine hears all of a long recording when the first one fails: package
// ai keeps half a minute of sound, and no piece is longer.
func TestALongRecordingIsHeardWholeByTheNextEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing, hearing := &levels{fail: slices.Repeat([]error{errors.New("gone")}, 20), takes: time.Second}, &levels{placed: true}
		d := newDesk(ai.NewListener(ai.ListenerConfig{Ears: []ai.NamedASR{{Name: "a", Kind: "openai", ASR: failing}, {Name: "b", Kind: "openai", ASR: hearing}}}), store.Memory())
		side := make([]int16, 1000) // of 100 ms
		var want []string
		for i := 10; i < len(side); i += 50 {
			side[i] = int16(1000 + i)
			want = append(want, fmt.Sprint(side[i]))
		}
		d.record(t, recordingSID, side)
		d.order(t, recordingSID, transcriptSID)
		defer d.run(t.Context())()
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := d.transcript(t); got.Text != strings.Join(want, " ") {
			t.Errorf("got %q, want %q", got.Text, want)
		}
		if len(failing.asked) == 0 {
			t.Error("the first engine was not asked")
		}
	})
}
