package calltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/g722"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/vad"
)

// long is a vocabulary as large as there may be.
func long() (v vocabulary) {
	for i := range mostWords {
		v = append(v, fmt.Sprint("w", i))
	}
	return v
}

// TestWordsAreSpeech: the detector of voices hears every word as one, whatever its
// pitch, and nothing else would do for barge-in and the ends of recordings.
func TestWordsAreSpeech(t *testing.T) {
	v := long()
	for _, hz := range []int{8000, 16000} {
		for _, w := range v {
			clip := v.speak([]string{w}, hz, perWord)
			d, heard, frames := vad.New(hz), 0, 0
			for f := range slices.Chunk(append(pcm.Silence(hz, 100*time.Millisecond).Samples, clip.Samples...), pcm.FrameLen(hz)) {
				if d.Hear(f) {
					heard++
				}
				frames++
			}
			if heard < frames-5-2 {
				t.Errorf("%q at %d Hz: %d of %d frames are heard as a voice", w, hz, heard, frames-5)
			}
		}
	}
	if level := pcm.Level(word(8000, 300, perWord).Samples); level < -24 || level > -16 {
		t.Errorf("a word has %.1f dBFS, want -20 as speech has", level)
	}
}

// ways are what can happen to sound between a mouth and an ear.
var ways = []struct {
	name    string
	rate    int // of the ear
	through func(pcm.Clip) pcm.Clip
}{
	{"plain", 8000, func(c pcm.Clip) pcm.Clip { return c }},
	{"µ-law", 8000, ulaw},
	{"A-law", 8000, func(c pcm.Clip) pcm.Clip {
		b := make([]byte, len(c.Samples))
		g711.EncodeALaw(b, c.Samples)
		out := pcm.Silence(c.Rate, c.Duration())
		g711.DecodeALaw(out.Samples, b)
		return out
	}},
	{"twice resampled", 8000, func(c pcm.Clip) pcm.Clip { return stream(stream(c, 16000), 8000) }},
	{"G.722 at 16 kHz", 16000, func(c pcm.Clip) pcm.Clip {
		c = stream(c, 16000)
		b := make([]byte, len(c.Samples)/2)
		g722.NewEncoder().Encode(b, c.Samples)
		out := pcm.Silence(16000, c.Duration())
		g722.NewDecoder().Decode(out.Samples, b)
		return out
	}},
	{"at 24 kHz", 24000, func(c pcm.Clip) pcm.Clip { return stream(c, 24000) }},
	{"softer by 12 dB", 8000, func(c pcm.Clip) pcm.Clip {
		out := pcm.Silence(c.Rate, c.Duration())
		for i, v := range c.Samples {
			out.Samples[i] = v / 4
		}
		return ulaw(out)
	}},
	{"a frame that is not where frames are", 8000, func(c pcm.Clip) pcm.Clip {
		return pcm.Clip{Rate: c.Rate, Samples: append(make([]int16, 57), c.Samples...)}
	}},
}

func ulaw(c pcm.Clip) pcm.Clip {
	b := make([]byte, len(c.Samples))
	g711.EncodeULaw(b, c.Samples)
	out := pcm.Silence(c.Rate, c.Duration())
	g711.DecodeULaw(out.Samples, b)
	return out
}

// stream resamples c as a call does, with the delay of that.
func stream(c pcm.Clip, rate int) pcm.Clip {
	return pcm.Clip{Rate: rate, Samples: pcm.NewResampler(c.Rate, rate).Resample(nil, c.Samples)}
}

func TestWordsAreUnderstood(t *testing.T) {
	small := vocabulary{"one", "two", "three", "four"}
	large := long()
	var some []string // of them, two neighbours of each twelve
	for i, w := range large {
		if i%12 < 2 {
			some = append(some, w)
		}
	}
	for _, test := range []struct {
		name  string
		known vocabulary
		words string
		each  time.Duration
	}{
		{"one word", small, "one", perWord},
		{"several", small, "two one four three", perWord},
		{"one again", small, "two two two", perWord},
		{"quick", small, "four three two one", quickest},
		{"slow", small, "three one", 5 * time.Second},
		{"any of many", large, strings.Join(some, " "), perWord},
		{"any of many, quick", large, strings.Join(some, " "), quickest},
	} {
		for _, way := range ways {
			d := &decoder{known: test.known, rate: way.rate}
			clip := way.through(test.known.speak(strings.Fields(test.words), 8000, test.each))
			for f := range slices.Chunk(clip.Samples, pcm.FrameLen(way.rate)) {
				d.hear(f)
			}
			d.hear(pcm.Silence(way.rate, 100*time.Millisecond).Samples)
			if got := strings.Join(texts(d.said), " "); got != test.words {
				t.Errorf("%s, %s: heard %q, want %q", test.name, way.name, got, test.words)
			}
		}
	}
}

