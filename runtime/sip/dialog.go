package sip

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// dialogID is how a dialog is found (RFC 3261 §12).
type dialogID struct{ callID, local, remote string }

// party is one side of a dialog: its From or To value with the tag, as it goes
// into requests.
type party struct{ value, tag string }

// dialog is the state that the two sides keep of each other (RFC 3261 §12.1.1).
type dialog struct {
	callID        string
	local, remote party
	seq           uint32      // CSeq of our last request
	remoteSeq     int64       // and of theirs; -1 before the first
	target        sipgo.Uri   // their Contact
	routes        []sipgo.Uri // where our requests go through, next hop first
	path          path        // where the dialog began
	peers         []netip.Addr
	host          netip.Addr // ours, in Contact and SDP
}

func (d *dialog) id() dialogID { return dialogID{d.callID, d.local.tag, d.remote.tag} }

// newDialog is the dialog that an INVITE to us begins.
func (s *Server) newDialog(r *request) dialog {
	tag := rand.Text()[:16]
	d := dialog{
		callID:    r.callID,
		local:     party{r.raw.get("To") + ";tag=" + tag, tag},
		remote:    party{r.raw.get("From"), r.fromTag},
		remoteSeq: int64(r.seq),
		target:    r.Contact().Address,
		path:      r.path,
		peers:     []netip.Addr{r.path.remote.Addr()},
		host:      s.hostFor(r.path),
	}
	for _, h := range r.GetHeaders("Record-Route") {
		if rr, ok := h.(*sipgo.RecordRouteHeader); ok {
			d.routes = append(d.routes, rr.Address)
		}
	}
	d.path.to = d.path.remote
	d.addPeers()
	return d
}

// addPeers adds those that the other side's requests may come from: straight from
// it, or through any proxy that wanted to stay on the way.
func (d *dialog) addPeers() {
	for _, u := range append(d.routes[:len(d.routes):len(d.routes)], d.target) {
		if ip, ok := literal(u.Host); ok && len(d.peers) < 16 && !slices.Contains(d.peers, ip) {
			d.peers = append(d.peers, ip)
		}
	}
}

// take has the leg's requests go over p. A line stays open for as long as it has a
// leg. l.mu is held.
func (l *Leg) take(p path) {
	if l.path.line != p.line {
		if l.path.line != nil {
			l.path.line.legs.Add(-1)
		}
		if p.line != nil {
			p.line.legs.Add(1)
		}
	}
	l.path = p
}

// isPeer tells whether requests of the dialog may come from ip.
func (l *Leg) isPeer(ip netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.peers, ip)
}

// hostFor is the address under which the other end of p can reach us.
func (s *Server) hostFor(p path) netip.Addr {
	if s.cfg.ExternalIP.IsValid() && !inside(p.remote.Addr()) {
		return s.cfg.ExternalIP
	}
	if !p.local.Addr().IsUnspecified() {
		return p.local.Addr()
	}
	// Connecting a UDP socket sends nothing; the system picks the address.
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(p.remote))
	if err != nil {
		return p.local.Addr()
	}
	defer c.Close()
	return addrPort(c.LocalAddr()).Addr()
}

// inside tells whether ip is in a private network or this machine.
func inside(ip netip.Addr) bool {
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()
}

func literal(host string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return ip.Unmap(), err == nil
}

// contact is our Contact.
func (d *dialog) contact() field {
	uri := "sip:hookswitch@" + netip.AddrPortFrom(d.host, d.path.local.Port()).String()
	if d.path.line != nil {
		uri += ";transport=tcp"
	}
	return field{"Contact", "<" + uri + ">"}
}

// newRequest makes our next request within the dialog (RFC 3261 §12.2.1.1).
func (d *dialog) newRequest(method sipgo.RequestMethod, userAgent string) *sipgo.Request {
	d.seq++
	return d.request(method, d.seq, userAgent)
}

func (d *dialog) request(method sipgo.RequestMethod, seq uint32, userAgent string) *sipgo.Request {
	target, routes := d.target, d.routes
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") {
		// A strict router wants to be the target.
		target, routes = routes[0], append(slices.Clone(routes[1:]), d.target)
	}
	req := sipgo.NewRequest(method, target)
	via := &sipgo.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: d.path.transport(),
		Host: d.host.String(), Port: int(d.path.local.Port())}
	via.Params.Add("branch", sipgo.GenerateBranch())
	via.Params.Add("rport", "")
	req.AppendHeader(via)
	for _, u := range routes {
		req.AppendHeader(&sipgo.RouteHeader{Address: u})
	}
	req.AppendHeader(sipgo.NewHeader("Max-Forwards", "70"))
	req.AppendHeader(sipgo.NewHeader("From", d.local.value))
	req.AppendHeader(sipgo.NewHeader("To", d.remote.value))
	req.AppendHeader(sipgo.NewHeader("Call-ID", d.callID))
	req.AppendHeader(&sipgo.CSeqHeader{SeqNo: seq, MethodName: method})
	if userAgent != "" {
		req.AppendHeader(sipgo.NewHeader("User-Agent", userAgent))
	}
	req.SetBody(nil)
	req.SetTransport(d.path.transport())
	return req
}

