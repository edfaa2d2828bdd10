package media

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// The far end must be able to conceal what is lost and to put in order what
// is not: the distances between numbers and timestamps pass through.
func TestRelayKeepsLossesAndOrder(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		n := len(b.l.packets())
		in := []uint16{0, 1, 3, 2, 4, 7, 7, 8, 6, 1}
		want := []uint16{0, 1, 3, 2, 4, 7, 8, 6} // 5 is lost, the second 7 and 1 are none
		for _, i := range in {
			a.Receive(packetOf(0, false, 65533+i, 1<<32-500+160*uint32(i), 7, []byte{'A' + byte(i)}), peer)
		}
		ps := b.l.packets()[n:]
		if len(ps) != len(want) {
			t.Fatalf("%d packets, want %d", len(ps), len(want))
		}
		for i, p := range ps {
			seq, ts := p.SequenceNumber-ps[0].SequenceNumber, p.Timestamp-ps[0].Timestamp
			if seq != want[i] || ts != 160*uint32(want[i]) || p.Payload[0] != 'A'+byte(want[i]) {
				t.Errorf("packet %d is %d at %d, %q; want %d", i, seq, ts, p.Payload, want[i])
			}
		}
		// What the pacer sends is numbered after the highest.
		time.Sleep(time.Second)
		if p := b.l.packets()[n+len(want)]; p.SequenceNumber-ps[0].SequenceNumber != 9 || !p.Marker {
			t.Errorf("silence has number %d, marker %v; want 9 with the marker", p.SequenceNumber-ps[0].SequenceNumber, p.Marker)
		}
	})
}

func TestRelayOfANewSource(t *testing.T) {
	tests := []struct {
		name string
		ssrc uint32
		seq  uint16
		ts   uint32
		lost int // packets before the new source is believed
	}{
		{"another SSRC", 8, 40000, 1 << 31, 1},
		{"another SSRC, numbers going on", 8, 10, 1600, 1},
		{"numbers far ahead", 7, 30000, 1600, 1},
		{"numbers far back", 7, 40000, 1600, 1},
		{"timestamps far ahead", 7, 10, 1 << 31, 0},
		{"timestamps far back", 7, 10, 1<<32 - 160000, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			joined(t, Music{}, func(t *testing.T, a, b *side) {
				n := len(b.l.packets())
				a.talk('A', 10)
				for i := range 10 {
					a.Receive(packetOf(0, false, tt.seq+uint16(i), tt.ts+160*uint32(i), tt.ssrc, bytes.Repeat([]byte{'B'}, 160)), peer)
					time.Sleep(pcm.FrameTime)
				}
				ps := b.l.packets()
				if got, want := sound(ps[n:]), "AAAAAAAAAABBBBBBBBBB"[:20-tt.lost]; got != want {
					t.Errorf("sent %s, want %s", got, want)
				}
				inOneRow(t, ps)
				last := ps[len(ps)-1]
				if got := last.Timestamp - ps[n].Timestamp; got != 19*160 {
					t.Errorf("the timestamps moved by %d over 380 ms, want 3040", got)
				}
				if p := ps[n+10]; !p.Marker {
					t.Error("no marker where the new source begins")
				}
			})
		})
	}
}

// Whatever a network does to the packets, each goes out at most once, numbers
// and timestamps stand in the same order, and what is sent is what came.
func TestRelayOnBadNetworks(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			joined(t, tone(3), func(t *testing.T, a, b *side) {
				r := rand.New(rand.NewPCG(seed, 0))
				badNetwork(t, r, a, b)
			})
		})
	}
}

func badNetwork(t *testing.T, r *rand.Rand, a, b *side) {
	var playing sync.WaitGroup
	var late []uint16
	send := func(i uint16) {
		a.Receive(packetOf(0, false, 65500+i, 1<<32-3000+160*uint32(i), 7, []byte{byte(i), byte(i >> 8), 0}), peer)
	}
	for i := range uint16(300) {
		switch n := r.IntN(20); {
		case n == 0: // lost
		case n < 3:
			late = append(late, i)
		case n == 3:
			send(i)
			send(i)
		case n == 4:
			playing.Go(func() { b.Play(t.Context(), NewClip(tone(1), 8000)) })
			send(i)
		default:
			send(i)
		}
		if len(late) > 0 && r.IntN(3) == 0 {
			k := r.IntN(len(late))
			send(late[k])
			late = slices.Delete(late, k, k+1)
		}
		if r.IntN(60) == 0 {
			time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
		}
		time.Sleep(time.Duration(r.IntN(40)) * time.Millisecond)
	}
	playing.Wait()
	ps := b.l.packets()
	base := ps[0]
	slices.SortStableFunc(ps, func(p, q sentPacket) int { return int(int16(p.SequenceNumber - q.SequenceNumber)) })
	seen := map[uint16]bool{}
	for i, p := range ps {
		if i > 0 && p.SequenceNumber == ps[i-1].SequenceNumber {
			t.Errorf("two packets have number %d", p.SequenceNumber-base.SequenceNumber)
		}
		if i > 0 && int32(p.Timestamp-ps[i-1].Timestamp) <= 0 {
			t.Errorf("packet %d of %d: the timestamp moves by %d", i, len(ps), int32(p.Timestamp-ps[i-1].Timestamp))
		}
		if len(p.Payload) == 3 {
			id := uint16(p.Payload[0]) | uint16(p.Payload[1])<<8
			if seen[id] {
				t.Errorf("packet %d was sent twice", id)
			}
			seen[id] = true
		}
	}
	if len(seen) < 150 {
		t.Errorf("%d of 300 packets passed, want most", len(seen))
	}
}

