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

// lastFinal is how long more may come after a final frame: Telnyx sends one for
// each input that is done, and closes after the last.
const lastFinal = 300 * time.Millisecond

// TTS speaks through /v2/text-to-speech/speech, a socket for each text, since
// voice and rate are fixed when it opens. It is an [ai.TTS], safe for
// concurrent use.
type TTS struct {
	config   Config
	provider wire.Provider
}

// NewTTS is the TTS of a configuration.
func NewTTS(c Config) *TTS {
	p := c.provider("tts")
	p.Picky = true // Ultra and some cloned voices are refused with 403
	return &TTS{config: c, provider: p}
}

// Close lets go of warm connections. Speeches that are under way go on.
func (t *TTS) Close() error { return t.provider.Close() }

// Speak yields the sound of s as it comes. The voice is named as in TeXML
// (Telnyx.NaturalHD.astra, AWS.Polly.Joanna-Neural, Polly.Joanna, Azure.…).
// SSML goes to voices of AWS and Azure, others are given s.Text. Sound is asked
// for as linear16; a voice that answers with MP3 all the same, as some are said
// to, is an error of kind Unsupported.
func (t *TTS) Speak(ctx context.Context, s ai.Speech, rate int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		if err := t.speak(ctx, s, rate, yield); err != nil {
			yield(nil, err)
		}
	}
}

func (t *TTS) speak(ctx context.Context, s ai.Speech, rate int, yield func(pcm.Frame, error) bool) error {
	if strings.TrimSpace(s.Text) == "" && s.SSML == "" {
		return nil
	}
	v := voiceOf(cmp.Or(s.Voice, t.config.Voice, "Telnyx.NaturalHD.astra"))
	from := v.rate(rate)
	q := v.query(s, from)
	wire.Over(q, t.config.Extra)
	q.Del("engine")
	if n, err := strconv.Atoi(q.Get("sample_rate")); err == nil && n >= 8000 && n <= 96000 {
		from = n // Extra may know better
	}
	socket, err := t.provider.Dial(ctx, wire.URL(cmp.Or(t.config.BaseURL, DefaultURL), "/text-to-speech/speech", q), t.config.header())
	if err != nil {
		return err
	}
	defer socket.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(t.provider.Timeout(), func() { cancel(t.provider.Silent()) })
	defer stalled.Stop()
	for _, m := range v.messages(s, from) {
		b, err := json.Marshal(m)
		if err != nil {
			return t.provider.Fault(ai.Content, "the text is no JSON", err)
		}
		if socket.Send(ctx, string(b)) != nil {
			break // the connection has ended, and its reader knows why
		}
	}
	stalled.Stop()
	return t.listen(ctx, socket, t.provider.NewSound(from, rate), yield)
}

// listen yields the sound until Telnyx is done, the consumer wants no more, or
// something is wrong.
func (t *TTS) listen(ctx context.Context, socket *wire.Socket, sound *wire.Sound, yield func(pcm.Frame, error) bool) error {
	final, begun := false, false
	watch := time.NewTimer(t.provider.Timeout())
	defer watch.Stop()
	for {
		var msg wire.Message
		var more bool
		select {
		case msg, more = <-socket.Messages:
		case <-watch.C:
			if final {
				return nil
			}
			return t.provider.Silent()
		case <-ctx.Done():
		}
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if !more {
			if socket.Ended() && (final || begun) {
				return nil
			}
			return t.provider.Closed(socket.Err())
		}
		m, err := decodeSpeech(t.provider, msg)
		if err != nil {
			return err
		}
		if len(m.Audio) > 0 {
			if !begun && isMP3(m.Audio) {
				return t.provider.Fault(ai.Unsupported, "this voice sends MP3 and not linear16", nil)
			}
			begun = true
			frame, err := sound.Frame(m.Audio)
			if err != nil {
				return err
			}
			if len(frame) > 0 && !yield(frame, nil) {
				return nil
			}
			final = false
			watch.Reset(t.provider.Timeout()) // only sound is progress
		}
		if m.IsFinal {
			final = true
			watch.Reset(lastFinal)
		}
	}
}

