package runtime

import (
	"sync"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// An ear takes the sound of one side of a call to an engine that hears it.
type ear struct {
	sound  chan pcm.Frame // of 20 ms, closed by close
	remove func()

	mu     sync.Mutex
	spare  []int16 // room for the next frames
	closed bool
	lost   int // frames for which there was no room
}

// earFrames is how much sound waits for an engine at most, 2 s. An engine takes
// sound at all times, so this is for a machine that is short of breath.
const earFrames = 100

// newEar listens at from. Each frame goes to watch first, which may be nil and
// must not block.
func newEar(from tap, watch func(pcm.Frame)) *ear {
	e := &ear{sound: make(chan pcm.Frame, earFrames)}
	e.remove = from(func(f pcm.Frame) {
		if watch != nil {
			watch(f)
		}
		e.hear(f)
	})
	return e
}

func (e *ear) hear(f pcm.Frame) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	if len(e.sound) == cap(e.sound) {
		e.lost++
		return
	}
	if len(e.spare) < len(f) {
		e.spare = make([]int16, 25*len(f))
	}
	own := e.spare[:len(f):len(f)]
	e.spare = e.spare[len(f):]
	copy(own, f)
	e.sound <- own
}

// close ends the sound and returns how many frames of it were lost. A further
// call does nothing.
func (e *ear) close() (lost int) {
	e.remove()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.closed = true
		close(e.sound)
	}
	return e.lost
}
