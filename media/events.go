package media

import (
	"encoding/binary"

	"github.com/pion/rtp"
)

// eventDigits are the telephone-events that are keys, by their number (RFC
// 4733 section 3.2). The flash of the hook, 16, is none.
const eventDigits = "0123456789*#ABCD"

// event is one packet-borne press: where it began and how far it is known to
// last, on the RTP clock.
type event struct {
	code       uint8
	start, end uint32
}

// events finds the presses in a stream of telephone-event packets (RFC 4733
// section 2.5). A press is known by its timestamp, which all its packets
// share; so it is found in whichever packet arrives first and in no other,
// whatever is lost, doubled or late, and whether or not the marker is set.
type events struct {
	ssrc uint32
	seen [32]event // a ring of the latest
	n    int       // events seen in all
}

// read takes one packet and returns its digit when the press is a new one.
func (e *events) read(h *rtp.Header, payload []byte) (digit rune, ok bool) {
	if len(payload) < 4 || int(payload[0]) >= len(eventDigits) {
		return 0, false
	}
	if h.SSRC != e.ssrc {
		*e = events{ssrc: h.SSRC}
	}
	code, start := payload[0], h.Timestamp
	end := start + uint32(binary.BigEndian.Uint16(payload[2:]))
	known := false
	for i := range min(e.n, len(e.seen)) {
		p := &e.seen[i]
		if p.code != code {
			continue
		}
		if p.start == start {
			if int32(end-p.end) > 0 {
				p.end = end
			}
			return 0, false
		}
		known = known || !h.Marker && continues(p, start, end)
	}
	if e.n > 0 && !known {
		newest := e.seen[(e.n-1)%len(e.seen)].start
		if d := int32(start - newest); d < -8000 && d > -80000 {
			return 0, false // a straggler of a press that is long over
		}
	}
	e.seen[e.n%len(e.seen)] = event{code, start, end}
	e.n++
	return rune(eventDigits[code]), !known
}

// continues reports whether a packet of the same key with another timestamp
// belongs to press p. It does when the two touch in time, for a key cannot be
// pressed again before it is let go: some senders move the timestamp with
// every packet, and a press longer than the 65,535 ticks of the duration field
// goes on as a new event that begins where the field ran out (RFC 4733 section
// 2.5.1.3).
func continues(p *event, start, end uint32) bool {
	const full = 0xffff
	touches := int32(start-p.end) <= 0 && int32(end-p.start) >= 0
	goesOn := start-p.start == full || start-p.start == full+1
	return touches || goesOn
}
