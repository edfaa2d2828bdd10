package ai

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// word is a frame of loud sound that stands for a word.
func word(n int) pcm.Frame {
	f := make(pcm.Frame, 160)
	for i := range f {
		f[i] = int16(5000 + n)
	}
	return f
}

func quietFrame() pcm.Frame { return make(pcm.Frame, 160) }

// talker is a scripted ASR: each word is one frame, a result that is not final
// for each, and a final one after as many words as sentence says.
type talker struct {
	name     string
	sentence int
	timed    bool // results say where they are
	fails    int  // after that many frames of sound, 0: never
	err      error
	quits    int // ends without error after that many frames, 0: never

	heard  int // frames, over all hearings
	given  []Hearing
	offset time.Duration // of the first word it heard in the last hearing
}

func (a *talker) Hear(ctx context.Context, h Hearing, sound <-chan pcm.Frame) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		a.given = append(a.given, h)
		var words []Word
		result := func(final bool) Result {
			var texts []string
			for _, w := range words {
				texts = append(texts, w.Text)
			}
			r := Result{Text: strings.Join(texts, " "), Final: final}
			if a.timed {
				r.Words, r.Began, r.Ended = slices.Clone(words), words[0].Began, words[len(words)-1].Ended
			}
			return r
		}
		n := 0
		for ; ; n++ {
			var f pcm.Frame
			var more bool
			select {
			case f, more = <-sound:
			case <-ctx.Done():
				yield(Result{}, context.Cause(ctx))
				return
			}
			if !more {
				break
			}
			a.heard++
			if a.fails > 0 && n+1 == a.fails {
				yield(Result{}, a.err)
				return
			}
			if a.quits > 0 && n+1 == a.quits {
				return
			}
			if f[0] == 0 {
				continue
			}
			at := time.Duration(n) * 20 * time.Millisecond
			words = append(words, Word{Text: fmt.Sprint(f[0] - 5000), Began: at, Ended: at + 20*time.Millisecond})
			clear(f) // the frames are its own
			final := len(words) == a.sentence
			if !yield(result(final), nil) {
				return
			}
			if final {
				words = nil
			}
		}
		if len(words) > 0 {
			yield(result(true), nil)
		}
	}
}

func listener(talkers ...*talker) *Listener {
	var c ListenerConfig
	for i, a := range talkers {
		if a.name = "a" + fmt.Sprint(i+1); a.sentence == 0 {
			a.sentence = 1000
		}
		c.Ears = append(c.Ears, NamedASR{Name: a.name, Kind: "openai", ASR: a})
	}
	return NewListener(c)
}

// spoken sends frames in real time.
func spoken(frames ...pcm.Frame) <-chan pcm.Frame {
	sound := make(chan pcm.Frame, len(frames))
	go func() {
		defer close(sound)
		for _, f := range frames {
			time.Sleep(20 * time.Millisecond)
			sound <- f
		}
	}()
	return sound
}

// recorded are frames that are all there already.
func recorded(frames ...pcm.Frame) <-chan pcm.Frame {
	sound := make(chan pcm.Frame, len(frames))
	for _, f := range frames {
		sound <- f
	}
	close(sound)
	return sound
}

func count(from, to int) (frames []pcm.Frame) {
	for n := from; n <= to; n++ {
		frames = append(frames, word(n))
	}
	return frames
}

func counted(from, to int) string {
	var words []string
	for n := from; n <= to; n++ {
		words = append(words, fmt.Sprint(n))
	}
	return strings.Join(words, " ")
}

// understood is all that is final, and the places of its words.
func understood(ctx context.Context, l *Listener, h Hearing, sound <-chan pcm.Frame) (string, []Word, error) {
	var texts []string
	var words []Word
	for r, err := range l.Hear(ctx, h, sound) {
		if err != nil {
			return strings.Join(texts, " "), words, err
		}
		if r.Final {
			texts, words = append(texts, r.Text), append(words, r.Words...)
		}
	}
	return strings.Join(texts, " "), words, nil
}

