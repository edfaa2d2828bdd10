package media

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// side is one of two streams that are joined, and its line.
type side struct {
	*Stream
	l   *line
	seq uint16 // of the next packet of its peer
	ts  uint32
}

// say sends one packet of 20 ms from the side's peer, all of whose samples are
// coded like code.
func (d *side) say(code byte) {
	d.sayAs(0, bytes.Repeat([]byte{code}, 160))
}

func (d *side) sayAs(pt uint8, payload []byte) {
	d.Receive(packetOf(pt, false, d.seq, d.ts, 7, payload), peer)
	d.seq++
	d.ts += uint32(len(payload))
}

// talk says a packet every 20 ms.
func (d *side) talk(code byte, packets int) {
	for range packets {
		d.say(code)
		time.Sleep(pcm.FrameTime)
	}
}

// joined runs f with two started streams that are relayed, in virtual time.
// The packets of a test come 7 ms after the pacer's ticks.
func joined(t *testing.T, hold Music, f func(t *testing.T, a, b *side)) {
	t.Helper()
	joinedAs(t, agreed(), agreed(), hold, f)
}

func joinedAs(t *testing.T, ca, cb Config, hold Music, f func(t *testing.T, a, b *side)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
		var sides []*side
		for i, c := range []Config{ca, cb} {
			l := newLine()
			s := NewStream(p, l, c)
			s.Start()
			sides = append(sides, &side{s, l, uint16(1000 * i), uint32(100000 * i)})
		}
		time.Sleep(7 * time.Millisecond)
		stop := Relay(sides[0].Stream, sides[1].Stream, hold)
		f(t, sides[0], sides[1])
		stop()
		sides[0].Close()
		sides[1].Close()
		p.Close()
	})
}

// sound is what the packets have, a letter each: the first byte of a payload
// of sound if it is a letter, "." for silence, "#" for other sound, "e" for an
// event.
func sound(ps []sentPacket) string {
	var b []byte
	for _, p := range ps {
		switch c := p.Payload[0]; {
		case p.PayloadType != 0 && p.PayloadType != 8:
			b = append(b, 'e')
		case c == 0xff || c == 0xd5:
			b = append(b, '.')
		case c >= 'A' && c <= 'Z':
			b = append(b, c)
		default:
			b = append(b, '#')
		}
	}
	return string(b)
}

// inOneRow fails unless the packets are one row of numbers and of timestamps
// that never go back, all of one source.
func inOneRow(t *testing.T, ps []sentPacket) {
	t.Helper()
	for i := 1; i < len(ps); i++ {
		p, q := ps[i-1], ps[i]
		if d := q.SequenceNumber - p.SequenceNumber; d != 1 {
			t.Errorf("packet %d: the number moves by %d", i, int16(d))
		}
		d := int32(q.Timestamp - p.Timestamp)
		if d < 0 || d == 0 && q.PayloadType != 101 {
			t.Errorf("packet %d: the timestamp moves by %d", i, d)
		}
		if q.SSRC != p.SSRC {
			t.Errorf("packet %d is of another source", i)
		}
	}
}
