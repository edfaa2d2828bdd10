package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	wire "github.com/sashabaranov/go-openai"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/aitest"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

const lineRate = 8000

// say sends sound in real time by a script of frames: "50v 30s" is a second of
// voice and 600 ms of silence.
func say(ctx context.Context, script string) <-chan pcm.Frame {
	sound := make(chan pcm.Frame)
	go func() {
		defer close(sound)
		next := time.Now()
		for _, part := range strings.Fields(script) {
			var n int
			var what string
			fmt.Sscanf(part, "%d%s", &n, &what)
			for range n {
				f := make(pcm.Frame, pcm.FrameLen(lineRate))
				if what == "v" {
					f = pcm.Tone(lineRate, pcm.FrameTime, 0.5, 440).Samples
				}
				select {
				case sound <- f:
				case <-ctx.Done():
					return
				}
				next = next.Add(pcm.FrameTime)
				select {
				case <-time.After(time.Until(next)):
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return sound
}

// heard collects results as lines "TIME text [final] [over]".
func heard(t *testing.T, asr ai.ASR, h ai.Hearing, script string) (lines []string, results []ai.Result, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h.Rate = lineRate
	begin := time.Now()
	for r, e := range asr.Hear(ctx, h, say(ctx, script)) {
		if e != nil {
			return lines, results, e
		}
		line := time.Since(begin).String() + " " + r.Text
		if r.Final {
			line += " final"
		}
		if r.Over {
			line += " over"
		}
		lines, results = append(lines, line), append(results, r)
	}
	return lines, results, nil
}

func text(s string) aitest.OpenAIAnswer {
	return aitest.OpenAIAnswer{Header: map[string]string{"Content-Type": "application/json"}, Body: `{"text":"` + s + `"}`}
}

func late(a aitest.OpenAIAnswer, d time.Duration) aitest.OpenAIAnswer {
	a.Delay = d
	return a
}

// lengths are those of the clips that were asked about.
func lengths(t *testing.T, server *aitest.OpenAI) (all []time.Duration) {
	t.Helper()
	for _, r := range server.Asked() {
		clip, err := wav.Decode([]byte(r.Form["file"]))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, clip.Duration())
	}
	return all
}

func TestTranscriptionOnTheWire(t *testing.T) {
	for _, tt := range []struct {
		name, model string
		h           ai.Hearing
		want        map[string]string
	}{
		{"Whisper tells words", "whisper-1", ai.Hearing{Language: "en-US", Hints: []string{"sales", "$OPERAND"}, Keyterms: []string{"Hookswitch"}},
			map[string]string{"model": "whisper-1", "language": "en", "prompt": "Names: sales, Hookswitch", "response_format": "verbose_json", "timestamp_granularities[]": "segmentword"}},
		{"later models do not", "", ai.Hearing{Language: "cmn-Hans-CN"}, map[string]string{"model": "gpt-transcribe", "language": "zh", "prompt": "Names:", "response_format": "json"}},
		{"a document's model", "", ai.Hearing{Model: "openai/whisper-large-v3-turbo", Language: "multi"},
			map[string]string{"model": "openai/whisper-large-v3-turbo", "prompt": "Names:", "response_format": "verbose_json", "timestamp_granularities[]": "segment"}},
		{"a document's model of another engine", "whisper-1", ai.Hearing{Model: "phone_call"},
			map[string]string{"model": "whisper-1", "language": "de", "prompt": "Names:", "response_format": "verbose_json", "timestamp_granularities[]": "segmentword"}},
	} {
		server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{text("Hello.")}}
		web := httptest.NewServer(server)
		a := NewASR(Config{Name: "main", BaseURL: web.URL, APIKey: secret, Model: tt.model, Language: "de-DE", Extra: map[string]string{"prompt": "Names:"}})
		sound := make(chan pcm.Frame, 100)
		for range 50 {
			sound <- pcm.Tone(lineRate, pcm.FrameTime, 0.5, 440).Samples
		}
		close(sound)
		tt.h.Rate = lineRate
		n := 0
		for r, err := range a.Hear(t.Context(), tt.h, sound) {
			if n++; err != nil || r.Text != "Hello." || !r.Final || !r.Over {
				t.Errorf("%s: %+v, %v", tt.name, r, err)
			}
		}
		a.Close()
		web.Close()
		asked := server.Asked()
		if n != 1 || len(asked) != 1 {
			t.Fatalf("%s: %d results of %d requests, want one of one", tt.name, n, len(asked))
		}
		clip, err := wav.Decode([]byte(asked[0].Form["file"]))
		if err != nil || clip.Rate != lineRate || clip.Duration() != time.Second || asked[0].Type["file"] != "audio/wav" {
			t.Errorf("%s: %v at %d Hz as %s, %v", tt.name, clip.Duration(), clip.Rate, asked[0].Type["file"], err)
		}
		delete(asked[0].Form, "file")
		if fmt.Sprint(asked[0].Form) != fmt.Sprint(tt.want) || asked[0].Path != "/audio/transcriptions" {
			t.Errorf("%s: asked %s %v, want %v", tt.name, asked[0].Path, asked[0].Form, tt.want)
		}
	}
}

func TestUtterances(t *testing.T) {
	for _, tt := range []struct {
		name    string
		script  string
		h       ai.Hearing
		answers []aitest.OpenAIAnswer
		want    []string
		clips   []time.Duration
	}{
		{"silence asks nothing", "500s", ai.Hearing{Interim: true}, nil, nil, nil},
		{"one after 500 ms of silence", "50s 50v 50s", ai.Hearing{}, []aitest.OpenAIAnswer{text("Hello.")},
			[]string{"2.48s Hello. final over"}, []time.Duration{1500 * time.Millisecond}},
		{"a short pause is none", "50v 20s 50v 50s", ai.Hearing{}, []aitest.OpenAIAnswer{text("Hello.")},
			[]string{"2.88s Hello. final over"}, []time.Duration{2600 * time.Millisecond}},
		{"two", "50v 50s 50v 50s", ai.Hearing{}, []aitest.OpenAIAnswer{text("One."), text("Two.")},
			[]string{"1.48s One. final over", "3.48s Two. final over"}, []time.Duration{1200 * time.Millisecond, 1500 * time.Millisecond}},
		{"the end of sound is one, too", "50v", ai.Hearing{}, []aitest.OpenAIAnswer{text("Hello.")},
			[]string{"1s Hello. final over"}, []time.Duration{time.Second}},
		{"a word is padded", "5v", ai.Hearing{}, []aitest.OpenAIAnswer{text("No.")},
			[]string{"100ms No. final over"}, []time.Duration{500 * time.Millisecond}},
		{"30 s are enough", "1600v 50s", ai.Hearing{}, []aitest.OpenAIAnswer{text("Long."), text("Longer.")},
			[]string{"29.98s Long. final", "32.48s Longer. final over"}, []time.Duration{30 * time.Second, 2200 * time.Millisecond}},
		{"nothing was understood", "50v 50s", ai.Hearing{}, []aitest.OpenAIAnswer{text(" ")},
			[]string{"1.48s  final over"}, []time.Duration{1200 * time.Millisecond}},
		{"growing windows", "125v 50s", ai.Hearing{Interim: true}, []aitest.OpenAIAnswer{text("One."), text("One two."), text("One two three.")},
			[]string{"980ms One.", "1.98s One two.", "2.98s One two three. final over"}, []time.Duration{time.Second, 2 * time.Second, 2700 * time.Millisecond}},
		{"the same again is not news", "125v 50s", ai.Hearing{Interim: true}, []aitest.OpenAIAnswer{text("One.")},
			[]string{"980ms One.", "2.98s One. final over"}, nil},
		{"one request at a time", "175v 50s", ai.Hearing{Interim: true}, []aitest.OpenAIAnswer{late(text("One."), 1510*time.Millisecond), text("One two."), text("Three.")},
			[]string{"2.49s One.", "2.49s One two.", "3.48s Three.", "3.98s Three. final over"}, []time.Duration{time.Second, 2500 * time.Millisecond, 3500 * time.Millisecond, 3700 * time.Millisecond}},
		{"the final does not wait for an interim", "60v 50s", ai.Hearing{Interim: true}, []aitest.OpenAIAnswer{late(text("Late."), time.Hour), text("Hello.")},
			[]string{"1.68s Hello. final over"}, nil},
		{"an interim may fail", "175v 50s", ai.Hearing{Interim: true}, []aitest.OpenAIAnswer{{Status: 429}, text("Hello.")},
			[]string{"3.98s Hello. final over"}, []time.Duration{time.Second, 3700 * time.Millisecond}},
		{"finals come in order from a slow server", "25v 50s 25v 50s", ai.Hearing{}, []aitest.OpenAIAnswer{late(text("One."), 5*time.Second), text("Two.")},
			[]string{"5.98s One. final over", "5.98s Two. final over"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := &aitest.OpenAI{Answers: tt.answers}
			inMemory(t, server, func(t *testing.T, c Config) {
				got, _, err := heard(t, NewASR(c), tt.h, tt.script)
				if err != nil {
					t.Fatal(err)
				}
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("%q, want %q", got, tt.want)
				}
			})
			if got := lengths(t, server); tt.clips != nil && fmt.Sprint(got) != fmt.Sprint(tt.clips) {
				t.Errorf("asked about %v, want %v", got, tt.clips)
			}
		})
	}
}

func TestWordsAndConfidence(t *testing.T) {
	body := `{"text":"Press one. Thank you for watching!","segments":[
		{"text":" Press one.","start":0.3,"end":1.1,"avg_logprob":-0.1,"no_speech_prob":0.01},
		{"text":" Thank you for watching!","start":1.1,"end":1.5,"avg_logprob":-1.4,"no_speech_prob":0.9}],
		"words":[{"word":"Press","start":0.3,"end":0.7},{"word":" one","start":0.7,"end":1e9},{"word":"Thank","start":1.2,"end":1.3}]}`
	server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{{Body: body}}}
	inMemory(t, server, func(t *testing.T, c Config) {
		c.Model = "whisper-1"
		_, got, err := heard(t, NewASR(c), ai.Hearing{}, "100s 50v 50s")
		if err != nil || len(got) != 1 {
			t.Fatalf("%d results, %v", len(got), err)
		}
		r := got[0]
		if r.Text != "Press one." {
			t.Errorf("%q, want what was said without what was made up", r.Text)
		}
		if math.Abs(r.Confidence-math.Exp(-0.1)) > 1e-9 {
			t.Errorf("confidence %v, want e^-0.1", r.Confidence)
		}
		if r.Began != 2*time.Second || r.Ended != 3*time.Second {
			t.Errorf("from %v to %v, want 2s to 3s", r.Began, r.Ended)
		}
		want := []ai.Word{{Text: "Press", Began: 2 * time.Second, Ended: 2400 * time.Millisecond}, {Text: "one", Began: 2400 * time.Millisecond, Ended: 3200 * time.Millisecond}}
		if fmt.Sprint(r.Words) != fmt.Sprint(want) {
			t.Errorf("words %v, want %v", r.Words, want)
		}
	})
}

func TestTranscriptionFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer aitest.OpenAIAnswer
		kind   ai.Kind
		fix    string
	}{
		{"wrong key", aitest.OpenAIAnswer{Status: 401, Body: `{"error":{"message":"sk-secret123","code":"invalid_api_key"}}`}, ai.Auth, "ai.asr.main.apiKey"},
		{"sound it does not take", aitest.OpenAIAnswer{Status: 400, Body: `{"error":{"param":"file"}}`}, ai.Content, ""},
		{"no such model", aitest.OpenAIAnswer{Status: 400, Body: `{"error":{"param":"model"}}`}, ai.Unsupported, "ai.asr.main.model"},
		{"no such language", aitest.OpenAIAnswer{Status: 400, Body: `{"error":{"param":"language"}}`}, ai.Unsupported, "ai.asr.main.language"},
		{"slow", late(text("4711"), time.Hour), ai.Timeout, "ai.asr.main.timeout"},
		{"a trickle", aitest.OpenAIAnswer{Body: strings.Repeat(" ", 1000), Piece: 1, Gap: time.Second}, ai.Timeout, ""},
		{"no JSON", aitest.OpenAIAnswer{Body: "4711 is what he said"}, ai.Protocol, ""},
		{"JSON of something else", aitest.OpenAIAnswer{Body: `{"text":{"4711":true}}`}, ai.Protocol, ""},
		{"empty", aitest.OpenAIAnswer{}, ai.Protocol, ""},
		{"a page", aitest.OpenAIAnswer{Header: map[string]string{"Content-Type": "text/html"}, Body: "4711"}, ai.Protocol, "ai.asr.main.baseUrl"},
		{"cut", aitest.OpenAIAnswer{Body: `{"text":"47`, Cut: true}, ai.Unavailable, ""},
		{"without end", aitest.OpenAIAnswer{Body: strings.Repeat(" ", 64<<10), Endless: true}, ai.Protocol, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{tt.answer}}, func(t *testing.T, c Config) {
				got, _, err := heard(t, NewASR(c), ai.Hearing{}, "50v 1000s")
				if len(got) != 0 {
					t.Errorf("%q, want nothing", got)
				}
				checkFault(t, err, tt.kind, tt.fix)
			})
		})
	}
}

