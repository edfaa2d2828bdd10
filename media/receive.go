package media

import (
	"net/netip"
	"time"

	"github.com/pion/rtp"
)

// maxPacket is the longest packet taken; our codecs at any sane packet time
// are far shorter, and nothing longer crosses an Ethernet in one piece.
const maxPacket = 1500

// comfortNoise is the payload type of RFC 3389.
const comfortNoise = 13

// Receive takes one RTP packet. Keys it brings are delivered before it
// returns. The bytes are the caller's again then.
func (s *Stream) Receive(b []byte, from netip.AddrPort) {
	var p passed
	s.mu.Lock()
	s.receive(b, from, &p)
	s.mu.Unlock()
	p.pass()
}

// receive is Receive, and fills p with what is relayed. s.mu is held, here and
// below.
func (s *Stream) receive(b []byte, from netip.AddrPort, p *passed) {
	if s.closed {
		return
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if !s.latch.allows(from.Addr()) {
		s.stats.Foreign++
		return
	}
	payload, ok := s.parse(b)
	if !ok {
		s.stats.Malformed++
		return
	}
	h := &s.in
	ok, locks := s.latch.accept(from, h.SSRC, h.SequenceNumber)
	if !ok {
		s.stats.Foreign++
		return
	}
	if locks && from != s.stats.Remote {
		s.follow(from)
	}
	s.stats.Received++
	s.stats.ReceivedBytes += uint64(len(payload))
	now := time.Now()
	s.stats.LastReceived = now
	if s.cfg.EventType != 0 && h.PayloadType == s.cfg.EventType {
		s.hearEvent(h, payload, now, p)
		return
	}
	if !s.cfg.Receive || !s.follows(h) {
		return
	}
	s.hear(h, payload, now, p)
}

// parse reads the header into s.in and returns the payload without padding.
func (s *Stream) parse(b []byte) (payload []byte, ok bool) {
	if len(b) < rtpHeader || len(b) > maxPacket || b[0]>>6 != 2 {
		return nil, false
	}
	switch pt := b[1] & 0x7f; {
	case pt == s.cfg.PayloadType, pt == comfortNoise:
	case pt == s.cfg.EventType && pt != 0:
	default:
		return nil, false
	}
	n, err := s.in.Unmarshal(b)
	if err != nil {
		return nil, false
	}
	payload = b[n:]
	if s.in.Padding {
		if len(payload) == 0 {
			return nil, false
		}
		pad := int(payload[len(payload)-1])
		if pad == 0 || pad > len(payload) {
			return nil, false
		}
		payload = payload[:len(payload)-pad]
	}
	return payload, true
}

// follow sends to where packets come from, and RTCP to the port beside it
// until RTCP comes from another.
func (s *Stream) follow(from netip.AddrPort) {
	rtcp := s.report.remote
	if from.Port() < 65535 {
		rtcp = netip.AddrPortFrom(from.Addr(), from.Port()+1)
	}
	s.report.latched = false
	s.setRemote(from, rtcp)
}

// follows reports whether the packet is of the source that is heard. A source
// that starts anew (another SSRC, or numbers far from the last) takes over
// with its second packet in a row; the first is lost, and concealed.
func (s *Stream) follows(h *rtp.Header) bool {
	if !s.heard.known {
		s.heard.ssrc = h.SSRC
		return true
	}
	if h.SSRC == s.heard.ssrc {
		s.other.known = false
		return true
	}
	confirmed := s.other.known && h.SSRC == s.other.ssrc && h.SequenceNumber == s.other.seq+1
	s.other = rival{h.SSRC, h.SequenceNumber, true}
	if confirmed {
		s.stats.Duplicate += s.heard.duplicate
		s.heard = reception{ssrc: h.SSRC}
		s.other.known = false
		s.buffer.splice = true
	}
	return confirmed
}

// hearEvent takes a packet of a telephone-event. A press counts whatever the
// state of the sound: events pass by the jitter buffer, and some senders give
// them an SSRC of their own.
func (s *Stream) hearEvent(h *rtp.Header, payload []byte, now time.Time, p *passed) {
	digit, press := s.events.read(h, payload)
	known := press && !s.pressed(digit, byEvent, now)
	v := fresh
	if s.heard.known && h.SSRC == s.heard.ssrc {
		_, _, v = s.heard.note(h.SequenceNumber, h.Timestamp)
	}
	if v == again {
		return
	}
	s.onward(p, now)
	if len(payload) < 4 || int(payload[0]) >= len(eventDigits) {
		return // not a key
	}
	p.kind, p.ts, p.marker, p.payload = passedEvent, int64(h.Timestamp), h.Marker, payload[:4]
	p.press = press
	if press && !known {
		p.digit = digit
	}
}

// hear gives a packet of sound to the relay and to the jitter buffer.
func (s *Stream) hear(h *rtp.Header, payload []byte, now time.Time, p *passed) {
	seq, ts, v := s.heard.note(h.SequenceNumber, h.Timestamp)
	switch v {
	case again, doubtful:
		return
	case restarted:
		s.buffer.splice = true
	}
	noise := h.PayloadType == comfortNoise
	if !noise {
		s.heard.time(ticks(now.Sub(s.pacer.start), clockRate), ts)
	}
	s.onward(p, now)
	if !noise && len(payload) > 0 {
		p.kind, p.codec, p.ssrc, p.seq, p.ts = passedSound, s.codec.name, h.SSRC, seq, ts
		p.marker, p.restarted, p.payload = h.Marker, v == restarted, payload
	}
	if s.unheard() {
		s.buffer.reset()
		return
	}
	s.buffer.put(seq, ts, noise, payload)
}

// unheard reports whether nobody here hears what comes in, because all of it
// is relayed: the jitter buffer need not run then.
func (s *Stream) unheard() bool { return s.relay != nil && len(s.taps) == 0 }

// deliver brings the receiving side up to the tick: the sound that is due goes
// to the taps, plays that have ended are told, reports are sent. Called on the
// shard's goroutine without s.mu.
func (s *Stream) deliver(sc *scratch, now time.Duration) {
	for {
		s.mu.Lock()
		if s.closed || s.owed == 0 {
			break
		}
		s.owed--
		taps, frame := s.taps, sc.frame[:s.codec.frame()]
		if !s.unheard() {
			s.buffer.pull(frame)
		}
		if s.private != nil {
			clear(frame)
		}
		sentTaps, sent := s.heardSent.taps, sc.sent[:len(frame)]
		if len(sentTaps) > 0 {
			s.heardSent.pull(sent, s.owed == 0)
		}
		s.mu.Unlock()
		for _, t := range taps {
			t.give(frame)
		}
		for _, t := range sentTaps {
			t.give(sent)
		}
	}
	for _, p := range s.over {
		close(p.done)
	}
	clear(s.over)
	s.over = s.over[:0]
	if now >= s.report.next && !s.closed {
		s.report.next = now + reportInterval()
		s.sendReport(false)
	}
	s.mu.Unlock()
}
