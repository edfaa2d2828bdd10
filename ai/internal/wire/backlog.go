package wire

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// heldTime is how much sound waits for an engine that does not take it.
const heldTime = 5 * time.Second

// backlog is the sound between a speaker and a socket. Once it is full and its
// oldest frame has waited for heldTime, that one goes. So a call is never held
// up, and a recording that comes faster than real time loses nothing while the
// engine keeps up.
type backlog chan pcm.Frame

func newBacklog() backlog { return make(backlog, heldTime/pcm.FrameTime) }

// fill takes sound until that is closed or ctx ends, then closes b.
func (b backlog) fill(ctx context.Context, sound <-chan pcm.Frame) {
	defer close(b)
	// When b is full it holds the last cap(came) that were put.
	came := make([]time.Time, cap(b))
	for n := 0; ; n = (n + 1) % len(came) {
		var frame pcm.Frame
		var more bool
		select {
		case frame, more = <-sound:
		case <-ctx.Done():
		}
		if !more || ctx.Err() != nil || !b.put(ctx, frame, came[n]) {
			return
		}
		came[n] = time.Now()
	}
}

// put adds a frame, if need be in place of the oldest, which came at oldest.
// It tells whether ctx still goes on.
func (b backlog) put(ctx context.Context, frame pcm.Frame, oldest time.Time) bool {
	select {
	case b <- frame:
		return true
	default:
	}
	timer := time.NewTimer(heldTime - time.Since(oldest))
	defer timer.Stop()
	for {
		select {
		case b <- frame:
			return true
		case <-ctx.Done():
			return false
		case <-timer.C:
			select {
			case <-b:
			default: // it was taken just now
			}
			timer.Reset(0)
		}
	}
}
