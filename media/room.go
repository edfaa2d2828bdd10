package media

import (
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/hookswitch/hookswitch/media/pcm"
)

var (
	// ErrLeft is why a member's Play ends when the member leaves the room.
	ErrLeft = errors.New("media: left the room")

	// ErrRoomClosed is why what plays in a room ends when the room closes.
	ErrRoomClosed = errors.New("media: room closed")
)

// RoomOptions says how a [Room] works. The zero value is right for telephones.
type RoomOptions struct {
	Rate int // of the mix in Hz, 8000 if 0

	// Talk is told when a member begins to talk and when it stops; nil saves
	// the trouble of listening for it. It is called from the pacer's goroutine,
	// or from the member's Play as that ends, and must not block. A talk begins
	// after 280 ms of voice, so that a click or a cough is none, and is over
	// after 600 ms without. A member that may not be heard does not talk.
	Talk func(m *Member, talking bool)
}

// Room mixes: each member hears the sum of the others and of what the room
// plays, and never itself. What is too loud for 16 bits is clipped.
//
// A room has a tick every 20 ms of the pacer's time, and each frame of a member
// belongs to the tick of its stream's deadline, however late it is sent. Who
// comes first to a tick adds up the voices that came in since the last one; for
// all others the sum is there already. So a voice is heard at most one frame
// after it left the jitter buffer, and a tick costs as much as it has members.
type Room struct {
	pacer *Pacer
	rate  int
	talk  func(m *Member, talking bool)

	telling sync.Mutex // one at a time calls the taps; locked before mu
	told    pcm.Frame  // what they hear, guarded by telling

	mu       sync.Mutex
	closed   bool
	members  []*Member // whose Play is under way
	shows    []*show
	taps     []*tap // replaced, never changed
	tick     int64  // the last that is summed up
	toldTick int64  // the last that the taps have heard
	asleep   bool   // nobody was in, so no ticks were missed
	sums     [2][]int32
	sum      []int32 // for a moment
}

// NewRoom makes a room for streams of p. It needs no goroutine of its own.
func NewRoom(p *Pacer, o RoomOptions) *Room {
	if o.Rate <= 0 {
		o.Rate = 8000
	}
	n := pcm.FrameLen(o.Rate)
	return &Room{
		pacer: p, rate: o.Rate, talk: o.Talk, told: make(pcm.Frame, n), sum: make([]int32, n),
		sums: [2][]int32{make([]int32, n), make([]int32, n)},
	}
}

// Close ends the Play of every member and of the room with ErrRoomClosed.
func (r *Room) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, m := range r.members {
		m.end(ErrRoomClosed)
	}
	for _, s := range r.shows {
		s.finish(0, ErrRoomClosed)
	}
	r.taps = nil
}

// Tap calls f with what the room hears, every 20 ms while it has a member that
// plays, be it muted or deaf: all voices but whispers, and all that the room
// plays. f is called from the pacer's goroutine and must not block; the frame
// is its own only until it returns. A call that has begun may still be under
// way when remove returns.
func (r *Room) Tap(f func(pcm.Frame)) (remove func()) {
	t := &tap{hear: f}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return func() {}
	}
	r.taps = append(slices.Clip(r.taps), t)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.taps = without(r.taps, t)
	}
}

// tell has the taps hear the ticks they have not heard yet. A tick that is not
// kept any more, because the pacer was kept from its work, was silent.
func (r *Room) tell() {
	r.telling.Lock()
	defer r.telling.Unlock()
	for {
		r.mu.Lock()
		if r.toldTick >= r.tick {
			r.mu.Unlock()
			return
		}
		r.toldTick++
		if r.toldTick < r.tick-1 {
			clear(r.told)
		} else {
			clip(r.told, r.sums[r.toldTick&1])
		}
		taps := r.taps
		r.mu.Unlock()
		for _, t := range taps {
			t.give(r.told)
		}
	}
}

// advance sums up the ticks to n that have not been. Those missed while nobody
// was in, or the machine slept, never were. r.mu is held, here and below.
func (r *Room) advance(n int64) {
	if n <= r.tick {
		return
	}
	if r.asleep || n-r.tick > maxOwed {
		r.asleep = false
		r.tick = max(r.tick, n-2) // two are kept
		r.toldTick = max(r.toldTick, n-1)
	}
	for r.tick < n {
		r.tick++
		r.add(r.tick)
	}
}

// add sums up what is heard in tick n.
func (r *Room) add(n int64) {
	sum := r.sums[n&1]
	clear(sum)
	for _, m := range r.members {
		m.speak(n)
		if m.said[n&1] == toAll {
			add(sum, m.voice[n&1])
		}
	}
	shows := r.shows[:0]
	for _, s := range r.shows {
		s.sound(n)
		if s.on[n&1] {
			add(sum, s.frame[n&1])
		}
		if !s.ended || s.on[0] || s.on[1] {
			shows = append(shows, s)
		}
	}
	clear(r.shows[len(shows):])
	r.shows = shows
}

// mix fills f with what m hears in tick n, one of the last two.
func (r *Room) mix(f pcm.Frame, m *Member, n int64) {
	i := n & 1
	if m.deaf || !m.playing {
		clear(f)
		return
	}
	copy(r.sum, r.sums[i])
	if m.said[i] == toAll {
		subtract(r.sum, m.voice[i])
	}
	for _, c := range m.coaches {
		if c.said[i] == toOne {
			add(r.sum, c.voice[i])
		}
	}
	for _, s := range r.shows {
		if s.except == m && s.on[i] {
			subtract(r.sum, s.frame[i])
		}
	}
	clip(f, r.sum)
}

func add(sum []int32, f pcm.Frame) {
	sum = sum[:len(f)]
	for i, v := range f {
		sum[i] += int32(v)
	}
}

func subtract(sum []int32, f pcm.Frame) {
	sum = sum[:len(f)]
	for i, v := range f {
		sum[i] -= int32(v)
	}
}

// clip fills f with sum, which may be louder than f can be.
func clip(f pcm.Frame, sum []int32) {
	sum = sum[:len(f)]
	for i, v := range sum {
		f[i] = int16(min(max(v, math.MinInt16), math.MaxInt16))
	}
}
