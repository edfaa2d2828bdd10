package media

import (
	"slices"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// heardSent is what the taps of a stream's sending side hear.
type heardSent struct {
	taps   []*tap        // replaced, never changed
	frame  pcm.Frame     // of this tick, when it is played
	buffer *jitterBuffer // of what is relayed
	kind   sentKind
}

// sentKind is what a stream sends in a tick.
type sentKind int

const (
	sentSilence sentKind = iota
	sentPlayed
	sentRelayed
)

// TapSent is [Stream.Tap] for what the stream sends: a frame every 20 ms
// without exception, of what plays, of what is relayed, or silence, which
// stands for digits sent as events too. What is relayed is put in order and
// has its losses concealed first, so it is heard as late as a tap of the peer
// hears it, 40 ms or more after it was sent.
func (s *Stream) TapSent(f func(pcm.Frame)) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &tap{hear: f, rate: s.codec.rate}
	if s.closed {
		return func() {}
	}
	h := &s.heardSent
	if h.buffer == nil {
		h.buffer = newJitterBuffer(codecFor(s.codec.name))
		h.frame = make(pcm.Frame, maxFrame)
	}
	h.taps = append(slices.Clip(h.taps), t)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		h.taps = without(h.taps, t)
	}
}

// relayed takes a packet that has just been sent on. s.mu is held, here and
// below.
func (h *heardSent) relayed(p *passed, payload []byte, begins bool) {
	if len(h.taps) == 0 {
		return
	}
	h.buffer.splice = h.buffer.splice || begins && h.buffer.running
	h.buffer.put(p.seq, p.ts, false, payload)
}

// note takes what goes out in this tick; f is what is played.
func (h *heardSent) note(kind sentKind, f pcm.Frame) {
	if len(h.taps) == 0 {
		return
	}
	h.kind = kind
	if kind == sentPlayed {
		copy(h.frame, f)
	}
	if kind != sentRelayed {
		h.buffer.reset()
	}
}

// pull fills f with the frame that is due, the last of this tick or one of
// those that were skipped before it.
func (h *heardSent) pull(f pcm.Frame, last bool) {
	switch {
	case h.kind == sentRelayed:
		h.buffer.pull(f)
	case h.kind == sentPlayed && last:
		copy(f, h.frame)
	default:
		clear(f)
	}
}