func TestListenerLosesNoWord(t *testing.T) {
	gone := fault(Unavailable)
	quiet := slices.Repeat([]pcm.Frame{quietFrame()}, 500) // 10 s
	for _, tt := range []struct {
		name    string
		talkers []*talker
		sound   []pcm.Frame
		want    string
	}{
		{"nobody fails", []*talker{{sentence: 7}}, count(1, 20), counted(1, 20)},
		{"at once", []*talker{{fails: 1, err: gone}, {}}, count(1, 20), counted(1, 20)},
		{"in the middle of a sentence", []*talker{{sentence: 7, timed: true, fails: 11, err: gone}, {}}, count(1, 20), counted(1, 20)},
		{"without places in the sound", []*talker{{sentence: 7, fails: 11, err: gone}, {}}, count(1, 20), counted(1, 20)},
		{"twice, the second while it catches up", []*talker{{sentence: 7, timed: true, fails: 11, err: gone}, {timed: true, fails: 3, err: gone}, {}}, count(1, 20), counted(1, 20)},
		{"round to the first again", []*talker{{sentence: 4, timed: true, fails: 6, err: gone}}, count(1, 12), counted(1, 12)},
		{"it stops listening before the end", []*talker{{sentence: 5, timed: true, quits: 8}, {}}, count(1, 20), counted(1, 20)},
		{"after a long silence", []*talker{{timed: true, fails: 505, err: gone}, {timed: true}}, slices.Concat(quiet, count(1, 20)), counted(1, 20)},
		{"with silence in it", []*talker{{timed: true, fails: 15, err: gone}, {timed: true}}, slices.Concat(count(1, 5), quiet[:100], count(6, 9)), counted(1, 9)},
		{"nothing is said", []*talker{{fails: 3, err: gone}, {}}, quiet[:10], ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, words, err := understood(t.Context(), listener(tt.talkers...), Hearing{Rate: 8000}, spoken(tt.sound...))
				if got != tt.want || err != nil {
					t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
				}
				for _, w := range words { // each is where it was said, whoever understood it
					at := slices.IndexFunc(tt.sound, func(f pcm.Frame) bool { return f[0] != 0 && fmt.Sprint(f[0]-5000) == w.Text })
					if want := time.Duration(at) * 20 * time.Millisecond; at >= 0 && w.Began != want {
						t.Errorf("%s began at %v, want %v", w.Text, w.Began, want)
					}
				}
			})
		})
	}
}

func TestListenerKeepsHalfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := &talker{sentence: 5000, fails: 2000, err: fault(Unavailable)}, &talker{timed: true}
		_, words, err := understood(t.Context(), listener(first, second), Hearing{Rate: 8000}, spoken(count(1, 2500)...))
		if err != nil {
			t.Fatal(err)
		}
		// 40 s in, the last 30 s are there: 1500 words, and the 500 after them.
		if got := len(words); got < 1998 || got > 2002 {
			t.Errorf("%d words, want 2000", got)
		}
		if last := words[len(words)-1]; last.Ended != 50*time.Second {
			t.Errorf("the last ended at %v, want 50 s", last.Ended)
		}
	})
}

func TestListenerKeepsASecondOfSilence(t *testing.T) {
	tape := newTape(20 * time.Millisecond)
	for range 1000 {
		tape.add(quietFrame(), true)
	}
	if got := len(tape.frames); got != 50 {
		t.Errorf("%d frames, want 50", got)
	}
	tape.add(word(1), true)
	for range 1000 {
		tape.add(quietFrame(), true)
	}
	if got := len(tape.frames); got != 1051 {
		t.Errorf("%d frames once there was a word, want 1051", got)
	}
	if tape.understood(0, 1100); len(tape.frames) != 901 || tape.loud {
		t.Errorf("%d frames, loud %v after what was understood; want 901 of silence", len(tape.frames), tape.loud)
	}
}

