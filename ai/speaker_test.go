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

func TestCandidates(t *testing.T) {
	all := []NamedTTS{
		{Name: "main", Kind: "deepgram"}, {Name: "second", Kind: "openai", Voice: "sage"},
		{Name: "lab", Kind: "elevenlabs", Aside: true}, {Name: "tel", Kind: "telnyx", Aside: true, SSML: true}, {Name: "local", Kind: "local"},
	}
	table := map[string]VoiceChoice{
		"Polly.Joanna": {Provider: "second", Voice: "nova", Rate: 1.5}, "Polly.*": {Provider: "lab"}, "polly.m*": {Provider: "tel"},
		"german": {Language: "de-DE"}, "Azure.de-DE-*": {Provider: "local"},
	}
	for _, tt := range []struct{ name, voice, language, want string }{
		{"no name", "", "", "main=aura-2-thalia-en second=sage local="},
		{"a man", "man", "", "main=aura-2-apollo-en second=sage local=man"},
		{"another language", "woman", "fr-FR", "main=aura-2-agathe-fr second=sage local=woman"},
		{"a language that the first has not", "woman", "pl-PL", "second=sage local=woman main="},
		{"an exact name", "Polly.Joanna", "", "second=nova main=aura-2-thalia-en/en-US local=Polly.Joanna"},
		{"in other letters", "polly.joanna", "", "second=nova main=aura-2-thalia-en/en-US local=polly.joanna"},
		{"the beginning of names", "Polly.Hans", "", "lab=JBFqnCBsd6RMkjVDRZzb/de-DE main=aura-2-julius-de/de-DE second=sage/de-DE local=Polly.Hans"},
		{"the longer beginning counts", "Polly.Matthew", "", "tel=AWS.Polly.Matthew main=aura-2-apollo-en/en-US second=sage/en-US local=Polly.Matthew"},
		{"a language by the table", "german", "", "main=aura-2-viktoria-de/de-DE second=sage/de-DE local=german/de-DE"},
		{"local by the table", "Azure.de-DE-ConradNeural", "", "local=Azure.de-DE-ConradNeural main=aura-2-julius-de/de-DE second=sage/de-DE"},
		{"a name of one aside", "ElevenLabs.eleven_v3.abc", "", "lab=ElevenLabs.eleven_v3.abc main=aura-2-thalia-en second=sage local=ElevenLabs.eleven_v3.abc"},
		{"what another resells", "Azure.fr-FR-HenriNeural", "", "tel=Azure.fr-FR-HenriNeural main=aura-2-hector-fr/fr-FR second=sage/fr-FR local=Azure.fr-FR-HenriNeural"},
		{"a voice of the second", "onyx", "", "second=onyx main=aura-2-apollo-en local=onyx"},
		{"a voice of the first", "aura-2-zeus-en", "", "main=aura-2-zeus-en second=sage/en-US local=aura-2-zeus-en"},
		{"Google's are nobody's here", "Google.it-IT-Standard-D", "", "main=aura-2-dionisio-it/it-IT second=sage/it-IT local=Google.it-IT-Standard-D"},
	} {
		s := NewSpeaker(SpeakerConfig{Voices: all, Table: table})
		var got []string
		for _, c := range s.candidates(Speech{Text: "x", SSML: "<w>x</w>", Voice: tt.voice, Language: tt.language}) {
			way := c.Name + "=" + c.speech.Voice
			if c.speech.Language != tt.language {
				way += "/" + c.speech.Language
			}
			got = append(got, way)
			if (c.speech.SSML != "") != c.SSML {
				t.Errorf("%s: %s gets the marks %q", tt.name, c.Name, c.speech.SSML)
			}
			if want := map[bool]float64{true: 1.5, false: 1}[strings.EqualFold(tt.voice, "Polly.Joanna")]; c.speech.Rate != want {
				t.Errorf("%s: %s speaks at %g, want %g", tt.name, c.Name, c.speech.Rate, want)
			}
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestStandIns(t *testing.T) {
	for _, tt := range []struct{ name, voice, language, openai, telnyx string }{
		{"alice", "alice", "en-GB", "nova", "AWS.Polly.Amy"},
		{"a man of another region", "man", "en-IN", "onyx", "AWS.Polly.Matthew"},
		{"only a woman speaks it", "man", "fi-FI", "onyx", "AWS.Polly.Suvi"},
		{"Chinese", "woman", "zh-CN", "nova", "AWS.Polly.Zhiyu"},
		{"Arabic", "woman", "ar", "nova", "AWS.Polly.Zeina"},
		{"nobody speaks it", "woman", "et-EE", "nova", ""},
		{"Polly is behind AWS", "Polly.Vicki-Neural", "", "nova", "AWS.Polly.Vicki-Neural"},
	} {
		for kind, want := range map[string]string{"openai": tt.openai, "telnyx": tt.telnyx} {
			s := Speech{Voice: tt.voice, Language: tt.language}
			if fits := s.fit(kind, ""); s.Voice != want || fits != (want != "") {
				t.Errorf("%s of %s: %q, %v, want %q", tt.name, kind, s.Voice, fits, want)
			}
		}
	}
}

func TestMark(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    Speech
		want string
	}{
		{"as it is", Speech{Text: "a & b", Rate: 1}, ""},
		{"slower and higher", Speech{Text: "a & b", Rate: 0.75, Pitch: 10}, `<prosody rate="75%" pitch="+10%">a &amp; b</prosody>`},
		{"with marks of its own", Speech{Text: "a", SSML: "<w>a</w>", Rate: 2}, `<prosody rate="200%" pitch="+0%"><w>a</w></prosody>`},
	} {
		if tt.s.mark(); tt.s.SSML != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.s.SSML, tt.want)
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

func FuzzVoiceNames(f *testing.F) {
	for _, name := range []string{"", "man", "Polly.Joanna-Neural", "AWS.Polly.", "Google.en-US-Standard-B", "Azure.de-DE-x", "Telnyx.KokoroTTS.am_adam", "Telnyx.a.b", "ElevenLabs..", "aura-2-thalia-en", "*", "a*"} {
		f.Add(name, "de_DE")
	}
	s := NewSpeaker(SpeakerConfig{Voices: []NamedTTS{{Name: "a", Kind: "openai"}, {Name: "b", Kind: "deepgram"}, {Name: "c", Kind: "telnyx", SSML: true}, {Name: "d", Kind: "elevenlabs"}, {Name: "e", Kind: "local"}},
		Table: map[string]VoiceChoice{"Polly.*": {Provider: "b"}}})
	f.Fuzz(func(t *testing.T, voice, language string) {
		if got := len(s.candidates(Speech{Text: "x", Voice: voice, Language: language, Rate: 2})); got != 5 {
			t.Errorf("%d ways to speak, want 5", got)
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
