package vad

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/tones"
)

// nominal is the level of a voice while it speaks, in dBFS (ITU-T P.56 calls
// -26 the nominal active level).
const nominal = -26

// phrase and pause are the parts of made speech, by turns.
const (
	phrase = 2400 * time.Millisecond
	pause  = 1600 * time.Millisecond
)

// voiced is made speech, 4 phrases and as many pauses: a buzz between 100 and
// 140 Hz with two formants, in syllables of 200 ms that swell and fade, a stop
// of 60 ms after each third.
func voiced(rate int) pcm.Clip {
	c := pcm.Silence(rate, 4*(phrase+pause))
	turn := 0.0
	for i := range c.Samples {
		at := time.Duration(i) * time.Second / time.Duration(rate)
		in := at % (phrase + pause)
		word := in % (660 * time.Millisecond)
		if in >= phrase || word >= 600*time.Millisecond {
			continue
		}
		pitch := 120 + 20*math.Sin(2*math.Pi*1.3*at.Seconds())
		turn += pitch / float64(rate)
		swell := 0.15 + 0.85*math.Sin(math.Pi*(word%(200*time.Millisecond)).Seconds()/0.2)
		v := 0.0
		for h := 1.0; h*pitch < 3400; h++ {
			f := h * pitch
			strength := 1/(1+math.Pow((f-600)/150, 2)) + 0.4/(1+math.Pow((f-1700)/200, 2)) + 0.05
			v += strength * math.Sin(2*math.Pi*h*turn)
		}
		c.Samples[i] = int16(600 * swell * v)
	}
	return atLevel(c, nominal)
}

// atLevel brings the part of c that is not silent to level, in dBFS.
func atLevel(c pcm.Clip, level float64) pcm.Clip {
	var spoken []int16
	for f := range frames(c) {
		if pcm.Level(f) > -60 {
			spoken = append(spoken, f...)
		}
	}
	gain := math.Pow(10, (level-pcm.Level(spoken))/20)
	out := pcm.Clip{Rate: c.Rate, Samples: make([]int16, len(c.Samples))}
	for i, v := range c.Samples {
		out.Samples[i] = clip(gain * float64(v))
	}
	return out
}

// noise is white noise.
func noise(rate int, d time.Duration, level float64) pcm.Clip {
	c := pcm.Silence(rate, d)
	random := rand.New(rand.NewPCG(1, 2))
	peak := 32768 * math.Pow(10, level/20)
	for i := range c.Samples {
		c.Samples[i] = clip(peak * random.NormFloat64())
	}
	return c
}

// pink is noise with as much power in each octave (Voss's sum of slower and
// slower steps).
func pink(rate int, d time.Duration, level float64) pcm.Clip {
	c := pcm.Silence(rate, d)
	random := rand.New(rand.NewPCG(3, 4))
	var steps [12]float64
	sum, n := make([]float64, len(c.Samples)), 0.0
	for i := range sum {
		for k := range steps {
			if i%(1<<k) == 0 {
				steps[k] = random.NormFloat64()
			}
			sum[i] += steps[k]
		}
		n += sum[i] * sum[i]
	}
	gain := 32768 * math.Pow(10, level/20) / math.Sqrt(n/float64(len(sum)))
	for i, v := range sum {
		c.Samples[i] = clip(gain * v)
	}
	return c
}

func ringback(rate int, country string) pcm.Clip {
	c, _ := tones.Ringback(country, rate)
	return c
}

func clip(v float64) int16 { return int16(max(math.MinInt16, min(math.MaxInt16, v))) }

// both is two sounds at once, as long as the first.
func both(a, b pcm.Clip) pcm.Clip {
	out := pcm.Clip{Rate: a.Rate, Samples: slices.Clone(a.Samples)}
	for i, v := range b.Samples[:min(len(a.Samples), len(b.Samples))] {
		out.Samples[i] = clip(float64(a.Samples[i]) + float64(v))
	}
	return out
}

// then is sounds one after the other.
func then(cs ...pcm.Clip) pcm.Clip {
	out := pcm.Clip{Rate: cs[0].Rate}
	for _, c := range cs {
		out.Samples = append(out.Samples, c.Samples...)
	}
	return out
}
