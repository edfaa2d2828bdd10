package elevenlabs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wire"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// textLimit is how many characters the smallest of the models voices at once
// (eleven_v3). It is held in bytes here, which are never fewer.
const textLimit = 5000

// TTS speaks through ElevenLabs. It is an [ai.TTS], safe for concurrent use.
type TTS struct {
	config   Config
	provider wire.Provider
}

// NewTTS is the TTS of a configuration.
func NewTTS(c Config) *TTS {
	return &TTS{config: c, provider: wire.NewProvider("tts", cmp.Or(c.Name, "elevenlabs"), c.Timeout, c.HTTP)}
}

// Warm opens a connection, so that the next text needs no handshakes.
func (t *TTS) Warm(ctx context.Context) error {
	return t.provider.Warm(ctx, t.base())
}

// Close lets go of warm connections. Speeches that are under way go on.
func (t *TTS) Close() error { return t.provider.Close() }

func (t *TTS) base() string { return cmp.Or(t.config.BaseURL, DefaultURL) }

// settings are voice_settings of a request.
type settings struct {
	Speed           float64  `json:"speed,omitempty"`
	Stability       *float64 `json:"stability,omitempty"`
	SimilarityBoost *float64 `json:"similarity_boost,omitempty"`
	Style           *float64 `json:"style,omitempty"`
}

// request is the body of one.
type request struct {
	Text          string    `json:"text"`
	ModelID       string    `json:"model_id"`
	LanguageCode  string    `json:"language_code,omitempty"`
	VoiceSettings *settings `json:"voice_settings,omitempty"`
}

// Speak yields the sound of s as it comes. The voice is the id of one, or has
// the form of a document: ElevenLabs.<Model>.<Voice>. SSML is not sent; s.Text
// is read. The rate of speech is held to the 0.7 to 1.2 that ElevenLabs has.
func (t *TTS) Speak(ctx context.Context, s ai.Speech, rate int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		voice, model := voiceOf(cmp.Or(s.Voice, t.config.Voice, "JBFqnCBsd6RMkjVDRZzb"))
		r := request{ModelID: cmp.Or(model, t.config.Model, "eleven_flash_v2_5")}
		if takesLanguage(r.ModelID) {
			r.LanguageCode, _, _ = strings.Cut(strings.ToLower(cmp.Or(s.Language, t.config.Language)), "-")
		}
		query, err := t.settle(&r, s.Rate)
		if err != nil {
			yield(nil, err)
			return
		}
		// 16 kHz serves both bands of the telephone; 24 kHz is the most that
		// every plan has.
		from := 16000
		if rate > from {
			from = 24000
		}
		query.Set("output_format", "pcm_"+strconv.Itoa(from))
		at := wire.URL(t.base(), "/text-to-speech/"+url.PathEscape(voice)+"/stream", query)
		sound := t.provider.NewSound(from, rate)
		for _, part := range ai.Sentences(s.Text, textLimit*3/4, textLimit*3/4, textLimit) {
			r.Text = part
			body, err := json.Marshal(r)
			if err != nil {
				yield(nil, t.provider.Fault(ai.Content, "the text is no JSON", err))
				return
			}
			header := http.Header{"Xi-Api-Key": {t.config.APIKey}}
			if !t.provider.Speak(ctx, wire.Request{URL: at, Header: header, Body: body}, sound, yield) {
				return
			}
		}
	}
}

// settle puts what Extra and the rate of speech say into the request and the
// query.
func (t *TTS) settle(r *request, rate float64) (url.Values, error) {
	var set settings
	if rate > 0 && rate != 1 {
		set.Speed = min(1.2, max(0.7, rate))
	}
	query := url.Values{}
	for name, value := range t.config.Extra {
		var into **float64
		switch name {
		case "stability":
			into = &set.Stability
		case "similarity_boost":
			into = &set.SimilarityBoost
		case "style":
			into = &set.Style
		default:
			query.Set(name, value)
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || !(v >= 0 && v <= 1) {
			return nil, t.provider.Fault(ai.Unsupported, fmt.Sprintf("%s is no number from 0 to 1", name), nil)
		}
		*into = &v
	}
	if set != (settings{}) {
		r.VoiceSettings = &set
	}
	return query, nil
}

// voiceOf takes the names of documents apart: ElevenLabs.<Model>.<Voice>, where
// the model may be missing and may be short (Default, v3).
func voiceOf(name string) (voice, model string) {
	if len(name) < 11 || !strings.EqualFold(name[:11], "elevenlabs.") {
		return name, ""
	}
	model, voice, ok := strings.Cut(name[11:], ".")
	switch {
	case !ok:
		return model, ""
	case strings.EqualFold(model, "default"):
		return voice, ""
	case !strings.HasPrefix(model, "eleven_"):
		return voice, "eleven_" + model
	}
	return voice, model
}

// takesLanguage tells whether a model can be told a language. Those before
// know it from the text, and refuse to be told.
func takesLanguage(model string) bool {
	return strings.HasSuffix(model, "_v2_5") || strings.HasPrefix(model, "eleven_v3")
}
