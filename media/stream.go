package media

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/pion/rtp"
)

// ErrClosed is returned by Play, Echo and SendDigits when the stream closes.
var ErrClosed = errors.New("media: stream closed")

// Config is what the two sides have agreed on (RFC 3264).
type Config struct {
	Codec       string // "PCMU", "PCMA" or "G722"; anything else is PCMU
	PayloadType uint8  // of the codec, in both directions
	EventType   uint8  // payload type of telephone-event, 0 without

	// Remote and RemoteRTCP are where the SDP says to send. Nothing is sent
	// while Remote is invalid, unspecified or without a port.
	Remote, RemoteRTCP netip.AddrPort

	// Signalling is where the peer's SIP comes from. Sound may come from
	// there too when the address in the SDP is a private one.
	Signalling netip.Addr

	// Send and Receive are our direction: false, false is inactive. Without
	// Send no RTP goes out, without Receive sound that comes in is dropped;
	// keys and RTCP go on.
	Send, Receive bool

	CNAME string // of our RTCP (RFC 3550 section 6.5.1); a random one if empty
}

// Stream is the RTP of one call. Its methods may be called from any goroutine.
type Stream struct {
	pacer         *Pacer
	wire          Wire
	onRTP, onRTCP func([]byte, netip.AddrPort) // Receive and ReceiveRTCP, made once
	slot          int                          // of the pacer's wheel; owned by the shard
	due           int64                        // tick of the next frame; owned by the shard
	watched       bool                         // by the shard's watch, so not to be drained at each poll; owned by the shard

	mu      sync.Mutex
	cfg     Config
	codec   codec
	started bool
	closed  bool

	plays []*play // the last is heard
	over  []*play // ended in this tick, to be told after it
	taps  []*tap  // replaced, never changed
	owed  int     // frames the taps are owed by this tick

	keys    []chan rune
	private chan rune // alone gets the keys; nil without
	last    press

	relay     *relay       // nil without
	holding   atomic.Int32 // of cfg, for the peer of a relay
	heardSent heardSent

	out    rtp.Header    // of the next packet that the pacer sends
	next   time.Duration // when out.Timestamp is, since the pacer's start
	sentTS uint32        // of the last packet sent
	latch  latch
	in     rtp.Header // of the packet being received
	heard  reception
	other  rival
	events events
	buffer *jitterBuffer
	report report
	stats  Stats
}

// rival is a packet from the right place but of another SSRC than is heard.
type rival struct {
	ssrc  uint32
	seq   uint16
	known bool
}

// Stats is what a stream has counted since it was made.
type Stats struct {
	Sent, SentBytes uint64 // RTP packets, and bytes of their payload
	Relayed         uint64 // of these, what a Relay passed on
	SendErrors      uint64
	Late            uint64 // frames sent more than 5 ms after their time
	Skipped         uint64 // frames not sent because their whole 20 ms had passed

	Received, ReceivedBytes uint64 // RTP packets taken, and bytes of their payload
	LastReceived            time.Time
	LastRTCP                time.Time
	Lost                    int64 // packets that never came, of the source now heard
	Duplicate               uint64
	TooLate                 uint64        // came after their time in the jitter buffer
	Concealed               uint64        // frames in which a loss was covered
	Jitter                  time.Duration // RFC 3550 section 6.4.1
	Delay                   time.Duration // what the jitter buffer adds
	Foreign                 uint64        // RTP and RTCP packets from elsewhere, dropped
	Malformed               uint64        // or of a payload type not agreed on, dropped

	// What the other side reports of the packets we send; zero until it does.
	RTT          time.Duration
	RemoteLost   int64
	RemoteJitter time.Duration

	Remote  netip.AddrPort // where we send to
	Latched bool           // whether that is locked to where packets come from
}

