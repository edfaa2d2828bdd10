package media

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
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

func TestRelayedAtTheInstantItComes(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		before := len(b.l.packets())
		a.say('A')
		ps := b.l.packets()
		if len(ps) != before+1 {
			t.Fatalf("%d packets sent when Receive returned, want 1", len(ps)-before)
		}
		p := ps[before]
		if p.at != 7*time.Millisecond {
			t.Errorf("sent at %v, want 7ms", p.at)
		}
		if !bytes.Equal(p.Payload, bytes.Repeat([]byte{'A'}, 160)) {
			t.Errorf("the payload is not what came: %x", p.Payload)
		}
		if !p.Marker {
			t.Error("no marker where another source begins")
		}
		time.Sleep(pcm.FrameTime)
		a.talk('A', 10)
		ps = b.l.packets()[before:]
		if got, want := sound(ps), "AAAAAAAAAAA"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		for i, p := range ps[1:] {
			if p.Marker {
				t.Errorf("packet %d has the marker", i+1)
			}
			if d := p.Timestamp - ps[i].Timestamp; d != 160 {
				t.Errorf("packet %d: timestamp moved by %d", i+1, d)
			}
		}
		inOneRow(t, b.l.packets())
		if st := b.Stats(); st.Relayed != 11 || st.Sent != uint64(len(b.l.packets())) {
			t.Errorf("relayed %d of %d sent, want 11 of %d", st.Relayed, st.Sent, len(b.l.packets()))
		}
		if st := a.Stats(); st.Relayed != 0 {
			t.Errorf("%d packets relayed the other way", st.Relayed)
		}
	})
}

func TestRelayGoesBothWays(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		for range 50 {
			a.say('A')
			b.say('B')
			time.Sleep(pcm.FrameTime)
		}
		for _, tt := range []struct {
			from, to *side
			code     byte
		}{{a, b, 'A'}, {b, a, 'B'}} {
			if got, want := sound(tt.to.l.packets()), ".."+string(bytes.Repeat([]byte{tt.code}, 50)); got != want {
				t.Errorf("sent %s, want %s", got, want)
			}
			inOneRow(t, tt.to.l.packets())
		}
	})
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

func TestRelayTranscodes(t *testing.T) {
	alaw := agreed()
	alaw.Codec, alaw.PayloadType = "PCMA", 8
	joinedAs(t, agreed(), alaw, Music{}, func(t *testing.T, a, b *side) {
		codes := make([]byte, 256)
		for i := range codes {
			codes[i] = byte(i)
		}
		samples, want := make([]int16, 256), make([]byte, 256)
		g711.DecodeULaw(samples, codes)
		g711.EncodeALaw(want, samples)
		n := len(b.l.packets())
		a.sayAs(0, codes)
		if p := b.l.packets()[n]; p.PayloadType != 8 || !bytes.Equal(p.Payload, want) {
			t.Errorf("mu-law to A-law: payload type %d, %x, want %x", p.PayloadType, p.Payload, want)
		}
		g711.DecodeALaw(samples, codes)
		g711.EncodeULaw(want, samples)
		n = len(a.l.packets())
		b.sayAs(8, codes)
		if p := a.l.packets()[n]; p.PayloadType != 0 || !bytes.Equal(p.Payload, want) {
			t.Errorf("A-law to mu-law: payload type %d, %x, want %x", p.PayloadType, p.Payload, want)
		}
	})
}

func TestRelayPassesPacketsOfAnyLength(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		n := len(b.l.packets())
		sizes := []int{80, 240, 480, 1, 800}
		for _, size := range sizes {
			a.sayAs(0, bytes.Repeat([]byte{'A'}, size))
			time.Sleep(time.Duration(size) * time.Millisecond / 8)
		}
		for i, p := range b.l.packets()[n:] {
			if len(p.Payload) != sizes[i] {
				t.Errorf("packet %d has %d bytes, want %d", i, len(p.Payload), sizes[i])
			}
		}
		inOneRow(t, b.l.packets())
	})
}

