package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/aitest"
	"github.com/hookswitch/hookswitch/media/pcm"
)

const secret = "sk-secret123"

// raw is a clip as the API sends it.
func raw(s []int16) string {
	return string(pcm.AppendBytes(nil, s))
}

func tone(rate int, d time.Duration) []int16 { return pcm.Tone(rate, d, 0.5, 440).Samples }

// inMemory runs a test in virtual time against a scripted server.
func inMemory(t *testing.T, server *aitest.OpenAI, test func(t *testing.T, c Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, stop := server.Client()
		defer stop()
		test(t, Config{Name: "main", BaseURL: "http://openai.test/v1", APIKey: secret, HTTP: client})
	})
}

// spoken collects what a voice says.
func spoken(ctx context.Context, v *TTS, s ai.Speech, rate int) (all []int16, err error) {
	for f, e := range v.Speak(ctx, s, rate) {
		if e != nil {
			return all, e
		}
		all = append(all, f...)
	}
	return all, nil
}

func TestSpeechOnTheWire(t *testing.T) {
	sound := tone(speechRate, 200*time.Millisecond)
	server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{{Header: map[string]string{"Content-Type": "audio/pcm"}, Body: raw(sound), Piece: 1001}}}
	web := httptest.NewServer(server)
	defer web.Close()
	for _, path := range []string{"/v1", "/v2/ai/", "/v2/ai/openai"} {
		v := NewTTS(Config{Name: "main", BaseURL: web.URL + path, APIKey: secret, Voice: "nova", Extra: map[string]string{"instructions": "calm"}})
		got, err := spoken(t.Context(), v, ai.Speech{Text: "Hello.", Rate: 9}, speechRate)
		v.Close()
		if err != nil {
			t.Fatal(err)
		}
		if raw(got) != raw(sound) {
			t.Errorf("%s: what was said is not what was sent, in odd pieces: %d samples, want %d", path, len(got), len(sound))
		}
		asked := server.Asked()
		last := asked[len(asked)-1]
		want := map[string]string{"model": "gpt-4o-mini-tts", "input": "Hello.", "voice": "nova", "instructions": "calm", "response_format": "pcm", "speed": "4"}
		if fmt.Sprint(last.Form) != fmt.Sprint(want) {
			t.Errorf("%s: asked %v, want %v", path, last.Form, want)
		}
		if want := strings.TrimRight(path, "/") + "/audio/speech"; last.Path != want {
			t.Errorf("asked %s, want %s", last.Path, want)
		}
		if got := last.Header.Get("Authorization"); got != "Bearer "+secret {
			t.Errorf("authorized with %q", got)
		}
	}
}

func TestSpeechComesAtTheRateOfTheCall(t *testing.T) {
	for _, tt := range []struct {
		name, contentType string
		from, to          int
	}{
		{"telephone", "audio/pcm", 24000, 8000},
		{"wideband", "application/octet-stream", 24000, 16000},
		{"a server with a rate of its own", "audio/pcm; rate=16000", 16000, 8000},
		{"no type", "", 24000, 8000},
	} {
		server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{{Header: map[string]string{"Content-Type": tt.contentType}, Body: raw(tone(tt.from, time.Second)), Piece: 777}}}
		inMemory(t, server, func(t *testing.T, c Config) {
			got, err := spoken(t.Context(), NewTTS(c), ai.Speech{Text: "Hello."}, tt.to)
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if late := len(got) - tt.to; late < 0 || late > 48 { // and the resampler's delay
				t.Errorf("%s: %d samples, want %d", tt.name, len(got), tt.to)
			}
			if share := pcm.Share(got, tt.to, 440); share < 0.99 {
				t.Errorf("%s: the tone is %.2f of it", tt.name, share)
			}
		})
	}
}

