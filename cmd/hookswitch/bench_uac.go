//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A uac is the callers' SIP: a plain user agent client over one UDP socket,
// with nothing of the server's own code in it. It places calls, ends them and
// answers what the other side asks within them.
type uac struct {
	conn   *net.UDPConn
	target netip.AddrPort
	uri    string // whom to call: "sip:bench@127.0.0.1:5060"
	local  netip.AddrPort
	closed chan struct{} // when the reader has ended

	mu    sync.Mutex
	calls map[string]*uacCall // by Call-ID
}

// A uacCall is one call as its caller sees it.
type uacCall struct {
	u        *uac
	id, from string
	to       string        // the peer's To header, with its tag once it answered
	contact  string        // where requests within the dialog go
	route    string        // the Route headers of those requests, RFC 3261 §12.1.2
	ack      []byte        // sent again for each repeated 200, §13.2.2.4; guarded by u.mu
	replies  chan sipReply // to our requests
	hungUp   chan struct{} // closed at the peer's BYE

	setup  time.Duration // INVITE to 200
	acked  time.Time
	remote netip.AddrPort // where the peer receives RTP
}

type sipReply struct {
	at   time.Time // when the kernel had it
	code int
	sipMessage
}

type sipMessage struct {
	first   string
	headers map[string][]string // by lower-case long name
	body    []byte
}

// T1 of RFC 3261 §17.1.1.1, and when a caller gives up.
const (
	sipT1     = 500 * time.Millisecond
	sipGiveUp = 4 * time.Second
)

// newUAC listens for the calls to target, a "sip:user@host:port" URI whose
// host is an IPv4 address or a name that has one.
func newUAC(target string) (*uac, error) {
	host, ok := strings.CutPrefix(target, "sip:")
	if !ok {
		return nil, fmt.Errorf("target %q: write it as sip:host:port", target)
	}
	host = host[strings.LastIndexByte(host, '@')+1:]
	host, _, _ = strings.Cut(host, ";")
	if !strings.Contains(host, ":") {
		host += ":5060"
	}
	addr, err := net.ResolveUDPAddr("udp4", host)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", target, err)
	}
	route, err := net.DialUDP("udp4", nil, addr) // sends nothing; tells our address towards the target
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", target, err)
	}
	ours := route.LocalAddr().(*net.UDPAddr)
	route.Close()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ours.IP})
	if err != nil {
		return nil, err
	}
	conn.SetReadBuffer(4 << 20)
	if err := stampArrivals(conn); err != nil {
		conn.Close()
		return nil, err
	}
	if !strings.Contains(target, "@") {
		target = "sip:bench@" + strings.TrimPrefix(target, "sip:")
	}
	u := &uac{
		conn: conn, uri: target, target: unmapped(addr.AddrPort()), local: unmapped(conn.LocalAddr().(*net.UDPAddr).AddrPort()),
		closed: make(chan struct{}), calls: map[string]*uacCall{},
	}
	go u.read()
	return u, nil
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// Close stops the reader and waits for it. Calls still up stay up at the peer.
func (u *uac) Close() {
	u.conn.Close()
	<-u.closed
}

func (u *uac) write(b []byte) { u.conn.WriteToUDPAddrPort(b, u.target) } // a loss is met by sending again

// Call places a call whose sound comes to rtp, and returns when it has been
// answered and acknowledged, or with what the peer refused it with.
func (u *uac) Call(ctx context.Context, rtp netip.AddrPort) (*uacCall, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, sipGiveUp, errors.New("no answer to INVITE"))
	defer cancel()
	c := u.newCall()
	sdp := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP 0 101\r\n"+
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n", rtp.Addr(), rtp.Port())
	branch := rand.Text()
	began := time.Now()
	r, err := c.ask(ctx, c.request("INVITE", 1, branch, sdp), true)
	if err != nil {
		c.forget()
		return nil, err
	}
	if r.code >= 300 {
		u.write(c.request("ACK", 1, branch, "")) // belongs to the INVITE's transaction, §17.1.1.3
		c.forget()
		return nil, fmt.Errorf("%s to INVITE", strings.TrimPrefix(r.first, "SIP/2.0 "))
	}
	c.setup = r.at.Sub(began)
	for _, r := range slices.Backward(r.headers["record-route"]) {
		c.route += "Route: " + r + "\r\n"
	}
	if contact := r.header("contact"); contact != "" {
		c.contact = uriOf(contact)
	}
	ack := c.request("ACK", 1, rand.Text(), "")
	c.acked = time.Now()
	u.write(ack)
	u.mu.Lock()
	c.ack = ack
	u.mu.Unlock()
	if c.remote, err = audioAddress(r.body); err != nil {
		c.Hangup(ctx)
		return nil, err
	}
	return c, nil
}

func (u *uac) newCall() *uacCall {
	c := &uacCall{
		u: u, id: rand.Text(), from: fmt.Sprintf("<sip:caller@%s>;tag=%s", u.local, rand.Text()), to: "<" + u.uri + ">", contact: u.uri,
		replies: make(chan sipReply, 8), hungUp: make(chan struct{}),
	}
	u.mu.Lock()
	u.calls[c.id] = c
	u.mu.Unlock()
	return c
}

