package media

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/pion/rtcp"
)

var localhost = netip.MustParseAddr("127.0.0.1")

// somePorts is a range of n pairs that nothing else uses at the moment.
func somePorts(t *testing.T, addr netip.Addr, n int) *Ports {
	t.Helper()
	for range 50 {
		c, err := net.ListenPacket("udp", netip.AddrPortFrom(addr, 0).String())
		if err != nil {
			t.Skipf("no UDP on %v: %v", addr, err)
		}
		lo := c.LocalAddr().(*net.UDPAddr).Port
		c.Close()
		p, err := NewPorts(addr, lo, lo+2*n)
		if err != nil {
			continue
		}
		var all []*UDP
		for range p.pairs {
			if u, err := p.Open(); err == nil {
				all = append(all, u)
			}
		}
		for _, u := range all {
			u.Close()
		}
		if len(all) == n {
			clear(p.rested)
			return p
		}
	}
	t.Skip("no free ports in a row")
	return nil
}

func TestPortsAreGivenOnceAndRest(t *testing.T) {
	p := somePorts(t, localhost, 3)
	seen := map[int]bool{}
	var open []*UDP
	for range 3 {
		u, err := p.Open()
		if err != nil {
			t.Fatal(err)
		}
		if u.Port()%2 != 0 || seen[u.Port()] {
			t.Errorf("port %d is odd or given twice", u.Port())
		}
		seen[u.Port()] = true
		open = append(open, u)
	}
	if _, err := p.Open(); !errors.Is(err, ErrNoPorts) {
		t.Errorf("a fourth of three pairs: %v, want ErrNoPorts", err)
	}
	open[0].Close()
	open[0].Close()
	if _, err := p.Open(); !errors.Is(err, ErrNoPorts) {
		t.Errorf("a pair was given out at once after its call: %v", err)
	}
	pair := (open[0].Port() - p.lo) / 2
	if rest := time.Until(p.rested[pair]); rest < time.Second || rest > quarantine {
		t.Errorf("the pair rests for %v, want 2 s", rest)
	}
	p.rested[pair] = time.Now()
	u, err := p.Open()
	if err != nil {
		t.Fatalf("after its rest: %v", err)
	}
	if u.Port() != open[0].Port() {
		t.Errorf("got port %d, want %d", u.Port(), open[0].Port())
	}
	for _, u := range append(open[1:], u) {
		u.Close()
	}
}

func TestPortTakenByAnotherIsPassedOver(t *testing.T) {
	p := somePorts(t, localhost, 2)
	other, err := net.ListenPacket("udp", netip.AddrPortFrom(localhost, uint16(p.lo+1)).String())
	if err != nil {
		t.Skip(err)
	}
	defer other.Close()
	u, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if u.Port() != p.lo+2 {
		t.Errorf("got port %d, want %d", u.Port(), p.lo+2)
	}
	_, err = p.Open()
	if !errors.Is(err, ErrNoPorts) || !bytes.Contains([]byte(err.Error()), []byte("bind")) {
		t.Errorf("got %v, want ErrNoPorts and why", err)
	}
}

func TestRangesThatAreNone(t *testing.T) {
	tests := []struct {
		name   string
		lo, hi int
		ok     bool
	}{
		{"one pair", 10000, 10001, true},
		{"begins odd", 10001, 10003, true},
		{"one port", 10000, 10000, false},
		{"an odd port and an even", 10001, 10002, false},
		{"upside down", 20000, 10000, false},
		{"past the end", 65000, 70000, false},
		{"zero", 0, 100, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewPorts(localhost, tt.lo, tt.hi); (err == nil) != tt.ok {
				t.Errorf("ok %v, want %v (%v)", err == nil, tt.ok, err)
			}
		})
	}
	if _, err := NewPorts(netip.Addr{}, 10000, 20000); err == nil {
		t.Error("ports without an address")
	}
}

// drainUntil drains u until done says so, or a second has passed.
func drainUntil(t *testing.T, u *UDP, rtp, rtcp func([]byte, netip.AddrPort), done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Second)
	for !done() {
		select {
		case <-tick.C:
			u.Drain(rtp, rtcp)
		case <-deadline:
			t.Fatal("nothing came in a second")
		}
	}
}

