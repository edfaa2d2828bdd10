package local

import (
	"math"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	speechLevel = -20.0                  // dBFS RMS of what is not a pause
	highestPeak = 0.9                    // of full scale
	quiet       = -45.0                  // dBFS; softer than this is a pause
	leadIn      = 20 * time.Millisecond  // silence left before the first sound
	leadOut     = 100 * time.Millisecond // and after the last
)

// finish makes an engine's sound fit for a call: at rate, without the silence
// before it (which to a caller is delay) nor, at the end of a text, much after
// it, and at the level of speech. Nothing but silence becomes no sound.
func finish(c pcm.Clip, rate int, last bool) []int16 {
	s := c.At(rate).Samples
	step := max(1, rate/200) // 5 ms

	// Loudness is that of the parts that sound; the pauses between words would
	// make a slow speaker loud.
	first, end, sum, n := -1, 0, 0.0, 0
	peak := 0.0
	for i := 0; i < len(s); i += step {
		part := s[i:min(i+step, len(s))]
		level := pcm.Level(part)
		if level < quiet {
			continue
		}
		if first < 0 {
			first = i
		}
		end = i + len(part)
		sum += math.Pow(10, level/10) * float64(len(part))
		n += len(part)
		for _, v := range part {
			peak = max(peak, math.Abs(float64(v)))
		}
	}
	if first < 0 {
		return nil
	}
	gain := math.Pow(10, speechLevel/20) / math.Sqrt(sum/float64(n))
	gain = min(gain, highestPeak*math.MaxInt16/peak)

	from, to := max(0, first-pcm.Samples(rate, leadIn)), len(s)
	if last {
		to = min(to, end+pcm.Samples(rate, leadOut))
	}
	out := make([]int16, to-from)
	for i, v := range s[from:to] {
		out[i] = int16(math.Round(float64(v) * gain))
	}
	return out
}