func TestFirstSoundNeedNotWaitForTheLast(t *testing.T) {
	server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{{Delay: 200 * time.Millisecond, Body: raw(tone(speechRate, time.Second)), Piece: 4800, Gap: 50 * time.Millisecond}}}
	inMemory(t, server, func(t *testing.T, c Config) {
		begin := time.Now()
		for f, err := range NewTTS(c).Speak(t.Context(), ai.Speech{Text: "Hello."}, 8000) {
			if err != nil || len(f) == 0 {
				t.Fatalf("%d samples, %v", len(f), err)
			}
			if got := time.Since(begin); got != 200*time.Millisecond {
				t.Errorf("the first frame came after %v, want 200ms", got)
			}
			break
		}
	})
}

func TestSpeechFaults(t *testing.T) {
	some := raw(tone(speechRate, 100*time.Millisecond))
	sound := map[string]string{"Content-Type": "audio/pcm"}
	refused := func(status int, body string) aitest.OpenAIAnswer {
		return aitest.OpenAIAnswer{Status: status, Header: map[string]string{"Content-Type": "application/json"}, Body: body}
	}
	for _, tt := range []struct {
		name   string
		answer aitest.OpenAIAnswer
		kind   ai.Kind
		fix    string // part of it
		after  time.Duration
		took   time.Duration
	}{
		{"wrong key", refused(401, `{"error":{"message":"Incorrect API key provided: sk-secret123","type":"invalid_request_error","code":"invalid_api_key"}}`), ai.Auth, "ai.tts.main.apiKey", 0, 0},
		{"a key without rights", refused(403, ``), ai.Auth, "ai.tts.main.apiKey", 0, 0},
		{"rate limit", aitest.OpenAIAnswer{Status: 429, Header: map[string]string{"Retry-After": "7"}, Body: `{"error":{"code":"rate_limit_exceeded"}}`}, ai.RateLimit, "ai.defaults.tts", 7 * time.Second, 0},
		{"rate limit to the millisecond", aitest.OpenAIAnswer{Status: 429, Header: map[string]string{"Retry-After-Ms": "250"}}, ai.RateLimit, "", 250 * time.Millisecond, 0},
		{"rate limit until a date", aitest.OpenAIAnswer{Status: 429, Header: map[string]string{"Retry-After": "Sat, 01 Jan 2000 00:00:30 GMT"}}, ai.RateLimit, "", 30 * time.Second, 0},
		{"no money left", refused(429, `{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}`), ai.RateLimit, "credit", 0, 0},
		{"no such voice", refused(400, `{"error":{"param":"voice","code":null,"type":"invalid_request_error"}}`), ai.Unsupported, "ai.tts.main.voice", 0, 0},
		{"no such model", refused(404, `{"error":{"code":"model_not_found"}}`), ai.Unsupported, "ai.tts.main.model", 0, 0},
		{"no such address", refused(404, `<h1>404</h1>`), ai.Unsupported, "ai.tts.main.baseUrl", 0, 0},
		{"words it will not say", refused(400, `{"error":{"code":"content_policy_violation"}}`), ai.Content, "", 0, 0},
		{"a bad request of any kind", refused(400, `{"error":{"code":400,"message":"no"}}`), ai.Content, "", 0, 0},
		{"the server's time limit", refused(408, ``), ai.Timeout, "", 0, 0},
		{"a proxy's page", aitest.OpenAIAnswer{Status: 502, Header: map[string]string{"Content-Type": "text/html"}, Body: "<html>Bad gateway</html>"}, ai.Unavailable, "", 0, 0},
		{"a page with 200", aitest.OpenAIAnswer{Header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, Body: "<html>Welcome</html>"}, ai.Protocol, "ai.tts.main.baseUrl", 0, 0},
		{"a redirect", aitest.OpenAIAnswer{Status: 302, Header: map[string]string{"Location": "http://elsewhere.test/"}}, ai.Protocol, "ai.tts.main.baseUrl", 0, 0},
		{"MP3", aitest.OpenAIAnswer{Header: map[string]string{"Content-Type": "audio/mpeg"}, Body: some}, ai.Protocol, "pcm", 0, 0},
		{"WAV that says it is raw, in small pieces", aitest.OpenAIAnswer{Header: sound, Body: "RIFF0000WAVE", Piece: 1}, ai.Protocol, "pcm", 0, 0},
		{"no sound", aitest.OpenAIAnswer{Header: sound}, ai.Protocol, "", 0, 0},
		{"cut in the middle", aitest.OpenAIAnswer{Header: sound, Body: some, Cut: true}, ai.Unavailable, "", 0, 0},
		{"cut before the first byte", aitest.OpenAIAnswer{Header: sound, Cut: true}, ai.Unavailable, "", 0, 0},
		{"slow first byte", aitest.OpenAIAnswer{Delay: time.Hour}, ai.Timeout, "ai.tts.main.timeout", 0, 10 * time.Second},
		{"silent in the middle", aitest.OpenAIAnswer{Header: sound, Body: some, Piece: 2400, Gap: time.Minute}, ai.Timeout, "", 0, 10 * time.Second},
		{"without end", aitest.OpenAIAnswer{Header: sound, Body: strings.Repeat(some, 100), Endless: true}, ai.Protocol, "", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{tt.answer}}, func(t *testing.T, c Config) {
				begin := time.Now()
				_, err := spoken(t.Context(), NewTTS(c), ai.Speech{Text: "My PIN is 4711."}, speechRate)
				if got := time.Since(begin); got != tt.took {
					t.Errorf("took %v, want %v", got, tt.took)
				}
				checkFault(t, err, tt.kind, tt.fix)
				var e *ai.Error
				if errors.As(err, &e) && e.After != tt.after {
					t.Errorf("after %v, want %v", e.After, tt.after)
				}
			})
		})
	}
}

