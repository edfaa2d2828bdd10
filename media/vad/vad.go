// Package vad tells voice from silence and steady noise by loudness, and from
// the tones of telephones by their pitches. A frame takes 2 µs, one of silence
// 0.1 µs.
package vad

import (
	"math"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/tones"
)

const (
	// margin is how far above the floor a frame must be, 6 dB in power. Steady
	// noise varies by less than 3 dB from one frame to the next.
	margin = 3.981

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

// A voice is reported Onset after it began, and until Hang after its end.
const (
	Onset = (onset - 1) * pcm.FrameTime
	Hang  = hang * pcm.FrameTime
)

var (
	// quietest is the lowest floor. Sound under -51 dBFS is no voice, however
	// quiet it is around it.
	quietest = fullScale * math.Pow(10, -57.0/10)

	// first is the highest floor to begin with: louder than that is rather a
	// voice in the first frame than noise.
	first = fullScale * math.Pow(10, -37.0/10)
)

// fullScale is the power of 0 dBFS.
const fullScale = 32768 * 32768

// Detector hears whether somebody speaks. It keeps a floor, the loudness of
// what is there without a voice: that falls at once to what is heard, and
// rises slowly. Frames 6 dB above it that are no tones ([tones.Detector]) are
// loud, two of them in a row begin a voice, and 200 ms without any end it.
//
// Of five recorded voices at -26 dBFS, at 8 and 16 kHz, alone and in noise, and
// of other sounds; the tests print the figures:
//
//	             speech missed   silence heard   begins late   ends late
//	alone                  1 %         under 1 %       20 ms      200 ms
//	white 20 dB            2 %               0 %       40 ms      200 ms
//	white 10 dB            4 %               0 %       60 ms      180 ms
//	white 5 dB         17-19 %               0 %  100-160 ms      140 ms
//	pink 20 dB             1 %               0 %       20 ms      200 ms
//	pink 10 dB           2-3 %               0 %       60 ms      180 ms
//	pink 5 dB            4-8 %               0 %       80 ms      140 ms
//
//	keys, beeps, dial, ringing and busy tones, fax tones    never
//	noise up to -40 dBFS from the first frame on            never
//	noise at -45 dBFS that begins in silence                for 1.4 s
//	noise at -30 dBFS that begins in silence                for 4.6 s
//	a hum under 330 Hz that begins in silence               for 8 s
//	soft music                                              40 % of the time
//
// A voice less than 4 dB above the noise is none, and a stranger who speaks in
// the background is one.
type Detector struct {
	tones *tones.Detector
	floor float64 // mean square of the samples; 0 before the first frame
	loud  int     // frames in a row
	left  int     // frames until the voice is over
	tone  bool    // the last frame was one
}

// New makes a detector for frames at rate, in Hz; loudness is the same at any.
// It serves one goroutine.
func New(rate int) *Detector { return &Detector{tones: tones.NewDetector(rate)} }

// Hear takes the next 20 ms and reports whether there is voice in them.
func (d *Detector) Hear(f pcm.Frame) (speech bool) {
	p := power(f)
	if d.floor == 0 {
		d.floor = min(p, first)
	}
	d.tone = false
	if p >= quietest*margin { // nothing that is softer is asked for
		_, d.tone = d.tones.Hear(f)
	}
	if !d.tone { // which is no noise either
		d.floor = max(quietest, min(p, d.floor*rise))
	}
	if d.tone || p < d.floor*margin {
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

// Tone reports whether the last frame was a tone as loud as a voice.
func (d *Detector) Tone() bool { return d.tone }

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
