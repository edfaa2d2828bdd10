package ai

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	tapeLength = 30 * time.Second // of sound that nobody has understood yet
	quietLead  = time.Second      // of silence before the first word
	quietLevel = -50.0            // dBFS; softer is silence
)

// tape keeps the sound of a speaker that has not been understood yet, at most
// 30 seconds of it, and of the silence before it at most one.
type tape struct {
	frame time.Duration // length of a frame

	mu     sync.Mutex
	frames []pcm.Frame
	first  int  // which frame of the sound frames[0] is
	loud   bool // there is more than silence in frames
	ended  bool
	grown  chan struct{} // closed, and another one made, when there is more
}

func newTape(frame time.Duration) *tape {
	return &tape{frame: frame, grown: make(chan struct{})}
}

// record puts all of sound on the tape, until that is closed or ctx is done.
func (t *tape) record(ctx context.Context, sound <-chan pcm.Frame) {
	for {
		select {
		case f, more := <-sound:
			t.add(f, more)
			if !more {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (t *tape) add(f pcm.Frame, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if more {
		t.loud = t.loud || pcm.Level(f) > quietLevel
		t.frames = append(t.frames, f)
		most := tapeLength
		if !t.loud {
			most = quietLead
		}
		t.cut(t.first + len(t.frames) - int(most/t.frame))
	}
	t.ended = t.ended || !more
	close(t.grown)
	t.grown = make(chan struct{})
}

// cut takes the frames before number n off the tape.
func (t *tape) cut(n int) {
	if n = min(n-t.first, len(t.frames)); n <= 0 {
		return
	}
	clear(t.frames[:n])
	t.frames = t.frames[n:]
	t.first += n
}

// understood takes the sound before at off the tape, or what came before frame
// number heard if at is 0.
func (t *tape) understood(at time.Duration, heard int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at > 0 {
		heard = int(at / t.frame)
	}
	t.cut(heard)
	t.loud = slices.ContainsFunc(t.frames, func(f pcm.Frame) bool { return pcm.Level(f) > quietLevel })
}

// start is the number of the first frame on the tape.
func (t *tape) start() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first
}

// next is a copy of frame number n, or the first one after it that is still
// there, and its number. It waits for it. False says that no more comes, or
// that ctx is done.
func (t *tape) next(ctx context.Context, n int) (pcm.Frame, int, bool) {
	for {
		t.mu.Lock()
		n = max(n, t.first)
		if i := n - t.first; i < len(t.frames) {
			f := slices.Clone(t.frames[i])
			t.mu.Unlock()
			return f, n, true
		}
		ended, grown := t.ended, t.grown
		t.mu.Unlock()
		if ended {
			return nil, n, false
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, n, false
		}
	}
}
