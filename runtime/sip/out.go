package sip

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/hookswitch/hookswitch/media/sdp"
)

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
	uri    sipgo.Uri // of the called one
	at     sipgo.Uri // where the INVITE is sent

	// Guarded by Leg.mu.
	attempt   *attempt // the INVITE that is under way; nil before the first
	login     *login   // for where it goes; nil when that may not see our credentials
	guests    []netip.Addr
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
func (s *Server) Dial(d Destination) (*Leg, error) { return s.call(d, nil) }

// call places a call, or a recording session.
func (s *Server) call(d Destination, r *recording) (*Leg, error) {
	uri, at, err := d.check()
	if err != nil {
		return nil, fmt.Errorf("sip: dial: %w", err)
	}
	l := s.newLeg()
	l.recording = r
	l.out = &placed{to: d, uri: uri, at: at, codecs: d.Codecs, statuses: make(chan int, 101)}
	if l.out.codecs == nil {
		l.out.codecs = s.cfg.Codecs
	}
	l.callID = rand.Text()
	l.local.tag = rand.Text()[:16]
	l.remoteSeq = -1
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		l.out.conclude(503, nil)
		l.cancel(&Refused{503, "the server is closed"})
		return l, nil
	}
	s.legs[l] = struct{}{}
	s.calling.Go(l.place)
	return l, nil
}

// place is the life of a placed leg, on the goroutine that is its own.
func (l *Leg) place() {
	defer func() {
		l.forget()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.farewell()
	}()
	if res, f := l.ring(); f != nil {
		l.mu.Lock()
		var of map[string][]string
		if res != nil {
			of = headers(res.raw)
		}
		l.out.conclude(f.Status, of)
		l.end(f)
		l.mu.Unlock()
	}
	<-l.ctx.Done()
	l.parting.Wait() // a BYE that crosses ours is answered
}

// open takes the port for the sound.
func (l *Leg) open() error {
	if l.recording != nil {
		return l.openTracks()
	}
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
func (l *Leg) invite(uri sipgo.Uri, p path, g *login) (*attempt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.Err(); err != nil {
		return nil, err
	}
	s := l.server
	l.take(p)
	l.host = s.hostFor(p)
	l.remote, l.target, l.routes = party{value: "<" + toURI(l.out.uri) + ">"}, uri, nil
	l.local.value = l.from()
	l.described, l.agreed = nil, sdp.Agreed{}
	l.described = l.offer()
	req := l.newRequest(sipgo.INVITE, s.cfg.UserAgent)
	contact := l.contact()
	req.AppendHeader(sipgo.NewHeader(contact.name, contact.value))
	req.AppendHeader(sipgo.NewHeader("Allow", allow))
	for _, name := range slices.Sorted(maps.Keys(l.out.to.Headers)) {
		for _, v := range l.out.to.Headers[name] {
			req.AppendHeader(sipgo.NewHeader(name, v))
		}
	}
	l.describeIn(req)
	g.sign(req)
	a, err := l.start(req, p)
	if err == nil {
		l.out.attempt, l.out.login = a, g
	}
	return a, err
}

// from is our From. Whoever hides is told by name, since some take a call from
// nobody for a fault.
func (l *Leg) from() string {
	user, display := l.out.to.From, l.out.to.Display
	if user == "" {
		user = "anonymous"
		if display == "" {
			display = "Anonymous"
		}
	}
	uri := sipgo.Uri{Scheme: "sip", User: escaped(user), Host: l.host.String()}
	if display != "" {
		display = `"` + printable(display) + `" `
	}
	return display + "<" + uri.String() + ">;tag=" + l.local.tag
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