func TestListenerGivesUp(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		heard int // how often the first is asked
	}{
		{"a wrong key", fault(Auth), 1},
		{"out of reach", fault(Unavailable), 3},
		{"a language that it has not", fault(Unsupported), 1},
		{"something here", errors.New("no room"), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &talker{fails: 1, err: tt.err}
				_, _, err := understood(t.Context(), listener(a), Hearing{}, recorded(count(1, 5)...))
				if err != tt.err || len(a.given) != tt.heard {
					t.Errorf("%v after %d tries, want the fault after %d", err, len(a.given), tt.heard)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		if _, _, err := understood(t.Context(), listener(), Hearing{}, nil); err == nil || !strings.Contains(err.Error(), "ai.asr") {
			t.Errorf("%v without providers, want the remedy", err)
		}
	})
}

func TestListenerEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hungUp := errors.New("hung up")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(hungUp) })
		a := &talker{sentence: 1}
		l := listener(a, &talker{})
		if _, _, err := understood(ctx, l, Hearing{}, make(chan pcm.Frame)); err != hungUp {
			t.Errorf("%v, want the cause", err)
		}
		for range l.Hear(t.Context(), Hearing{}, recorded(count(1, 5)...)) {
			break // and a consumer may stop; the bubble sees what is left behind
		}
		if !l.ears[0].health.ready() || l.ears[0].health.faults != 0 {
			t.Error("a hang-up counts as a fault")
		}
	})
}

func TestListenerChooses(t *testing.T) {
	ears := []NamedASR{{Name: "main", Kind: "openai"}, {Name: "dg", Kind: "deepgram"}, {Name: "tel", Kind: "telnyx"}, {Name: "mine", Kind: "openai-realtime", Aside: true}}
	for _, tt := range []struct {
		name, engine, model string
		want                string // name, engine and model of the first, then the names of the others
		has                 bool
	}{
		{"nothing said", "", "", "main // dg tel", true},
		{"a kind of call", "", "phone_call", "main // dg tel", true},
		{"Deepgram", "Deepgram", "", "dg // main tel", true},
		{"Deepgram with a model", "Deepgram", "nova-2", "dg//nova-2 main tel", true},
		{"Twilio's model of Deepgram", "", "deepgram_nova-3", "dg//deepgram_nova-3 main tel", true},
		{"Telnyx's model of Deepgram", "", "deepgram/nova-3", "dg//deepgram/nova-3 main tel", true},
		{"what Telnyx resells", "Azure", "azure/fast", "tel/Azure/azure/fast main dg", true},
		{"Google, which Telnyx has", "google", "", "tel/google/ main dg", true},
		{"Twilio's Google", "", "googlev2_telephony", "tel/google/googlev2_telephony main dg", true},
		{"Telnyx", "Telnyx", "openai/whisper-large-v3-turbo", "tel/Telnyx/openai/whisper-large-v3-turbo main dg", true},
		{"an old name", "B", "", "tel/Telnyx/ main dg", true},
		{"a model of OpenAI", "", "openai/whisper-1", "main//whisper-1 dg tel", true},
		{"a name of the configuration", "mine", "", "mine // main dg tel", true},
		{"nobody has it", "Nuance", "x", "main // dg tel", false},
	} {
		l := NewListener(ListenerConfig{Ears: ears})
		h := Hearing{Engine: tt.engine, Model: tt.model}
		var got []string
		for i, e := range l.chain(h) {
			if got = append(got, e.Name); i == 0 {
				to := e.hearing(h)
				got[0] += "/" + to.Engine + "/" + to.Model
			}
		}
		want := strings.Replace(tt.want, " //", "//", 1)
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, s, want)
		}
		if got := l.Has(tt.engine); got != tt.has {
			t.Errorf("%s: Has is %v", tt.name, got)
		}
	}
}
