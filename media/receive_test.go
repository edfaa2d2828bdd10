package media

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// heardFrames collects what the stream's tap gets, by its first samples.
type heardFrames []int16

func (h *heardFrames) tap(f pcm.Frame) { *h = append(*h, f[0]) }

// level is a packet of 20 ms whose samples all are v.
func level(v int16, seq uint16, ts, ssrc uint32) []byte {
	s := make([]int16, 160)
	for i := range s {
		s[i] = v
	}
	return speech(s, seq, ts, ssrc)
}

func TestOnlyThePeerIsHeard(t *testing.T) {
	private := netip.MustParseAddrPort("10.1.2.3:5004")
	nat := netip.AddrPortFrom(signaller, 61000)
	otherPort := netip.AddrPortFrom(peer.Addr(), 61000)
	thirdPort := netip.AddrPortFrom(peer.Addr(), 61002)
	type sent struct {
		from netip.AddrPort
		n    int // packets in a row
	}
	tests := []struct {
		name    string
		remote  netip.AddrPort
		in      []sent
		heard   uint64
		foreign uint64
		to      netip.AddrPort // where we send at the end
		latched bool
	}{
		{"the address of the SDP", peer, []sent{{peer, 4}}, 4, 0, peer, true},
		{"three packets are not enough", peer, []sent{{otherPort, 3}}, 3, 0, peer, false},
		{"another port of that address, four in a row", peer, []sent{{otherPort, 4}}, 4, 0, otherPort, true},
		{"a stranger before", peer, []sent{{stranger, 50}, {peer, 4}}, 4, 50, peer, true},
		{"a stranger meanwhile", peer, []sent{{peer, 3}, {stranger, 50}, {peer, 1}}, 4, 50, peer, true},
		{"a stranger after", peer, []sent{{peer, 4}, {stranger, 50}}, 4, 50, peer, true},
		{"the signalling address is no source when the SDP's is public", peer, []sent{{nat, 50}}, 0, 50, peer, false},
		{"a private address in the SDP, packets from where the SIP comes from", private, []sent{{nat, 4}}, 4, 0, nat, true},
		{"a private address in the SDP that is right", private, []sent{{private, 4}}, 4, 0, private, true},
		{"a private address in the SDP, and a stranger", private, []sent{{stranger, 50}}, 0, 50, private, false},
		{"four, but not in a row", peer, []sent{{otherPort, 2}, {thirdPort, 1}, {otherPort, 2}}, 5, 0, peer, false},
		{"the port of the SDP, then others", peer, []sent{{peer, 1}, {otherPort, 50}}, 1, 50, peer, true},
		{"another port of that address before the right one", peer, []sent{{otherPort, 50}, {peer, 1}, {otherPort, 50}}, 51, 50, peer, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inCall(t, func(t *testing.T, s *Stream, l *line) {
				c := agreed()
				c.Remote = tt.remote
				s.Configure(c)
				seq := map[netip.AddrPort]uint16{}
				for _, in := range tt.in {
					for range in.n {
						seq[in.from]++
						s.Receive(level(1000, seq[in.from], 160*uint32(seq[in.from]), uint32(in.from.Port())), in.from)
					}
				}
				st := s.Stats()
				if st.Received != tt.heard || st.Foreign != tt.foreign {
					t.Errorf("%d taken and %d refused, want %d and %d", st.Received, st.Foreign, tt.heard, tt.foreign)
				}
				if st.Remote != tt.to || l.remote != tt.to {
					t.Errorf("we send to %v (wire: %v), want %v", st.Remote, l.remote, tt.to)
				}
				if st.Latched != tt.latched {
					t.Errorf("latched %v, want %v", st.Latched, tt.latched)
				}
			})
		})
	}
}

