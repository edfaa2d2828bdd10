package wire_test

import (
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/deepgram"
	"github.com/hookswitch/hookswitch/ai/elevenlabs"
	"github.com/hookswitch/hookswitch/ai/openai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// A redirect would take the text and the key to whom it names.
func TestNoRedirectIsFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s came from a redirect", r.Method, r.URL)
	}))
	defer elsewhere.Close()
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		here := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		speech, silence := ai.Speech{Text: "Hello."}, make(chan pcm.Frame)
		close(silence)
		for name, failed := range map[string]error{
			"elevenlabs speaks": last(elevenlabs.NewTTS(elevenlabs.Config{BaseURL: here.URL, APIKey: "k"}).Speak(t.Context(), speech, 8000)),
			"deepgram speaks":   last(deepgram.NewTTS(deepgram.Config{BaseURL: here.URL, APIKey: "k"}).Speak(t.Context(), speech, 8000)),
			"deepgram hears":    last(deepgram.NewASR(deepgram.Config{BaseURL: here.URL, APIKey: "k"}).Hear(t.Context(), ai.Hearing{Rate: 8000}, silence)),
			"openai speaks":     last(openai.NewTTS(openai.Config{BaseURL: here.URL, APIKey: "k"}).Speak(t.Context(), speech, 8000)),
		} {
			if e, ok := errors.AsType[*ai.Error](failed); !ok || e.Kind != ai.Protocol {
				t.Errorf("%s, %d: %v, want an error of the protocol", name, status, failed)
			}
		}
		here.Close()
	}
}

// last is the error that results end with.
func last[T any](results iter.Seq2[T, error]) (failed error) {
	for _, err := range results {
		failed = err
	}
	return failed
}