// speech is what the socket sends. Voices that stream send sound in frames
// without text, and then a frame with the text and without sound.
type speech struct {
	Audio   []byte // base64 on the wire
	IsFinal bool   `json:"isFinal"`
	Error   json.RawMessage
}

// decodeSpeech reads one message.
func decodeSpeech(p wire.Provider, msg wire.Message) (speech, error) {
	var m speech
	if err := json.Unmarshal(msg.Data, &m); err != nil || msg.Binary {
		return m, p.Fault(ai.Protocol, "sent a message that is no speech", nil)
	}
	if len(m.Error) > 0 && string(m.Error) != "null" {
		// Its words may repeat the text, so they are not passed on.
		return m, p.Fault(ai.Unavailable, "could not voice the text", nil)
	}
	return m, nil
}

// isMP3 tells an MP3 (an ID3 tag, or a frame header of layer III) from samples.
func isMP3(b []byte) bool {
	if strings.HasPrefix(string(b[:min(3, len(b))]), "ID3") {
		return true
	}
	return len(b) > 2 && b[0] == 0xFF && b[1]&0xE6 == 0xE2 && b[2]&0xF0 != 0xF0 && b[2]&0xF0 != 0 && b[2]&0x0C != 0x0C
}

// voice is a voice by its name on Telnyx, and who is behind it, in small
// letters: "telnyx.naturalhd", "aws", "azure", ...
type voice struct{ name, maker string }

// voiceOf reads a name of TeXML.
func voiceOf(name string) voice {
	if strings.HasPrefix(strings.ToLower(name), "polly.") {
		name = "AWS." + name
	}
	parts := strings.Split(strings.ToLower(name), ".")
	if parts[0] == "telnyx" && len(parts) > 1 {
		return voice{name, parts[0] + "." + parts[1]}
	}
	return voice{name, parts[0]}
}

// rate is the rate to ask for, the wanted one where the voice has it.
func (v voice) rate(want int) int {
	switch v.maker {
	case "telnyx.natural", "telnyx.naturalhd":
		switch want {
		case 8000, 16000, 24000, 48000:
			return want
		}
	case "aws":
		return min(16000, max(8000, want/8000*8000))
	case "azure", "telnyx.bayan":
		return 16000
	}
	return 24000
}

// query is what a socket for s is asked for.
func (v voice) query(s ai.Speech, rate int) url.Values {
	q := url.Values{"voice": {v.name}, "audio_format": {"linear16"}, "sample_rate": {strconv.Itoa(rate)}}
	if s.Language != "" {
		q.Set("language", s.Language)
	}
	if v.ssml(s) {
		q.Set("text_type", "ssml")
	}
	return q
}

func (v voice) ssml(s ai.Speech) bool {
	return s.SSML != "" && (v.maker == "aws" || v.maker == "azure")
}

// text is one message to the socket.
type text struct {
	Text          string         `json:"text"`
	VoiceSettings map[string]any `json:"voice_settings,omitempty"`
}

// messages are all that is sent for s: a space that begins, the text, and an
// empty text that ends.
func (v voice) messages(s ai.Speech, rate int) []text {
	settings := map[string]any{}
	switch v.maker {
	case "telnyx.natural", "telnyx.naturalhd":
		if s.Rate > 0 && s.Rate != 1 {
			settings["voice_speed"] = s.Rate
		}
	case "telnyx.qwen3tts", "minimax":
		if s.LanguageBoost != "" {
			settings["language_boost"] = s.LanguageBoost
		}
	case "azure":
		settings["output_format"] = "raw-" + strconv.Itoa(rate/1000) + "khz-16bit-mono-pcm"
		if s.Gender != "" {
			settings["gender"] = s.Gender
		}
		if s.Effect != "" {
			settings["effect"] = s.Effect
		}
		if s.Region != "" {
			settings["region"] = s.Region
		}
	}
	said := s.Text
	if v.ssml(s) {
		said = "<speak>" + s.SSML + "</speak>"
	}
	return []text{{" ", settings}, {said, nil}, {"", nil}}
}
