// Package tones has what a telephone exchange plays by itself: ringback by
// country, music on hold, beeps.
package tones

import (
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// plan is a ringback tone: the frequencies sound together, on and off by
// turns.
type plan struct {
	freqs   []float64
	cadence []time.Duration
}

func hz(f ...float64) []float64 { return f }

// ms is a cadence in milliseconds.
func ms(n ...time.Duration) []time.Duration {
	for i := range n {
		n[i] *= time.Millisecond
	}
	return n
}

// ringback is by the country codes of <Dial ringTone>, after ITU-T E.180
// supplement 2, "Various tones used in national networks". Tones that are
// modulated there (Australia, India, South Africa, the United Kingdom before
// digital exchanges) stand here as the two frequencies that beat likewise.
var ringback = map[string]plan{
	"at":     {hz(420), ms(1000, 5000)},
	"au":     {hz(413, 438), ms(400, 200, 400, 2000)},
	"be":     {hz(425), ms(1000, 3000)},
	"bg":     {hz(425), ms(1000, 4000)},
	"br":     {hz(425), ms(1000, 4000)},
	"ch":     {hz(425), ms(1000, 4000)},
	"cl":     {hz(400), ms(1000, 3000)},
	"cn":     {hz(450), ms(1000, 4000)},
	"cz":     {hz(425), ms(1000, 4000)},
	"de":     {hz(425), ms(1000, 4000)},
	"dk":     {hz(425), ms(1000, 4000)},
	"ee":     {hz(425), ms(1000, 4000)},
	"es":     {hz(425), ms(1500, 3000)},
	"fi":     {hz(425), ms(1000, 4000)},
	"fr":     {hz(440), ms(1500, 3500)},
	"gr":     {hz(425), ms(1000, 4000)},
	"hu":     {hz(425), ms(1250, 3750)},
	"il":     {hz(400), ms(1000, 3000)},
	"in":     {hz(375, 425), ms(400, 200, 400, 2000)},
	"it":     {hz(425), ms(1000, 4000)},
	"jp":     {hz(384, 416), ms(1000, 2000)},
	"lt":     {hz(425), ms(1000, 4000)},
	"mx":     {hz(425), ms(1000, 4000)},
	"my":     {hz(425), ms(400, 200, 400, 2000)},
	"nl":     {hz(425), ms(1000, 4000)},
	"no":     {hz(425), ms(1000, 4000)},
	"nz":     {hz(400, 450), ms(400, 200, 400, 2000)},
	"ph":     {hz(425, 480), ms(1000, 4000)},
	"pl":     {hz(425), ms(1000, 4000)},
	"pt":     {hz(425), ms(1000, 5000)},
	"ru":     {hz(425), ms(1000, 4000)},
	"se":     {hz(425), ms(1000, 5000)},
	"sg":     {hz(400, 425), ms(400, 200, 400, 2000)},
	"th":     {hz(400), ms(1000, 4000)},
	"tw":     {hz(440, 480), ms(1000, 2000)},
	"uk":     {hz(400, 450), ms(400, 200, 400, 2000)},
	"us":     {hz(440, 480), ms(2000, 4000)},
	"us-old": {hz(420), ms(2000, 4000)},
	"ve":     {hz(425), ms(1000, 4000)},
	"za":     {hz(383, 417), ms(400, 200, 400, 2000)},
}

// level is the peak of a tone, -23 dBFS for one frequency: below speech.
const level = 0.1

// Ringback is one round of the tone that a caller hears while the other side
// rings in a country, to be played again and again. ok is false for a country
// that is not among the codes of <Dial ringTone>, all in small letters.
func Ringback(country string, rate int) (c pcm.Clip, ok bool) {
	p, ok := ringback[country]
	c.Rate = rate
	for i, d := range p.cadence {
		part := pcm.Silence(rate, d)
		if i%2 == 0 {
			part = pcm.Tone(rate, d, level, p.freqs...)
		}
		c.Samples = append(c.Samples, part.Samples...)
	}
	return c, ok
}
