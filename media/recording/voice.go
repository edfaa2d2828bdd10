package recording

import "github.com/hookswitch/hookswitch/media/pcm"

// detector hears voice by its level alone: two frames of it begin a voice, and
// ten without end it.
type detector struct{ loud, quiet int }

func newDetector(int) *detector { return &detector{quiet: 10} }

func (d *detector) Hear(f pcm.Frame) bool {
	if pcm.Level(f) > -45 {
		if d.loud++; d.loud >= onset {
			d.quiet = 0
		}
	} else {
		d.loud = 0
		d.quiet++
	}
	return d.quiet < 10
}
