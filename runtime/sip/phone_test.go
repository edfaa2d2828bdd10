package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
)

// memory is a UDP socket in memory. Each peer address has a queue of what was
// sent to it.
type memory struct {
	local  netip.AddrPort
	in     chan datagram
	closed chan struct{}
	once   sync.Once

	mu  sync.Mutex
	out map[netip.AddrPort]chan string
}

type datagram struct {
	b    []byte
	from netip.AddrPort
}

func newMemory() *memory {
	return &memory{local: netip.MustParseAddrPort("192.0.2.1:5060"), in: make(chan datagram, 1000),
		closed: make(chan struct{}), out: make(map[netip.AddrPort]chan string)}
}

func (m *memory) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-m.in:
		return copy(b, d.b), d.from, nil
	case <-m.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (m *memory) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case m.queue(to) <- string(b):
	default: // nobody reads there
	}
	return len(b), nil
}

func (m *memory) queue(to netip.AddrPort) chan string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.out[to] == nil {
		m.out[to] = make(chan string, 1000)
	}
	return m.out[to]
}

func (m *memory) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(m.local) }
func (m *memory) Close() error        { m.once.Do(func() { close(m.closed) }); return nil }

// silentWire is a media wire that nothing comes from. It counts those that are
// open and what is sent.
type silentWire struct{ open, sent *atomic.Int32 }

func (w silentWire) Send([]byte) error                            { w.sent.Add(1); return nil }
func (silentWire) SendRTCP([]byte) error                          { return nil }
func (silentWire) Drain(_, _ func(b []byte, from netip.AddrPort)) {}
func (silentWire) SetRemote(_, _ netip.AddrPort)                  {}
func (w silentWire) Close() error                                 { w.open.Add(-1); return nil }

// bench is a server on a socket in memory, inside a synctest bubble.
type bench struct {
	*Server
	t      *testing.T
	socket *memory
	wires  atomic.Int32 // open ones
	sent   atomic.Int32 // RTP packets
}

