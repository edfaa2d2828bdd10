// Package openai speaks and hears through servers with the API of OpenAI:
// OpenAI itself, Telnyx, and kokoro, speaches, whisper.cpp or vLLM on a machine
// of one's own. [TTS] voices text, [ASR] has each utterance transcribed by a
// request, and [RealtimeASR] sends the sound as it comes over a WebSocket.
package openai

import (
	"net/http"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// DefaultURL is the BaseURL of OpenAI itself.
const DefaultURL = "https://api.openai.com/v1"

// Config is one provider as the configuration names it. All fields but Name
// may be empty, and then have the defaults of the constructor.
type Config struct {
	Name     string // as configured, for errors
	BaseURL  string // up to and without /audio/speech, /audio/transcriptions or /realtime; "": DefaultURL
	APIKey   string // "": none is sent
	Model    string
	Voice    string // for a Speech without one
	Language string // BCP 47; for a Hearing without one

	// Timeout is how long the first byte of an answer, and each one after it,
	// may take; 0: 10 s.
	Timeout time.Duration

	// Extra is what only some servers know: "instructions" tells a voice how
	// to speak; "prompt" goes before the hints of a Hearing; "query" set to
	// "model" puts the model of a RealtimeASR into its URL, as speaches wants.
	Extra map[string]string

	HTTP *http.Client // nil: one of its own, with warm connections

	// Speech makes a detector for frames at rate (Hz) that tells which have
	// voice in them. Only an ASR needs it, and must have it.
	Speech func(rate int) func(pcm.Frame) bool
}