// A NAT that forgets gives the caller another port in the middle of the call.
// Others at the address, who do not know the numbers, cannot take it over.
func TestSourceMovesToAnotherPort(t *testing.T) {
	moved := netip.AddrPortFrom(peer.Addr(), 61000)
	tests := []struct {
		name  string
		from  netip.Addr
		ssrc  uint32
		first uint16 // number of the first of four packets, after 1 to 4 from the old port
		other bool   // a packet from the old port before the fourth
		to    netip.AddrPort
	}{
		{"numbers go on", peer.Addr(), 7, 5, false, moved},
		{"numbers go on after a loss", peer.Addr(), 7, 20, false, moved},
		{"the old port still sends", peer.Addr(), 7, 5, true, peer},
		{"another source", peer.Addr(), 8, 5, false, peer},
		{"numbers of long ago", peer.Addr(), 7, 1, false, peer},
		{"numbers far ahead", peer.Addr(), 7, 9000, false, peer},
		{"another address", stranger.Addr(), 7, 5, false, peer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inCall(t, func(t *testing.T, s *Stream, l *line) {
				for i := range uint16(4) {
					s.Receive(level(1000, 1+i, 160*uint32(1+i), 7), peer)
				}
				for i := range uint16(4) {
					if tt.other && i == 3 {
						s.Receive(level(1000, 5, 160*5, 7), peer)
					}
					n := tt.first + i
					s.Receive(level(1000, n, 160*uint32(n), tt.ssrc), netip.AddrPortFrom(tt.from, moved.Port()))
				}
				if st := s.Stats(); st.Remote != tt.to || l.remote != tt.to || !st.Latched {
					t.Errorf("we send to %v (wire: %v), latched %v; want %v", st.Remote, l.remote, st.Latched, tt.to)
				}
			})
		})
	}
}

func TestNewNegotiationLearnsAnew(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		for i := range uint16(4) {
			s.Receive(level(1000, i, 160*uint32(i), 7), peer)
		}
		c := agreed()
		s.Configure(c)
		if !s.Stats().Latched {
			t.Error("a re-INVITE without a new address undid the lock")
		}
		c.Remote = stranger
		s.Configure(c)
		for i := range uint16(4) {
			s.Receive(level(1000, 4+i, 160*uint32(4+i), 7), stranger)
		}
		s.Receive(level(1000, 8, 160*8, 7), peer)
		if st := s.Stats(); st.Remote != stranger || !st.Latched || st.Foreign != 1 {
			t.Errorf("after the move: %v, latched %v, foreign %d; want %v, true, 1", st.Remote, st.Latched, st.Foreign, stranger)
		}
	})
}

func TestWhatIsNoRTPIsDropped(t *testing.T) {
	good := level(1000, 1, 160, 7)
	with := func(i int, v byte) []byte {
		b := append([]byte(nil), good...)
		b[i] = v
		return b
	}
	padded := func(n byte) []byte { return append(with(0, 0xa0), n) }
	tests := []struct {
		name string
		in   []byte
		want uint64 // dropped
	}{
		{"a good packet", good, 0},
		{"nothing", nil, 1},
		{"shorter than a header", good[:11], 1},
		{"version 1", with(0, 0x40), 1},
		{"a payload type not agreed on", with(1, 8), 1},
		{"RTCP", with(1, 200), 1},
		{"more sources than bytes", append(with(0, 0x8f)[:12], 1), 1},
		{"an extension that is not there", with(0, 0x90)[:14], 1},
		{"padding", padded(1), 0},
		{"padding of more than there is", padded(200), 1},
		{"padding of none", padded(0), 1},
		{"longer than an Ethernet frame", append(append([]byte(nil), good...), make([]byte, 1400)...), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inCall(t, func(t *testing.T, s *Stream, l *line) {
				s.Receive(tt.in, peer)
				if got := s.Stats().Malformed; got != tt.want {
					t.Errorf("dropped %d, want %d", got, tt.want)
				}
			})
		})
	}
}

