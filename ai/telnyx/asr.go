package telnyx

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wire"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// engines are what Telnyx writes for the engines that documents name, in small
// letters; A and B are the old names in TeXML. endsItself are those that
// answer CloseStream by finishing and closing; the others are given a while.
var engines = map[string]struct {
	name       string
	endsItself bool
}{
	"a": {"Google", false}, "b": {"Telnyx", false},
	"google": {"Google", false}, "telnyx": {"Telnyx", false}, "azure": {"Azure", false},
	"deepgram": {"Deepgram", true}, "speechmatics": {"Speechmatics", true}, "soniox": {"Soniox", true},
	"xai": {"xAI", false}, "assemblyai": {"AssemblyAI", false}, "parakeet": {"Parakeet", false},
	"reson8": {"Reson8", false}, "humain": {"Humain", false}, "cohere": {"Cohere", false},
}

// quiet is how long an engine that does not end by itself may still answer.
const quiet = 2 * time.Second

// ASR hears through /v2/speech-to-text/transcription. It is an [ai.ASR], safe
// for concurrent use.
type ASR struct {
	config   Config
	provider wire.Provider
}

// NewASR is the ASR of a configuration.
func NewASR(c Config) *ASR {
	return &ASR{config: c, provider: c.provider("asr")}
}

// Hear opens a socket and tells what is understood of sound. Results have no
// places in the sound and no words of their own; interim ones come from some
// engines only, and Over from Deepgram. Sound that Telnyx does not take is held
// for 5 s; then the oldest goes.
func (a *ASR) Hear(ctx context.Context, h ai.Hearing, sound <-chan pcm.Frame) iter.Seq2[ai.Result, error] {
	engine, ok := engines[strings.ToLower(h.Engine)]
	if !ok {
		engine, ok = engines[strings.ToLower(cmp.Or(a.config.Extra["engine"], "Deepgram"))]
	}
	if !ok {
		return func(yield func(ai.Result, error) bool) {
			yield(ai.Result{}, a.provider.Fault(ai.Unsupported, "there is no such engine", nil))
		}
	}
	ears := wire.Ears{
		Provider:  a.provider,
		URL:       wire.URL(cmp.Or(a.config.BaseURL, DefaultURL), "/speech-to-text/transcription", a.query(h, engine.name)),
		Header:    a.config.header(),
		KeepAlive: `{"type":"KeepAlive"}`,
		End:       `{"type":"CloseStream"}`,
		Decode:    decoder{a.provider}.decode,
	}
	if !engine.endsItself {
		ears.Quiet = quiet
	}
	return ears.Hear(ctx, h, sound)
}

// Close lets go of warm connections. Hearings that are under way go on.
func (a *ASR) Close() error { return a.provider.Close() }

// query is what a hearing asks for.
func (a *ASR) query(h ai.Hearing, engine string) url.Values {
	q := url.Values{
		"transcription_engine": {engine},
		"input_format":         {"linear16"},
		"sample_rate":          {strconv.Itoa(h.Rate)},
		"interim_results":      {strconv.FormatBool(h.Interim)},
	}
	model := modelOf(h.Model, engine)
	if model == "" && strings.EqualFold(engine, cmp.Or(a.config.Extra["engine"], "Deepgram")) {
		model = a.config.Model // of another engine it would mean nothing
	}
	if model != "" {
		q.Set("model", model)
	}
	if language := cmp.Or(h.Language, a.config.Language); language != "" {
		q.Set("language", language)
	}
	if hints := wire.Hints(h.Keyterms, h.Hints); engine == "Deepgram" && len(hints) > 0 {
		if model == "" || strings.HasPrefix(model, "nova-3") || strings.HasPrefix(model, "flux") {
			q.Set("keyterm", strings.Join(hints, ","))
		} else {
			q["keywords"] = hints
		}
	}
	wire.Over(q, a.config.Extra)
	q.Del("engine")
	return q
}

// modelOf is the model that a document names, without the engine's name before
// it (deepgram/nova-3 of Telnyx, deepgram_nova-3 of Twilio). Names that mean
// "any" and models of other engines are "": the engine's own. Models that
// Telnyx hosts have a maker before them (openai/whisper-large-v3-turbo), which
// stays.
func modelOf(named, engine string) string {
	named = strings.Replace(named, "googlev2_", "google_", 1)
	isEngine := func(maker string) bool {
		_, ok := engines[strings.ToLower(maker)]
		return ok
	}
	maker, model, cut := strings.Cut(named, "/")
	if !cut {
		maker, model, cut = strings.Cut(named, "_")
		cut = cut && isEngine(maker)
	}
	switch {
	case cut && strings.EqualFold(maker, engine):
		return model
	case cut && engine == "Telnyx" && !isEngine(maker):
		return named
	case cut, named == "default", named == "numbers_and_commands", strings.HasPrefix(named, "experimental_"):
		return ""
	case engine == "Deepgram" && !strings.HasPrefix(named, "nova") && !strings.HasPrefix(named, "flux"):
		return "" // phone_call and the like are Google's
	}
	return named
}

// message is what the socket sends: a transcription, or errors.
type message struct {
	Transcript   *string
	IsFinal      bool `json:"is_final"`
	SpeechFinal  bool `json:"speech_final"`
	UtteranceEnd bool `json:"utterance_end"`
	Confidence   float64
	Errors       []struct{ Code string }
}

type decoder struct{ provider wire.Provider }

// decode is what a message tells. Messages of other kinds tell nothing.
func (d decoder) decode(b []byte) ([]ai.Result, error) {
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, d.provider.Fault(ai.Protocol, "sent a message that is no transcription", nil)
	}
	switch {
	case len(m.Errors) > 0:
		return nil, d.provider.Told(m.Errors[0].Code)
	case m.Transcript == nil:
		return nil, nil
	case *m.Transcript == "" && !m.UtteranceEnd && !m.SpeechFinal:
		return nil, nil // silence
	}
	return []ai.Result{{
		Text:       *m.Transcript,
		Final:      m.IsFinal || m.SpeechFinal || m.UtteranceEnd,
		Over:       m.SpeechFinal || m.UtteranceEnd,
		Confidence: wire.Confidence(m.Confidence),
	}}, nil
}
