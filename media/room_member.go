package media

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/vad"
)

// MemberOptions says how a member comes into a [Room].
type MemberOptions struct {
	Muted bool

	// Jitter is how much later than the others the member may be heard, in
	// whole frames: what comes in more late is heard as soon as it comes, and
	// the oldest is left out when more than this is waiting. It evens out the
	// lateness of this machine; that of the network is evened out by the
	// stream. 0 is a frame that comes in time or is not heard.
	Jitter time.Duration
}

// Member is a stream in a room.
type Member struct {
	room   *Room
	stream *Stream

	// The rest is guarded by room.mu.
	muted, deaf bool
	coachee     *Member   // the only one who hears it, if there is one
	coaches     []*Member // whose coachee this is

	playing, left bool
	begun         time.Duration // the Play under way, since the pacer's start
	end           context.CancelCauseFunc
	waiting       backlog
	voice         [2]pcm.Frame // what it said in a tick, by the tick's last bit
	said          [2]audience  // to whom

	// These belong to the goroutine of the stream's shard.
	in, out converter
	mixed   pcm.Frame // what it hears, at the room's rate
	vad     *vad.Detector

	turn sync.Mutex // held while the room's Talk is told; locked before room.mu
	talk talk
}

// audience is who hears what a member says in a tick.
type audience int

const (
	toNobody audience = iota
	toAll
	toOne // the coachee
)

// Join makes s a member. It hears the room and is heard there while
// [Member.Play] is under way.
func (r *Room) Join(s *Stream, o MemberOptions) *Member {
	m := &Member{room: r, stream: s, muted: o.Muted, mixed: make(pcm.Frame, pcm.FrameLen(r.rate))}
	for i := range m.voice {
		m.voice[i] = make(pcm.Frame, pcm.FrameLen(r.rate))
	}
	m.waiting = newBacklog(1+int(max(0, o.Jitter)/pcm.FrameTime), pcm.FrameLen(r.rate))
	if r.talk != nil {
		m.vad = vad.New(r.rate)
	}
	return m
}

// Play has the stream hear the room, and the room hear the stream, until ctx
// is done (it returns the cause), the member leaves (ErrLeft), the room closes
// (ErrRoomClosed) or the stream does (ErrClosed). While another Play of the
// stream that began later is heard there, the room is not, but still hears the
// member, unless it is deaf or muted. One Play at a time.
func (m *Member) Play(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if err := m.enter(end); err != nil {
		return err
	}
	remove := m.stream.listen(&tap{hear: func(f pcm.Frame) { m.hear(f, m.stream.tapTick()) }})
	defer m.exit()
	defer remove()
	return m.stream.wait(ctx, &play{src: sourceAt{Source: ear{m}}, done: make(chan struct{})})
}

// ear is a member as the source of what it hears, at any rate.
type ear struct{ *Member }

func (e ear) Next(f pcm.Frame) bool {
	e.pull(f, e.stream.playTick())
	return true
}

// playTick is the tick of a room, counted from the pacer's start, that a
// source is asked for: that of the deadline which has come. To be called from
// the source's Next.
func (s *Stream) playTick() int64 { return s.due/s.pacer.slots + int64(s.owed) - 1 }

// tapTick is the same for a tap, when the next deadline is set already.
func (s *Stream) tapTick() int64 { return s.due/s.pacer.slots - 1 }

func (m *Member) enter(end context.CancelCauseFunc) error {
	r := m.room
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return ErrRoomClosed
	case m.left:
		return ErrLeft
	}
	if len(r.members) == 0 {
		r.asleep = true
	}
	m.end, m.begun, m.playing = end, r.pacer.since(), true
	m.waiting.empty()
	r.members = append(r.members, m)
	return nil
}

func (m *Member) exit() {
	r := m.room
	r.mu.Lock()
	m.playing = false
	m.said = [2]audience{}
	r.members = slices.DeleteFunc(r.members, func(x *Member) bool { return x == m })
	r.mu.Unlock()
	m.turn.Lock()
	defer m.turn.Unlock()
	if m.talk.on {
		r.talk(m, false)
	}
	m.talk = talk{}
}

// Leave ends the member's Play, and what it says is not heard any more from
// the next tick on. Whoever coached it is heard by nobody then.
func (m *Member) Leave() {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	m.left = true
	m.coach(nil)
	if m.playing {
		m.end(ErrLeft)
	}
}

// SetMuted says whether the room does not hear the member.
func (m *Member) SetMuted(muted bool) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	m.muted = muted
}

// SetDeaf says whether the member is on hold: it hears nothing of the room, nor
// does the room hear it.
func (m *Member) SetDeaf(deaf bool) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	m.deaf = deaf
}

// Coach has the member be heard by of alone from now on, while it goes on
// hearing all. With nil it is heard by all again.
func (m *Member) Coach(of *Member) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	m.coach(of)
}

// coach is Coach with room.mu held, as all below.
func (m *Member) coach(of *Member) {
	if old := m.coachee; old != nil {
		old.coaches = slices.DeleteFunc(old.coaches, func(c *Member) bool { return c == m })
	}
	m.coachee = of
	if of != nil && of != m {
		of.coaches = append(of.coaches, m)
	}
}

// speak takes what the member says in tick n.
func (m *Member) speak(n int64) {
	i := n & 1
	f := m.waiting.take()
	switch {
	case f == nil, m.muted, m.deaf, m.left:
		m.said[i] = toNobody
		return
	case m.coachee != nil:
		m.said[i] = toOne
	default:
		m.said[i] = toAll
	}
	copy(m.voice[i], f)
}

// pull fills f with what the member hears in tick n. room.mu is not held, here
// and below.
func (m *Member) pull(f pcm.Frame, n int64) {
	r := m.room
	mixed := f
	if len(f) != len(m.mixed) {
		mixed = m.mixed
	}
	r.mu.Lock()
	r.advance(n)
	if n < r.tick-1 {
		n = r.tick // too late for its own
	}
	r.mix(mixed, m, n)
	r.mu.Unlock()
	if len(f) != len(m.mixed) {
		copy(f, m.out.convert(mixed, 50*len(f)))
	}
}

// hear takes what came in from the member at tick n. It is heard in the next.
func (m *Member) hear(f pcm.Frame, n int64) {
	r := m.room
	f = m.in.convert(f, r.rate)
	voice := m.vad != nil && m.vad.Hear(f) // muted or not: it has to know the noise there
	r.mu.Lock()
	if !m.playing || m.begun > time.Duration(n)*pcm.FrameTime {
		r.mu.Unlock()
		return
	}
	r.advance(n)
	m.waiting.put(f)
	voice = voice && !m.muted && !m.deaf && !m.left
	if len(r.taps) == 0 {
		r.toldTick = r.tick
	}
	behind := r.toldTick < r.tick
	r.mu.Unlock()
	if behind {
		r.tell()
	}
	if r.talk != nil {
		m.listen(voice)
	}
}
