package calltest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// vocabulary are the words that are spoken in a script, as they are first
// written. Each has a pitch of its own, by which it is told from the others
// whatever codecs and bridges it came through.
type vocabulary []string

const (
	lowestWord  = 300 // Hz, the pitch of the first word
	highestWord = 3300
	mostWords   = 150 // they must be 20 Hz apart to be told from each other within 100 ms
	wordGap     = pcm.FrameTime
	perWord     = 400 * time.Millisecond // of a voice at its normal speed, with the gap
	quickest    = 100 * time.Millisecond // word, with the gap
)

// learn adds what is new of words. Upper and lower case are the same.
func (v *vocabulary) learn(words []string) error {
	for _, w := range words {
		if v.index(w) < 0 {
			*v = append(*v, w)
		}
	}
	if len(*v) > mostWords {
		return fmt.Errorf("more than %d different words are spoken in this script", mostWords)
	}
	return nil
}

func (v vocabulary) index(word string) int {
	return slices.IndexFunc(v, func(w string) bool { return strings.EqualFold(w, word) })
}

// pitch is that of word n, in steps of 10 Hz.
func (v vocabulary) pitch(n int) float64 {
	step := min(100, (highestWord-lowestWord)/len(v)/10*10)
	return float64(lowestWord + n*step)
}

// speak is the sound of words, each as long as each says and followed by its gap
// of silence.
func (v vocabulary) speak(words []string, rate int, each time.Duration) pcm.Clip {
	clip := pcm.Clip{Rate: rate}
	for _, w := range words {
		sound := word(rate, v.pitch(v.index(w)), each-wordGap)
		clip.Samples = append(append(clip.Samples, sound.Samples...), pcm.Silence(rate, wordGap).Samples...)
	}
	return clip
}

// word is the sound of one word, at -20 dBFS. One half of its power is a tone at
// hz; the other half makes a voice of it: a buzz with two formants, whose pitch
// wavers so that no harmonic of it can be taken for the tone. Both swell and
// fade ten times a second, as syllables do.
func word(rate int, hz float64, d time.Duration) pcm.Clip {
	const peak = 0.16 * math.MaxInt16
	clip := pcm.Silence(rate, d)
	n := len(clip.Samples)
	edge := rate / 500 // 2 ms without a click
	var strengths []float64
	power := 0.0
	for h := 1.0; h*130 < 3400; h++ {
		f := h * 115
		s := 1/(1+math.Pow((f-600)/300, 2)) + 0.5/(1+math.Pow((f-1700)/400, 2)) + 0.1
		strengths = append(strengths, s)
		power += s * s
	}
	turn := 0.0
	for i := range clip.Samples {
		t := float64(i) / float64(rate)
		turn += (115 + 15*math.Sin(2*math.Pi*3*t)) / float64(rate)
		buzz := 0.0
		for k, s := range strengths {
			h := float64(k + 1)
			buzz += s * math.Sin(2*math.Pi*h*turn+0.7*h*h)
		}
		swell := 0.7 - 0.3*math.Cos(2*math.Pi*10*t)
		if near := min(i, n-1-i); near < edge {
			swell *= float64(near) / float64(edge)
		}
		clip.Samples[i] = int16(peak * swell * (math.Sin(2*math.Pi*hz*t) + buzz/math.Sqrt(power)))
	}
	return clip
}