func TestHearingEndsWithItsContext(t *testing.T) {
	server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{late(text("Hello."), time.Hour)}}
	for _, script := range []string{"1000s", "50v 1000s"} {
		inMemory(t, server, func(t *testing.T, c Config) {
			hungUp := errors.New("hung up")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(5*time.Second, func() { cancel(hungUp) })
			begin := time.Now()
			for r, err := range NewASR(c).Hear(ctx, ai.Hearing{Rate: lineRate}, say(ctx, script)) {
				if err != hungUp {
					t.Errorf("%s: %v, %v; want the cause", script, r, err)
				}
			}
			if got := time.Since(begin); got != 5*time.Second {
				t.Errorf("%s: ended after %v, want 5s", script, got)
			}
		})
	}
}

// A recording may come all at once: nothing of it is lost, and little waits.
func TestFasterThanRealTime(t *testing.T) {
	server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{late(text("One."), 3*time.Second)}}
	inMemory(t, server, func(t *testing.T, c Config) {
		sound := make(chan pcm.Frame)
		var sent atomic.Int32
		go func() {
			defer close(sound)
			for i := range 300 * 75 { // 300 times a second of voice and half of silence
				f := make(pcm.Frame, pcm.FrameLen(lineRate))
				if i%75 < 50 {
					f = pcm.Tone(lineRate, pcm.FrameTime, 0.5, 440).Samples
				}
				sound <- f
				sent.Add(1)
			}
		}()
		n := 0
		for _, err := range NewASR(c).Hear(t.Context(), ai.Hearing{Rate: lineRate}, sound) {
			if err != nil {
				t.Fatal(err)
			}
			if got := sent.Load(); n == 0 && (got < 6000 || got > 6300) {
				t.Errorf("%d frames were taken before the first answer, want those of 2 minutes", got)
			}
			n++
		}
		if n != 300 {
			t.Errorf("%d utterances, want 300", n)
		}
	})
}

func FuzzTranscript(f *testing.F) {
	f.Add([]byte(`{"text":"Hello.","words":[{"word":"Hello","start":0,"end":1}],"segments":[{"text":"Hello.","start":0,"end":1,"avg_logprob":-0.3}]}`))
	f.Add([]byte(`{"text":"x","segments":[{"start":-1e300,"end":1e300,"avg_logprob":-1e300,"no_speech_prob":1}]}`))
	f.Add([]byte(`{"words":[{"start":1e400}]}`))
	f.Add([]byte(`{"segments":[{"start":-1e308,"end":1e308,"avg_logprob":-0.1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var resp wire.AudioResponse
		if json.Unmarshal(b, &resp) != nil {
			return
		}
		got := read(resp, 2*time.Second)
		if !(got.confidence >= 0 && got.confidence <= 1) {
			t.Errorf("confidence %v", got.confidence)
		}
		for _, w := range got.words {
			if w.Began < 0 || w.Ended > 2*time.Second {
				t.Errorf("a word from %v to %v of 2s", w.Began, w.Ended)
			}
		}
	})
}
