package media

import "github.com/hookswitch/hookswitch/media/pcm"

// backlog is the frames that came in from a member and were not heard yet,
// oldest first. When it is full the oldest gives way.
type backlog struct {
	frames   []pcm.Frame
	first, n int
	least    int // of n after a take, in this stretch of time
	takes    int // in this stretch of time
}

// spareAfter is after how many ticks, 5 seconds, a frame that was waiting all
// the while is left out: the member was late once, and need not be for ever.
const spareAfter = 250

func newBacklog(frames, samples int) backlog {
	b := backlog{frames: make([]pcm.Frame, frames)}
	for i := range b.frames {
		b.frames[i] = make(pcm.Frame, samples)
	}
	b.empty()
	return b
}

func (b *backlog) empty() { b.n, b.takes, b.least = 0, 0, len(b.frames) }

func (b *backlog) put(f pcm.Frame) {
	if b.n == len(b.frames) {
		b.drop()
	}
	copy(b.frames[(b.first+b.n)%len(b.frames)], f)
	b.n++
}

// take is the next frame, valid until the next put, or nil if none is there.
func (b *backlog) take() pcm.Frame {
	if b.n == 0 {
		b.takes, b.least = 0, len(b.frames)
		return nil
	}
	f := b.frames[b.first]
	b.drop()
	b.least = min(b.least, b.n)
	if b.takes++; b.takes == spareAfter {
		if b.least > 0 {
			b.drop()
		}
		b.takes, b.least = 0, len(b.frames)
	}
	return f
}

func (b *backlog) drop() { b.first, b.n = (b.first+1)%len(b.frames), b.n-1 }
