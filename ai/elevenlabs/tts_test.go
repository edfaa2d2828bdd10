package elevenlabs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wiretest"
	"github.com/hookswitch/hookswitch/media/pcm"
)

var _ ai.TTS = (*TTS)(nil)

const key = "secret-key-0123456789"

func TestSpeakOnLoopback(t *testing.T) {
	tone := pcm.Tone(16000, time.Second, 0.5, 440)
	b := pcm.AppendBytes(nil, tone.Samples)
	voice := &wiretest.Voice{}
	for len(b) > 0 { // odd pieces
		n := min(333, len(b))
		voice.Pieces, b = append(voice.Pieces, b[:n]), b[n:]
	}
	server := httptest.NewServer(voice)
	defer server.Close()
	v := NewTTS(Config{BaseURL: server.URL + "/v1", APIKey: key, Extra: map[string]string{"stability": "0.4", "enable_logging": "false"}})
	defer v.Close()
	if err := v.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []int16
	s := ai.Speech{Text: "Guten Tag.", Voice: "ElevenLabs.Default.abc/d", Language: "de-DE", Rate: 1.5}
	for frame, err := range v.Speak(t.Context(), s, 8000) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, frame...)
	}
	if len(got) != 8000 {
		t.Errorf("%d samples, want a second at 8 kHz", len(got))
	}
	if share, level := pcm.Share(got, 8000, 440), pcm.Level(got); share < 0.99 || math.Abs(level-pcm.Level(tone.Samples)) > 0.5 {
		t.Errorf("share of 440 Hz is %.3f at %.1f dB", share, level)
	}
	came := voice.Came()
	if got, want := came.Path+"?"+came.Query.Encode(), "/v1/text-to-speech/abc%2Fd/stream?enable_logging=false&output_format=pcm_16000"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if got, want := came.Bodies[len(came.Bodies)-1], `{"text":"Guten Tag.","model_id":"eleven_flash_v2_5","language_code":"de","voice_settings":{"speed":1.2,"stability":0.4}}`; got != want {
		t.Errorf("sent\n%s, want\n%s", got, want)
	}
	if got := came.Header.Get("xi-api-key"); got != key {
		t.Errorf("key %q", got)
	}
}

func TestVoiceOf(t *testing.T) {
	for _, tt := range []struct{ name, voice, model string }{
		{"JBFqnCBsd6RMkjVDRZzb", "JBFqnCBsd6RMkjVDRZzb", ""},
		{"ElevenLabs.abc", "abc", ""},
		{"ElevenLabs.Default.abc", "abc", ""},
		{"elevenlabs.v3.Adam", "Adam", "eleven_v3"},
		{"ElevenLabs.eleven_multilingual_v2.abc", "abc", "eleven_multilingual_v2"},
	} {
		if voice, model := voiceOf(tt.name); voice != tt.voice || model != tt.model {
			t.Errorf("%s: got %q of %q, want %q of %q", tt.name, voice, model, tt.voice, tt.model)
		}
	}
}

func TestLanguageGoesToModelsThatTakeIt(t *testing.T) {
	for model, want := range map[string]bool{"eleven_flash_v2_5": true, "eleven_turbo_v2_5": true, "eleven_v3": true, "eleven_multilingual_v2": false, "eleven_flash_v2": false} {
		if got := takesLanguage(model); got != want {
			t.Errorf("%s: %v, want %v", model, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		voice *wiretest.Voice
		kind  ai.Kind
		msg   string
	}{
		{"a wrong key", &wiretest.Voice{Status: 401, Refusal: `{"detail":{"status":"invalid_api_key","message":"Invalid API key"}}`}, ai.Auth, "401 (invalid_api_key); set ai.tts.elevenlabs.apiKey"},
		{"a spent balance", &wiretest.Voice{Status: 401, Refusal: `{"detail":{"status":"quota_exceeded","message":"This request exceeds your quota."}}`}, ai.RateLimit, "quota_exceeded"},
		{"too many at once", &wiretest.Voice{Status: 429, Refusal: `{"detail":{"status":"too_many_concurrent_requests"}}`}, ai.RateLimit, "too_many_concurrent_requests"},
		{"no such voice", &wiretest.Voice{Status: 404, Refusal: `{"detail":{"status":"voice_not_found","message":"A voice was not found."}}`}, ai.Unsupported, "voice_not_found"},
		{"a voice of another plan", &wiretest.Voice{Status: 403, Refusal: `{"detail":{"status":"voice_access_denied"}}`}, ai.Unsupported, "voice_access_denied"},
		{"a request it does not take", &wiretest.Voice{Status: 422, Refusal: `{"detail":[{"loc":["body","text"],"msg":"the caller's words"}]}`}, ai.Content, "answered 422;"},
		{"busy", &wiretest.Voice{Status: 503}, ai.Unavailable, "503"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, stop := wiretest.Serve(tt.voice)
				defer stop()
				v := NewTTS(Config{BaseURL: "http://elevenlabs.test/v1", APIKey: key, HTTP: client})
				var err error
				for _, err = range v.Speak(t.Context(), ai.Speech{Text: "Hello."}, 8000) {
				}
				var e *ai.Error
				if !errors.As(err, &e) || e.Kind != tt.kind || !strings.Contains(e.Error(), tt.msg) {
					t.Fatalf("got %v, want %q with %q", err, tt.kind, tt.msg)
				}
				if all := fmt.Sprintf("%#v", e); strings.Contains(all, key) || strings.Contains(all, "caller's") {
					t.Errorf("%s tells too much", all)
				}
			})
		})
	}
}

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, stop := wiretest.Serve(&wiretest.Voice{Pieces: [][]byte{make([]byte, 640)}, Hang: true})
		defer stop()
		v := NewTTS(Config{BaseURL: "http://elevenlabs.test/v1", HTTP: client})
		hungUp := errors.New("hung up")
		ctx, cancel := context.WithCancelCause(t.Context())
		began := time.Now()
		time.AfterFunc(500*time.Millisecond, func() { cancel(hungUp) })
		var err error
		for _, err = range v.Speak(ctx, ai.Speech{Text: "Hello."}, 8000) {
		}
		if took := time.Since(began); err != hungUp || took != 500*time.Millisecond {
			t.Errorf("ended with %v after %v", err, took)
		}
	})
}

func TestExtraThatIsNoNumber(t *testing.T) {
	v := NewTTS(Config{Extra: map[string]string{"style": "bold"}})
	var err error
	for _, err = range v.Speak(t.Context(), ai.Speech{Text: "Hello."}, 8000) {
	}
	var e *ai.Error
	if !errors.As(err, &e) || e.Kind != ai.Unsupported {
		t.Errorf("got %v", err)
	}
}
