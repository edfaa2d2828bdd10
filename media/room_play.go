package media

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// show is sound that the room plays, one Play under way.
type show struct {
	src    Source
	except *Member
	begun  time.Duration // since the pacer's start
	cut    bool
	frame  [2]pcm.Frame // by the last bit of the tick, as in Room.sums
	on     [2]bool      // whether frame was heard in that tick

	ended bool
	done  chan struct{}
	over  time.Duration // when its last frame is over, since the pacer's start; set before done is closed
	err   error         // likewise
}

// Play plays src to all members but except (nil: to all), together with their
// voices, and blocks until its last frame is over. Several are heard at once.
// Cut short it returns context.Cause(ctx), and nothing more is heard of src
// from the next tick on. While no member plays time stands still for src,
// which is at the room's rate and must not call the room.
func (r *Room) Play(ctx context.Context, src Source, except *Member) error {
	err := r.show(ctx, src, except)
	if o, ok := src.(outPlayer); ok && err == nil {
		o.playedOut()
	}
	return err
}

func (r *Room) show(ctx context.Context, src Source, except *Member) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := src.(ender); ok && e.Ended() {
		return nil
	}
	s := &show{src: src, except: except, begun: r.pacer.since(), done: make(chan struct{})}
	if err := r.begin(s); err != nil {
		return err
	}
	select {
	case <-s.done:
		if s.err != nil {
			return s.err
		}
	case <-ctx.Done():
		r.mu.Lock()
		s.cut = true
		r.mu.Unlock()
		return context.Cause(ctx)
	}
	last := time.NewTimer(s.over - r.pacer.since())
	defer last.Stop()
	select {
	case <-last.C:
	case <-ctx.Done():
		if r.pacer.since() < s.over {
			return context.Cause(ctx)
		}
	}
	return nil
}

func (r *Room) begin(s *show) error {
	for i := range s.frame {
		s.frame[i] = make(pcm.Frame, pcm.FrameLen(r.rate))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrRoomClosed
	}
	r.shows = append(r.shows, s)
	return nil
}

// sound takes the frame of tick n. A show that began while the tick was under
// way waits for the next, so that it does not matter who came first.
func (s *show) sound(n int64) {
	i := n & 1
	if s.begun > time.Duration(n)*pcm.FrameTime && !s.cut {
		return
	}
	s.on[i] = !s.cut && !s.ended && s.src.Next(s.frame[i])
	if !s.on[i] {
		s.finish(time.Duration(n)*pcm.FrameTime, nil)
		return
	}
	if e, ok := s.src.(ender); ok && e.Ended() {
		s.finish(time.Duration(n+1)*pcm.FrameTime, nil)
	}
}

// finish lets Play return at over. Only the first call counts.
func (s *show) finish(over time.Duration, err error) {
	if !s.ended {
		s.ended, s.over, s.err = true, over, err
		close(s.done)
	}
}
