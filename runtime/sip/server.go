// Package sip answers and places telephone calls over SIP (RFC 3261).
//
// [Listen] opens the sockets and calls Config.Answer with a [Leg] for each
// INVITE that is owed a call. Everything else is answered here: what is
// malformed, refused, repeated, or belongs to a call that is up. [Server.Dial]
// places a call, which is a Leg too.
//
// Bytes from outside pass three gates in turn. Only peers on the ACL are read at
// all, and whom a call was placed to, for that call; everybody else gets silence.
// [split] then cuts a message into lines within fixed limits, so that no message
// costs more than its length. Only what passes reaches sipgo's parser, and only a
// call costs memory: all other requests are answered without keeping state
// (RFC 3261 §8.2.7).
package sip

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/hookswitch/hookswitch/media"
)

// Config says where to listen, whom to answer and what with.
type Config struct {
	// Listen has URLs of the form udp://host:port and tcp://host:port. Port 0
	// takes a free one; Server.Addrs tells which.
	Listen []string

	// ExternalIP is what peers outside private networks are told as our
	// address, in Contact and in SDP. When it is not valid, and for peers on
	// private networks and loopback, it is the address that the system would
	// send from.
	ExternalIP netip.Addr

	// ACL has the addresses that are answered; empty means loopback only.
	ACL []netip.Prefix

	Ports *media.Ports
	Pacer *media.Pacer

	// Codecs are the names we speak, best first; empty means PCMU, PCMA.
	Codecs []string

	// MaxCalls is the number of calls at once and MaxCPS the number of new
	// ones per second. What is beyond gets 503 with Retry-After. 0 is no limit.
	MaxCalls, MaxCPS int

	// MediaTimeout ends an answered call that has brought neither RTP nor RTCP
	// for this long from its beginning or resumption on, because its BYE has been
	// lost; half as long once something has come, twice as long while the caller
	// holds us. 0 means 30 s. Less than 0 switches it off, for callers that send
	// nothing while they are silent.
	MediaTimeout time.Duration

	UserAgent string       // of the Server and User-Agent headers; empty sends none
	Log       *slog.Logger // nil logs nothing

	// Answer runs on a goroutine of its own for each new call. Its context ends
	// with the leg; the cause is then Leg.Err. When it returns, a leg that is
	// still up is hung up (480 if it was never answered). A panic ends only
	// this call, with 500.
	Answer func(ctx context.Context, leg *Leg)
}

// Server answers calls on its sockets until it is closed.
type Server struct {
	cfg      Config
	log      *slog.Logger
	openWire func() (wire media.Wire, port int, err error)
	seed     maphash.Seed // of the To tags of answers without state, and of messages
	draining atomic.Bool
	acl      atomic.Pointer[[]netip.Prefix]
	messages [64]bucket // messages from peers, by a hash of their address
	starts   bucket     // new calls
	sampled  sampler
	guests   guests
	resolver resolver

	mu           sync.Mutex
	transactions map[string]*transaction
	requests     map[string]*sipgo.ClientTx // ours but INVITEs, by requestKey
	attempts     map[string]*attempt        // our INVITEs
	merged       map[string]*transaction
	dialogs      map[dialogID]*Leg
	legs         map[*Leg]struct{}
	incoming     int // of legs, those that have come in
	lines        map[*line]struct{}
	linesOf      map[netip.Addr]int
	dialling     map[netip.AddrPort]*dialling
	over         bool // no more calls from here
	shut         bool // no more lines

	sockets   []socket
	listeners []net.Listener
	reading   sync.WaitGroup  // read loops
	calling   sync.WaitGroup  // legs, and what they wait for
	ctx       context.Context // until all legs are hung up
	stop      context.CancelFunc
	closing   sync.Once
}

// maxMessages is how many messages per second are read from one peer (and those
// few whose address has the same hash), so that a flood from one, or in its name,
// leaves the others alone. A hundred calls per second need less than a tenth.
const maxMessages = 10_000

// Listen opens the sockets of cfg and serves them until Close.
func Listen(cfg Config) (*Server, error) {
	if cfg.Ports == nil || cfg.Pacer == nil {
		return nil, errors.New("sip: listen: no media ports or no pacer")
	}
	s, err := newServer(cfg, func() (media.Wire, int, error) {
		u, err := cfg.Ports.Open()
		if err != nil {
			return nil, 0, err
		}
		return u, u.Port(), nil
	})
	if err != nil {
		return nil, err
	}
	for _, addr := range cfg.Listen {
		if err := s.open(addr); err != nil {
			s.Close()
			return nil, err
		}
	}
	if len(cfg.Listen) == 0 {
		return nil, errors.New("sip: listen: no address")
	}
	// Not before all are open: the first call may want to call over any of them.
	for _, c := range s.sockets {
		s.serveUDP(c)
	}
	for _, l := range s.listeners {
		s.serveTCP(l)
	}
	return s, nil
}

