package deepgram

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wire"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// textLimit is how many characters Deepgram voices at once (aura-2). It is
// held in bytes here, which are never fewer.
const textLimit = 2000

// TTS speaks through /v1/speak. It is an [ai.TTS], safe for concurrent use.
type TTS struct {
	config   Config
	provider wire.Provider
}

// NewTTS is the TTS of a configuration.
func NewTTS(c Config) *TTS {
	return &TTS{config: c, provider: c.provider("tts")}
}

// Warm opens a connection, so that the next text needs no handshakes.
func (t *TTS) Warm(ctx context.Context) error {
	return t.provider.Warm(ctx, cmp.Or(t.config.BaseURL, DefaultURL))
}

// Close lets go of warm connections. Speeches that are under way go on.
func (t *TTS) Close() error { return t.provider.Close() }

// Speak yields the sound of s as it comes. A voice of Deepgram is a model that
// has one language (aura-2-thalia-en), so s.Language is not asked for. A text
// above 2000 bytes is voiced in parts. SSML is not understood; s.Text is read.
//
// The parameter speed (0.7 to 1.5) is sent for a rate other than 1; it could
// not be tried with the service.
func (t *TTS) Speak(ctx context.Context, s ai.Speech, rate int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		from := rateOf(rate)
		q := url.Values{
			"model":       {cmp.Or(s.Voice, t.config.Voice, t.config.Model, "aura-2-thalia-en")},
			"encoding":    {"linear16"},
			"container":   {"none"},
			"sample_rate": {strconv.Itoa(from)},
		}
		if s.Rate > 0 && s.Rate != 1 {
			q.Set("speed", strconv.FormatFloat(min(1.5, max(0.7, s.Rate)), 'f', 2, 64))
		}
		at := wire.URL(cmp.Or(t.config.BaseURL, DefaultURL), "/speak", wire.Over(q, t.config.Extra))
		sound := t.provider.NewSound(from, rate)
		for _, part := range ai.Sentences(s.Text, textLimit*3/4, textLimit*3/4, textLimit) {
			body, err := json.Marshal(map[string]string{"text": part})
			if err != nil {
				yield(nil, t.provider.Fault(ai.Content, "the text is no JSON", err))
				return
			}
			if !t.provider.Speak(ctx, wire.Request{URL: at, Header: t.config.header(), Body: body}, sound, yield) {
				return
			}
		}
	}
}

// rateOf is the rate to ask for, the wanted one where Deepgram has it.
func rateOf(rate int) int {
	switch rate {
	case 8000, 16000, 24000, 32000, 48000:
		return rate
	}
	return 24000
}