// Hangup ends the call with BYE and waits for its answer; a call the peer has
// already ended needs none.
func (c *uacCall) Hangup(ctx context.Context) error {
	defer c.forget()
	select {
	case <-c.hungUp:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeoutCause(ctx, sipGiveUp, errors.New("no answer to BYE"))
	defer cancel()
	r, err := c.ask(ctx, c.request("BYE", 2, rand.Text(), ""), false)
	if err == nil && r.code >= 300 && r.code != 481 { // 481: its BYE crossed ours
		err = fmt.Errorf("%s to BYE", strings.TrimPrefix(r.first, "SIP/2.0 "))
	}
	return err
}

// Ping asks for any answer at all to OPTIONS.
func (u *uac) Ping(ctx context.Context) error {
	c := u.newCall()
	defer c.forget()
	_, err := c.ask(ctx, c.request("OPTIONS", 1, rand.Text(), ""), false)
	return err
}

func (c *uacCall) forget() {
	c.u.mu.Lock()
	delete(c.u.calls, c.id)
	c.u.mu.Unlock()
}

// ask sends a request until its final response is there: again after T1, then
// twice as late each time; an INVITE no more once a provisional answer came,
// anything else then every 4 s (RFC 3261 §17.1.1.2, §17.1.2.2).
func (c *uacCall) ask(ctx context.Context, request []byte, invite bool) (sipReply, error) {
	method, _, _ := strings.Cut(string(request[:16]), " ")
	c.u.write(request)
	wait := sipT1
	again := time.NewTimer(wait)
	defer again.Stop()
	for {
		select {
		case r := <-c.replies:
			if !strings.HasSuffix(r.header("cseq"), method) {
				continue // a late answer to the request before
			}
			if r.code >= 200 {
				if to := r.header("to"); to != "" {
					c.to = to
				}
				return r, nil
			}
			if invite {
				again.Stop()
			}
		case <-again.C:
			c.u.write(request)
			if wait *= 2; !invite {
				wait = min(wait, 8*sipT1)
			}
			again.Reset(wait)
		case <-ctx.Done():
			return sipReply{}, context.Cause(ctx)
		}
	}
}

func (c *uacCall) request(method string, cseq int, branch, sdp string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\n", method, c.contact, c.u.local, branch)
	fmt.Fprintf(&b, "%sMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:caller@%s>\r\n", c.route, c.from, c.to, c.id, cseq, method, c.u.local)
	if sdp != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(sdp), sdp)
	return b.Bytes()
}

// read gives each reply to its call and answers the peer's requests, until the
// socket is closed.
func (u *uac) read() {
	defer close(u.closed)
	buf, oob := make([]byte, 65536), make([]byte, 128)
	for {
		n, oobn, _, from, err := u.conn.ReadMsgUDPAddrPort(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		m, ok := parseSIP(buf[:n])
		if err != nil || !ok {
			continue
		}
		u.mu.Lock()
		c := u.calls[m.header("call-id")]
		var ack []byte
		if c != nil {
			ack = c.ack
		}
		u.mu.Unlock()
		if status, isReply := strings.CutPrefix(m.first, "SIP/2.0 "); isReply {
			code, _ := strconv.Atoi(status[:min(3, len(status))])
			switch {
			case c == nil:
			case ack != nil && strings.HasSuffix(m.header("cseq"), "INVITE"):
				u.write(ack)
			default:
				select {
				case c.replies <- sipReply{arrival(oob[:oobn]), code, m}:
				default: // a flood of provisionals; the final answer is sent again
				}
			}
			continue
		}
		u.reply(m, c, from)
	}
}

// reply answers a request of the peer: a BYE of a call that is up with 200,
// OPTIONS too, everything else as what a caller of few talents does not do.
func (u *uac) reply(m sipMessage, c *uacCall, to netip.AddrPort) {
	status := "501 Not Implemented"
	switch method, _, _ := strings.Cut(m.first, " "); {
	case method == "ACK":
		return
	case method == "OPTIONS":
		status = "200 OK"
	case c == nil:
		status = "481 Call Does Not Exist"
	case method == "BYE":
		status = "200 OK"
		select {
		case <-c.hungUp: // a BYE sent again
		default:
			close(c.hungUp)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		for _, v := range m.headers[strings.ToLower(name)] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	u.conn.WriteToUDPAddrPort(b.Bytes(), to)
}

// compact header names of RFC 3261 §7.3.3, of those that are read here.
var compactHeaders = map[string]string{"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact"}

func parseSIP(b []byte) (m sipMessage, ok bool) {
	head, body, ok := strings.Cut(string(b), "\r\n\r\n")
	if !ok {
		return m, false
	}
	lines := strings.Split(head, "\r\n")
	m = sipMessage{first: lines[0], headers: map[string][]string{}, body: []byte(body)}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		if long, ok := compactHeaders[name]; ok {
			name = long
		}
		m.headers[name] = append(m.headers[name], strings.TrimSpace(value))
	}
	return m, true
}

func (m sipMessage) header(name string) string {
	if v := m.headers[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// uriOf is the URI of a name-addr or addr-spec header value (RFC 3261 §20.10).
func uriOf(header string) string {
	if _, rest, ok := strings.Cut(header, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	uri, _, _ := strings.Cut(header, ";")
	return uri
}

// audioAddress is where the peer's answer to our one audio line wants its
// sound.
func audioAddress(sdp []byte) (netip.AddrPort, error) {
	var host string
	var port uint64
	for line := range strings.Lines(string(sdp)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 3 && fields[0] == "c=IN": // the later one is the media's own
			host = fields[2]
		case len(fields) > 3 && fields[0] == "m=audio":
			port, _ = strconv.ParseUint(fields[1], 10, 16)
		}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || port == 0 || !addr.Is4() {
		return netip.AddrPort{}, errors.New("the answer names no IPv4 address and port for audio")
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}
