package sip

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// The sockets are read here and not by sipgo's transport layer. That one keeps
// a table entry for each source for ever, may dial the host a Via names, does
// not send answers over 1,300 bytes, and starts a goroutine per message, which
// loses the order in which they came. Here messages of one socket are taken in
// order, and nothing is dialled but peers.

// socket is the part of *net.UDPConn that is used.
type socket interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// Limits of TCP lines.
const (
	maxLines     = 2000
	maxLinesPeer = 20
	idleTime     = 65 * time.Second // longer than the usual keep-alive; lines with a call stay
	messageTime  = 5 * time.Second  // from the first byte of a message to its last; also for writing one
)

// path is where a message came from, and so where its answer goes. Over TCP
// that is always the line it came on (RFC 3261 §18.2.2).
type path struct {
	local, remote netip.AddrPort
	to            netip.AddrPort // where answers go, over UDP
	socket        socket         // nil over TCP
	line          *line          // nil over UDP
}

func (p path) transport() string {
	if p.line != nil {
		return "TCP"
	}
	return "UDP"
}

func (p path) send(b []byte) error {
	if p.line == nil {
		_, err := p.socket.WriteToUDPAddrPort(b, p.to)
		return err
	}
	return p.line.send(b)
}

// The methods of sipgo's Connection, through which its transactions send. A
// path needs no counting of users.
func (p path) WriteMsg(m sipgo.Message) error { return p.send([]byte(m.String())) }
func (p path) LocalAddr() net.Addr            { return net.UDPAddrFromAddrPort(p.local) }
func (p path) Ref(int) int                    { return 1 }
func (p path) TryClose() (int, error)         { return 1, nil }
func (p path) Close() error                   { return nil }

// serveUDP starts reading c; Close ends it.
func (s *Server) serveUDP(c socket) {
	local := addrPort(c.LocalAddr())
	s.reading.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				// An ICMP error of an earlier answer, say: it says nothing
				// about the socket.
				s.note(slog.LevelWarn, "read", "read", "error", err)
				<-time.After(time.Millisecond) // one that lasts must not take a core
				continue
			}
			from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
			s.datagram(buf[:n], path{local: local, remote: from, to: from, socket: c})
		}
	})
}

// datagram handles one UDP packet.
func (s *Server) datagram(b []byte, p path) {
	if !s.admit(p) {
		return
	}
	b = bytes.TrimLeft(b, "\r\n\x00") // keep-alives (RFC 5626 §3.5.1) and what precedes a start line (§7.5)
	if len(b) == 0 {
		return
	}
	head, body, ok := bytes.Cut(b[:min(len(b), maxMessage)], []byte("\r\n\r\n"))
	m, f := split(string(head))
	switch {
	case len(b) > maxMessage:
		f = &fault{status: 513, text: fmt.Sprintf("Message of %d bytes, the limit is %d", len(b), maxMessage)}
	case f != nil:
	case !ok:
		f = badRequest("no empty line after the header")
	case m.length > len(body):
		f = badRequest("Content-Length is %d, but there are %d bytes", m.length, len(body))
	case m.length >= 0:
		body = body[:m.length] // what follows is to be ignored (§18.3)
	}
	m.body = bytes.Clone(body)
	s.receive(&m, f, p)
}

// budget is what the peer at the other end of p may send.
func (s *Server) budget(p path) *bucket {
	return &s.messages[maphash.Comparable(s.seed, p.remote.Addr())%uint64(len(s.messages))]
}

// admit is the first gate: peers only, and not more of each than is fair to the
// others.
func (s *Server) admit(p path) bool {
	if !s.reads(p.remote.Addr()) {
		s.note(slog.LevelInfo, "stranger", "ignored a stranger; sip.acl or --allow says who may call", "from", p.remote)
		return false
	}
	if !s.budget(p).take() {
		s.note(slog.LevelWarn, "flood", "dropped messages over the limit", "from", p.remote, "limit", maxMessages)
		return false
	}
	return true
}

// serveTCP starts accepting lines of l; Close ends it.
func (s *Server) serveTCP(l net.Listener) {
	s.reading.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				s.note(slog.LevelError, "accept", "accept", "error", err)
				<-time.After(50 * time.Millisecond) // out of file descriptors; lines need time to end
				continue
			}
			s.addLine(c)
		}
	})
}

// addLine starts reading c, or closes it when it is not a peer's or one too
// many. It returns nil then.
func (s *Server) addLine(c net.Conn) *line {
	ip := addrPort(c.RemoteAddr()).Addr()
	if !s.reads(ip) {
		s.note(slog.LevelInfo, "stranger", "ignored a stranger; sip.acl or --allow says who may call", "from", c.RemoteAddr())
		c.Close()
		return nil
	}
	l := newLine(c)
	s.mu.Lock()
	full := s.shut || len(s.lines) >= maxLines || s.linesOf[ip] >= maxLinesPeer
	if !full {
		s.lines[l] = struct{}{}
		s.linesOf[ip]++
	}
	s.mu.Unlock()
	if full {
		s.note(slog.LevelWarn, "lines", "refused a TCP line over the limit", "from", c.RemoteAddr(), "limit", maxLinesPeer)
		c.Close()
		return nil
	}
	s.reading.Go(l.write)
	s.reading.Go(func() {
		defer func() {
			l.finish()
			<-l.done
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.lines, l)
			if s.linesOf[ip]--; s.linesOf[ip] == 0 {
				delete(s.linesOf, ip)
			}
		}()
		if err := s.readLine(l); err != nil {
			s.note(slog.LevelDebug, "line", "closed a TCP line", "from", c.RemoteAddr(), "error", err)
		}
	})
	return l
}

