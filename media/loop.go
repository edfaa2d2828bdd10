package media

import "github.com/hookswitch/hookswitch/media/pcm"

// Loop is a [Source] that plays a clip again and again, without a gap.
type Loop struct {
	clip pcm.Clip
	next int // the sample that comes next
}

// NewLoop makes a loop of c for a stream of that rate. A clip without samples is
// silence.
func NewLoop(c pcm.Clip, rate int) *Loop { return &Loop{clip: c.At(rate)} }

// Rate is that of its frames, in Hz.
func (l *Loop) Rate() int { return l.clip.Rate }

// Next takes the next 20 ms. It never ends.
func (l *Loop) Next(f pcm.Frame) bool {
	if len(l.clip.Samples) == 0 {
		clear(f)
		return true
	}
	for n := 0; n < len(f); {
		m := copy(f[n:], l.clip.Samples[l.next:])
		n += m
		l.next = (l.next + m) % len(l.clip.Samples)
	}
	return true
}
