// Package telnyx hears and speaks through the speech WebSockets of Telnyx:
// [ASR] through /v2/speech-to-text/transcription with the engines that Telnyx
// resells (Deepgram, Google, Azure, its own, ...), [TTS] through
// /v2/text-to-speech/speech with its voices and those of others.
//
// The wire is that of Telnyx's public documentation of August 2026, tried
// against a server that speaks it, not against the service itself.
package telnyx

import (
	"cmp"
	"net/http"
	"time"

	"github.com/hookswitch/hookswitch/ai/internal/wire"
)

// DefaultURL is the BaseURL of Telnyx itself.
const DefaultURL = "https://api.telnyx.com/v2"

// Config is one provider as the configuration names it. All fields but APIKey
// may be empty.
type Config struct {
	Name     string // as configured, for errors; "": telnyx
	BaseURL  string // up to and without /speech-to-text or /text-to-speech; "": DefaultURL
	APIKey   string
	Model    string // of an ASR, of its engine; "": the engine's
	Voice    string // for a Speech without one; "": Telnyx.NaturalHD.astra
	Language string // BCP 47, for a Hearing without one; "": Telnyx's, en-US

	// Timeout is how long a connection may take to stand, and how long Telnyx
	// may be silent when it owes something; 0: 10 s.
	Timeout time.Duration

	// Extra: "engine" is the engine of an ASR when a Hearing names none, or
	// one that Telnyx does not have ("": Deepgram). All other names go into
	// the query as they are, over what this package puts there: "endpointing",
	// "redact", "sample_rate", "disable_cache", ...
	Extra map[string]string

	HTTP *http.Client // nil: one of its own
}

// provider is what faults of section ("asr", "tts") name.
func (c Config) provider(section string) wire.Provider {
	return wire.NewProvider(section, cmp.Or(c.Name, "telnyx"), c.Timeout, c.HTTP)
}

func (c Config) header() http.Header {
	return http.Header{"Authorization": {"Bearer " + c.APIKey}}
}