// TestOtherSoundsAreNoWords, even where a word has the pitch of them.
func TestOtherSoundsAreNoWords(t *testing.T) {
	v := long()
	for _, test := range []struct {
		name  string
		sound pcm.Clip
	}{
		{"a tone", pcm.Tone(8000, time.Second, 0.3, v.pitch(7))},
		{"two tones", pcm.Tone(8000, time.Second, 0.3, v.pitch(7), v.pitch(70))},
		{"a key", pcm.Tone(8000, 100*time.Millisecond, 0.3, 697, 1209)},
		{"silence", pcm.Silence(8000, time.Second)},
		{"a click", word(8000, v.pitch(7), 20*time.Millisecond)},
		{"a word of other words", word(8000, 3400, perWord)},
		{"two at once", func() pcm.Clip {
			a, b := word(8000, v.pitch(7), perWord), word(8000, v.pitch(70), perWord)
			for i, s := range b.Samples {
				a.Samples[i] += s
			}
			return a
		}()},
	} {
		d := &decoder{known: v, rate: 8000}
		d.hear(ulaw(test.sound).Samples)
		d.hear(make([]int16, 8000))
		if len(d.said) > 0 {
			t.Errorf("%s is heard as %q", test.name, texts(d.said))
		}
	}
}

// hearings are the results of the ears of a script for words that are said in it.
func hearings(t *testing.T, script string, say func(v vocabulary) pcm.Clip, h ai.Hearing) (got []string) {
	t.Helper()
	s, err := Parse("x", []byte(script))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var speaker sync.WaitGroup
		defer speaker.Wait()
		defer cancel()
		began := time.Now()
		sound := make(chan pcm.Frame)
		speaker.Go(func() {
			defer close(sound)
			for f := range slices.Chunk(say(s.words).Samples, pcm.FrameLen(h.Rate)) {
				time.Sleep(pcm.FrameTime)
				select {
				case sound <- f:
				case <-ctx.Done():
					return
				}
			}
		})
		for r, err := range (ears{s, newTrace(s, origin)}).Hear(ctx, h, sound) {
			text := fmt.Sprintf("%v %q", time.Since(began), r.Text)
			switch {
			case err != nil:
				e, _ := errors.AsType[*ai.Error](err)
				text = fmt.Sprintf("%v %s", time.Since(began), e.Kind)
			case r.Final:
				text += fmt.Sprintf(" final %g %v-%v %d words", r.Confidence, r.Began, r.Ended, len(r.Words))
			}
			got = append(got, text)
		}
	})
	return got
}

func TestEars(t *testing.T) {
	const call = "0s call /voice\n"
	says := func(words string, after time.Duration) func(v vocabulary) pcm.Clip {
		return func(v vocabulary) pcm.Clip {
			c := v.speak(strings.Fields(words), 8000, perWord)
			return pcm.Clip{Rate: 8000, Samples: append(c.Samples, pcm.Silence(8000, after).Samples...)}
		}
	}
	for _, test := range []struct {
		name, script string
		say          func(v vocabulary) pcm.Clip
		want         string
	}{
		{"a phrase", call + `1s says "two five"`, says("two five", time.Second), `1.28s "two five" final 0.9 0s-780ms 2 words`},
		{"letters of another case are the same", call + "1s says \"Two\"\n2s says \"two\"\n", says("two", time.Second), `880ms "Two" final 0.9 0s-380ms 1 words`},
		{"word by word", call + `1s says "two five one" partials`, says("two five one", time.Second),
			`400ms "two"; 800ms "two five"; 1.2s "two five one"; 1.68s "two five one" final 0.9 0s-1.18s 3 words`},
		{"not understood well", call + `1s says "two five" as "to fife" confidence 0.4`, says("two five", time.Second), `1.28s "to fife" final 0.4 0s-780ms 0 words`},
		{"misheard word by word", call + `1s says "two five one" as "to fight" partials`, says("two five one", time.Second),
			`400ms "to"; 800ms "to fight"; 1.2s "to fight"; 1.68s "to fight" final 0.9 0s-1.18s 0 words`},
		{"words in another order", call + `1s says "two five" confidence 0.4`, says("five two", time.Second), `1.28s "five two" final 0.9 0s-780ms 2 words`},
		{"the end comes before the silence", call + `1s says "two"`, says("two", 0), `400ms "two" final 0.9 0s-380ms 1 words`},
		{"nothing", call, func(vocabulary) pcm.Clip { return pcm.Silence(8000, 2*time.Second) }, ""},
		{"slow ears", "ears slow 800ms\n" + call + `1s says "two" partials`, says("two", time.Second), `1.2s "two"; 1.68s "two" final 0.9 0s-380ms 1 words`},
		{"slow ears at the end", "ears slow 2s\n" + call + `1s says "two"`, says("two", 100*time.Millisecond), `2.5s "two" final 0.9 0s-380ms 1 words`},
		{"ears that fail", "ears fail after 1s\n" + call + `1s says "two five" partials`, says("two five", time.Second), `400ms "two"; 800ms "two five"; 1.02s unavailable`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 20 {
				if got := strings.Join(hearings(t, test.script, test.say, ai.Hearing{Rate: 8000, Interim: true}), "; "); got != test.want {
					t.Fatalf("got  %s\nwant %s", got, test.want)
				}
			}
		})
	}
}
