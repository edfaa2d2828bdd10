package sip

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/hookswitch/hookswitch/media/sdp"
)

// Destination says whom to call, and how.
type Destination struct {
	// URI is the SIP URI of the called one, without headers of its own (?X-…).
	URI string

	// Proxy is where to send instead of where URI says: host[:port], with
	// ;transport=tcp for a line. Hosts are found as RFC 3263 has it: an address
	// as it is, a name with a port by A and AAAA, one without by SRV first.
	Proxy string

	From    string // user part of From; "" is anonymous
	Display string // display name of From

	// Headers are further ones of the INVITE.
	Headers map[string][]string

	// Username and Password answer 401 and 407. They are used with the hosts
	// that URI and Proxy name and no others.
	Username, Password string

	// Redirect tells whether a 3xx may lead to a URI; nil is never.
	Redirect func(uri string) bool

	Codecs []string // as Config.Codecs; nil are the server's
}

// Refused is why a placed call was not answered: by the other side, or, with
// 408 and 503, because there was no way to it.
type Refused struct {
	Status int
	Reason string
}

func (r *Refused) Error() string {
	return fmt.Sprintf("the call was refused: %d %s", r.Status, r.Reason)
}

// placed is what only a leg has that was placed here.
type placed struct {
	to     Destination
	codecs []string
	uri    sipgo.Uri

	// Guarded by Leg.mu.
	attempt   *attempt // the INVITE that is under way; nil before the first
	statuses  chan int
	told      [100]bool // of the provisional statuses, those on statuses
	concluded bool
	headers   map[string][]string
}

// progress tells a provisional status, once.
func (o *placed) progress(status int) {
	if !o.concluded && !o.told[status-100] {
		o.told[status-100] = true
		o.statuses <- status // has room for all
	}
}

// conclude tells the final status, unless there is one already.
func (o *placed) conclude(status int, headers map[string][]string) {
	if o.concluded {
		return
	}
	o.concluded = true
	o.headers = headers
	o.statuses <- status
	close(o.statuses)
}

// Progress brings the statuses of the answers as they come, each provisional one
// once, and at last a final one: 200 is answered, 408 nothing came, 503 no way
// there, 487 we gave up, 488 answered with nothing that we speak, else as
// received. Then it is closed. Nobody has to read it. It is nil on a leg that
// has come in.
func (l *Leg) Progress() <-chan int {
	if l.out == nil {
		return nil
	}
	return l.out.statuses
}

// Headers are those of the final answer to a placed call, nil before.
func (l *Leg) Headers() map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out == nil {
		return nil
	}
	return l.out.headers
}

// Dial places a call. It returns at once; what becomes of the call is on
// Progress, Done and Err of the leg, which whoever has called Dial must hang up
// in the end. An error is a slip in d. While the call lives, and 32 s more, the
// addresses that it goes to may send messages that belong to it.
func (s *Server) Dial(d Destination) (*Leg, error) {
	uri, err := d.check()
	if err != nil {
		return nil, fmt.Errorf("sip: dial: %w", err)
	}
	l := s.newLeg()
	tag := rand.Text()[:16]
	l.out = &placed{to: d, uri: uri, codecs: d.Codecs, statuses: make(chan int, 101)}
	if l.out.codecs == nil {
		l.out.codecs = s.cfg.Codecs
	}
	l.callID = rand.Text()
	l.local.tag = tag
	l.remote.value = "<" + toURI(uri) + ">"
	l.remoteSeq = -1
	s.mu.Lock()
	s.legs[l] = struct{}{}
	s.calling.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.calling.Done()
		l.place()
	}()
	return l, nil
}

// toURI is the To of a call to u, which has no port and no parameters that say
// how to get there (RFC 3261 §19.1.1).
func toURI(u sipgo.Uri) string {
	to := sipgo.Uri{Scheme: u.Scheme, User: u.User, Host: u.Host}
	return to.String()
}

// check returns the URI.
func (d *Destination) check() (uri sipgo.Uri, err error) {
	if strings.ContainsAny(d.URI, "\r\n\x00") {
		return uri, fmt.Errorf("URI has a line end")
	}
	if err := sipgo.ParseUri(d.URI, &uri); err != nil || uri.Host == "" {
		return uri, fmt.Errorf("%q is not a SIP URI", d.URI)
	}
	return uri, nil
}

