//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// A uas is whom the server dials: a plain user agent server over one UDP
// socket that answers each call at once and talks until it is hung up.
type uas struct {
	conn   *net.UDPConn
	clock  *rtpClock
	law    law
	closed chan struct{} // when the reader has ended

	mu   sync.Mutex
	ends map[string]*rtpEnd // of the calls that are up, by Call-ID
}

// newUAS listens at addr, "127.0.0.1:0" for any port, and speaks that law.
func newUAS(addr string, clock *rtpClock, speaks law) (*uas, error) {
	at, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp4", at)
	if err != nil {
		return nil, err
	}
	conn.SetReadBuffer(4 << 20)
	s := &uas{conn: conn, clock: clock, law: speaks, closed: make(chan struct{}), ends: map[string]*rtpEnd{}}
	go s.read()
	return s, nil
}

func (s *uas) uri() string { return "sip:bench@" + s.conn.LocalAddr().String() }

// Close stops the reader, waits for it, and ends the sound of calls that are
// still up.
func (s *uas) Close() {
	s.conn.Close()
	<-s.closed
	for _, e := range s.ends {
		e.Close()
	}
}

// Ends are the sound of the calls that are up.
func (s *uas) Ends() (ends []*rtpEnd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.ends {
		ends = append(ends, e)
	}
	return ends
}

func (s *uas) read() {
	defer close(s.closed)
	buf := make([]byte, 65536)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		m, ok := parseSIP(buf[:n])
		if err != nil || !ok {
			continue
		}
		id := m.header("call-id")
		s.mu.Lock()
		switch method, _, _ := strings.Cut(m.first, " "); method {
		case "ACK":
		case "INVITE":
			status, sdp := s.answer(id, string(m.body))
			s.reply(m, from, status, sdp)
		case "BYE":
			if e := s.ends[id]; e != nil {
				e.Close()
				delete(s.ends, id)
			}
			fallthrough
		default:
			s.reply(m, from, "200 OK", "")
		}
		s.mu.Unlock()
	}
}

// answer takes an offer, of a new call or within one, and talks to where it
// wants its sound. s.mu is held.
func (s *uas) answer(id, offer string) (status, sdp string) {
	to, err := audioAddress([]byte(offer))
	if err != nil {
		return "488 Not Acceptable Here", ""
	}
	speaks, event := false, ""
	for line := range strings.Lines(offer) {
		if f := strings.Fields(line); len(f) > 3 && f[0] == "m=audio" {
			speaks = slices.Contains(f[3:], fmt.Sprint(s.law))
		}
		if rtpmap, ok := strings.CutPrefix(line, "a=rtpmap:"); ok && strings.Contains(rtpmap, " telephone-event/8000") {
			event, _, _ = strings.Cut(rtpmap, " ")
		}
	}
	if !speaks {
		return "488 Not Acceptable Here", ""
	}
	host := s.conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	e := s.ends[id]
	if e == nil {
		if e, err = s.clock.Open(host); err != nil {
			return "503 Service Unavailable", ""
		}
		s.ends[id] = e
		e.Speak(s.law)
	}
	e.Talk(to)
	sdp = fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP %[3]d %[4]s\r\na=ptime:20\r\na=sendrecv\r\n",
		host, e.addr.Port(), s.law, event)
	if event != "" {
		sdp += fmt.Sprintf("a=rtpmap:%[1]s telephone-event/8000\r\na=fmtp:%[1]s 0-15\r\n", event)
	}
	return "200 OK", sdp
}

func (s *uas) reply(m sipMessage, to netip.AddrPort, status, sdp string) {
	tag := ""
	if !strings.Contains(m.header("to"), ";tag=") {
		tag = ";tag=callee"
	}
	b := fmt.Appendf(nil, "SIP/2.0 %s\r\n", status)
	for _, name := range []string{"Via", "Record-Route", "From", "Call-ID", "CSeq"} {
		for _, v := range m.headers[strings.ToLower(name)] {
			b = fmt.Appendf(b, "%s: %s\r\n", name, v)
		}
	}
	b = fmt.Appendf(b, "To: %s%s\r\nContact: <%s>\r\n", m.header("to"), tag, s.uri())
	if sdp != "" {
		b = append(b, "Content-Type: application/sdp\r\n"...)
	}
	s.conn.WriteToUDPAddrPort(fmt.Appendf(b, "Content-Length: %d\r\n\r\n%s", len(sdp), sdp), to) // a loss is met by asking again
}