// A source may start anew in the middle of a call. At most 40 ms are missing,
// and what is said before and after keeps its place in time.
func TestSourceStartsAnew(t *testing.T) {
	tests := []struct {
		name      string
		seq, step uint16 // of the new numbers
		ts, ssrc  uint32
	}{
		{"another SSRC", 9000, 1, 77777, 8},
		{"another SSRC, numbers going on", 10, 1, 1600, 8},
		{"the same SSRC, other numbers", 40000, 1, 77777, 7},
		{"the same SSRC, another time", 10, 1, 77777, 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inCall(t, func(t *testing.T, s *Stream, l *line) {
				var got heardFrames
				s.Tap(got.tap)
				for i := range uint16(20) {
					n, ts, ssrc := i, 160*uint32(i), uint32(7)
					v := int16(1000)
					if i >= 10 {
						n, ts, ssrc, v = tt.seq+(i-10), tt.ts+160*uint32(i-10), tt.ssrc, 2000
					}
					s.Receive(level(v, n, ts, ssrc), peer)
					time.Sleep(20 * time.Millisecond)
				}
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				first, last, wrong := -1, -1, 0
				for i, v := range got {
					if v == coded(1000) || v == coded(2000) {
						if first < 0 {
							first = i
						}
						last = i
					}
				}
				for _, v := range got[first : last+1] {
					if v != coded(1000) && v != coded(2000) {
						wrong++
					}
				}
				if n := last - first + 1; n < 20 || n > 21 {
					t.Errorf("20 frames last %d: %v", n, got)
				}
				if wrong > 2 {
					t.Errorf("%d frames missing, want at most 2: %v", wrong, got)
				}
			})
		})
	}
}

func TestNumbersWrap(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		var got heardFrames
		s.Tap(got.tap)
		for i := range uint32(100) {
			s.Receive(level(1000, uint16(65500+i), 1<<32-1600+160*i, 7), peer)
			time.Sleep(20 * time.Millisecond)
		}
		synctest.Wait()
		for i, v := range got[3:] {
			if v != coded(1000) {
				t.Fatalf("frame %d is %d", i+3, v)
			}
		}
		if st := s.Stats(); st.Lost != 0 || st.Duplicate != 0 || st.TooLate != 0 || st.Concealed != 0 {
			t.Errorf("lost %d, duplicate %d, late %d, concealed %d; want none", st.Lost, st.Duplicate, st.TooLate, st.Concealed)
		}
	})
}

func TestCountsOfABadNetwork(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		for i := range uint16(1000) {
			if i%10 != 5 {
				s.Receive(level(1000, i, 160*uint32(i), 7), peer)
			}
			if i%100 == 7 {
				s.Receive(level(1000, i, 160*uint32(i), 7), peer)
			}
			time.Sleep(20 * time.Millisecond)
		}
		st := s.Stats()
		if st.Lost != 100 || st.Duplicate != 10 || st.Received != 910 {
			t.Errorf("lost %d, duplicate %d, received %d; want 100, 10, 910", st.Lost, st.Duplicate, st.Received)
		}
		if st.Concealed != 100 {
			t.Errorf("concealed %d frames, want 100", st.Concealed)
		}
		if st.Jitter != 0 {
			t.Errorf("jitter %v of packets that came every 20 ms", st.Jitter)
		}
		if want := 20*time.Second - 20*time.Millisecond; st.LastReceived.Sub(l.start) != want {
			t.Errorf("last received at %v, want %v", st.LastReceived.Sub(l.start), want)
		}
	})
}

func TestTapKeepsRealTime(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		n := 0
		remove := s.Tap(func(f pcm.Frame) {
			if n++; len(f) != 160 {
				t.Errorf("a frame of %d samples", len(f))
			}
		})
		time.Sleep(200 * time.Millisecond) // nothing has come yet
		sayTo(s, tone(10), 1)
		time.Sleep(600 * time.Millisecond) // nothing comes any more
		synctest.Wait()
		if n != 50 {
			t.Errorf("%d frames in a second, want 50", n)
		}
		remove()
		time.Sleep(time.Second)
		synctest.Wait()
		if n != 50 {
			t.Errorf("%d frames after remove", n-50)
		}
	})
}