func newServer(cfg Config, openWire func() (media.Wire, int, error)) (*Server, error) {
	if cfg.Answer == nil {
		return nil, errors.New("sip: listen: nothing to answer calls with")
	}
	if len(cfg.ACL) == 0 {
		cfg.ACL = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	if len(cfg.Codecs) == 0 {
		cfg.Codecs = []string{"PCMU", "PCMA"}
	}
	if cfg.MediaTimeout == 0 {
		cfg.MediaTimeout = 30 * time.Second
	}
	s := &Server{
		cfg:          cfg,
		log:          cfg.Log,
		openWire:     openWire,
		resolver:     net.DefaultResolver,
		seed:         maphash.MakeSeed(),
		starts:       bucket{rate: float64(cfg.MaxCPS)},
		transactions: make(map[string]*transaction),
		requests:     make(map[string]*sipgo.ClientTx),
		attempts:     make(map[string]*attempt),
		merged:       make(map[string]*transaction),
		dialogs:      make(map[dialogID]*Leg),
		legs:         make(map[*Leg]struct{}),
		lines:        make(map[*line]struct{}),
		linesOf:      make(map[netip.Addr]int),
		dialling:     make(map[netip.AddrPort]*dialling),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.SetACL(cfg.ACL)
	for i := range s.messages {
		s.messages[i].rate = maxMessages
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

func (s *Server) open(addr string) error {
	u, err := url.Parse(addr)
	if err != nil {
		return fmt.Errorf("sip: listen %s: %w", addr, err)
	}
	switch u.Scheme {
	case "udp":
		a, err := net.ResolveUDPAddr("udp", u.Host)
		if err != nil {
			return fmt.Errorf("sip: listen %s: %w", addr, err)
		}
		c, err := net.ListenUDP("udp", a)
		if err != nil {
			return fmt.Errorf("sip: listen %s: %w", addr, err)
		}
		// A burst of calls must not be lost while one message is worked on. The
		// system may grant less than we ask for, which is no reason to stop.
		c.SetReadBuffer(4 << 20)
		s.sockets = append(s.sockets, c)
	case "tcp":
		l, err := net.Listen("tcp", u.Host)
		if err != nil {
			return fmt.Errorf("sip: listen %s: %w", addr, err)
		}
		s.listeners = append(s.listeners, l)
	default:
		return fmt.Errorf("sip: listen %s: the scheme must be udp or tcp", addr)
	}
	return nil
}

// Addrs returns the URLs that the server listens on, with their real ports.
func (s *Server) Addrs() []string {
	var addrs []string
	for _, c := range s.sockets {
		addrs = append(addrs, "udp://"+c.LocalAddr().String())
	}
	for _, l := range s.listeners {
		addrs = append(addrs, "tcp://"+l.Addr().String())
	}
	return addrs
}

// Drain lets the calls that are up go on and refuses new ones: INVITE and
// OPTIONS get 503 with Retry-After, so that a proxy turns to the next server. Calls
// may still be placed, since those that are up may need them.
func (s *Server) Drain() { s.draining.Store(true) }

// Calls is the number of calls that are up or being set up.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.legs)
}

// Close hangs up all calls, waits until their Answer functions have returned,
// and closes the sockets.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() {
		s.hangup()
		err = s.closeSockets()
		s.reading.Wait()
		s.terminate()
	})
	return err
}

// hangup ends all calls and waits for them.
func (s *Server) hangup() {
	s.Drain()
	s.mu.Lock()
	s.over = true
	legs := slices.Collect(maps.Keys(s.legs))
	s.mu.Unlock()
	var hanging sync.WaitGroup
	for _, l := range legs {
		hanging.Go(func() { l.Hangup(context.Background()) })
	}
	hanging.Wait()
	s.stop() // what is still asked gets no answer any more
	s.calling.Wait()
}

func (s *Server) closeSockets() error {
	var errs []error
	for _, c := range s.sockets {
		errs = append(errs, c.Close())
	}
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = true
	for l := range s.lines {
		l.finish()
	}
	return errors.Join(errs...)
}

// SetACL replaces the addresses that are answered; empty is nobody. Calls that are
// up go on only as far as their other side is still one of them.
func (s *Server) SetACL(networks []netip.Prefix) { s.acl.Store(&networks) }

// allowed tells whether ip is a peer. Everybody else gets silence, so that a
// scanner finds nothing.
func (s *Server) allowed(ip netip.Addr) bool {
	ip = ip.Unmap()
	return slices.ContainsFunc(*s.acl.Load(), func(p netip.Prefix) bool { return p.Contains(ip) })
}
