package runtime

import (
	"sync"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// feedMost is how many frames wait in a feed, 100 ms. What is older is dropped:
// the pacer has been held up, and the sound would be late from then on.
const feedMost = 5

// A feed is a source of what a tap hears, so that a stream sends what is heard on
// another, at the rate of its own. Both are served every 20 ms, each at its own
// time of it, so a frame waits for the next one before it goes out.
type feed struct {
	rate int // of the stream that sends, Hz

	mu      sync.Mutex
	from    int // rate of what is heard, 0 before the first frame
	change  *pcm.Resampler
	waiting []int16
	flowing bool // two frames have been there, and it has not run dry since
}

func newFeed(rate int) *feed {
	return &feed{rate: rate, waiting: make([]int16, 0, (feedMost+1)*pcm.FrameLen(rate))}
}

// hear takes a frame (media.Stream.Tap).
func (f *feed) hear(frame pcm.Frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if from := len(frame) * 50; from != f.from {
		f.from, f.change = from, pcm.NewResampler(from, f.rate)
	}
	f.waiting = f.change.Resample(f.waiting, frame)
	if over := len(f.waiting) - feedMost*pcm.FrameLen(f.rate); over > 0 {
		f.waiting = append(f.waiting[:0], f.waiting[over:]...)
	}
}

// Next gives the next frame, silence when there is none (media.Source). It never
// ends.
func (f *feed) Next(frame pcm.Frame) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flowing = len(f.waiting) >= 2*len(frame) || f.flowing && len(f.waiting) >= len(frame)
	if !f.flowing {
		clear(frame)
		return true
	}
	n := copy(frame, f.waiting)
	f.waiting = append(f.waiting[:0], f.waiting[n:]...)
	return true
}