// NewStream makes a stream on w, which it closes at the end. Packets may be
// given to Receive at once; it is served by p from Start on.
func NewStream(p *Pacer, w Wire, c Config) *Stream {
	s := &Stream{pacer: p, wire: w}
	s.onRTP, s.onRTCP = s.Receive, s.ReceiveRTCP
	s.out = rtp.Header{
		Version: 2, Marker: true, SSRC: rand.Uint32(),
		SequenceNumber: uint16(rand.Uint32()), Timestamp: rand.Uint32(),
	}
	s.sentTS = s.out.Timestamp - 1
	if c.CNAME == "" {
		c.CNAME = randomCNAME()
	}
	s.buffer = newJitterBuffer(codecFor(c.Codec))
	s.configure(c)
	return s
}

// Start sends the first packet at once and has the pacer send one every 20 ms
// from then on, silence whenever nothing plays. Only the first call counts.
func (s *Stream) Start() {
	s.mu.Lock()
	if s.started || s.closed {
		s.mu.Unlock()
		return
	}
	s.started = true
	now := s.pacer.since()
	s.report.next = now + firstReport
	if s.sending() {
		s.sendSilence(new(scratch))
	}
	s.out.Timestamp += frameTicks
	s.next = now + pcm.FrameTime
	s.mu.Unlock()
	s.pacer.join(s, now)
}

// Configure takes over what a new negotiation agreed on (re-INVITE). Where
// packets may come from is learnt anew if the remote address has changed.
func (s *Stream) Configure(c Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if c.CNAME == "" {
		c.CNAME = s.cfg.CNAME
	}
	s.configure(c)
}

func (s *Stream) configure(c Config) {
	old := s.cfg
	s.cfg = c
	s.holding.Store(int32(c.holding()))
	if codec := codecFor(c.Codec); codec.name != s.codec.name {
		s.codec = codec
		s.buffer.recode(codecFor(c.Codec))
		if sent := s.heardSent.buffer; sent != nil {
			sent.recode(codecFor(c.Codec))
		}
	}
	s.out.PayloadType = c.PayloadType
	if c.Remote != old.Remote || c.RemoteRTCP != old.RemoteRTCP || c.Signalling != old.Signalling {
		s.latch = newLatch(c.Remote, c.Signalling)
		s.report.latched = false
		s.setRemote(c.Remote, c.RemoteRTCP)
	}
	if c.Send && !old.Send {
		s.out.Marker = true // sound begins after a pause (RFC 3551 section 4.1)
	}
}

// setRemote sends to these addresses from now on.
func (s *Stream) setRemote(rtp, rtcp netip.AddrPort) {
	if !rtp.IsValid() || rtp.Addr().IsUnspecified() || rtp.Port() == 0 {
		rtp, rtcp = netip.AddrPort{}, netip.AddrPort{}
	}
	s.stats.Remote = rtp
	s.report.remote = rtcp
	s.wire.SetRemote(rtp, rtcp)
}

// Rate is the sample rate of the stream's frames, in Hz: 8000, or 16000 in
// G.722. A Configure may change it.
func (s *Stream) Rate() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.codec.rate
}

// Pacer is what serves the stream.
func (s *Stream) Pacer() *Pacer { return s.pacer }

// Codec is the name of the codec, as in Config.
func (s *Stream) Codec() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Codec
}

// Stats returns the counts so far.
func (s *Stream) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Lost = s.heard.lost()
	st.Duplicate += s.heard.duplicate
	st.Jitter = ticksTime(s.heard.jitter, clockRate)
	st.TooLate, st.Concealed = s.buffer.late, s.buffer.concealed
	st.Delay = ticksTime(float64(s.buffer.slack), clockRate)
	st.Latched = s.latch.locked
	return st
}

// Close says goodbye by RTCP, closes the wire, ends what is playing with
// ErrClosed, and the relay. Nothing is sent or received once it has returned;
// a tap may still be in its last call.
func (s *Stream) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	if s.started {
		s.sendReport(true)
	}
	s.wire.Close()
	for len(s.plays) > 0 {
		s.end(s.plays[len(s.plays)-1], ErrClosed)
	}
	s.taps, s.heardSent.taps = nil, nil
	r := s.relay
	s.mu.Unlock()
	if r != nil {
		r.bridge.end()
	}
}
