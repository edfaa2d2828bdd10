// Package deepgram hears and speaks through Deepgram: [ASR] sends the sound as
// it comes over a WebSocket (/v1/listen) and tells what was understood of it,
// [TTS] has text voiced by a request whose answer is the sound (/v1/speak).
//
// The wire is that of Deepgram's public documentation of 2026, tried against a
// server that speaks it. What could not be tried against the service itself is
// said where it is used.
package deepgram

import (
	"cmp"
	"net/http"
	"time"

	"github.com/hookswitch/hookswitch/ai/internal/wire"
)

// DefaultURL is the BaseURL of Deepgram itself. A server of one's own, or the
// one in Europe (https://api.eu.deepgram.com/v1), has another.
const DefaultURL = "https://api.deepgram.com/v1"

// Config is one provider as the configuration names it. All fields but APIKey
// may be empty.
type Config struct {
	Name     string // as configured, for errors; "": deepgram
	BaseURL  string // up to and without /listen or /speak; "": DefaultURL
	APIKey   string
	Model    string // of an ASR, "": nova-3; of a TTS the same as Voice
	Voice    string // for a Speech without one; "": aura-2-thalia-en
	Language string // BCP 47, for a Hearing without one; "": Deepgram's, English

	// Timeout is how long a connection may take to stand, and how long
	// Deepgram may be silent when it owes something; 0: 10 s.
	Timeout time.Duration

	// Extra goes into the query as it is, over what this package puts there:
	// "endpointing", "utterance_end_ms", "mip_opt_out", "tag", ...
	Extra map[string]string

	HTTP *http.Client // nil: one of its own, with warm connections
}

// provider is what faults of section ("asr", "tts") name.
func (c Config) provider(section string) wire.Provider {
	return wire.NewProvider(section, cmp.Or(c.Name, "deepgram"), c.Timeout, c.HTTP)
}

func (c Config) header() http.Header {
	return http.Header{"Authorization": {"Token " + c.APIKey}}
}
