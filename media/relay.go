package media

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// Music is what is heard on hold: a clip, again and again. One without samples
// is silence.
type Music = pcm.Clip

const (
	// relayPause is how long nothing may come from the other side before the
	// pacer sends silence in its place: longer than most networks stall, for a
	// frame put in shifts all that follows it.
	relayPause = 200 * time.Millisecond

	// holdAfter is how long a side that has put us on hold must be silent to
	// be one without music of its own.
	holdAfter = time.Second

	// relayJump is the step in a source's timestamps that is taken for a new
	// time line.
	relayJump = time.Second

	// relayLate is how many packets a packet may have been overtaken by and
	// still be passed on.
	relayLate = 32
)

// Relay joins two streams: what one receives the other sends, packet by
// packet as it comes, the payload as it is when both have the same codec and
// transcoded else. Losses stay losses, and packets that overtook each other
// stay so: the far end's jitter buffer knows best what to do with them.
//
// Keys are passed on as keys: telephone-events (RFC 4733) as such, or as tones
// where the other side has none, and what comes by [Stream.Press] likewise.
// [Stream.Keys] and [Stream.Tap] go on.
//
// A Play on a stream wins over what is relayed to it, but not over keys. While
// a side is on hold (its Config lets nothing come; or it may not be sent to and
// has been silent for a second) the other side hears the music from where it
// was left.
//
// A stream is in one relay at most: another one with it ends this, as does the
// Close of either, and stop. Both then send silence again.
func Relay(a, b *Stream, hold Music) (stop func()) {
	br := &bridge{a: a, b: b}
	br.join(a, b, hold)
	br.join(b, a, hold)
	return br.end
}

// bridge is two streams that are joined. No lock is held on both of them.
type bridge struct {
	a, b *Stream
	over atomic.Bool
}

// join has s send what peer receives.
func (br *bridge) join(s, peer *Stream, hold Music) {
	rate := s.Rate()
	r := &relay{bridge: br, peer: peer, music: sourceAt{Source: NewLoop(hold, rate), rate: rate}}
	s.mu.Lock()
	old := s.relay
	s.relay = nil
	if !s.closed && !br.over.Load() {
		r.last = s.pacer.since()
		s.relay = r
	}
	closed := s.closed
	s.mu.Unlock()
	if old != nil {
		old.bridge.end()
	}
	if closed {
		br.end()
	}
}

func (br *bridge) end() {
	br.over.Store(true)
	for _, s := range []*Stream{br.a, br.b} {
		s.mu.Lock()
		if s.relay != nil && s.relay.bridge == br {
			s.relay = nil
		}
		s.mu.Unlock()
	}
}

// relay is what a stream sends of what its peer receives. It belongs to the
// stream that sends and is guarded by its mu.
type relay struct {
	bridge *bridge
	peer   *Stream
	music  sourceAt
	packet []byte // the last that was sent, for its memory
	theirs hearing

	last    time.Duration // when a packet of sound came, since the pacer's start; at first when the relay began
	flowing bool          // such packets come, so the pacer need not send any

	// A run is packets of one source that are sent with the distances between
	// their numbers, and between their timestamps, that they came with. It
	// ends when something else is sent, so that all that a stream sends is
	// numbered in one row, on one clock.
	running        bool
	ssrc           uint32
	first, highest int64  // numbers of the run, as they came
	addSeq         uint16 // what they are moved by
	addTS          uint32

	event   bool // the event under way is passed on packet by packet
	eventTS uint32
	tones   *keyTones // keys under way to a peer without events
}

// passed is a packet, or a key that came without one, on its way from the
// stream that received it to the one that sends it.
type passed struct {
	to     *Stream // nil when there is nothing to pass on
	bridge *bridge
	kind   passedKind
	at     time.Time

	codec     string
	ssrc      uint32
	seq, ts   int64 // extended
	marker    bool
	restarted bool // the numbers do not follow on from those before
	payload   []byte

	press bool // with this packet an event begins
	digit rune // that is a key not yet known, else 0
}

type passedKind int

const (
	passedNothing passedKind = iota // a packet that is not passed on: its number is missing
	passedSound
	passedEvent
	passedKey // without a packet
)

// onward begins a packet for the peer, if there is one. s.mu is held.
func (s *Stream) onward(p *passed, now time.Time) {
	if s.relay != nil {
		p.to, p.bridge, p.at = s.relay.peer, s.relay.bridge, now
	}
}

// pass gives the packet to the stream that sends it. No lock is held: two
// streams that pass packets to each other would wait for each other.
func (p *passed) pass() {
	s := p.to
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.relay
	if r == nil || r.bridge != p.bridge || !s.started {
		return
	}
	now := p.at.Sub(s.pacer.start)
	switch p.kind {
	case passedSound:
		r.last, r.flowing = now, true
		if !s.sending() || s.playing() {
			r.running = false
			return
		}
		s.relaySound(r, p, now)
	case passedEvent:
		s.relayEvent(r, p, now)
	case passedKey:
		s.relayKey(r, p.digit, now)
	default:
		r.running = false // the numbers close up over the one left out
	}
}

