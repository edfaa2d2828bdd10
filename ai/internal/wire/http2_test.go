package wire_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hookswitch/hookswitch/ai/deepgram"
	"github.com/hookswitch/hookswitch/ai/internal/wiretest"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// One client serves requests over HTTP/2 and WebSockets, which need HTTP/1.1,
// at the same host.
func TestWebSocketBesideHTTP2(t *testing.T) {
	ear, voice := &wiretest.Ear{}, &wiretest.Voice{Pieces: [][]byte{make([]byte, 320)}}
	protos := make(chan string, 2)
	mux := http.NewServeMux()
	mux.Handle("/listen", ear)
	mux.Handle("/speak", voice)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protos <- r.Proto
		mux.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c := deepgram.Config{BaseURL: server.URL, HTTP: server.Client()}
	for _, err := range deepgram.NewTTS(c).Speak(t.Context(), ai.Speech{Text: "Hello."}, 8000) {
		if err != nil {
			t.Fatal(err)
		}
	}
	silence := make(chan pcm.Frame)
	close(silence)
	for _, err := range deepgram.NewASR(c).Hear(t.Context(), ai.Hearing{Rate: 8000}, silence) {
		t.Fatal(err)
	}
	if speak, listen := <-protos, <-protos; speak != "HTTP/2.0" || listen != "HTTP/1.1" {
		t.Errorf("spoke over %s, listened over %s", speak, listen)
	}
}
