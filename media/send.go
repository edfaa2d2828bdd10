package media

import (
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/pion/rtp"
)

// lateAfter is how long after its time a frame counts as late.
const lateAfter = 5 * time.Millisecond

// maxOwed is how many skipped frames the taps still get, 10 seconds: after
// more than that the machine was asleep, and so was the call.
const maxOwed = 500

// scratch is the memory that sending and receiving a frame needs for a
// moment; each shard has one for all its streams.
type scratch struct {
	frame  [maxFrame]int16
	sent   [maxFrame]int16 // for the taps of what is sent
	packet [rtpHeader + frameTicks]byte
	event  [4]byte
}

// rtpHeader is the size of our RTP headers: no CSRCs, no extensions.
const rtpHeader = 12

// sending reports whether RTP goes out at all. s.mu is held, here and below.
func (s *Stream) sending() bool { return s.cfg.Send && s.stats.Remote.IsValid() && !s.closed }

// send sends the frame that is due. A frame whose whole 20 ms have passed is
// skipped, never caught up with: the timestamps tell of the gap, and the
// source goes on where it was.
func (s *Stream) send(sc *scratch, skipped int64, asOf, deadline time.Duration) (last *play) {
	frame := s.codec.frame()
	s.out.Timestamp += uint32(skipped) * frameTicks
	s.stats.Skipped += uint64(skipped)
	s.owed = int(min(skipped, maxOwed)) + 1
	p, sound := s.pull(sc.frame[:frame], asOf)
	flowing := false // what is relayed goes out as it comes
	if p == nil && s.relay != nil && s.sending() {
		sound, flowing = s.relay.fill(sc.frame[:frame], asOf)
	}
	if !flowing && int32(s.out.Timestamp-s.sentTS) <= 0 { // a relay sent more than its time
		s.out.Timestamp = s.sentTS + frameTicks
	}
	kind := sentSilence
	switch {
	case !s.sending():
		if p != nil && p.digits != nil {
			p.digits.next(&sc.event, s.out.Timestamp)
		}
	case flowing:
		kind = sentRelayed
	case sound:
		kind = sentPlayed
		s.codec.encode(sc.packet[rtpHeader:], sc.frame[:frame])
		s.sendPacket(sc, &s.out, frameTicks)
		s.out.Marker = false
	case p != nil && p.digits != nil && s.sendEvent(sc, p.digits):
	default:
		s.sendSilence(sc)
	}
	s.heardSent.note(kind, sc.frame[:frame])
	s.out.Timestamp += frameTicks
	s.next = deadline + pcm.FrameTime
	if p != nil && p.ended() {
		p.over = deadline + pcm.FrameTime
		return p
	}
	return nil
}

// pull asks the play that is heard for its frame. The plays that are found to
// have ended meanwhile are taken out; they are told when the tick is over.
// Plays begun after asOf wait for the next frame, so that it does not matter
// which stream of a tick comes first.
func (s *Stream) pull(f pcm.Frame, asOf time.Duration) (p *play, sound bool) {
	for i := len(s.plays) - 1; i >= 0; i-- {
		p := s.plays[i]
		switch {
		case p.begun > asOf:
		case p.digits != nil && !p.digits.ended():
			p.heard = true
			return p, false
		case p.digits == nil && p.src.Next(f):
			p.heard = true
			return p, true
		default:
			s.plays = append(s.plays[:i], s.plays[i+1:]...)
			s.over = append(s.over, p)
		}
	}
	return nil, false
}

func (s *Stream) sendSilence(sc *scratch) {
	frame := sc.frame[:s.codec.frame()]
	clear(frame)
	s.codec.encode(sc.packet[rtpHeader:], frame)
	s.sendPacket(sc, &s.out, frameTicks)
	s.out.Marker = false
}

// clock is the timestamp of what begins now, after that of the packet before.
func (s *Stream) clock(now time.Duration) uint32 {
	ts := s.out.Timestamp - uint32(ticks(s.next-now, clockRate))
	if int32(ts-s.sentTS) <= 0 {
		ts = s.sentTS + frameTicks
	}
	return ts
}

// sendEvent sends the packet of digit d that this frame has, if any.
func (s *Stream) sendEvent(sc *scratch, d *digits) bool {
	ts, marker, ok := d.next(&sc.event, s.out.Timestamp)
	if ok {
		s.sendEventPacket(sc, ts, marker)
	}
	return ok
}

// release lets go of a digit under way: its end, three times.
func (s *Stream) release(d *digits) {
	sc := new(scratch)
	ts, ok := d.cut(&sc.event)
	if !ok || !s.sending() {
		return
	}
	for range 3 {
		s.sendEventPacket(sc, ts, false)
	}
}

func (s *Stream) sendEventPacket(sc *scratch, ts uint32, marker bool) {
	h := s.out
	h.PayloadType, h.Timestamp, h.Marker = s.cfg.EventType, ts, marker
	copy(sc.packet[rtpHeader:], sc.event[:])
	s.sendPacket(sc, &h, len(sc.event))
}

// sendPacket sends the n bytes of payload that stand in sc. What a relay sends
// next is another run.
func (s *Stream) sendPacket(sc *scratch, h *rtp.Header, n int) {
	if s.relay != nil {
		s.relay.running = false
	}
	s.sendRTP(sc.packet[:rtpHeader+n], h)
}

// sendRTP sends b, after writing h into it.
func (s *Stream) sendRTP(b []byte, h *rtp.Header) {
	h.MarshalTo(b)
	if int16(h.SequenceNumber-s.out.SequenceNumber) >= 0 {
		s.out.SequenceNumber = h.SequenceNumber + 1
	}
	if int32(h.Timestamp-s.sentTS) > 0 {
		s.sentTS = h.Timestamp
	}
	if err := s.wire.Send(b); err != nil {
		s.stats.SendErrors++
		return
	}
	s.stats.Sent++
	s.stats.SentBytes += uint64(len(b) - rtpHeader)
}