// Two real goroutines pass packets to each other's streams while the pacer
// sends, things play, and the relay changes.
func TestRelayUnderWay(t *testing.T) {
	p := NewPacer(PacerConfig{Poll: time.Millisecond, Goroutines: 2})
	defer p.Close()
	var streams []*Stream
	var lines []*line
	for range 3 {
		l := newLine()
		s := NewStream(p, l, agreed())
		defer s.Close()
		s.Start()
		s.TapSent(func(pcm.Frame) {})
		streams, lines = append(streams, s), append(lines, l)
	}
	Relay(streams[0], streams[1], tone(10))
	var talking sync.WaitGroup
	for i, s := range streams {
		talking.Go(func() {
			d := &side{Stream: s, ts: 99}
			for n := range 3000 {
				switch {
				case n%100 == 50:
					d.Receive(packetOf(101, true, d.seq, d.ts, 7, []byte{5, 0x8a, 1, 0}), peer)
					d.seq++
				case n%500 == 77:
					s.Press('3')
				}
				d.say('A' + byte(i))
			}
		})
	}
	talking.Go(func() {
		for n := range 200 {
			stop := Relay(streams[n%3], streams[(n+1)%3], tone(10))
			if n%5 == 0 {
				stop()
			}
			c := agreed()
			c.Send = n%2 == 0
			streams[n%3].Configure(c)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		streams[1].Play(ctx, NewClip(tone(2), 8000))
	})
	talking.Wait()
	for _, l := range lines {
		inOneRow(t, l.packets())
	}
}

// FuzzRelay gives a stream packets of a stranger to relay. Each entry is one,
// after a byte of its length and one of the milliseconds before it.
func FuzzRelay(f *testing.F) {
	entry := func(ms byte, packet []byte) []byte { return append([]byte{ms, byte(len(packet))}, packet...) }
	good := func(i uint16) []byte { return packetOf(0, false, i, 160*uint32(i), 7, []byte("ABCD")) }
	f.Add(slices.Concat(entry(20, good(1)), entry(20, good(3)), entry(0, good(2)), entry(250, good(4))))
	f.Add(slices.Concat(entry(20, good(1)), entry(9, packetOf(101, true, 2, 320, 7, []byte{5, 0x8a, 1, 0})), entry(20, good(3))))
	f.Add(slices.Concat(entry(20, good(1)), entry(5, packetOf(13, false, 2, 320, 7, []byte{60})), entry(20, good(60000)), entry(20, good(60001))))
	f.Add(slices.Concat(entry(20, good(1)), entry(0, packetOf(0, false, 2, 1<<31, 7, []byte{60})), entry(20, good(3))))
	f.Fuzz(func(t *testing.T, b []byte) {
		joined(t, tone(1), func(t *testing.T, a, to *side) {
			a.Tap(func(pcm.Frame) {})
			to.TapSent(func(pcm.Frame) {})
			for len(b) > 2 {
				n := min(int(b[1]), len(b)-2)
				time.Sleep(time.Duration(b[0]) * time.Millisecond)
				a.Receive(b[2:2+n], peer)
				b = b[2+n:]
			}
			time.Sleep(relayPause + 100*time.Millisecond)
			seen := map[uint16]bool{}
			ps := to.l.packets()
			for i, p := range ps {
				if p.PayloadType != 0 && p.PayloadType != 101 || p.SSRC != ps[0].SSRC || len(p.Payload) == 0 {
					t.Errorf("packet %d: type %d, source %d, %d bytes", i, p.PayloadType, p.SSRC, len(p.Payload))
				}
				if seen[p.SequenceNumber] {
					t.Errorf("packet %d has the number of another", i)
				}
				seen[p.SequenceNumber] = true
			}
			for i := len(ps) - 3; i < len(ps); i++ { // silence or music goes on steadily
				if d := ps[i].SequenceNumber - ps[i-1].SequenceNumber; d != 1 {
					t.Errorf("the number moves by %d at the end", int16(d))
				}
			}
		})
	})
}
