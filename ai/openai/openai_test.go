package openai

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/aitest"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// Over TLS, a warm connection speaks HTTP/2 and serves what comes next; a
// WebSocket to the same server still opens, by HTTP/1.1.
func TestWarmConnectionIsUsed(t *testing.T) {
	server := &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{{Body: raw(make([]int16, 480))}}}
	var protocols []string
	var conns atomic.Int32
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols = append(protocols, r.Proto+" "+r.URL.Path)
		server.ServeHTTP(w, r)
	}))
	web.EnableHTTP2 = true
	web.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	web.StartTLS()
	defer web.Close()

	v := NewTTS(Config{BaseURL: web.URL})
	ours := v.HTTP.Transport.(*http.Transport)
	ours.TLSClientConfig = web.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	ours.TLSClientConfig.NextProtos = nil // as in a transport of nobody's making
	if err := v.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := spoken(t.Context(), v, ai.Speech{Text: "Hello."}, 8000); err != nil {
			t.Fatal(err)
		}
	}
	if got := conns.Load(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}

	var told []map[string]any
	var sound []byte
	server.Realtime = script{"update": {updated}, "commit": {commit, final}}.serve(&told, &sound)
	a := NewRealtimeASR(Config{BaseURL: web.URL})
	a.HTTP.Transport.(*http.Transport).TLSClientConfig = ours.TLSClientConfig
	frames := make(chan pcm.Frame, 1)
	frames <- pcm.Tone(lineRate, pcm.FrameTime, 0.5, 440).Samples
	close(frames)
	n := 0
	for _, err := range a.Hear(t.Context(), ai.Hearing{Rate: lineRate}, frames) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	want := "[HTTP/2.0 /models HTTP/2.0 /audio/speech HTTP/2.0 /audio/speech HTTP/2.0 /audio/speech HTTP/1.1 /realtime]"
	if got := fmt.Sprint(protocols); got != want || n != 1 {
		t.Errorf("%s and %d results, want %s and 1", got, n, want)
	}
	v.Close()
	a.Close()
}

func TestLanguageCode(t *testing.T) {
	for tag, want := range map[string]string{"en-US": "en", "DE": "de", "cmn-Hans-CN": "zh", "nb-NO": "no", "": "", "multi": "", "auto": ""} {
		if got := languageCode(tag); got != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
}

func TestPromptIsNotTooLong(t *testing.T) {
	s := newService(Config{}, "asr", "")
	got := s.prompt(ai.Hearing{Hints: strings.Fields(strings.Repeat("word ", 500))})
	if len(got) > 800 || !strings.HasSuffix(got, "word") || len(got) < 700 {
		t.Errorf("%d letters, want 800 at most and whole words: %q", len(got), got)
	}
	if got := s.prompt(ai.Hearing{Hints: []string{strings.Repeat("x", 900)}}); got != "" {
		t.Errorf("%d letters of one word without end, want none", len(got))
	}
}

func TestComplaintTellsNoSecrets(t *testing.T) {
	for _, tt := range []struct {
		c    complaint
		want string
	}{
		{complaint{Code: "invalid_api_key"}, "invalid_api_key"},
		{complaint{Code: nil, Type: "server_error"}, "server_error"},
		{complaint{Code: 7.0}, ""},
		{complaint{Code: "sk-secret123"}, ""},
		{complaint{Code: "My PIN is 4711"}, ""},
		{complaint{Code: strings.Repeat("a", 100)}, ""},
	} {
		if got := tt.c.code(); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.c, got, tt.want)
		}
	}
}
