package tones

import (
	"math"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// Tone is what a [Detector] hears: one steady tone, or two at once.
type Tone struct {
	Low   float64       // Hz
	High  float64       // Hz; 0 when there is one tone
	Since time.Duration // how long it has been there, this frame included
}

// Single reports whether t is one tone of hz, within tolerance.
func (t Tone) Single(hz, tolerance float64) bool {
	return t.High == 0 && math.Abs(t.Low-hz) <= tolerance
}

const (
	// lowest is the pitch under which a tone is none: exchanges signal from 350
	// Hz on (ITU-T E.180), and a hummed "mm" is nearly a pure tone below.
	lowest, highest = 330.0, 3450.0

	// pure is the share of the power that a tone must have in its first frame,
	// kept in those that follow.
	pure, kept = 0.97, 0.85

	// second is the least share that the weaker tone of a pair has of both: 10
	// dB down, more than keys are apart (ITU-T Q.24). Below there is one tone,
	// with something else.
	second = 0.1

	// drift is by how much a pitch may seem to move from one frame to the next,
	// in Hz: two close ones in noise are not told exactly.
	drift = 20
)

// Detector finds steady tones and pairs of tones between 330 and 3450 Hz, such
// as beeps, ringing, keys and fax machines.
//
// Samples of two sinusoids follow from those before them: the sum of the two
// outer ones of five in a row is a times that of the two inner ones, plus b
// times the middle one. The a and b that fit a frame best (Pisarenko's method,
// which noise does not bend) tell the two pitches, and a projection on those
// tells what share of the power is theirs. A voice has many harmonics that move.
type Detector struct {
	step  int // samples that make one of sound
	rate  float64
	sound []float64 // the frame, at 8 to 12 kHz
	last  Tone      // of the frame before; Low 0: none

	offset float64 // of the line
}

// NewDetector makes a detector for frames at rate, in Hz. It serves one
// goroutine.
func NewDetector(rate int) *Detector {
	step := max(1, rate/8000)
	return &Detector{step: step, rate: float64(rate) / float64(step), sound: make([]float64, pcm.FrameLen(rate)/step)}
}

// Hear takes the next 20 ms and reports what tone they are. It costs 2 µs and
// does not allocate.
func (d *Detector) Hear(f pcm.Frame) (t Tone, ok bool) {
	if len(f) < len(d.sound)*d.step || len(d.sound) < 80 {
		d.last = Tone{}
		return Tone{}, false
	}
	power := d.take(f)
	t, share := d.find(power)
	goes := d.last.Low != 0 && near(t.Low, d.last.Low) && near(t.High, d.last.High)
	switch {
	case goes && share >= kept && d.last.Since > 0:
		t.Since = d.last.Since + pcm.FrameTime
	case share >= pure, goes && share >= kept:
		t.Since = pcm.FrameTime
	}
	d.last = t
	return t, t.Since > 0
}

// near reports whether a pitch is the one it was a frame ago.
func near(hz, before float64) bool { return math.Abs(hz-before) <= drift }

// take makes sound of a frame, and returns its power.
func (d *Detector) take(f pcm.Frame) float64 {
	sum, power := 0.0, 0.0
	for i := range d.sound {
		v := -d.offset
		for _, s := range f[i*d.step : (i+1)*d.step] {
			v += float64(s)
		}
		d.sound[i] = v
		sum += v
		power += v * v
	}
	// The mean of one frame is that of a low tone's cut period, too.
	d.offset += sum / float64(len(d.sound)) / 32
	return power
}

// find returns the strongest tone or pair in the sound, and its share of the
// power; 0 for none that exchanges have.
func (d *Detector) find(power float64) (Tone, float64) {
	if power == 0 {
		return Tone{}, 0
	}
	w1, w2 := d.pitches(power)
	x1, x2 := d.at(w1), d.at(w2)
	n := float64(len(d.sound))
	if x1.alone(w1, n) < x2.alone(w2, n) {
		w1, w2, x1, x2 = w2, w1, x2, x1
	}
	one, both := x1.alone(w1, n), x1.pair(x2, w1, w2, n)
	hz := d.rate / (2 * math.Pi)
	t, share := Tone{Low: w1 * hz}, one/power
	if both-one > second*both {
		t.High, share = w2*hz, both/power
	}
	if t.High != 0 && t.High < t.Low {
		t.Low, t.High = t.High, t.Low
	}
	if t.Low < lowest || max(t.Low, t.High) > highest {
		return Tone{}, 0
	}
	return t, share
}
