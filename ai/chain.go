package ai

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// How long the pieces are that a text is voiced in, in bytes: enough for the
// melody of a sentence. What is longer without an end of a sentence stays whole
// up to longestPiece.
const (
	shortestPiece = 60
	longestPiece  = 2000
)

// take is one provider at work on one piece of text.
type take struct {
	candidate
	place  int // in the chain
	cancel context.CancelFunc
	began  time.Time
	first  piece
	some   bool // first is there; else it has nothing to say
	delay  time.Duration
	sound  chan piece // what comes after first; closed at the end
}

type piece struct {
	frame pcm.Frame
	err   error
}

// say voices the text of ways, whichever of them can, and yields its sound, or
// the error after which nobody could go on. It returns who has said all of it,
// nil if that was not one, or not all.
func (s *Speaker) say(ctx context.Context, ways []candidate, rate int, yield func(pcm.Frame, error) bool) *candidate {
	if len(ways) == 0 {
		yield(nil, &Error{Provider: "speech", Kind: Unavailable, Msg: "no voice is configured", Fix: "name one under ai.tts, or install flite or espeak-ng"})
		return nil
	}
	var takes sync.WaitGroup
	defer takes.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop() // runs before Wait

	whole := ways[0].speech.Text
	pieces := Sentences(whole, shortestPiece, shortestPiece, longestPiece)
	if slices.ContainsFunc(ways, func(c candidate) bool { return c.speech.SSML != "" }) {
		pieces = []string{whole} // marks may go over the ends of sentences
	}
	var by *candidate
	alone := true
	for _, text := range pieces {
		for said := false; !said; {
			t, err := s.race(ctx, &takes, ways, text, rate)
			if err == nil {
				if alone = alone && (by == nil || by.voice == t.voice); alone {
					by = &t.candidate
				}
				ways = ways[t.place:]
				said, err = s.play(ctx, t, yield)
				if !said && err == nil {
					return nil // the consumer has enough
				}
			}
			switch {
			case err == nil:
			case ctx.Err() != nil:
				yield(nil, context.Cause(ctx))
				return nil
			case t != nil && len(ways) > 1:
				alone = false
				ways = ways[1:]
			default:
				yield(nil, err)
				return nil
			}
		}
	}
	if !alone {
		return nil
	}
	return by
}

// race asks one of ways after the other for text until one gives its first
// sound. One that is late goes on while the next is asked.
func (s *Speaker) race(ctx context.Context, takes *sync.WaitGroup, ways []candidate, text string, rate int) (*take, error) {
	ready := make(chan *take, len(ways))
	var running []*take
	var failed error
	late := time.NewTimer(defaultTimeout)
	defer late.Stop()
	next := 0
	for start := true; ; {
		for ; start && next < len(ways); next++ {
			if ok, why := ways[next].health.take(); !ok {
				failed = why
				continue
			}
			t := s.begin(ctx, takes, ready, ways[next], text, rate)
			t.place = next
			running = append(running, t)
			late.Reset(t.Timeout)
			start = false
		}
		if start && len(running) == 0 {
			return nil, failed
		}
		start = false
		select {
		case t := <-ready:
			running = slices.DeleteFunc(running, func(r *take) bool { return r == t })
			if t.some && t.first.err != nil {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				failed, start = t.first.err, true
				s.over(ctx, t, failed)
				continue
			}
			for _, slower := range running {
				slower.cancel()
			}
			return t, nil
		case <-late.C:
			slow := running[len(running)-1]
			failed, start = &Error{Provider: slow.Name, Kind: Timeout, Msg: fmt.Sprintf("no sound within %v", slow.Timeout)}, true
			slow.health.failed(failed)
			tell(ctx, s.observe, Latency{Provider: slow.Name, Kind: "tts", Total: time.Since(slow.began), Err: failed})
			if next == len(ways) {
				return nil, failed
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// begin lets a provider start. It tells ready of its first sound, or its end.
func (s *Speaker) begin(ctx context.Context, takes *sync.WaitGroup, ready chan<- *take, way candidate, text string, rate int) *take {
	t := &take{candidate: way, began: time.Now(), sound: make(chan piece)}
	ctx, t.cancel = context.WithCancel(ctx)
	speech := way.speech
	speech.Text = text
	takes.Go(func() {
		defer t.cancel()
		defer close(t.sound)
		defer func() {
			if v := recover(); v != nil { // it ends this speech, and not the program
				t.tell(ctx, ready, piece{err: &crash{&Error{Provider: way.Name, Kind: Protocol, Msg: "internal error; the log has where"}, debug.Stack()}})
			}
		}()
		for f, err := range way.TTS.Speak(ctx, speech, rate) {
			if err == nil && len(f) == 0 {
				continue
			}
			if !t.tell(ctx, ready, piece{f, err}) || err != nil {
				return
			}
		}
		if !t.some {
			ready <- t
		}
	})
	return t
}

// tell passes on a piece; false says that nobody wants more.
func (t *take) tell(ctx context.Context, ready chan<- *take, p piece) bool {
	if !t.some {
		t.first, t.some, t.delay = p, true, time.Since(t.began)
		ready <- t
		return true
	}
	select {
	case t.sound <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

// crash is a fault of the program itself, met in a provider.
type crash struct {
	error
	stack []byte
}

func (c *crash) Unwrap() error { return c.error }

// play yields the sound of t. It reports whether that was all of it; false
// without an error says that the consumer has stopped.
func (s *Speaker) play(ctx context.Context, t *take, yield func(pcm.Frame, error) bool) (bool, error) {
	defer t.cancel()
	if t.some && !yield(t.first.frame, nil) {
		return false, nil
	}
	for {
		select {
		case p, more := <-t.sound:
			switch {
			case !more && ctx.Err() != nil:
				return false, context.Cause(ctx)
			case !more:
				s.over(ctx, t, nil)
				return true, nil
			case p.err != nil && ctx.Err() != nil:
				return false, context.Cause(ctx)
			case p.err != nil:
				s.over(ctx, t, p.err)
				return false, p.err
			case !yield(p.frame, nil):
				return false, nil
			}
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// over notes how t went.
func (s *Speaker) over(ctx context.Context, t *take, err error) {
	if err == nil {
		t.health.worked()
	} else {
		t.health.failed(err)
	}
	l := Latency{Provider: t.Name, Kind: "tts", Total: time.Since(t.began), Err: err}
	if t.some && t.first.err == nil {
		l.First = t.delay
	}
	tell(ctx, s.observe, l)
}