func TestWithoutReceiveKeysAreStillHeard(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		c := agreed()
		c.Receive = false
		s.Configure(c)
		var got heardFrames
		s.Tap(got.tap)
		keys := s.Keys(t.Context())
		sayTo(s, tone(10), 1)
		synctest.Wait()
		s.Receive(packetOf(101, true, 11, 1600, 7, []byte{5, 10, 0, 160}), peer)
		for i, v := range got {
			if v != 0 {
				t.Errorf("frame %d is %d, want silence", i, v)
			}
		}
		if k := <-keys; k != '5' {
			t.Errorf("key %q, want 5", k)
		}
	})
}

func TestCodecChangesMidCall(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		c := agreed()
		c.Codec, c.PayloadType = "PCMA", 8
		s.Configure(c)
		time.Sleep(30 * time.Millisecond)
		ps := l.packets()
		if p := ps[len(ps)-1]; p.PayloadType != 8 || p.Payload[0] != 0xd5 {
			t.Errorf("silence of payload type %d is %#x, want 8 and 0xd5", p.PayloadType, p.Payload[0])
		}
	})
}

// What waits in the jitter buffer must not be decoded by the codec that follows.
func TestCodecChangeDropsWhatIsBuffered(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		var got heardFrames
		s.Tap(got.tap)
		for i := range uint16(2) {
			s.Receive(level(8, i, 160*uint32(i), 7), peer) // 0xfe in mu-law, which A-law reads as loud
		}
		c := agreed()
		c.Codec, c.PayloadType = "PCMA", 8
		s.Configure(c)
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		for _, v := range got {
			if v < -8 || v > 8 {
				t.Fatalf("heard %v", got)
			}
		}
	})
}

func FuzzReceive(f *testing.F) {
	f.Add(level(1000, 1, 160, 7), uint8(0))
	f.Add(packetOf(101, true, 2, 320, 7, []byte{5, 0x8a, 1, 0}), uint8(0))
	f.Add(packetOf(13, false, 3, 480, 7, []byte{60}), uint8(0))
	f.Add(append([]byte{0xb1, 0x80, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 0x10, 1, 0, 0}, 1, 2, 3, 3), uint8(1))
	p := NewPacer(PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
	f.Cleanup(p.Close)
	f.Fuzz(func(t *testing.T, b []byte, pulls uint8) {
		s := NewStream(p, discard{}, agreed())
		defer s.Close()
		s.Tap(func(pcm.Frame) {})
		sc := new(scratch)
		// The bytes are packets, each after its length; the stream is pulled
		// in between. First a good one, to have a source.
		s.Receive(level(1000, 1, 160, 7), peer)
		s.Receive(b, peer)
		for len(b) > 1 {
			n := min(int(b[0]), len(b)-1)
			s.Receive(b[1:1+n], peer)
			b = b[1+n:]
			for range pulls % 8 {
				s.owed = 1
				s.deliver(sc, 0)
			}
			if d := s.Stats().Delay; d < -time.Second*60*60*80 || d > time.Second {
				t.Fatalf("delay of %v", d)
			}
			if n := len(s.buffer.fifo); n > 2*maxPacket {
				t.Fatalf("%d samples wait in the buffer", n)
			}
		}
	})
}

func FuzzReceiveRTCP(f *testing.F) {
	report := []byte{0x80, 201, 0, 1, 0, 0, 0, 7}
	f.Add(report)
	f.Add([]byte{0x81, 200, 0, 12, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3,
		0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6})
	f.Add([]byte{0x81, 203, 0, 1, 0, 0, 0, 7})
	p := NewPacer(PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
	f.Cleanup(p.Close)
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewStream(p, discard{}, agreed())
		defer s.Close()
		if len(b) >= 12 { // make a report block of ours, if there is one
			s.out.SSRC = uint32(b[8])<<24 | uint32(b[9])<<16 | uint32(b[10])<<8 | uint32(b[11])
		}
		s.ReceiveRTCP(b, peerRTCP)
		if st := s.Stats(); st.RTT < 0 || st.RTT > 16*time.Second {
			t.Fatalf("round trip of %v", st.RTT)
		}
		s.sendReport(true)
	})
}
