package openai

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"strings"
	"time"

	api "github.com/sashabaranov/go-openai"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// transcript is what a server has understood of a clip. Words lie in the clip.
type transcript struct {
	text       string
	confidence float64
	words      []ai.Word
}

// wavFile gives an upload its Content-Type.
type wavFile struct{ *bytes.Reader }

func (wavFile) ContentType() string { return "audio/wav" }

// transcribe makes one request. Words and confidence are asked for in a final
// one only, as they take servers longer.
func (a *ASR) transcribe(ctx context.Context, h ai.Hearing, clip pcm.Clip, final bool) (transcript, error) {
	ctx, w := a.watch(ctx)
	defer w.stop()
	// Servers refuse less than 100 ms.
	if short := clip.Rate/2 - len(clip.Samples); short > 0 {
		clip.Samples = append(clip.Samples, make([]int16, short)...)
	}
	req := api.AudioRequest{
		Model:    a.model(h),
		FilePath: "speech.wav",
		Reader:   wavFile{bytes.NewReader(wav.Encode(clip))},
		Prompt:   a.prompt(h),
		Language: languageCode(cmp.Or(h.Language, a.Language)),
		Format:   api.AudioResponseFormatJSON,
	}
	// The models that came after Whisper answer nothing but json.
	if final && !strings.HasPrefix(req.Model, "gpt-") {
		req.Format = api.AudioResponseFormatVerboseJSON
		req.TimestampGranularities = []api.TranscriptionTimestampGranularity{api.TranscriptionTimestampGranularitySegment}
		// Telnyx refuses a request for words.
		if req.Model == api.Whisper1 || a.Extra["words"] == "true" {
			req.TimestampGranularities = append(req.TimestampGranularities, api.TranscriptionTimestampGranularityWord)
		}
	}
	resp, err := a.api.CreateTranscription(ctx, req)
	if err != nil {
		return transcript{}, a.failed(ctx, err)
	}
	return read(resp, clip.Duration()), nil
}

// read takes what is of use from an answer about a clip of that length.
func read(resp api.AudioResponse, length time.Duration) transcript {
	t := transcript{text: strings.TrimSpace(resp.Text)}
	var kept []string
	var made [][2]float64 // stretches of words that nobody said
	var sum, weights float64
	for _, s := range resp.Segments {
		// Whisper's own rule for words made up in silence.
		if s.NoSpeechProb > 0.6 && s.AvgLogprob < -1 {
			made = append(made, [2]float64{s.Start, s.End})
			continue
		}
		kept = append(kept, strings.TrimSpace(s.Text))
		if s.AvgLogprob < 0 {
			weight := min(max(0.01, s.End-s.Start), longest.Seconds())
			sum += weight * math.Exp(s.AvgLogprob)
			weights += weight
		}
	}
	if len(made) > 0 {
		t.text = strings.TrimSpace(strings.Join(kept, " "))
	}
	if weights > 0 {
		t.confidence = sum / weights
	}
words:
	for _, w := range resp.Words {
		for _, m := range made {
			if w.Start >= m[0] && w.Start < m[1] {
				continue words
			}
		}
		t.words = append(t.words, ai.Word{Text: strings.TrimSpace(w.Word), Began: within(w.Start, length), Ended: within(w.End, length)})
	}
	return t
}

// within is seconds as a time in a clip, whatever a server says.
func within(seconds float64, length time.Duration) time.Duration {
	return time.Duration(min(max(0, seconds), length.Seconds()) * float64(time.Second))
}
