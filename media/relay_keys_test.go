package media

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// press sends an event of five packets, the end three times, from the side's
// peer, by payload type pt.
func (d *side) press(pt uint8, code byte, ssrc uint32) {
	start := d.ts
	for i := range 7 {
		n := uint16(min(i+1, 5) * 160)
		b := []byte{code, 10, byte(n >> 8), byte(n)}
		if i >= 4 {
			b[1] |= 0x80
		}
		d.Receive(packetOf(pt, i == 0, d.seq, start, ssrc, b), peer)
		d.seq++
		if i < 4 {
			time.Sleep(pcm.FrameTime)
		}
		d.ts += 160
	}
}

func withEvents(pt uint8) Config {
	c := agreed()
	c.EventType = pt
	return c
}

func TestRelayedEvents(t *testing.T) {
	tests := []struct {
		name string
		ssrc uint32
		play bool
	}{
		{"of the source that speaks", 7, false},
		{"of a source of their own", 8, false},
		{"while something plays", 7, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			joinedAs(t, withEvents(101), withEvents(96), Music{}, func(t *testing.T, a, b *side) {
				keys := a.Keys(t.Context())
				a.talk('A', 5)
				done := make(chan error, 1)
				if tt.play {
					go func() { done <- b.Play(t.Context(), NewClip(tone(20), 8000)) }()
					a.talk('A', 2)
				}
				n := len(b.l.packets())
				a.press(101, 5, tt.ssrc)
				if tt.ssrc != 7 {
					a.seq -= 7
				}
				a.talk('A', 5)
				if tt.play {
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
				ps := b.l.packets()
				var events []sentPacket
				for i, p := range ps[1:] {
					if p.SequenceNumber != ps[i].SequenceNumber+1 {
						t.Errorf("packet %d has a number %d further", i+1, p.SequenceNumber-ps[i].SequenceNumber)
					}
					if p.PayloadType == 96 {
						events = append(events, p)
					}
				}
				if len(events) != 7 {
					t.Fatalf("%d packets of the event, want 7", len(events))
				}
				for i, p := range events {
					if p.Timestamp != events[0].Timestamp || p.Marker != (i == 0) {
						t.Errorf("packet %d of the event: timestamp off by %d, marker %v", i, p.Timestamp-events[0].Timestamp, p.Marker)
					}
					if got, want := int(binary.BigEndian.Uint16(p.Payload[2:])), min(i+1, 5)*160; p.Payload[0] != 5 || got != want || (p.Payload[1]&0x80 != 0) != (i >= 4) {
						t.Errorf("packet %d of the event is %x", i, p.Payload)
					}
				}
				if d := int32(events[0].Timestamp - ps[n-1].Timestamp); d <= 0 || d > 320 {
					t.Errorf("the event begins %d after the sound before it", d)
				}
				if k := <-keys; k != '5' || len(keys) != 0 {
					t.Errorf("key %q and %d more, want one 5", k, len(keys))
				}
			})
		})
	}
}

// keysHeard reads the keys from events by payload type 101 as a far end does.
func keysHeard(ps []sentPacket) (keys string) {
	var e events
	for _, p := range ps {
		if p.PayloadType == 101 {
			if k, ok := e.read(&p.Header, p.Payload); ok {
				keys += string(k)
			}
		}
	}
	return keys
}

func TestRelayedPresses(t *testing.T) {
	tests := []struct {
		name string
		do   func(a *side)
		want string
	}{
		{"by INFO", func(a *side) { a.Press('7') }, "7"},
		{"by INFO, three at once", func(a *side) { a.Press('1'); a.Press('2'); a.Press('2') }, "122"},
		{"by event", func(a *side) { a.press(101, 7, 7) }, "7"},
		{"by event and then by INFO are one", func(a *side) { a.press(101, 7, 7); a.Press('7') }, "7"},
		{"by INFO and then by event are one", func(a *side) { a.Press('7'); a.press(101, 7, 7) }, "7"},
		{"an event while a key of INFO is sent", func(a *side) { a.Press('1'); time.Sleep(30 * time.Millisecond); a.press(101, 2, 7) }, "12"},
		{"two events", func(a *side) { a.press(101, 2, 7); time.Sleep(pcm.FrameTime); a.ts += 160; a.press(101, 2, 7) }, "22"},
		{"by event, from a side on hold", func(a *side) {
			a.Configure(held(false, false))
			a.press(101, 7, 7)
			a.Configure(held(true, true))
		}, "7"},
		{"nothing of letters", func(a *side) { a.Press('x') }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			joined(t, Music{}, func(t *testing.T, a, b *side) {
				a.talk('A', 5)
				tt.do(a)
				a.talk('A', 50)
				ps := b.l.packets()
				if got := keysHeard(ps); got != tt.want {
					t.Errorf("the other side hears %q, want %q", got, tt.want)
				}
				if last := ps[len(ps)-1]; last.Payload[0] != 'A' {
					t.Error("the sound does not go on after the keys")
				}
			})
		})
	}
}

func TestEventsBecomeTonesWithoutEvents(t *testing.T) {
	tests := []struct {
		name string
		do   func(a *side)
		want [][2]float64
	}{
		{"an event", func(a *side) { a.press(101, 5, 7) }, [][2]float64{{770, 1336}}},
		{"by INFO", func(a *side) { a.Press('1') }, [][2]float64{{697, 1209}}},
		{"three at once", func(a *side) { a.Press('1'); a.Press('2'); a.Press('3') }, [][2]float64{{697, 1209}, {697, 1336}, {697, 1477}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			joinedAs(t, agreed(), withEvents(0), Music{}, func(t *testing.T, a, b *side) {
				a.talk(0xff, 5)
				tt.do(a)
				a.talk(0xff, 40)
				ps := b.l.packets()
				inOneRow(t, ps)
				var heard []int16
				for _, p := range ps {
					if p.PayloadType != 0 {
						t.Fatalf("a packet of payload type %d", p.PayloadType)
					}
					f := make([]int16, len(p.Payload))
					b.codec.decode(f, p.Payload)
					if pcm.Level(f) > -40 {
						heard = append(heard, f...)
					}
				}
				const digit = digitTone * 160
				if len(heard) != digit*len(tt.want) {
					t.Fatalf("%d samples of tones, want %d", len(heard), digit*len(tt.want))
				}
				for i, pair := range tt.want {
					s := heard[digit*i : digit*(i+1)]
					if lo, hi := pcm.Share(s, 8000, pair[0]), pcm.Share(s, 8000, pair[1]); lo < 0.4 || hi < 0.4 {
						t.Errorf("tone %d: %v Hz are %.2f and %.2f of it", i, pair, lo, hi)
					}
				}
			})
		})
	}
}
