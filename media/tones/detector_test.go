package tones

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// noisy adds white noise that is snr dB below c.
func noisy(c pcm.Clip, snr float64) pcm.Clip {
	random := rand.New(rand.NewPCG(1, 2))
	peak := 32768 * math.Pow(10, (pcm.Level(c.Samples)-snr)/20)
	for i, v := range c.Samples {
		c.Samples[i] = int16(float64(v) + peak*random.NormFloat64())
	}
	return c
}

// hearAll returns what is heard in each whole frame of c; Low 0 is no tone.
func hearAll(c pcm.Clip) (all []Tone) {
	d := NewDetector(c.Rate)
	for f := range slices.Chunk(c.Samples, pcm.FrameLen(c.Rate)) {
		if len(f) < pcm.FrameLen(c.Rate) {
			break
		}
		t, ok := d.Hear(f)
		if !ok {
			t = Tone{}
		}
		all = append(all, t)
	}
	return all
}

// Whatever the frames cut off, nearly every frame of a signal is known, and its
// pitches with it.
func TestTonesAreFound(t *testing.T) {
	tests := []struct {
		name string
		hz   []float64
		most float64 // dB of noise below it with which all but three frames are known
	}{
		{"dial tone", []float64{350, 440}, 30},
		{"ringing, US", []float64{440, 480}, 30},
		{"busy, US", []float64{480, 620}, 20},
		{"ringing, UK", []float64{400, 450}, 30},
		{"ringing, Germany", []float64{425}, 20},
		{"a low beep", []float64{440}, 20},
		{"a beep", []float64{1000}, 15},
		{"a high beep", []float64{2200}, 15},
		{"fax calling", []float64{1100}, 15},
		{"fax answering", []float64{2100}, 15},
		{"key 1", []float64{697, 1209}, 20},
		{"key D", []float64{941, 1633}, 20},
	}
	for _, rate := range []int{8000, 16000, 48000} {
		for _, tt := range tests {
			for _, snr := range []float64{100, 30, 20, 15} {
				sound := pcm.Clip{Rate: rate, Samples: append(make([]int16, rate*7/1000), pcm.Tone(rate, 500*time.Millisecond, 0.2, tt.hz...).Samples...)}
				found, off := 0, 0.0
				for _, tone := range hearAll(noisy(sound, snr)) {
					if tone.Low == 0 || (tone.High != 0) != (len(tt.hz) == 2) {
						continue
					}
					found++
					off = max(off, math.Abs(tone.Low-tt.hz[0]))
					if tone.High != 0 {
						off = max(off, math.Abs(tone.High-tt.hz[1]))
					}
				}
				t.Logf("%-16s  %5d Hz  %3.0f dB  %2d of 24 frames, off by %2.0f Hz", tt.name, rate, snr, found, off)
				if snr >= tt.most && (found < 21 || off > 20) {
					t.Errorf("%s at %d Hz, noise %.0f dB below: known in %d of 24 frames, off by up to %.0f Hz", tt.name, rate, snr, found, off)
				}
			}
		}
	}
}

func TestOtherSoundsAreNoTones(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		second := time.Second
		tests := []struct {
			name  string
			sound pcm.Clip
		}{
			{"silence", pcm.Silence(rate, second)},
			{"noise", noisy(pcm.Tone(rate, second, 0.01, 1000), -30)},
			{"a hum", pcm.Tone(rate, second, 0.2, 200)},
			{"three pitches", pcm.Tone(rate, second, 0.2, 400, 700, 1100)},
			{"a pitch and a deep one", pcm.Tone(rate, second, 0.2, 150, 1000)},
			{"a line with an offset", offset(rate, second)},
		}
		for _, tt := range tests {
			for i, tone := range hearAll(tt.sound) {
				if tone.Low != 0 {
					t.Errorf("%s at %d Hz: %.0f and %.0f Hz in frame %d", tt.name, rate, tone.Low, tone.High, i)
					break
				}
			}
		}
	}
}

func offset(rate int, d time.Duration) pcm.Clip {
	c := pcm.Silence(rate, d)
	for i := range c.Samples {
		c.Samples[i] = 2000
	}
	return c
}

func TestSince(t *testing.T) {
	c := pcm.Tone(8000, 100*time.Millisecond, 0.2, 1000)
	c.Samples = append(c.Samples, pcm.Silence(8000, 40*time.Millisecond).Samples...)
	c.Samples = append(c.Samples, pcm.Tone(8000, 60*time.Millisecond, 0.2, 440, 480).Samples...)
	want := []time.Duration{0, 20, 40, 60, 0, 0, 0, 0, 20, 40} // frames in which it swells or fades are no tone
	for i, tone := range hearAll(c) {
		if tone.Since != want[i]*time.Millisecond {
			t.Errorf("frame %d: a tone since %v, want %v", i, tone.Since, want[i]*time.Millisecond)
		}
	}
}

func TestFramesTooShort(t *testing.T) {
	for _, rate := range []int{8000, 100} {
		d := NewDetector(rate)
		if tone, ok := d.Hear(make(pcm.Frame, 1)); ok {
			t.Errorf("%v in one sample at %d Hz", tone, rate)
		}
	}
}

func BenchmarkDetector(b *testing.B) {
	for _, rate := range []int{8000, 16000} {
		for _, hz := range [][]float64{{1000}, {440, 480}} {
			b.Run(fmt.Sprint(rate, hz), func(b *testing.B) {
				d, f := NewDetector(rate), pcm.Frame(noisy(pcm.Tone(rate, pcm.FrameTime, 0.3, hz...), 20).Samples)
				b.ReportAllocs()
				for b.Loop() {
					d.Hear(f)
				}
			})
		}
	}
}
