package media

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// Source is sound to be played, pulled by the pacer. One that also has the
// method Ended() bool, true when Next would return false, ends to the
// nanosecond and is followed without a gap; see [Stream.Play].
type Source interface {
	// Next fills f with the next 20 ms, at the source's rate if it has a
	// method Rate() int, else at the one that the stream had when the Play
	// began. It returns false at the end; f is then not sent. It is called
	// from the pacer's goroutine and must not block, nor call the stream.
	Next(f pcm.Frame) bool
}

// ender is a Source that knows its end before it is asked for more.
type ender interface{ Ended() bool }

// outPlayer is a Source that wants to know when its last frame is over.
type outPlayer interface{ playedOut() }

// Player is a [Source] that plays a clip once.
type Player struct {
	clip pcm.Clip
	next atomic.Int64 // the sample that comes next; moved by the pacer, read by anyone
}

// NewClip makes a player of c for a stream of that rate. The clip is
// resampled here when it has another one.
func NewClip(c pcm.Clip, rate int) *Player { return &Player{clip: c.At(rate)} }

// Rate is that of its frames, in Hz.
func (p *Player) Rate() int { return p.clip.Rate }

// Next takes the next 20 ms; the last frame is filled up with silence.
func (p *Player) Next(f pcm.Frame) bool {
	if p.Ended() {
		return false
	}
	at := p.next.Load()
	n := copy(f, p.clip.Samples[at:])
	clear(f[n:])
	p.next.Store(at + int64(n))
	return true
}

// Ended reports whether the whole clip has been taken.
func (p *Player) Ended() bool { return p.next.Load() >= int64(len(p.clip.Samples)) }

// Played is how much of the clip has been sent, to the last frame begun.
func (p *Player) Played() time.Duration {
	return pcm.Clip{Rate: p.clip.Rate, Samples: p.clip.Samples[:p.next.Load()]}.Duration()
}

// play is one Play or SendDigits under way.
type play struct {
	src    sourceAt
	digits *digits       // instead of src
	begun  time.Duration // all times are since the pacer's start
	heard  bool          // a frame of it has been taken
	over   time.Duration // when the last frame is over, 0 while that is not known
	done   chan struct{}
	err    error // set before done is closed
}

// ended reports whether the play knows that nothing of it is left.
func (p *play) ended() bool {
	if p.digits != nil {
		return p.digits.ended()
	}
	e, ok := p.src.Source.(ender)
	return ok && e.Ended()
}

// Play plays src and blocks until its last frame has been played out; that of
// a source without Ended until Next has said no, when a frame of silence has
// gone out already. Cut short it returns context.Cause(ctx), and nothing more
// of src is sent from the next frame on. It returns ErrClosed when the stream
// closes. On a stream that may not send (hold) time goes on: frames are taken
// and not sent. Before Start none is taken.
//
// One source is heard at a time. While another Play or SendDigits that began
// later is under way, this one waits where it is.
func (s *Stream) Play(ctx context.Context, src Source) error {
	p := &play{src: sourceAt{Source: src, rate: s.Rate()}, done: make(chan struct{})}
	if r, ok := src.(rated); ok {
		p.src.rate = r.Rate()
	}
	err := s.wait(ctx, p)
	if o, ok := src.(outPlayer); ok && err == nil {
		o.playedOut()
	}
	return err
}

// wait gives p to the pacer and waits for its end.
func (s *Stream) wait(ctx context.Context, p *play) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.ended() {
		return nil
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	p.begun = s.pacer.since()
	s.plays = append(s.plays, p)
	s.mu.Unlock()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		if s.cut(p) {
			return context.Cause(ctx)
		}
		return p.err
	}
}

// cut takes p out, and reports whether that cut it short. One whose end is due
// at this very moment has been played.
func (s *Stream) cut(p *play) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.plays, p)
	if i < 0 {
		return false
	}
	s.plays = slices.Delete(s.plays, i, i+1)
	if p.digits != nil {
		s.release(p.digits)
	}
	return !(p.over > 0 && p.over <= s.pacer.since() && p.ended())
}

// end takes p out because it has been played. s.mu is held.
func (s *Stream) end(p *play, err error) {
	if i := slices.Index(s.plays, p); i >= 0 {
		s.plays = slices.Delete(s.plays, i, i+1)
		p.err = err
		close(p.done)
	}
}

// Tap calls f with the sound received, a frame every 20 ms without exception:
// in order, losses concealed, silence when nothing comes; at the rate that the
// stream has now, also when a Configure changes that. f is called from the
// pacer's goroutine and must not block; the frame is its own only until it
// returns. A call that has begun may still be under way when remove returns.
func (s *Stream) Tap(f func(pcm.Frame)) (remove func()) {
	return s.listen(&tap{hear: f, rate: s.Rate()})
}

func (s *Stream) listen(t *tap) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taps = append(slices.Clip(s.taps), t) // the pacer may hold the old slice
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taps = without(s.taps, t)
	}
}

// without returns taps less t, in a new slice.
func without(taps []*tap, t *tap) []*tap {
	return slices.DeleteFunc(slices.Clone(taps), func(x *tap) bool { return x == t })
}

// Echo sends back what is heard until ctx is done, 20 ms after it left the
// jitter buffer, and returns context.Cause(ctx).
func (s *Stream) Echo(ctx context.Context) error {
	e := &echo{heard: make(pcm.Frame, pcm.FrameLen(s.Rate()))}
	remove := s.Tap(e.hear)
	defer remove()
	return s.Play(ctx, e)
}

// echo plays the frame heard last. Both ends are on the pacer's goroutine.
type echo struct {
	heard pcm.Frame
}

func (e *echo) hear(f pcm.Frame) { copy(e.heard, f) }

func (e *echo) Next(f pcm.Frame) bool {
	copy(f, e.heard)
	return true
}
