package ai

import (
	"context"
	"slices"
	"sync"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// flights are the sounds that are being made. Who asks for one of them hears it
// from its beginning, while it goes on.
type flights struct {
	mu   sync.Mutex
	open map[soundKey]*flight
}

// flight is one sound that is being made for one or more listeners.
type flight struct {
	key       soundKey
	listeners int // under flights.mu
	cancel    context.CancelFunc
	landed    chan struct{} // closed when its goroutine is over

	mu     sync.Mutex
	frames []pcm.Frame // shared, not to be written to
	over   bool
	err    error
	grown  chan struct{} // closed, and another one made, when there is more
}

// join is the flight of key: the one that is open, or a new one that makes the
// sound with run. Each join needs a leave.
func (s *flights) join(ctx context.Context, key soundKey, run func(context.Context, func(pcm.Frame)) error) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.open[key]; ok {
		f.listeners++
		return f
	}
	// It is there for all that listen, so the first of them does not end it.
	making, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{key: key, listeners: 1, cancel: cancel, landed: make(chan struct{}), grown: make(chan struct{})}
	if s.open == nil {
		s.open = make(map[soundKey]*flight)
	}
	s.open[key] = f
	go func() {
		defer close(f.landed)
		err := run(making, func(frame pcm.Frame) { f.grow(func() { f.frames = append(f.frames, frame) }) })
		s.mu.Lock()
		if s.open[key] == f {
			delete(s.open, key)
		}
		s.mu.Unlock()
		f.grow(func() { f.over, f.err = true, err })
	}()
	return f
}

// leave ends f and waits for that if nobody else listens.
func (s *flights) leave(f *flight) {
	s.mu.Lock()
	f.listeners--
	last := f.listeners == 0
	if last && s.open[f.key] == f {
		delete(s.open, f.key)
	}
	s.mu.Unlock()
	if last {
		f.cancel()
		<-f.landed
	}
}

// grow changes f and wakes all listeners.
func (f *flight) grow(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.grown)
	f.grown = make(chan struct{})
}

// listen yields the whole sound as it comes, in frames that are the consumer's,
// and the error that it ended with.
func (f *flight) listen(ctx context.Context, yield func(pcm.Frame, error) bool) {
	for at := 0; ; {
		f.mu.Lock()
		more, over, err, grown := f.frames[at:], f.over, f.err, f.grown
		f.mu.Unlock()
		at += len(more)
		for _, frame := range more {
			if ctx.Err() != nil {
				break
			}
			if !yield(slices.Clone(frame), nil) {
				return
			}
		}
		switch {
		case ctx.Err() != nil:
			yield(nil, context.Cause(ctx))
			return
		case over && err != nil:
			yield(nil, err)
			return
		case over:
			return
		case len(more) > 0:
			continue
		}
		select {
		case <-grown:
		case <-ctx.Done():
		}
	}
}
