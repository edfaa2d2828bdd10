package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// bridged is two started streams that are relayed, over wires to nowhere, and
// a packet for the first.
func bridged(t testing.TB, codec string) (a, b *Stream, packet []byte) {
	p := NewPacer(PacerConfig{Goroutines: 1})
	other := agreed()
	other.Codec = codec
	a, b = NewStream(p, discard{}, agreed()), NewStream(p, discard{}, other)
	a.Start()
	b.Start()
	Relay(a, b, Music{})
	t.Cleanup(func() {
		a.Close()
		b.Close()
		p.Close()
	})
	return a, b, packetOf(0, false, 0, 0, 7, bytes.Repeat([]byte{'A'}, 160))
}

// further makes the packet the one after it.
func further(packet []byte) {
	binary.BigEndian.PutUint16(packet[2:], binary.BigEndian.Uint16(packet[2:])+1)
	binary.BigEndian.PutUint32(packet[4:], binary.BigEndian.Uint32(packet[4:])+160)
}

func TestRelayDoesNotAllocate(t *testing.T) {
	for _, codec := range []string{"PCMU", "PCMA", "G722"} {
		for _, tapped := range []bool{false, true} {
			a, b, packet := bridged(t, codec)
			if tapped {
				a.Tap(func(pcm.Frame) {})
				b.TapSent(func(pcm.Frame) {})
			}
			pass := func() {
				further(packet)
				a.Receive(packet, peer)
			}
			for range 100 { // the rings of the jitter buffers fill
				pass()
			}
			before := b.Stats().Relayed
			if n := testing.AllocsPerRun(1000, pass); n != 0 {
				t.Errorf("to %s, taps %v: %v allocations a packet, want 0", codec, tapped, n)
			}
			if got := b.Stats().Relayed - before; got != 1001 {
				t.Errorf("to %s, taps %v: %d of 1001 packets relayed", codec, tapped, got)
			}
		}
	}
}

// BenchmarkRelay is the whole way of one packet from Receive to the wire.
func BenchmarkRelay(b *testing.B) {
	tests := []struct {
		name, codec string
		alone       bool
	}{
		{"same codec", "PCMU", false},
		{"transcoded", "PCMA", false},
		{"to wideband", "G722", false},
		{"not relayed", "PCMU", true},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			in, out, packet := bridged(b, tt.codec)
			if tt.alone {
				out.Close()
			}
			b.ReportAllocs()
			for b.Loop() {
				further(packet)
				in.Receive(packet, peer)
			}
		})
	}
}

// BenchmarkRelayOverUDP sends packets every 20 ms through relays over
// loopback, each stamped with when it left, and reports how long they took;
// they are looked for every millisecond. One op is one second of all calls.
func BenchmarkRelayOverUDP(b *testing.B) {
	const bridges = 50
	ports, err := NewPorts(localhost, 20000, 30000)
	if err != nil {
		b.Fatal(err)
	}
	p := NewPacer(PacerConfig{})
	defer p.Close()
	at := func(u *UDP, more int) netip.AddrPort {
		return netip.AddrPortFrom(localhost, uint16(u.Port()+more))
	}
	var phones []*UDP
	var streams []*Stream
	for range 2 * bridges {
		phone, err := ports.Open()
		if err != nil {
			b.Fatal(err)
		}
		defer phone.Close()
		ours, err := ports.Open()
		if err != nil {
			b.Fatal(err)
		}
		c := agreed()
		c.Remote, c.RemoteRTCP = at(phone, 0), at(phone, 1)
		s := NewStream(p, ours, c)
		defer s.Close()
		s.Start()
		phone.SetRemote(at(ours, 0), at(ours, 1))
		phones, streams = append(phones, phone), append(streams, s)
		if n := len(streams); n%2 == 0 {
			Relay(streams[n-2], streams[n-1], Music{})
		}
	}
	var took []time.Duration
	begun := time.Now()
	hear := func(b []byte, _ netip.AddrPort) {
		if b[len(b)-1] == 'A' { // not the silence before the first
			took = append(took, time.Since(begun)-time.Duration(binary.BigEndian.Uint64(b[rtpHeader:])))
		}
	}
	packet := packetOf(0, false, 0, 0, 7, bytes.Repeat([]byte{'A'}, 160))
	for tick := range 1000 * b.N {
		for i := tick % 20; i < len(phones); i += 20 {
			binary.BigEndian.PutUint64(packet[rtpHeader:], uint64(time.Since(begun)))
			if err := phones[i].Send(packet); err != nil {
				b.Fatal(err)
			}
		}
		if tick%20 == 19 {
			further(packet)
		}
		for _, phone := range phones {
			phone.Drain(hear, func([]byte, netip.AddrPort) {})
		}
		time.Sleep(time.Until(begun.Add(time.Duration(tick+1) * time.Millisecond)))
	}
	if len(took) < 40*2*bridges*b.N {
		b.Errorf("%d packets came through, want about %d", len(took), 50*2*bridges*b.N)
	}
	slices.Sort(took)
	for _, q := range []int{50, 99} {
		b.ReportMetric(float64(took[(len(took)-1)*q/100])/1e6, fmt.Sprintf("p%d-ms", q))
	}
	b.ReportMetric(0, "ns/op")
}
