// Package pcm holds linear audio: frames, clips, a resampler, tones and the
// two measures that tests and detectors need. It does no I/O and keeps no time.
package pcm

import "time"

// FrameTime is the length of every frame on a call, the default packet time
// of RFC 3551 section 4.2.
const FrameTime = 20 * time.Millisecond

// Frame is 20 ms of mono linear audio, 16-bit samples in host byte order: 160
// samples at 8 kHz, 320 at 16 kHz. A Frame belongs to whoever received it last.
type Frame []int16

// FrameLen is the number of samples in a frame at rate (in Hz).
func FrameLen(rate int) int { return rate / 50 }

// Clip is a piece of mono audio of any length. Clips are shared between
// calls: nobody writes to Samples once the clip is made.
type Clip struct {
	Rate    int // Hz
	Samples []int16
}

// Duration is how long the clip plays, 0 for a clip without a rate.
func (c Clip) Duration() time.Duration {
	if c.Rate <= 0 {
		return 0
	}
	return time.Duration(len(c.Samples)) * time.Second / time.Duration(c.Rate)
}

// At is the clip at another rate, without the delay of a streaming
// [Resampler]: what was heard at time t is heard at time t. It is the same
// clip when the rates are equal.
func (c Clip) At(rate int) Clip {
	if c.Rate == rate {
		return c
	}
	if c.Rate <= 0 || rate <= 0 || len(c.Samples) == 0 {
		return Clip{Rate: rate}
	}
	r := NewResampler(c.Rate, rate)
	// The half window that follows the first output is fed before it is
	// taken, and as much silence follows the last sample.
	head := make([]int16, r.t.taps/2)
	n := copy(head, c.Samples)
	r.prime(head)
	out := make([]int16, 0, r.outputs(len(c.Samples)))
	out = r.Resample(out, c.Samples[n:])
	return Clip{Rate: rate, Samples: r.Resample(out, make([]int16, n))}
}