// playing reports whether something plays of which a frame has been sent.
func (s *Stream) playing() bool {
	return slices.ContainsFunc(s.plays, func(p *play) bool { return p.heard })
}

// next is a packet to send, with room for n bytes of payload.
func (r *relay) next(n int) []byte {
	r.packet = slices.Grow(r.packet[:0], rtpHeader+n)[:rtpHeader+n]
	return r.packet
}

// relaySound sends a packet of sound on.
func (s *Stream) relaySound(r *relay, p *passed, now time.Duration) {
	step := uint32(p.ts) + r.addTS - s.sentTS
	jumps := p.seq > r.highest && (int32(step) <= 0 || step > uint32(ticks(relayJump, clockRate)))
	begins := !r.running || p.ssrc != r.ssrc || p.restarted || jumps
	switch {
	case begins:
		r.running, r.ssrc, r.first, r.highest = true, p.ssrc, p.seq, p.seq
		r.addSeq = s.out.SequenceNumber - uint16(p.seq)
		r.addTS = s.clock(now) - uint32(p.ts)
	case p.seq < r.first || p.seq <= r.highest-relayLate:
		return // its number went to another packet, or its time is over
	}
	r.highest = max(r.highest, p.seq)
	h := s.out
	h.SequenceNumber, h.Timestamp = uint16(p.seq)+r.addSeq, uint32(p.ts)+r.addTS
	h.Marker = p.marker || begins
	packet := r.next(len(p.payload))
	payload := packet[rtpHeader:]
	r.transcode(payload, p, s.codec)
	s.sendRTP(packet, &h)
	s.stats.Relayed++
	s.out.Marker = true // of the next that the pacer sends
	s.heardSent.relayed(p, payload, begins)
}

// relayEvent sends a packet of a telephone-event on. Its number is the next,
// whichever it came with: events have numbers of their own with some senders,
// and a Play may be sending between them. What of it is lost does not matter,
// as each packet tells all.
func (s *Stream) relayEvent(r *relay, p *passed, now time.Duration) {
	r.running = false
	if p.press {
		r.event = p.digit != 0 && s.cfg.EventType != 0 && !s.sendsDigits()
		if r.event {
			r.eventTS = s.clock(now) - uint32(p.ts)
		} else if p.digit != 0 {
			s.relayKey(r, p.digit, now)
		}
	}
	if !r.event || !s.sending() {
		return
	}
	h := s.out
	h.PayloadType, h.Timestamp, h.Marker = s.cfg.EventType, uint32(p.ts)+r.eventTS, p.marker
	packet := r.next(len(p.payload))
	copy(packet[rtpHeader:], p.payload)
	s.sendRTP(packet, &h)
	s.stats.Relayed++
	s.out.Marker = true
}

// sendsDigits reports whether digits of our own are being sent as events.
func (s *Stream) sendsDigits() bool {
	n := len(s.plays)
	return n > 0 && s.plays[n-1].digits != nil && !s.plays[n-1].ended()
}

// relayKey sends a key as an event of our own, or as a tone, after those that
// are under way.
func (s *Stream) relayKey(r *relay, key rune, now time.Duration) {
	d, err := parseDigits(string(key))
	if err != nil {
		return
	}
	p := &play{digits: d, begun: now, done: make(chan struct{})}
	switch {
	case s.cfg.EventType != 0 && s.sendsDigits():
		under := s.plays[len(s.plays)-1].digits
		under.left = append(under.left, d.left...)
		return
	case s.cfg.EventType == 0 && r.tones != nil && !r.tones.Ended():
		r.tones.left = append(r.tones.left, d.tones(r.tones.rate).Samples...)
		return
	case s.cfg.EventType == 0:
		rate := s.codec.rate
		r.tones = &keyTones{rate, d.tones(rate).Samples}
		p.digits, p.src = nil, sourceAt{Source: r.tones, rate: rate}
	}
	s.plays = append(s.plays, p)
}

// keyTones is a source that grows while it is played. It is guarded by the mu
// of its stream.
type keyTones struct {
	rate int // of its samples, Hz
	left []int16
}

func (k *keyTones) Next(f pcm.Frame) bool {
	if k.Ended() {
		return false
	}
	n := copy(f, k.left)
	clear(f[n:])
	k.left = k.left[n:]
	return true
}

func (k *keyTones) Ended() bool { return len(k.left) == 0 }

// fill is for a tick in which nothing plays. It puts into f what is heard
// while nothing comes: music (sound) or else silence; unless packets flow.
func (r *relay) fill(f pcm.Frame, now time.Duration) (sound, flowing bool) {
	quiet := now - r.last
	r.flowing = r.flowing && quiet < relayPause
	switch h := holding(r.peer.holding.Load()); {
	case h == receivesNothing, h == sendsNothing && quiet >= holdAfter:
		r.flowing = false
		return r.music.Next(f), false
	}
	return false, r.flowing
}

// holding is what a stream's Config lets through, for its peer to see without
// the lock.
type holding int32

const (
	notHeld holding = iota
	sendsNothing
	receivesNothing
)

func (c Config) holding() holding {
	switch {
	case !c.Receive:
		return receivesNothing
	case !c.Send:
		return sendsNothing
	}
	return notHeld
}
