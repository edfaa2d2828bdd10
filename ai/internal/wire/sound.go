package wire

import (
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// Longest is how much sound one speech may have.
const Longest = 10 * time.Minute

// Sound makes frames of one speech as its bytes come: 16-bit little-endian
// samples, which may be cut anywhere.
type Sound struct {
	provider  Provider
	from      int // Hz
	resampler *pcm.Resampler
	odd       []byte // the first half of a sample, or nothing
	samples   int    // that came, at from
}

// NewSound is sound that comes at one rate and goes on at another, both in Hz.
func (p Provider) NewSound(from, to int) *Sound {
	s := &Sound{provider: p, from: from}
	if from != to {
		s.resampler = pcm.NewResampler(from, to)
	}
	return s
}

// Frame is what b becomes, which may be nothing. An error is an *ai.Error: the
// speech is longer than Longest.
func (s *Sound) Frame(b []byte) (pcm.Frame, error) {
	if len(s.odd) > 0 && len(b) > 0 {
		b = append(s.odd, b...)
	}
	even := len(b) &^ 1
	frame := pcm.Frame(pcm.FromBytes(b))
	if len(b) > 0 {
		s.odd = append([]byte(nil), b[even:]...)
	}
	s.samples += len(frame)
	if time.Duration(s.samples)*time.Second > Longest*time.Duration(s.from) {
		return nil, s.provider.Fault(ai.Protocol, fmt.Sprintf("sent more than %v of sound for one text", Longest), nil)
	}
	if s.resampler != nil {
		return s.resampler.Resample(nil, frame), nil
	}
	return frame, nil
}