func TestRelayOfOddPackets(t *testing.T) {
	padded := packetOf(0, false, 1, 160, 7, bytes.Repeat([]byte{'A'}, 160))
	padded[0] |= 0x20
	padded = append(padded, 0, 0, 3)
	extended := packetOf(0, false, 1, 160, 7, bytes.Repeat([]byte{'A'}, 160))
	extended = slices.Insert(extended, 12, 0xbe, 0xde, 0, 1, 0x10, 1, 0, 0)
	extended[0] |= 0x10
	tests := []struct {
		name   string
		packet []byte
		want   string
	}{
		{"padding is taken off", padded, "AAA"},
		{"a header extension is taken off", extended, "AAA"},
		{"comfort noise was not agreed on", packetOf(13, false, 1, 160, 7, []byte{60}), "AA"},
		{"an empty packet", packetOf(0, false, 1, 160, 7, nil), "AA"},
		{"a payload type not agreed on", packetOf(18, false, 1, 160, 7, make([]byte, 20)), "AA"},
		{"a key that is none", packetOf(101, true, 1, 160, 7, []byte{16, 10, 0, 160}), "AA"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			joined(t, Music{}, func(t *testing.T, a, b *side) {
				n := len(b.l.packets())
				a.say('A')
				a.Receive(tt.packet, peer)
				if tt.name != "a payload type not agreed on" {
					a.seq++
				}
				a.ts += 160
				a.say('A')
				ps := b.l.packets()[n:]
				if got := sound(ps); got != tt.want {
					t.Errorf("sent %s, want %s", got, tt.want)
				}
				for _, p := range ps {
					if len(p.Payload) != 160 || p.Padding || p.Extension {
						t.Errorf("%d bytes, padding %v, extension %v", len(p.Payload), p.Padding, p.Extension)
					}
				}
				inOneRow(t, b.l.packets())
			})
		})
	}
}

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

func TestRelayFillsPausesWithSilence(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		a.talk('A', 5)
		time.Sleep(500 * time.Millisecond)
		a.ts += 8 * 500
		a.talk('A', 5)
		// The last packet is followed by 200 ms of nothing, then by silence.
		if got, want := sound(b.l.packets()), "..AAAAA................AAAAA"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		ps := b.l.packets()
		inOneRow(t, ps)
		if got := ps[len(ps)-1].Timestamp - ps[2].Timestamp; got != 8*680 {
			t.Errorf("the timestamps moved by %d over 680 ms, want 5440", got)
		}
	})
}

func TestPlayWinsOverRelay(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		var playing sync.WaitGroup
		playing.Go(func() {
			time.Sleep(100 * time.Millisecond)
			if err := b.Play(t.Context(), NewClip(tone(5), 8000)); err != nil {
				t.Error(err)
			}
		})
		a.talk('A', 20)
		playing.Wait()
		ps := b.l.packets()
		inOneRow(t, ps)
		if got, want := sound(ps), "..AAAAAA#####AAAAAAAAA"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		begin, again := ps[8], ps[13]
		if !begin.Marker || !again.Marker {
			t.Errorf("markers %v where the Play begins and %v where the relay goes on, want both", begin.Marker, again.Marker)
		}
		// Each packet's timestamp is the time it was sent at, to a frame.
		for i, p := range ps[2:] {
			sent, stamped := p.at-ps[2].at, time.Duration(p.Timestamp-ps[2].Timestamp)*time.Second/8000
			if d := sent - stamped; d < -pcm.FrameTime || d > pcm.FrameTime {
				t.Errorf("packet %d was sent at %v and says %v", i+2, sent, stamped)
			}
		}
	})
}