// bubble runs f in virtual time against a server and checks that the end
// leaves nothing behind.
func bubble(t *testing.T, change func(*Config), f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pacer := media.NewPacer(media.PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
		cfg := Config{ACL: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Pacer: pacer, MediaTimeout: -1,
			Answer: func(ctx context.Context, l *Leg) {
				if l.Answer(ctx) == nil {
					<-l.Done()
				}
			}}
		if change != nil {
			change(&cfg)
		}
		b := &bench{t: t, socket: newMemory()}
		s, err := newServer(cfg, func() (media.Wire, int, error) {
			b.wires.Add(1)
			return silentWire{&b.wires, &b.sent}, 40000, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Server, s.resolver = s, zone{}
		s.sockets = []socket{b.socket}
		s.serveUDP(b.socket)
		defer pacer.Close()
		defer s.Close()
		f(b)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // for the pacer to see that streams are closed
		if got := pacer.Stats().Streams; got != 0 {
			t.Errorf("%d streams are still paced", got)
		}
		if got := b.wires.Load(); got != 0 {
			t.Errorf("%d media wires are still open", got)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.dialogs) != 0 || len(s.legs) != 0 || len(s.transactions) != 0 || len(s.merged) != 0 || len(s.requests) != 0 || len(s.attempts) != 0 {
			t.Errorf("left behind: %d dialogs, %d legs, %d transactions, %d merge keys, %d requests, %d INVITEs",
				len(s.dialogs), len(s.legs), len(s.transactions), len(s.merged), len(s.requests), len(s.attempts))
		}
	})
}

// phone is a scripted caller.
type phone struct {
	b      *bench
	addr   netip.AddrPort
	callID string
	toTag  string
	seq    int
	branch int
	in     chan string
}

func (b *bench) phone(callID string) *phone { return b.phoneAt("192.0.2.7:5070", callID) }

func (b *bench) phoneAt(addr, callID string) *phone {
	a := netip.MustParseAddrPort(addr)
	return &phone{b: b, addr: a, callID: callID, seq: 1, in: b.socket.queue(a)}
}

const pcmu = "v=0\r\no=a 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"

// send sends a request of its dialog. Extra header lines end in CRLF.
func (p *phone) send(method, branch, extra, body string) {
	to := "<sip:100@192.0.2.1>"
	if p.toTag != "" {
		to += ";tag=" + p.toTag
	}
	seq := strconv.Itoa(p.seq)
	p.raw(method + " sip:100@192.0.2.1 SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP " + p.addr.String() + ";branch=z9hG4bK" + branch + ";rport\r\n" +
		"Max-Forwards: 70\r\nFrom: \"A\" <sip:alice@example.com>;tag=a1\r\nTo: " + to + "\r\n" +
		"Call-ID: " + p.callID + "\r\nCSeq: " + seq + " " + method + "\r\n" +
		"Contact: <sip:alice@" + p.addr.String() + ">\r\n" + extra +
		fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body)
}

func (p *phone) raw(text string) {
	p.b.socket.in <- datagram{[]byte(text), p.addr}
}

func (p *phone) next(within time.Duration) string {
	p.b.t.Helper()
	select {
	case m := <-p.in:
		return m
	case <-time.After(within):
		p.b.t.Fatalf("%s: nothing came within %v", p.callID, within)
		return ""
	}
}

// want takes the next message and checks its start line.
func (p *phone) want(start string) string {
	p.b.t.Helper()
	m := p.next(40 * time.Second)
	if !strings.HasPrefix(m, start) {
		p.b.t.Fatalf("%s: got %q, want %q", p.callID, line1(m), start)
	}
	return m
}

// silent checks that nothing comes for d.
func (p *phone) silent(d time.Duration) {
	p.b.t.Helper()
	select {
	case m := <-p.in:
		p.b.t.Fatalf("%s: got %q, want silence", p.callID, line1(m))
	case <-time.After(d):
	}
}

const sdpBody = "Content-Type: application/sdp\r\n"

// invite calls and takes everything up to the 200, which it returns.
func (p *phone) invite(body string) string {
	p.b.t.Helper()
	extra := ""
	if body != "" {
		extra = sdpBody
	}
	p.send("INVITE", "inv"+p.callID+strconv.Itoa(p.seq), extra, body)
	if p.toTag == "" {
		p.want("SIP/2.0 100") // a re-INVITE is answered at once
	}
	ok := p.want("SIP/2.0 200")
	p.toTag = headerOf(ok, "To")[strings.Index(headerOf(ok, "To"), "tag=")+4:]
	return ok
}

func (p *phone) ack(body string) {
	extra := ""
	if body != "" {
		extra = sdpBody
	}
	p.send("ACK", fmt.Sprintf("ack%s%d", p.callID, p.seq), extra, body)
}

func (p *phone) bye() {
	p.b.t.Helper()
	p.seq++
	p.send("BYE", "bye"+p.callID+strconv.Itoa(p.seq), "", "")
	p.want("SIP/2.0 200")
}

// reply answers a request of the server.
func (p *phone) reply(req, status string) {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for l := range strings.SplitSeq(req, "\r\n") {
		for name := range strings.FieldsSeq("Via: From: To: Call-ID: CSeq:") {
			if strings.HasPrefix(l, name) {
				b.WriteString(l + "\r\n")
			}
		}
	}
	p.raw(b.String() + "Content-Length: 0\r\n\r\n")
}

func line1(m string) string { l, _, _ := strings.Cut(m, "\r\n"); return l }

// headerOf returns the first value of a header of a message, "" if there is
// none.
func headerOf(m, name string) string {
	head, _, _ := strings.Cut(m, "\r\n\r\n")
	for l := range strings.SplitSeq(head, "\r\n") {
		if v, ok := strings.CutPrefix(l, name+": "); ok {
			return v
		}
	}
	return ""
}

// TestMain checks that no goroutine of ours outlives the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	for deadline := time.Now().Add(5 * time.Second); code == 0; runtime.Gosched() {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		_, others, _ := strings.Cut(stacks, "\n\n") // the first is this one
		if !strings.Contains(others, "hookswitch/") {
			break
		}
		if time.Now().After(deadline) {
			fmt.Println("goroutines were left:\n" + others)
			code = 1
		}
	}
	os.Exit(code)
}
