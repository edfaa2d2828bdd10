package calltest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// hears says what somebody is saying or has said less than half a second ago,
// and without words what came in the last 100 ms: silence, or the one or two
// pitches in it, to 10 Hz.
func (p *phone) hears() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hear(nil)
	return hears(p.heard, rate, p.words)
}

// hears is what is to be told of the last of some sound, and of the words in it.
// Words may be nil.
func hears(sound []int16, rate int, words *decoder) string {
	if words != nil {
		if said := words.now(); said != "" {
			return strconv.Quote(said)
		}
	}
	return inWords(pitches(sound, rate))
}

// inWords names what pitches returns.
func inWords(hz []float64) string {
	if len(hz) == 0 {
		return "silence"
	}
	words := make([]string, len(hz))
	for i, f := range hz {
		words[i] = fmt.Sprintf("%g Hz", f)
	}
	return strings.Join(words, " and ")
}

const (
	quiet = -50 // dB below full scale; less is silence
	apart = 50  // Hz between two pitches that can be told from each other
)

// pitches are those in a piece of sound, to 10 Hz and from low to high: the
// loudest, and what is at least half as loud. Silence has none.
func pitches(sound []int16, rate int) (found []float64) {
	if pcm.Level(sound) < quiet {
		return nil
	}
	var shares []float64 // of 50 Hz, 60 Hz and so on
	for hz := 50.0; hz <= 3500; hz += 10 {
		shares = append(shares, pcm.Share(sound, rate, hz))
	}
	most := slices.Max(shares)
	for {
		best, share := 0.0, 0.0
		for i, s := range shares {
			hz := 50 + 10*float64(i)
			if s > share && !near(found, hz) {
				best, share = hz, s
			}
		}
		if share <= most/4 {
			break
		}
		found = append(found, best)
	}
	slices.Sort(found)
	return found
}

// near reports whether hz cannot be told from one of those.
func near(those []float64, hz float64) bool {
	return slices.ContainsFunc(those, func(f float64) bool { return math.Abs(f-hz) <= apart })
}
