package media

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

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