// place is the life of a placed leg, on the goroutine that is its own.
func (l *Leg) place() {
	defer l.forget()
	if f := l.ring(); f != nil {
		l.mu.Lock()
		l.out.conclude(f.Status, nil)
		l.end(f)
		l.mu.Unlock()
	}
	<-l.ctx.Done()
}

// ring invites until there is a final answer. It returns nil when the call is
// answered or over.
func (l *Leg) ring() *Refused {
	ip, ok := literal(l.out.uri.Host)
	if !ok {
		return &Refused{503, "no such host"}
	}
	port := l.out.uri.Port
	if port == 0 {
		port = 5060
	}
	to := netip.AddrPortFrom(ip, uint16(port))
	if err := l.open(); err != nil {
		return &Refused{503, err.Error()}
	}
	p, err := l.server.pathTo(l.ctx, to, l.out.uri.UriParams.GetOr("transport", "") == "tcp")
	if err != nil {
		return &Refused{503, err.Error()}
	}
	a, err := l.invite(p)
	if err != nil {
		return &Refused{503, err.Error()}
	}
	select {
	case <-l.ctx.Done():
		return nil
	case res, ok := <-a.final:
		switch {
		case !ok:
			return &Refused{408, "no answer"}
		case res.StatusCode < 300:
			return nil
		}
		return &Refused{res.StatusCode, res.Reason}
	}
}

// open takes the port for the sound.
func (l *Leg) open() error {
	wire, port, err := l.server.openWire()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Err() != nil {
		wire.Close()
		return nil
	}
	l.wire, l.port = wire, port
	return nil
}

// invite sends an INVITE over p.
func (l *Leg) invite(p path) (*attempt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.Err(); err != nil {
		return nil, err
	}
	s := l.server
	l.path, l.host = p, s.hostFor(p)
	if p.line != nil {
		p.line.legs.Add(1)
	}
	from := sipgo.Uri{Scheme: "sip", User: l.out.to.From, Host: l.host.String()}
	l.local.value = "<" + from.String() + ">;tag=" + l.local.tag
	l.target = l.out.uri
	l.described = nil
	l.described = sdp.Offer(l.description())
	req := l.newRequest(sipgo.INVITE, s.cfg.UserAgent)
	contact := l.contact()
	req.AppendHeader(sipgo.NewHeader(contact.name, contact.value))
	req.AppendHeader(sipgo.NewHeader("Allow", allow))
	req.AppendHeader(sipgo.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(l.described.Bytes())
	a, err := l.start(req, p)
	if err == nil {
		l.out.attempt = a
	}
	return a, err
}

// giveUp ends a placed leg that is not answered. The CANCEL goes on when it
// returns, and when none may be sent yet, as soon as it may.
func (l *Leg) giveUp(ctx context.Context) error {
	l.mu.Lock()
	if l.answered {
		l.mu.Unlock()
		return l.Hangup(ctx)
	}
	a := l.out.attempt
	if l.Err() == nil {
		a.abandon(&l.server.calling)
		l.end(ErrHungUp)
	}
	cancelling := a != nil && a.canceled
	l.mu.Unlock()
	if !cancelling {
		return nil
	}
	giveUp := time.NewTimer(byeTime)
	defer giveUp.Stop()
	select {
	case <-a.over:
	case <-giveUp.C:
	case <-ctx.Done():
	}
	return nil
}

// ask sends what next makes and returns the final answer, nil when none came.
func (l *Leg) ask(ctx context.Context, next func() (*sipgo.Request, path)) *sipgo.Response {
	req, p := next()
	res, err := l.server.send(ctx, req, p)
	if err != nil {
		return nil
	}
	return res
}

// pathTo is the way to an address: a socket of ours, or a line.
func (s *Server) pathTo(ctx context.Context, to netip.AddrPort, tcp bool) (path, error) {
	if tcp {
		line, err := s.dial(ctx, to)
		if err != nil {
			return path{}, err
		}
		return path{local: addrPort(line.LocalAddr()), remote: to, to: to, line: line}, nil
	}
	for _, c := range s.sockets {
		return path{local: addrPort(c.LocalAddr()), remote: to, to: to, socket: c}, nil
	}
	return path{}, fmt.Errorf("no UDP socket")
}