func TestUDPCarriesPackets(t *testing.T) {
	for _, addr := range []netip.Addr{localhost, netip.IPv6Loopback()} {
		t.Run(addr.String(), func(t *testing.T) {
			p := somePorts(t, addr, 2)
			a, err := p.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			b, err := p.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if err := a.Send([]byte("x")); err == nil {
				t.Error("sent without a remote address")
			}
			at := func(u *UDP, d int) netip.AddrPort { return netip.AddrPortFrom(addr, uint16(u.Port()+d)) }
			a.SetRemote(at(b, 0), at(b, 1))
			const many = 100 // more than a batch and than one drain
			for i := range many {
				if err := a.Send([]byte{byte(i)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.SendRTCP([]byte("report")); err != nil {
				t.Fatal(err)
			}
			n, report := 0, ""
			drainUntil(t, b, func(p []byte, from netip.AddrPort) {
				if len(p) != 1 || p[0] != byte(n) || from != at(a, 0) {
					t.Errorf("packet %d: % x from %v", n, p, from)
				}
				n++
			}, func(p []byte, from netip.AddrPort) {
				if from != at(a, 1) {
					t.Errorf("RTCP from %v, want %v", from, at(a, 1))
				}
				report = string(p)
			}, func() bool { return n >= many && report != "" })
			if report != "report" {
				t.Errorf("RTCP %q", report)
			}
			a.Close()
			if err := a.Send([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Send after Close: %v", err)
			}
			a.Drain(nil, nil) // does nothing
		})
	}
}

// A real call on loopback: a tone one way, a digit the other.
func TestCallOverLoopback(t *testing.T) {
	p := somePorts(t, localhost, 2)
	pacer := NewPacer(PacerConfig{})
	defer pacer.Close()
	open := func() *UDP {
		u, err := p.Open()
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	a, b := open(), open()
	stream := func(u, far *UDP) *Stream {
		c := agreed()
		c.Remote = netip.AddrPortFrom(localhost, uint16(far.Port()))
		c.RemoteRTCP = netip.AddrPortFrom(localhost, uint16(far.Port()+1))
		s := NewStream(pacer, u, c)
		s.Start()
		return s
	}
	one, two := stream(a, b), stream(b, a)
	defer one.Close()
	defer two.Close()
	// A busy machine may leave gaps, so it is enough that half of the tone is
	// heard.
	heard, frames := make(chan struct{}), 0
	two.Tap(func(f pcm.Frame) {
		if pcm.Level(f) > -20 && pcm.Share(f, 8000, 440) > 0.8 {
			if frames++; frames == 25 {
				close(heard)
			}
		}
	})
	keys := one.Keys(t.Context())
	begun := time.Now()
	if err := one.Play(t.Context(), NewClip(pcm.Tone(8000, time.Second, 0.5, 440), 8000)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 975*time.Millisecond {
		t.Errorf("a second of tone took %v", took)
	}
	for again := true; again; { // what a busy machine lost is played again
		select {
		case <-heard:
			again = false
		default:
			if err := one.Play(t.Context(), NewClip(pcm.Tone(8000, time.Second, 0.5, 440), 8000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := two.SendDigits(t.Context(), "7"); err != nil {
		t.Fatal(err)
	}
	if k := <-keys; k != '7' {
		t.Errorf("key %q, want 7", k)
	}
	if st := two.Stats(); st.Foreign != 0 || st.Malformed != 0 || !st.Latched {
		t.Errorf("foreign %d, malformed %d, latched %v", st.Foreign, st.Malformed, st.Latched)
	}
}

// The system gives the numbers of closed sockets to those opened next, before
// the pacer has dropped the closed ones: the next call must be heard all the same,
// on both of its ports.
func TestCallAfterCallIsHeard(t *testing.T) {
	p := somePorts(t, localhost, 20)
	pacer := NewPacer(PacerConfig{Goroutines: 1})
	defer pacer.Close()
	phone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer phone.Close()
	c := agreed()
	c.Remote = phone.LocalAddr().(*net.UDPAddr).AddrPort()
	report, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 7}})
	if err != nil {
		t.Fatal(err)
	}
	for call := range 20 {
		u, err := p.Open()
		if err != nil {
			t.Fatal(err)
		}
		s := NewStream(pacer, u, c)
		s.Start()
		for i, b := range [][]byte{level(1000, 1, 160, 7), report} {
			to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(localhost, uint16(u.Port()+i)))
			if _, err := phone.WriteTo(b, to); err != nil {
				t.Fatal(err)
			}
		}
		tick := time.NewTicker(time.Millisecond)
		for range 1000 {
			<-tick.C
			if st := s.Stats(); st.Received == 1 && !st.LastRTCP.IsZero() {
				break
			}
		}
		tick.Stop()
		if st := s.Stats(); st.Received != 1 || st.LastRTCP.IsZero() {
			t.Errorf("call %d: %d packets, RTCP at %v; want one, and a time", call, st.Received, st.LastRTCP)
		}
		s.Close()
	}
}

// What is sprayed at a call from elsewhere is not heard, and gets nothing.
func TestSprayOverLoopback(t *testing.T) {
	attacker, err := net.ListenPacket("udp", "127.0.0.66:0")
	if err != nil {
		t.Skip("only one loopback address here")
	}
	defer attacker.Close()
	p := somePorts(t, localhost, 1)
	u, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	phone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer phone.Close()
	pacer := NewPacer(PacerConfig{})
	defer pacer.Close()
	c := agreed()
	c.Remote = phone.LocalAddr().(*net.UDPAddr).AddrPort()
	c.RemoteRTCP = netip.AddrPort{}
	s := NewStream(pacer, u, c)
	s.Start()
	defer s.Close()
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(localhost, uint16(u.Port())))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := range uint16(100) {
		<-tick.C
		if _, err := attacker.WriteTo(level(8000, i, 160*uint32(i), 9), to); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		<-tick.C
		if s.Stats().Foreign == 100 {
			break
		}
	}
	if st := s.Stats(); st.Foreign != 100 || st.Received != 0 {
		t.Errorf("foreign %d, received %d; want 100 and 0", st.Foreign, st.Received)
	}
	attacker.SetReadDeadline(time.Now())
	if n, _, err := attacker.ReadFrom(make([]byte, 1500)); err == nil {
		t.Errorf("the attacker got %d bytes", n)
	}
}

func TestSendAndReceiveDoNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(1000, sendFrames(t)); n != 0 {
		t.Errorf("%v allocations to send a frame", n)
	}
	if n := testing.AllocsPerRun(1000, receiveFrames(t)); n != 0 {
		t.Errorf("%v allocations to receive a frame", n)
	}
}

// sendFrames returns a function that sends one frame of a clip over UDP.
func sendFrames(tb testing.TB) func() {
	s, _ := loopbackStream(tb)
	clip := NewClip(tone(50), 8000)
	s.plays = []*play{{src: sourceAt{Source: clip}, done: make(chan struct{})}}
	sc := new(scratch)
	return func() {
		s.mu.Lock()
		if clip.Ended() {
			clip.next.Store(0)
		}
		s.send(sc, 0, time.Hour, 0)
		s.mu.Unlock()
	}
}

// receiveFrames returns a function that sends one packet of sound to a stream
// by UDP, drains it, and pulls it out of the jitter buffer into a tap.
func receiveFrames(tb testing.TB) func() {
	s, u := loopbackStream(tb)
	s.Tap(func(pcm.Frame) {})
	s.report.next = time.Hour
	sc := new(scratch)
	b := make([]byte, 172)
	b[0] = 0x80
	g711.EncodeULaw(b[12:], tone(1).Samples)
	n := uint32(0)
	return func() {
		n++
		b[2], b[3] = byte(n>>8), byte(n)
		ts := 160 * n
		b[4], b[5], b[6], b[7] = byte(ts>>24), byte(ts>>16), byte(ts>>8), byte(ts)
		if err := u.Send(b); err != nil {
			tb.Fatal(err)
		}
		u.Drain(s.onRTP, s.onRTCP)
		s.owed = 1
		s.deliver(sc, 0)
	}
}

// loopbackStream is a stream whose wire sends to itself, served by the test.
func loopbackStream(tb testing.TB) (*Stream, *UDP) {
	ports, err := NewPorts(localhost, 10000, 60000)
	if err != nil {
		tb.Fatal(err)
	}
	u, err := ports.Open()
	if err != nil {
		tb.Fatal(err)
	}
	pacer := NewPacer(PacerConfig{Goroutines: 1})
	c := agreed()
	c.Remote = netip.AddrPortFrom(localhost, uint16(u.Port()))
	c.RemoteRTCP = netip.AddrPort{}
	s := NewStream(pacer, u, c)
	tb.Cleanup(func() {
		s.Close()
		pacer.Close()
	})
	return s, u
}

func BenchmarkSend(b *testing.B) {
	f := sendFrames(b)
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}

func BenchmarkReceive(b *testing.B) {
	f := receiveFrames(b)
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}
