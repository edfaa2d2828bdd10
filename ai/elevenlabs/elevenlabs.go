// Package elevenlabs speaks through ElevenLabs: [TTS] has text voiced by a
// request whose answer is the sound, streamed
// (POST /v1/text-to-speech/{voice}/stream).
//
// The wire is that of ElevenLabs' public documentation of 2026, tried against
// a server that speaks it, not against the service itself.
package elevenlabs

import (
	"net/http"
	"time"
)

// DefaultURL is the BaseURL of ElevenLabs itself.
const DefaultURL = "https://api.elevenlabs.io/v1"

// Config is one provider as the configuration names it. All fields but APIKey
// may be empty.
type Config struct {
	Name     string // as configured, for errors; "": elevenlabs
	BaseURL  string // up to and without /text-to-speech; "": DefaultURL
	APIKey   string
	Model    string // "": eleven_flash_v2_5, the quickest
	Voice    string // the id of the voice of a Speech without one; "": JBFqnCBsd6RMkjVDRZzb (George)
	Language string // BCP 47, for a Speech without one; "": as the text sounds

	// Timeout is how long the first byte of an answer, and each one after it,
	// may take; 0: 10 s.
	Timeout time.Duration

	// Extra: "stability", "similarity_boost" and "style" (0 to 1) go into the
	// settings of the voice. All other names go into the query as they are:
	// "enable_logging", "optimize_streaming_latency".
	Extra map[string]string

	HTTP *http.Client // nil: one of its own, with warm connections
}
