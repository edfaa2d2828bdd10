package calltest

import (
	"fmt"
	"math"
	"slices"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// hears says in words what came in the last 100 ms: silence, or the one or two
// pitches in it, to 10 Hz.
func (p *phone) hears() string {
	p.mu.Lock()
	p.hear(nil)
	sound := slices.Clone(p.heard)
	p.mu.Unlock()
	if len(sound) == 0 || pcm.Level(sound) < -50 {
		return "silence"
	}
	loudest := func(fits func(hz float64) bool) (best, share float64) {
		for hz := 50.0; hz <= 3500; hz += 10 {
			if s := pcm.Share(sound, rate, hz); fits(hz) && s > share {
				best, share = hz, s
			}
		}
		return best, share
	}
	first, most := loudest(func(float64) bool { return true })
	second, share := loudest(func(hz float64) bool { return math.Abs(hz-first) > 50 })
	if share > most/4 {
		return fmt.Sprintf("%g Hz and %g Hz", min(first, second), max(first, second))
	}
	return fmt.Sprintf("%g Hz", first)
}
