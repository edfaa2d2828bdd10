package calltest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// speaking is how the script's voice speaks.
type speaking struct {
	off, fails bool
	slow       time.Duration // until its first sound
}

// setting reads what follows "voice".
func (v *speaking) setting(f []string) (err error) {
	switch {
	case len(f) == 1 && f[0] == "none":
		v.off = true
	case len(f) == 1 && f[0] == "fails":
		v.fails = true
	case len(f) == 2 && f[0] == "slow":
		v.slow, err = moment(f[1])
	default:
		return errors.New("there are: voice none, voice fails, and voice slow 500ms; without it a scripted voice speaks")
	}
	return err
}

// setting reads what follows "ears".
func (h *hearing) setting(f []string) (err error) {
	switch {
	case len(f) == 1 && f[0] == "off":
		h.off = true
	case len(f) == 3 && f[0] == "fail" && f[1] == "after":
		h.fail, err = moment(f[2])
	case len(f) == 2 && f[0] == "slow":
		h.slow, err = moment(f[1])
	default:
		return errors.New("there are: ears off, ears fail after 2s, and ears slow 800ms; without it speech is understood")
	}
	return err
}

// moment reads how long something takes.
func moment(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > longestSound {
		return 0, fmt.Errorf("%q is not a length; write 500ms, up to %s", text, longestSound)
	}
	return d, nil
}

// voice is the scripted voice (ai.TTS): a tone of 200 Hz, 400 ms for each word.
type voice struct {
	script *Script
	trace  *trace
}

var errMute = &ai.Error{Provider: "script", Kind: ai.Unavailable, Msg: "the script's voice has failed",
	Fix: "take the line \"voice fails\" out of the script"}

// Speak yields a frame of 400 ms for each word (ai.TTS).
func (v voice) Speak(ctx context.Context, s ai.Speech, rate int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		if slices.Contains(v.script.show, "TTS") {
			v.trace.note("", "TTS"+voiced(s))
		}
		if slow := v.script.voice.slow; slow > 0 {
			t := time.NewTimer(slow)
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			}
		}
		if v.script.voice.fails {
			yield(nil, errMute)
			return
		}
		d := time.Duration(len(strings.Fields(s.Text))) * perWord
		if s.Rate > 0 {
			d = time.Duration(float64(d) / s.Rate).Round(pcm.FrameTime)
		}
		sound := pcm.Tone(rate, d, 0.3, 200).Samples
		for piece := range slices.Chunk(sound, int(perWord*time.Duration(rate)/time.Second)) {
			if !yield(piece, nil) {
				return
			}
		}
	}
}

// voiced is what a voice was told beside the text, for the trace.
func voiced(s ai.Speech) string {
	var b strings.Builder
	for _, part := range []struct{ name, value string }{
		{"voice", s.Voice}, {"language", s.Language}, {"SSML", s.SSML}, {"gender", s.Gender}, {"effect", s.Effect},
		{"region", s.Region}, {"language boost", s.LanguageBoost},
	} {
		if part.value != "" {
			fmt.Fprintf(&b, " %s %s", part.name, part.value)
		}
	}
	if s.Rate != 0 && s.Rate != 1 {
		fmt.Fprintf(&b, " rate %g", s.Rate)
	}
	return b.String()
}