// readLine takes messages off l until it ends or is no longer understood: after
// a framing error there is no telling where the next message starts.
func (s *Server) readLine(l *line) error {
	remote := addrPort(l.RemoteAddr())
	p := path{local: addrPort(l.LocalAddr()), remote: remote, to: remote, line: l}
	r := bufio.NewReaderSize(l, maxMessage)
	for {
		if err := s.awaitMessage(l, r); err != nil {
			return err
		}
		head, err := readHead(r)
		if err != nil {
			return err
		}
		for !s.budget(p).take() {
			// What is read later is sent later; closing would end calls.
			<-time.After(10 * time.Millisecond)
		}
		m, f := split(head)
		if m.length < 0 || len(head)+m.length > maxMessage {
			if f == nil {
				f = badRequest("Content-Length is missing or over %d", maxMessage)
			}
			s.receive(&m, f, p)
			return errors.New(f.text)
		}
		m.body = make([]byte, m.length)
		for got := 0; got < len(m.body); {
			n, err := r.Read(m.body[got:])
			if err != nil {
				return err
			}
			got += n
		}
		s.receive(&m, f, p)
	}
}

// awaitMessage returns at the first byte of a message. A double line end is a
// ping that wants a single one for an answer (RFC 5626 §3.5.1).
func (s *Server) awaitMessage(l *line, r *bufio.Reader) error {
	ends := 0
	for {
		l.SetReadDeadline(time.Now().Add(idleTime))
		b, err := r.Peek(1)
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() && l.legs.Load() > 0 {
				continue
			}
			return err
		}
		if b[0] != '\r' && b[0] != '\n' {
			l.SetReadDeadline(time.Now().Add(messageTime))
			return nil
		}
		r.Discard(1)
		if b[0] == '\n' {
			if ends++; ends == 2 {
				ends = 0
				if err := l.send([]byte("\r\n")); err != nil {
					return err
				}
			}
		}
	}
}

// readHead reads up to the empty line that ends a message's head.
func readHead(r *bufio.Reader) (string, error) {
	var head []byte
	for {
		part, err := r.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		if len(part) == 2 && part[0] == '\r' && bytes.HasSuffix(head, []byte("\r\n")) {
			return string(head[:len(head)-2]), nil
		}
		if head = append(head, part...); len(head) > maxMessage {
			return "", fmt.Errorf("header over %d bytes", maxMessage)
		}
	}
}

// dial opens a line to a peer. Nobody else is dialled, whatever a message says.
func (s *Server) dial(ctx context.Context, to netip.AddrPort) (*line, error) {
	d := net.Dialer{Timeout: messageTime, Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil || !s.reads(a.Addr()) {
			return fmt.Errorf("%s is not a peer", address)
		}
		return nil
	}}
	if ip := s.bound(to.Addr()); ip.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 0))
	}
	c, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	l := s.addLine(c)
	if l == nil {
		return nil, errors.New("too many lines")
	}
	return l, nil
}

// bound is the address that we listen on and can reach ip from; none when we
// listen on all. A line must begin there: its address is the one that the other
// side is told for calls and for sound.
func (s *Server) bound(ip netip.Addr) netip.Addr {
	var ours []net.Addr
	for _, l := range s.listeners {
		ours = append(ours, l.Addr())
	}
	for _, c := range s.sockets {
		ours = append(ours, c.LocalAddr())
	}
	for _, a := range ours {
		if own := addrPort(a).Addr(); !own.IsUnspecified() && reaches(own, ip) {
			return own
		}
	}
	return netip.Addr{}
}

// replyTo is where the answer to a UDP request with this top Via goes. With
// rport that is where it came from (RFC 3581 §4). Without it is the port that
// the Via names (RFC 3261 §18.2.2), which we believe of a peer that also knows
// its own address; one that does not is behind a NAT.
func replyTo(from netip.AddrPort, via string) netip.AddrPort {
	top, _, _ := strings.Cut(via, ",")
	for p := range strings.SplitSeq(top, ";") {
		if k, _, _ := strings.Cut(p, "="); strings.EqualFold(k, "rport") {
			return from
		}
	}
	host, port := sentBy(top)
	if ip, ok := literal(host); !ok || ip != from.Addr() || port == 0 {
		return from
	}
	return netip.AddrPortFrom(from.Addr(), port)
}

// sentBy returns host and port of a Via, port 0 when it is not one.
func sentBy(via string) (host string, port uint16) {
	via, _, _ = strings.Cut(via, ";")
	_, host, _ = strings.Cut(via, " ")
	number := "5060"
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host, number = host[:i], host[i+1:]
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		n = 0
	}
	return host, uint16(n)
}

func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		return unmap(a.AddrPort())
	case *net.TCPAddr:
		return unmap(a.AddrPort())
	}
	p, _ := netip.ParseAddrPort(a.String())
	return unmap(p)
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
