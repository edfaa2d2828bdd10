package tones

import (
	"math"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	beat = 500 * time.Millisecond
	// loopTime is 12 bars of 4 beats.
	loopTime = 48 * beat
	// musicPeak bounds the peak of the music, which lies some 14 dB above its
	// level.
	musicPeak = 0.2
)

// chords are the harmony of the music, two bars each, low notes first, as MIDI
// note numbers. Each shares a note with the one before, the first with the last.
var chords = [][4]int{
	{48, 64, 67, 71}, // C major 7
	{45, 60, 64, 67}, // A minor 7
	{53, 60, 64, 69}, // F major 7
	{50, 60, 65, 69}, // D minor 7
	{43, 62, 65, 71}, // G 7
	{52, 62, 67, 71}, // E minor 7
}

// melody is the upper voice, a note for every second beat; 0 is a rest.
var melody = []int{
	76, 79, 0, 74, 72, 0, 76, 0, 77, 76, 72, 0, 74, 0, 69, 72, 71, 74, 0, 77, 76, 74, 71, 0,
}

// Music is a calm loop of 24 seconds for callers on hold: slow broken chords
// and a few notes above them, plucked softly, softer than -20 dBFS. Its end
// leads into its beginning. It is made by arithmetic each time, so callers keep
// it.
func Music(rate int) pcm.Clip {
	sum := make([]float64, pcm.Samples(rate, loopTime))
	for i, chord := range chords {
		for b := range 8 { // up and down the chord
			note := chord[[]int{0, 1, 2, 3, 2, 1, 3, 2}[b]]
			pluck(sum, rate, time.Duration(8*i+b)*beat, note, 0.30)
		}
	}
	for i, note := range melody {
		if note > 0 {
			pluck(sum, rate, time.Duration(2*i)*beat+beat/2, note, 0.38)
		}
	}
	c := pcm.Clip{Rate: rate, Samples: make([]int16, len(sum))}
	for i, v := range sum {
		c.Samples[i] = int16(math.Round(musicPeak * math.MaxInt16 * math.Tanh(v)))
	}
	return c
}

// pluck adds a note that begins at a time and rings for two seconds. What
// rings beyond the end of sum is heard at its beginning.
func pluck(sum []float64, rate int, at time.Duration, note int, loud float64) {
	const swell, ring = 0.02, 2.0 // seconds
	hz := 440 * math.Pow(2, float64(note-69)/12)
	first := pcm.Samples(rate, at)
	for i := range int(ring * float64(rate)) {
		t := float64(i) / float64(rate)
		w := 2 * math.Pi * hz * t
		v := math.Sin(w) + 0.25*math.Sin(2*w)
		v *= loud * math.Exp(-2*t)
		if t < swell {
			v *= 0.5 - 0.5*math.Cos(math.Pi*t/swell)
		}
		if left := ring - t; left < 0.2 {
			v *= 0.5 - 0.5*math.Cos(math.Pi*left/0.2)
		}
		sum[(first+i)%len(sum)] += v
	}
}

// signal is the peak of a beep, -20 dBFS: as loud as speech.
const signal = 0.14

// Beep is the tone before a recording: 1000 Hz for 400 ms.
func Beep(rate int) pcm.Clip { return soft(pcm.Tone(rate, 400*time.Millisecond, signal, 1000)) }

// Enter is what a conference hears when somebody joins: two rising tones.
func Enter(rate int) pcm.Clip { return twoTones(rate, 523.25, 783.99) }

// Exit is what a conference hears when somebody leaves: two falling tones.
func Exit(rate int) pcm.Clip { return twoTones(rate, 783.99, 523.25) }

func twoTones(rate int, first, second float64) pcm.Clip {
	const length = 160 * time.Millisecond
	a := soft(pcm.Tone(rate, length, signal, first))
	b := soft(pcm.Tone(rate, length, signal, second))
	return pcm.Clip{Rate: rate, Samples: append(a.Samples, b.Samples...)}
}

// soft lets a clip swell and fade over 20 ms. The clip is changed.
func soft(c pcm.Clip) pcm.Clip {
	n := len(c.Samples)
	edge := min(pcm.Samples(c.Rate, 20*time.Millisecond), n/2)
	for i := range edge {
		gain := 0.5 - 0.5*math.Cos(math.Pi*float64(i)/float64(edge))
		c.Samples[i] = int16(gain * float64(c.Samples[i]))
		c.Samples[n-1-i] = int16(gain * float64(c.Samples[n-1-i]))
	}
	return c
}