// Playing again and again does not push the timestamps away from the clock.
func TestManyPlaysOverRelayKeepTheClock(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		var playing sync.WaitGroup
		playing.Go(func() {
			for i := range 50 {
				time.Sleep(time.Duration(60+i) * time.Millisecond)
				b.Play(t.Context(), NewClip(tone(2), 8000))
			}
		})
		a.talk('A', 500)
		playing.Wait()
		ps := b.l.packets()
		inOneRow(t, ps)
		first, last := ps[0], ps[len(ps)-1]
		sent, stamped := last.at-first.at, time.Duration(last.Timestamp-first.Timestamp)*time.Second/8000
		if d := sent - stamped; d < -pcm.FrameTime || d > pcm.FrameTime {
			t.Errorf("after %v the timestamps say %v", sent, stamped)
		}
	})
}

func TestRelayEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(a, b *side, stop func())
		a, b bool // whether the sides go on
	}{
		{"by stop", func(a, b *side, stop func()) { stop() }, true, true},
		{"by stop, twice", func(a, b *side, stop func()) { stop(); stop() }, true, true},
		{"by the close of one", func(a, b *side, stop func()) { a.Close() }, false, true},
		{"by the close of the other", func(a, b *side, stop func()) { b.Close() }, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			joined(t, tone(5), func(t *testing.T, a, b *side) {
				stop := Relay(a.Stream, b.Stream, tone(5))
				a.say('A')
				b.say('B')
				na, nb := len(a.l.packets()), len(b.l.packets())
				tt.end(a, b, stop)
				time.Sleep(100 * time.Millisecond)
				a.say('A')
				b.say('B')
				for _, side := range []struct {
					*side
					n    int
					open bool
				}{{a, na, tt.a}, {b, nb, tt.b}} {
					want := ""
					if side.open {
						want = "....."
					}
					if got := sound(side.l.packets()[side.n:]); got != want {
						t.Errorf("sent %q after the end, want %q", got, want)
					}
					inOneRow(t, side.l.packets())
				}
			})
		})
	}
}

func TestRelayOfAClosedStream(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		b.Close()
		Relay(a.Stream, b.Stream, tone(5))
		n := len(a.l.packets())
		time.Sleep(100 * time.Millisecond)
		if got := sound(a.l.packets()[n:]); got != "....." {
			t.Errorf("sent %q, want silence", got)
		}
	})
}

func TestFurtherRelayEndsTheEarlier(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		l := newLine()
		c := &side{NewStream(a.pacer, l, agreed()), l, 5, 5}
		defer c.Close()
		c.Start()
		stop := Relay(a.Stream, c.Stream, Music{})
		nb := len(b.l.packets())
		a.say('A')
		b.say('B')
		c.say('C')
		if got := sound(b.l.packets()[nb:]); got != "" {
			t.Errorf("the one left out is sent %s", got)
		}
		if got := sound(a.l.packets()); got != "..C" {
			t.Errorf("the first is sent %s, want ..C", got)
		}
		if got := sound(c.l.packets()); got != ".A" {
			t.Errorf("the new one is sent %s, want .A", got)
		}
		stop()
		a.say('A')
		if got := sound(c.l.packets()); got != ".A" {
			t.Errorf("the new one is sent %s after stop, want .A", got)
		}
	})
}

func TestNothingRelayedToAStreamThatMayNotSend(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		a.talk('A', 3)
		hold := agreed()
		hold.Send = false
		b.Configure(hold)
		n := len(b.l.packets())
		a.talk('A', 200)
		if got := len(b.l.packets()); got != n {
			t.Errorf("%d packets sent on hold", got-n)
		}
		b.Configure(agreed())
		a.talk('A', 3)
		ps := b.l.packets()
		if got := sound(ps[n:]); got != "AAA" {
			t.Errorf("sent %s after the hold, want AAA", got)
		}
		if !ps[n].Marker {
			t.Error("no marker after the hold")
		}
		inOneRow(t, ps)
	})
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
