package deepgram

import (
	"cmp"
	"context"
	"iter"
	"net/url"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wire"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// ASR hears through /v1/listen. It is an [ai.ASR], safe for concurrent use.
type ASR struct {
	config   Config
	provider wire.Provider
}

// NewASR is the ASR of a configuration.
func NewASR(c Config) *ASR {
	return &ASR{config: c, provider: c.provider("asr")}
}

// Hear opens a socket and tells what is understood of sound. Deepgram is asked
// for interim results even when h does not want them, for its UtteranceEnd
// needs them. Sound that Deepgram does not take is held for 5 s; then the
// oldest goes.
func (a *ASR) Hear(ctx context.Context, h ai.Hearing, sound <-chan pcm.Frame) iter.Seq2[ai.Result, error] {
	model := modelOf(h.Model, a.config.Model)
	if strings.HasPrefix(model, "flux") {
		return func(yield func(ai.Result, error) bool) {
			yield(ai.Result{}, a.provider.Fault(ai.Unsupported, "the model "+model+" speaks another protocol (/v2/listen)", nil))
		}
	}
	d := decoder{provider: a.provider}
	return wire.Ears{
		Provider:  a.provider,
		URL:       wire.URL(cmp.Or(a.config.BaseURL, DefaultURL), "/listen", a.query(h, model)),
		Header:    a.config.header(),
		KeepAlive: `{"type":"KeepAlive"}`,
		End:       `{"type":"CloseStream"}`,
		Steady:    true,
		Decode:    d.decode,
	}.Hear(ctx, h, sound)
}

// Close lets go of warm connections. Hearings that are under way go on.
func (a *ASR) Close() error { return a.provider.Close() }

// query is what a hearing asks for. 300 ms of silence end a stretch of speech,
// and 1 s between words, whatever the noise, an utterance.
func (a *ASR) query(h ai.Hearing, model string) url.Values {
	q := url.Values{
		"model":            {model},
		"encoding":         {"linear16"},
		"sample_rate":      {strconv.Itoa(h.Rate)},
		"channels":         {"1"},
		"interim_results":  {"true"},
		"punctuate":        {"true"},
		"endpointing":      {"300"},
		"utterance_end_ms": {"1000"},
		"vad_events":       {"true"},
	}
	if language := cmp.Or(h.Language, a.config.Language); language != "" {
		q.Set("language", language)
	}
	if h.SmartFormat {
		q.Set("smart_format", "true")
	}
	if h.ProfanityFilter {
		q.Set("profanity_filter", "true")
	}
	// nova-3 takes keyterms, the models before it keywords.
	param := "keywords"
	if strings.HasPrefix(model, "nova-3") {
		param = "keyterm"
	}
	for _, hint := range wire.Hints(h.Keyterms, h.Hints) {
		q.Add(param, hint)
	}
	return wire.Over(q, a.config.Extra)
}

// modelOf is the model that a document names, as Deepgram, Twilio
// (deepgram_nova-3) or Telnyx (deepgram/nova-3) write it. Names of other
// engines, and those that mean "any" (phone_call), leave the configured one.
func modelOf(named, configured string) string {
	named = strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(named), "deepgram_"), "deepgram/")
	for _, family := range []string{"nova", "flux", "enhanced", "base", "whisper"} {
		if strings.HasPrefix(named, family) {
			return named
		}
	}
	return cmp.Or(configured, "nova-3")
}
