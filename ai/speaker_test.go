package ai

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// scripted is a voice that says each letter as one sample, number by number
// what its script has for it. Between frames of ten letters it waits.
type scripted struct {
	number  int16         // 1000 times this is added to each letter
	wait    time.Duration // before the first frame
	between time.Duration
	fails   func(said Speech, nth int) (after int, err error) // after that many frames

	mu    sync.Mutex
	asked []Speech
	ended []error // how the speeches ended, by their contexts
}

func (v *scripted) Speak(ctx context.Context, s Speech, rate int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		v.mu.Lock()
		v.asked = append(v.asked, s)
		nth := len(v.asked)
		v.mu.Unlock()
		defer func() {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.ended = append(v.ended, context.Cause(ctx))
		}()
		fail, failure := -1, error(nil)
		if v.fails != nil {
			if fail, failure = v.fails(s, nth); failure == nil {
				fail = -1
			}
		}
		pause := v.wait
		frames := 0
		for letters := range slices.Chunk([]byte(s.Text), 10) {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			}
			pause = v.between
			if frames == fail {
				yield(nil, failure)
				return
			}
			frames++
			var f pcm.Frame
			for _, l := range letters {
				f = append(f, 1000*v.number+int16(l))
			}
			if !yield(f, nil) {
				return
			}
		}
		if frames == fail {
			yield(nil, failure)
		}
	}
}

// always fails every speech after so many frames.
func always(after int, err error) func(Speech, int) (int, error) {
	return func(Speech, int) (int, error) { return after, err }
}

func fault(k Kind) *Error { return &Error{Provider: "x", Kind: k, Msg: string(k)} }

// heard is what is said of s, each letter behind the number of who says it when
// that changes: "1 one. 2 two."
func heard(ctx context.Context, t TTS, s Speech) (string, error) {
	var b strings.Builder
	var last int16
	for f, err := range t.Speak(ctx, s, 8000) {
		if err != nil {
			return b.String(), err
		}
		for _, v := range f {
			if v/1000 != last {
				last = v / 1000
				fmt.Fprintf(&b, "[%d]", last)
			}
			b.WriteByte(byte(v % 1000))
		}
	}
	return b.String(), nil
}

func speaker(observe func(Latency), voices ...*scripted) *Speaker {
	c := SpeakerConfig{Observe: observe}
	for i, v := range voices {
		v.number = int16(i + 1)
		c.Voices = append(c.Voices, NamedTTS{Name: fmt.Sprint("v", i+1), Kind: "local", TTS: v, Timeout: time.Second})
	}
	return NewSpeaker(c)
}

const (
	longOne = "This is the first sentence, and it is quite a long one to say."
	longTwo = "Here is the second one, which has about as many letters as that."
)

func TestSpeakerFallsBack(t *testing.T) {
	gone := fault(Unavailable)
	for _, tt := range []struct {
		name   string
		voices []*scripted
		text   string
		want   string
		err    error
	}{
		{"the first one speaks", []*scripted{{}, {}}, "Hello.", "[1]Hello.", nil},
		{"the next one, before the first frame", []*scripted{{fails: always(0, gone)}, {}}, "Hello.", "[2]Hello.", nil},
		{"the broken sentence is said again", []*scripted{{fails: always(2, gone)}, {}}, "Hello, this is broken.", "[1]Hello, this is broke[2]Hello, this is broken.", nil},
		{"what was said is not said again", []*scripted{{fails: func(s Speech, nth int) (int, error) {
			if nth == 2 {
				return 1, gone
			}
			return -1, nil
		}}, {}}, longOne + " " + longTwo, "[1]" + longOne + longTwo[:10] + "[2]" + longTwo, nil},
		{"between two sentences", []*scripted{{fails: func(s Speech, nth int) (int, error) {
			if nth == 2 {
				return 0, gone
			}
			return -1, nil
		}}, {}}, longOne + " " + longTwo, "[1]" + longOne + "[2]" + longTwo, nil},
		{"nobody is left", []*scripted{{fails: always(0, fault(Content))}, {fails: always(0, gone)}}, "Hello.", "", gone},
		{"nobody is left in the middle", []*scripted{{fails: always(1, gone)}}, "Hello, this is broken.", "[1]Hello, thi", gone},
		{"a late one loses", []*scripted{{wait: 5 * time.Second}, {wait: time.Second / 2}}, "Hello.", "[2]Hello.", nil},
		{"a late one wins all the same", []*scripted{{wait: 1100 * time.Millisecond}, {wait: time.Second / 2}}, "Hello.", "[1]Hello.", nil},
		{"nothing to say", []*scripted{{}}, " ", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := heard(t.Context(), speaker(nil, tt.voices...), Speech{Text: tt.text})
				if got != tt.want || err != tt.err {
					t.Errorf("got  %q, %v\nwant %q, %v", got, err, tt.want, tt.err)
				}
			})
		})
	}
}

func TestSpeakerIsLateWhenNobodySpeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := heard(t.Context(), speaker(nil, &scripted{wait: time.Minute}, &scripted{wait: time.Minute}), Speech{Text: "Hello."})
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Timeout || e.Provider != "v2" {
			t.Errorf("%v, want a Timeout of v2", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %v, want the two timeouts", took)
		}
	})
}

func TestSpeakerEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &scripted{between: time.Second}
		hungUp := errors.New("hung up")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(1500*time.Millisecond, func() { cancel(hungUp) })
		s := speaker(nil, v, &scripted{})
		if got, err := heard(ctx, s, Speech{Text: "Hello, this is cut off."}); err != hungUp || got != "[1]Hello, this is cut o" {
			t.Errorf("%q, %v; want two frames and the cause", got, err)
		}
		if len(v.ended) != 1 {
			t.Errorf("%d speeches have ended, want 1", len(v.ended))
		}
		// That a caller hangs up is no fault of the voice.
		if got, err := heard(t.Context(), s, Speech{Text: "Hello."}); err != nil || got != "[1]Hello." {
			t.Errorf("%q, %v afterwards", got, err)
		}
	})
}

func TestSpeakerLeavesFaultyProvidersAlone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		faults int           // before it is left alone
		rest   time.Duration // 0: never
	}{
		{"a wrong key", fault(Auth), 1, 5 * time.Minute},
		{"too much was asked", &Error{Kind: RateLimit, After: 42 * time.Second}, 1, 42 * time.Second},
		{"too much, and not said for how long", fault(RateLimit), 1, 10 * time.Second},
		{"out of reach", fault(Unavailable), 3, 30 * time.Second},
		{"nonsense", fault(Protocol), 3, 30 * time.Second},
		{"a text is refused", fault(Content), 0, 0},
		{"a voice is not there", fault(Unsupported), 0, 0},
		{"something on this machine", errors.New("exit status 3"), 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad := &scripted{fails: always(0, tt.err)}
				s := speaker(nil, bad, &scripted{})
				speak := func(times int) int {
					before := len(bad.asked)
					for range times {
						if got, err := heard(t.Context(), s, Speech{Text: "Hello."}); err != nil || got != "[2]Hello." {
							t.Fatalf("%q, %v", got, err)
						}
					}
					return len(bad.asked) - before
				}
				if tt.rest == 0 {
					if got := speak(5); got != 5 {
						t.Errorf("asked %d times of 5", got)
					}
					return
				}
				if got := speak(tt.faults + 2); got != tt.faults {
					t.Errorf("asked %d times, want %d", got, tt.faults)
				}
				time.Sleep(tt.rest - time.Millisecond)
				if got := speak(1); got != 0 {
					t.Error("asked before its rest is over")
				}
				time.Sleep(time.Millisecond)
				if got := speak(3); got != 1 {
					t.Errorf("asked %d times after its rest, want one try", got)
				}
				bad.fails = nil
				time.Sleep(5 * time.Minute)
				if got, _ := heard(t.Context(), s, Speech{Text: "Hello."}); got != "[1]Hello." {
					t.Errorf("%q once it is well", got)
				}
			})
		})
	}
}

func TestSpeakerSaysWhyNobodyIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := speaker(nil, &scripted{fails: always(0, fault(Auth))})
		for range 2 {
			if _, err := heard(t.Context(), s, Speech{Text: "Hello."}); err == nil || !strings.Contains(err.Error(), "auth") {
				t.Errorf("%v, want the reason", err)
			}
		}
	})
}

func TestSpeakerMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []Latency
		bad := fault(Unavailable)
		s := speaker(func(l Latency) { seen = append(seen, l) }, &scripted{wait: 100 * time.Millisecond, fails: always(0, bad)}, &scripted{wait: 200 * time.Millisecond, between: 50 * time.Millisecond})
		if _, err := heard(t.Context(), s, Speech{Text: "Hello, hello."}); err != nil {
			t.Fatal(err)
		}
		want := []Latency{
			{Provider: "v1", Kind: "tts", Total: 100 * time.Millisecond, Err: bad},
			{Provider: "v2", Kind: "tts", First: 200 * time.Millisecond, Total: 250 * time.Millisecond},
		}
		if !slices.Equal(seen, want) {
			t.Errorf("got  %v\nwant %v", seen, want)
		}
	})
}

func TestVolume(t *testing.T) {
	loud := func(db float64) pcm.Frame {
		for f, err := range speaker(nil, &scripted{}).Speak(t.Context(), Speech{Text: "d", Volume: db}, 8000) {
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		return nil
	}
	for _, tt := range []struct {
		name string
		db   float64
		want int16
	}{{"as it is", 0, 1100}, {"twice", 20 * math.Log10(2), 2200}, {"half", 20 * math.Log10(0.5), 550}, {"silent", math.Inf(-1), 0}} {
		if got := loud(tt.db); len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %v, want %d", tt.name, got, tt.want)
		}
	}
}

func TestACrashEndsOneSpeech(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := &scripted{fails: func(Speech, int) (int, error) { panic("a fault, and what was said") }}
		var log bytes.Buffer
		s := speaker(LogLatency(slog.New(slog.NewTextHandler(&log, nil))), broken, &scripted{})
		if got, err := heard(t.Context(), s, Speech{Text: "Hello."}); err != nil || got != "[2]Hello." {
			t.Errorf("%q, %v; want the next voice", got, err)
		}
		if !strings.Contains(log.String(), "speaker_test.go") || strings.Contains(log.String(), "what was said") {
			t.Errorf("the log has %s; want where, and not what was said", log.String())
		}
	})
}

// The engine's share of the first frame: what a call waits beside the provider.
func BenchmarkSpeakerFirstFrame(b *testing.B) {
	s := speaker(nil, &scripted{})
	for b.Loop() {
		for range s.Speak(b.Context(), Speech{Text: "Hello."}, 8000) {
			break
		}
	}
}

func BenchmarkSpeakerFromTheCache(b *testing.B) {
	cache, err := OpenVoiceCache(VoiceCacheConfig{})
	if err != nil {
		b.Fatal(err)
	}
	s := speaker(nil, &scripted{})
	s.cache = cache
	for b.Loop() {
		for range s.Speak(b.Context(), Speech{Text: "Hello."}, 8000) {
			break
		}
	}
}

// Whoever watches a context is told of the providers that fail under it, and of no
// others.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		bad := failing{errors.New("broken")}
		s := NewSpeaker(SpeakerConfig{Voices: []NamedTTS{{Name: "bad", TTS: bad}, {Name: "worse", TTS: bad}}})
		ctx := Watch(t.Context(), func(l Latency) { seen = append(seen, l.Provider+" "+l.Err.Error()) })
		for range s.Speak(ctx, Speech{Text: "Hello."}, 8000) {
		}
		for range s.Speak(t.Context(), Speech{Text: "Hello."}, 8000) {
		}
		if got := strings.Join(seen, ", "); got != "bad broken, worse broken" {
			t.Errorf("got %q", got)
		}
	})
}

type failing struct{ err error }

func (f failing) Speak(context.Context, Speech, int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) { yield(nil, f.err) }
}