// checkFault holds that err is an *ai.Error of that kind with that remedy, and
// without anything secret.
func checkFault(t *testing.T, err error, kind ai.Kind, fix string) {
	t.Helper()
	var e *ai.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v, want an *ai.Error", err)
	}
	if e.Kind != kind || !strings.Contains(e.Fix, fix) || e.Fix == "" || e.Provider != "main" {
		t.Errorf("%s: %v, want %s and %q", e.Kind, e, kind, fix)
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if s := cause.Error(); strings.Contains(s, secret) || strings.Contains(s, "4711") {
			t.Errorf("%q tells a secret", s)
		}
	}
}

func TestSpeechEndsWithItsContext(t *testing.T) {
	some := raw(tone(speechRate, time.Second))
	for name, answer := range map[string]aitest.OpenAIAnswer{
		"before the answer": {Delay: time.Hour},
		"in its middle":     {Body: some, Piece: 2400, Gap: 9 * time.Second},
	} {
		inMemory(t, &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{answer}}, func(t *testing.T, c Config) {
			hungUp := errors.New("hung up")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(5*time.Second, func() { cancel(hungUp) })
			begin := time.Now()
			_, err := spoken(ctx, NewTTS(c), ai.Speech{Text: "Hello."}, 8000)
			if err != hungUp {
				t.Errorf("%s: %v, want the cause", name, err)
			}
			if got := time.Since(begin); got != 5*time.Second {
				t.Errorf("%s: ended after %v, want 5s", name, got)
			}
		})
	}
}

func TestNobodyListensTheServerIsLetGo(t *testing.T) {
	server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{{Body: raw(tone(speechRate, time.Second)), Gap: time.Second, Endless: true}}}
	inMemory(t, server, func(t *testing.T, c Config) {
		begin := time.Now()
		for range NewTTS(c).Speak(t.Context(), ai.Speech{Text: "Hello."}, 8000) {
			break
		}
		// The bubble ends only when the server's goroutine is gone.
		if got := time.Since(begin); got != 0 {
			t.Errorf("took %v, want 0", got)
		}
	})
}