// next is where our next request goes: to the first route or the target, when
// that names an address of a peer that can be reached from here, else to where
// the dialog began. That is what a peer behind a NAT needs, and no host that
// only a message names is ever looked up or sent to.
func (s *Server) next(d *dialog) netip.AddrPort {
	u := d.target
	if len(d.routes) > 0 {
		u = d.routes[0]
	}
	ip, ok := literal(u.Host)
	if !ok || !s.reads(ip) || inside(ip) && !inside(d.path.remote.Addr()) {
		return d.path.remote
	}
	port := u.Port
	if port == 0 {
		port = 5060
	}
	return netip.AddrPortFrom(ip, uint16(port))
}

// byeTime is how long a BYE is repeated: four times over UDP.
const byeTime = 5 * time.Second

// bye ends an answered leg from our side. It returns when the other side has
// agreed, or after byeTime.
func (l *Leg) bye(cause error) {
	l.mu.Lock()
	if l.Err() != nil {
		l.mu.Unlock()
		return
	}
	d := l.dialog // nothing of ours follows a BYE
	l.parting.Add(1)
	defer l.parting.Done()
	l.end(cause)
	l.mu.Unlock()
	l.sendBye(&d)
}

// sendBye says BYE in d, which nobody else sends in any more.
func (l *Leg) sendBye(d *dialog) {
	ctx, cancel := context.WithTimeout(l.server.ctx, byeTime)
	defer cancel()
	l.ask(ctx, func() (*sipgo.Request, path) {
		p := d.path
		p.to = l.server.next(d)
		return d.newRequest(sipgo.BYE, l.server.cfg.UserAgent), p
	})
}

// answerTo makes an answer to a request of the dialog.
func (l *Leg) answerTo(r *request, status int, reason string, extra ...field) *sipgo.Response {
	return r.raw.response(r.path, status, reason, l.local.tag, append(l.server.identity(), extra...)...)
}

// request handles a request within the dialog other than ACK and CANCEL.
func (l *Leg) request(r *request) {
	t := l.server.begin(r, l)
	if t == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	say := func(status int, reason string, extra ...field) {
		t.respond(l.answerTo(r, status, reason, extra...))
	}
	switch {
	case l.Err() != nil:
		if r.Method == "BYE" {
			say(200, "OK") // it crossed ours
		} else {
			say(481, "No such call")
		}
		return
	case int64(r.seq) <= l.remoteSeq:
		say(500, fmt.Sprintf("CSeq %d is not above %d", r.seq, l.remoteSeq)) // RFC 3261 §12.2.2
		return
	}
	l.remoteSeq = int64(r.seq)
	if n := r.path.line; n != nil && l.path.line != nil && n != l.path.line {
		// The other side has had to open a new line; our requests take it too.
		p := l.path
		p.line = n
		l.take(p)
	}
	switch r.Method {
	case "BYE":
		say(200, "OK")
		switch {
		case l.answered:
			l.end(ErrBye)
		case l.in != nil:
			l.in.tx.respond(l.answerTo(l.in.first, 487, "Request Terminated"))
			l.end(ErrCanceled)
		default:
			l.out.attempt.abandon(&l.server.calling)
			l.end(ErrBye)
		}
	case "INVITE":
		l.reinvited(r, t)
	case "UPDATE":
		l.updated(r, t)
	case "INFO":
		f := l.info(r)
		say(f.status, f.text, f.extra...)
	case "REFER":
		l.referred(r, t)
	case "NOTIFY":
		f := l.notified(r)
		say(f.status, f.text, f.extra...)
	case "OPTIONS":
		say(200, "OK", field{"Allow", allow}, field{"Accept", "application/sdp"})
	default:
		f := notAllowed()
		say(f.status, f.text, f.extra...)
	}
}

// info takes a key that comes as INFO.
func (l *Leg) info(r *request) *fault {
	if len(r.raw.body) == 0 {
		return &fault{status: 200, text: "OK"}
	}
	for _, mediaType := range []string{"application/dtmf-relay", "application/dtmf"} {
		body, ok := r.raw.part(mediaType)
		if !ok {
			continue
		}
		key, ok := dtmfKey(mediaType, body)
		if !ok {
			return badRequest("the body names no key")
		}
		if l.stream != nil {
			l.stream.Press(key)
		}
		return &fault{status: 200, text: "OK"}
	}
	return &fault{status: 415, text: "Unsupported Media Type", extra: []field{{"Accept", "application/dtmf-relay, application/dtmf"}}}
}

// retryLater is for a request that another one stands in the way of
// (RFC 3261 §14.2).
func retryLater() field { return field{"Retry-After", strconv.Itoa(mathrand.IntN(11))} }
