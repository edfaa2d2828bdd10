package media

import "github.com/hookswitch/hookswitch/media/pcm"

// Music is what a caller on hold hears, again and again; without samples
// silence.
type Music = pcm.Clip

// Relay joins two streams: what one receives the other sends.
func Relay(a, b *Stream, hold Music) (stop func()) {
	return func() {}
}