func TestASlowListenerIsNoSlowServer(t *testing.T) {
	server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{{Body: raw(tone(speechRate, time.Second)), Piece: 9600}}}
	inMemory(t, server, func(t *testing.T, c Config) {
		n := 0
		for f, err := range NewTTS(c).Speak(t.Context(), ai.Speech{Text: "Hello."}, speechRate) {
			if err != nil {
				t.Fatal(err)
			}
			n += len(f)
			time.Sleep(time.Minute)
		}
		if n != speechRate {
			t.Errorf("%d samples, want %d", n, speechRate)
		}
	})
}

func TestNoTextNoRequest(t *testing.T) {
	server := &aitest.OpenAI{}
	inMemory(t, server, func(t *testing.T, c Config) {
		if got, err := spoken(t.Context(), NewTTS(c), ai.Speech{Text: " \n"}, 8000); len(got) != 0 || err != nil {
			t.Errorf("%d samples, %v", len(got), err)
		}
	})
	if got := len(server.Asked()); got != 0 {
		t.Errorf("%d requests, want 0", got)
	}
}

func TestLongTextIsSpokenInPieces(t *testing.T) {
	server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{{Body: raw(tone(speechRate, 20*time.Millisecond))}}}
	text := strings.Repeat("One two three. ", 500) // 7500 characters
	inMemory(t, server, func(t *testing.T, c Config) {
		got, err := spoken(t.Context(), NewTTS(c), ai.Speech{Text: text}, speechRate)
		if err != nil || len(got) != 3*480 {
			t.Errorf("%d samples, %v; want 1440", len(got), err)
		}
	})
	var all []string
	for _, r := range server.Asked() {
		all = append(all, r.Form["input"])
	}
	if len(all) != 3 || strings.Join(all, " ") != strings.TrimSpace(text) || !strings.HasSuffix(all[0], ".") {
		t.Errorf("%d pieces, want 3 that end with a sentence and lose nothing", len(all))
	}
}

func TestWarm(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer aitest.OpenAIAnswer
		kind   ai.Kind // "": no error
	}{
		{"a server with models", aitest.OpenAIAnswer{Body: `{"data":[]}`}, ""},
		{"a server without", aitest.OpenAIAnswer{Status: 404}, ""},
		{"wrong key", aitest.OpenAIAnswer{Status: 401}, ai.Auth},
		{"down", aitest.OpenAIAnswer{Status: 503}, ai.Unavailable},
		{"silent", aitest.OpenAIAnswer{Delay: time.Hour}, ai.Timeout},
	} {
		inMemory(t, &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{tt.answer}}, func(t *testing.T, c Config) {
			err := NewTTS(c).Warm(t.Context())
			if tt.kind != "" {
				checkFault(t, err, tt.kind, "")
			} else if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
	}
}

func TestNobodyAtTheAddress(t *testing.T) {
	web := httptest.NewServer(nil)
	web.Close()
	_, err := spoken(t.Context(), NewTTS(Config{Name: "main", BaseURL: web.URL}), ai.Speech{Text: "Hello."}, 8000)
	checkFault(t, err, ai.Unavailable, "ai.tts.main.baseUrl")
	_, err = spoken(t.Context(), NewTTS(Config{Name: "main", BaseURL: web.URL + "/" + secret}), ai.Speech{Text: "Hello."}, 8000)
	checkFault(t, err, ai.Unavailable, "ai.tts.main.baseUrl")
	_, err = spoken(t.Context(), NewTTS(Config{Name: "main", BaseURL: "http://%zz"}), ai.Speech{Text: "Hello."}, 8000)
	checkFault(t, err, ai.Unavailable, "ai.tts.main.baseUrl")
}

// The engine's own share of the time to the first frame: the server answers at
// once, over loopback, on a warm connection.
func BenchmarkFirstFrame(b *testing.B) {
	server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{{Body: raw(tone(speechRate, 20*time.Millisecond))}}}
	web := httptest.NewServer(server)
	defer web.Close()
	v := NewTTS(Config{BaseURL: web.URL})
	defer v.Close()
	for b.Loop() {
		for _, err := range v.Speak(b.Context(), ai.Speech{Text: "Hello."}, 8000) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
