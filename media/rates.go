package media

import "github.com/hookswitch/hookswitch/media/pcm"

// maxFrame is how many samples the longest frame has, 20 ms at 16 kHz.
const maxFrame = 320

// rated is a Source that is made for one rate.
type rated interface{ Rate() int }

// sourceAt is a source at the rate that it was begun with, in Hz, whatever the
// rate of the stream has become by a Configure. At 0 it knows all rates.
type sourceAt struct {
	Source
	rate int
	conv converter
	own  pcm.Frame
}

// Next is that of the source, at the rate that f has.
func (s *sourceAt) Next(f pcm.Frame) bool {
	n := pcm.FrameLen(s.rate)
	if n == 0 || n == len(f) {
		return s.Source.Next(f)
	}
	if len(s.own) != n {
		s.own = make(pcm.Frame, n)
	}
	if !s.Source.Next(s.own) {
		return false
	}
	copy(f, s.conv.convert(s.own, 50*len(f)))
	return true
}

// tap is one who listens, at the rate that the stream had then, in Hz; at 0 at
// any.
type tap struct {
	hear func(pcm.Frame)
	rate int
	conv converter
}

func (t *tap) give(f pcm.Frame) {
	if t.rate > 0 {
		f = t.conv.convert(f, t.rate)
	}
	t.hear(f)
}

// converter brings frames to another rate.
type converter struct {
	from, to  int
	resampler *pcm.Resampler
	frame     pcm.Frame
}

// convert returns f at rate to: f itself if that is its rate, or else a frame
// valid until the next call.
func (c *converter) convert(f pcm.Frame, to int) pcm.Frame {
	from := 50 * len(f)
	if from == to {
		return f
	}
	return c.resample(f, from, to)
}

// resample is convert for any number of samples.
func (c *converter) resample(s []int16, from, to int) []int16 {
	if c.from != from || c.to != to {
		c.from, c.to, c.resampler = from, to, pcm.NewResampler(from, to)
	}
	c.frame = c.resampler.Resample(c.frame[:0], s)
	return c.frame
}
