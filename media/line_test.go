package media

import (
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/pion/rtp"
)

// line is a wire in memory: it keeps what is sent, and hands it to far when
// that is set.
type line struct {
	mu     sync.Mutex
	start  time.Time
	sent   []sentPacket
	rtcp   [][]byte
	remote netip.AddrPort
	far    func(rtp []byte)
	farRTC func(b []byte)
	closed bool
}

type sentPacket struct {
	at time.Duration
	rtp.Packet
}

func newLine() *line { return &line{start: time.Now()} }

func (l *line) Send(b []byte) error {
	l.mu.Lock()
	p := sentPacket{at: time.Since(l.start)}
	if err := p.Unmarshal(append([]byte(nil), b...)); err != nil {
		panic(err)
	}
	l.sent = append(l.sent, p)
	far := l.far
	l.mu.Unlock()
	if far != nil {
		far(b)
	}
	return nil
}

func (l *line) SendRTCP(b []byte) error {
	l.mu.Lock()
	l.rtcp = append(l.rtcp, append([]byte(nil), b...))
	far := l.farRTC
	l.mu.Unlock()
	if far != nil {
		far(b)
	}
	return nil
}

func (l *line) Drain(rtp, rtcp func([]byte, netip.AddrPort)) {}

func (l *line) SetRemote(rtp, rtcp netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remote = rtp
}

func (l *line) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

func (l *line) packets() []sentPacket {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]sentPacket(nil), l.sent...)
}

func (l *line) reports() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([][]byte(nil), l.rtcp...)
}

var (
	peer      = netip.MustParseAddrPort("192.0.2.7:4000")
	peerRTCP  = netip.MustParseAddrPort("192.0.2.7:4001")
	stranger  = netip.MustParseAddrPort("192.0.2.66:4000")
	signaller = netip.MustParseAddr("198.51.100.1")
)

func agreed() Config {
	return Config{
		Codec: "PCMU", PayloadType: 0, EventType: 101, Remote: peer, RemoteRTCP: peerRTCP,
		Signalling: signaller, Send: true, Receive: true, CNAME: "us",
	}
}

// inCall runs f with a started stream in virtual time.
func inCall(t *testing.T, f func(t *testing.T, s *Stream, l *line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
		l := newLine()
		s := NewStream(p, l, agreed())
		s.Start()
		f(t, s, l)
		s.Close()
		p.Close()
	})
}

// tone is a clip of n frames in which no sample is coded like silence.
func tone(n int) pcm.Clip {
	c := pcm.Clip{Rate: 8000, Samples: make([]int16, 160*n)}
	for i := range c.Samples {
		c.Samples[i] = 8000
	}
	return c
}

// loud reports for each packet whether it is sound.
func loud(ps []sentPacket) (s string) {
	for _, p := range ps {
		switch {
		case p.PayloadType != 0:
			s += "e"
		case p.Payload[0] == 0xff:
			s += "."
		default:
			s += "#"
		}
	}
	return s
}

// sayTo sends a clip to the stream from its peer, a packet every 20 ms.
func sayTo(s *Stream, c pcm.Clip, seq uint16) {
	for i := 0; i+160 <= len(c.Samples); i += 160 {
		s.Receive(speech(c.Samples[i:i+160], seq+uint16(i/160), uint32(i), 7), peer)
		time.Sleep(20 * time.Millisecond)
	}
}

// speech is an RTP packet of samples.
func speech(samples []int16, seq uint16, ts, ssrc uint32) []byte {
	payload := make([]byte, len(samples))
	g711.EncodeULaw(payload, samples)
	return packetOf(0, false, seq, ts, ssrc, payload)
}

func packetOf(pt uint8, marker bool, seq uint16, ts, ssrc uint32, payload []byte) []byte {
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: pt, Marker: marker, SequenceNumber: seq, Timestamp: ts, SSRC: ssrc},
		Payload: payload,
	}
	b, err := p.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// discard is a wire to nowhere.
type discard struct{}

func (discard) Send([]byte) error                                                { return nil }
func (discard) SendRTCP([]byte) error                                            { return nil }
func (discard) Drain(func([]byte, netip.AddrPort), func([]byte, netip.AddrPort)) {}
func (discard) SetRemote(netip.AddrPort, netip.AddrPort)                         {}
func (discard) Close() error                                                     { return nil }
