package openai

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"strconv"
	"strings"
	"time"

	api "github.com/sashabaranov/go-openai"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	speechRate = 24000            // Hz, of response_format pcm
	textLimit  = 4096             // characters of one request; held in bytes, which are never fewer
	maxSpeech  = 10 * time.Minute // of one Speech; 29 MB
)

// TTS gives text a voice by requests to /audio/speech. It is an [ai.TTS], safe
// for concurrent use.
type TTS struct{ *service }

// NewTTS makes no request yet; see Warm.
func NewTTS(c Config) *TTS { return &TTS{newService(c, "tts", "gpt-4o-mini-tts")} }

// Speak yields sound as it comes. A text of more than 4096 bytes is voiced
// piece by piece. Errors are *ai.Error.
func (t *TTS) Speak(ctx context.Context, s ai.Speech, rate int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		v := &voicing{tts: t, to: rate, yield: yield, left: maxSpeech}
		for _, text := range ai.Sentences(s.Text, textLimit*3/4, textLimit*3/4, textLimit) {
			if err := v.say(ctx, s, text); err != nil {
				if !errors.Is(err, errEnough) {
					yield(nil, err)
				}
				return
			}
		}
		v.finish()
	}
}

// errEnough is the end of a consumer.
var errEnough = errors.New("nobody listens")

// voicing is one Speech being spoken.
type voicing struct {
	tts   *TTS
	from  int // Hz; 0: nothing was spoken yet
	to    int // Hz
	yield func(pcm.Frame, error) bool
	r     *pcm.Resampler
	left  time.Duration // of sound that may still come
}

// say yields the sound of one piece of text.
func (v *voicing) say(ctx context.Context, s ai.Speech, text string) error {
	t := v.tts
	ctx, w := t.watch(ctx)
	defer w.stop()
	resp, err := t.api.CreateSpeech(ctx, api.CreateSpeechRequest{
		Model:          api.SpeechModel(t.Model),
		Input:          text,
		Voice:          api.SpeechVoice(cmp.Or(s.Voice, t.Voice, "alloy")),
		Instructions:   t.Extra["instructions"],
		ResponseFormat: api.SpeechResponseFormatPcm,
		Speed:          speed(s.Rate),
	})
	if err != nil {
		return t.failed(ctx, err)
	}
	defer resp.Close()
	from, err := t.rateOf(resp.Header().Get("Content-Type"))
	if err != nil {
		return err
	}
	if v.from != from {
		v.from, v.r = from, pcm.NewResampler(from, v.to)
	}

	b := make([]byte, 9600)
	held, first := 0, true // bytes in b that are no whole sample
	for {
		w.feed()
		n, err := resp.Read(b[held:])
		w.rest()
		n += held
		if first && n < 4 && err == nil {
			held = n // too few to tell what it is
			continue
		}
		if first {
			if name := container(b[:n]); name != "" {
				return t.fault(ai.Protocol, "sent a "+name+" file where raw PCM was asked for", "use a server that gives response_format pcm", nil)
			}
			if n < 2 && err == io.EOF {
				return t.fault(ai.Protocol, "sent no sound", "see whether "+t.key("model")+" and "+t.key("voice")+" fit the language of the text", nil)
			}
			first = false
		}
		if e := v.put(b[:n&^1]); e != nil {
			return e
		}
		held = copy(b, b[n&^1:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return t.failed(ctx, err)
		}
	}
}

// put yields samples of 16 bits, little endian.
func (v *voicing) put(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	v.left -= place(len(b)/2, v.from)
	if v.left < 0 {
		return v.tts.fault(ai.Protocol, fmt.Sprintf("sent more than %v of sound", maxSpeech), "see whether the server is well", nil)
	}
	return v.give(pcm.FromBytes(b))
}

func (v *voicing) give(in []int16) error {
	f := v.r.Resample(make(pcm.Frame, 0, len(in)*v.to/v.from+1), in)
	if len(f) > 0 && !v.yield(f, nil) {
		return errEnough
	}
	return nil
}

// finish yields what the resampler still holds.
func (v *voicing) finish() {
	if v.r != nil && v.from != v.to {
		_ = v.give(make([]int16, 24*v.from/min(v.from, v.to)))
	}
}

// rateOf is the rate of an answer of raw PCM by its Content-Type.
func (t *TTS) rateOf(contentType string) (int, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if contentType != "" && err != nil {
		mediaType = contentType
	}
	switch mediaType {
	case "", "audio/pcm", "audio/x-pcm", "audio/raw", "audio/x-raw", "application/octet-stream", "binary/octet-stream":
	default:
		if len(mediaType) > 40 {
			mediaType = mediaType[:40]
		}
		return 0, t.fault(ai.Protocol, fmt.Sprintf("sent %q where raw PCM was asked for", mediaType), "use a server that gives response_format pcm", nil)
	}
	if rate, err := strconv.Atoi(params["rate"]); err == nil && rate >= 8000 && rate <= 48000 {
		return rate, nil
	}
	return speechRate, nil
}

// container names the kind of file that b begins, "" for raw samples. A file
// played as raw samples would be noise at full level in somebody's ear.
func container(b []byte) string {
	for magic, name := range map[string]string{"RIFF": "WAV", "OggS": "OGG", "fLaC": "FLAC", "ID3\x03": "MP3", "ID3\x04": "MP3"} {
		if strings.HasPrefix(string(b), magic) {
			return name
		}
	}
	return ""
}

// speed is a rate within what the API takes; 0, which is not sent, for 1.
func speed(rate float64) float64 {
	if !(rate > 0) || rate == 1 {
		return 0
	}
	return min(4, max(0.25, rate))
}
