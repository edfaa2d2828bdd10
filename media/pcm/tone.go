package pcm

import (
	"math"
	"time"
)

// toneEdge is how long a tone takes to swell and to fade, so that it starts
// and ends without a click.
const toneEdge = 2 * time.Millisecond

// Silence is digital silence.
func Silence(rate int, d time.Duration) Clip {
	return Clip{Rate: rate, Samples: make([]int16, Samples(rate, d))}
}

// Tone makes a tone of equal parts of the frequencies hz, whose sum peaks at
// level (0 to 1). Without frequencies it is silence. The first and the last 2
// ms swell and fade.
func Tone(rate int, d time.Duration, level float64, hz ...float64) Clip {
	c := Silence(rate, d)
	if len(hz) == 0 {
		return c
	}
	n := len(c.Samples)
	edge := min(Samples(rate, toneEdge), n/2)
	part := level * math.MaxInt16 / float64(len(hz))
	for i := range c.Samples {
		v := 0.0
		for _, f := range hz {
			v += math.Sin(2 * math.Pi * f * float64(i) / float64(rate))
		}
		v *= part
		if near := min(i, n-1-i); near < edge {
			v *= 0.5 - 0.5*math.Cos(math.Pi*float64(near)/float64(edge))
		}
		c.Samples[i] = int16(math.Round(v))
	}
	return c
}

// Samples is how many samples d lasts at rate (in Hz).
func Samples(rate int, d time.Duration) int {
	return int(int64(d) * int64(rate) / int64(time.Second))
}
