package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
	"github.com/hookswitch/hookswitch/media/sdp"
)

// Address is a name-addr (RFC 3261 §20.10).
type Address struct {
	User, Host string // of a tel URI, User is the number
	Port       int    // 0 when not given
	Display    string
	URI        string // without header parameters
}

// Invite is what the INVITE of a leg says.
type Invite struct {
	CallID, Transport    string // Transport is "UDP" or "TCP"
	Source               netip.AddrPort
	From, To, RequestURI Address

	// Headers are all headers, their names as they came except that compact
	// forms are written out.
	Headers map[string][]string
}

// incoming is what only a leg has that has come in.
type incoming struct {
	invite Invite
	first  *request // the INVITE
	tx     *transaction
	offer  *sdp.Session // theirs of the INVITE; nil when it had none

	// Guarded by Leg.mu.
	rang  bool
	again *time.Timer // says the provisional answer again
}

// invited takes a new INVITE: it is owed a call unless a limit, a copy of it,
// or its offer stands against it.
func (s *Server) invited(r *request) {
	s.mu.Lock()
	f := s.full()
	if s.merged[r.mergeKey()] != nil {
		f = &fault{status: 482, text: "This request has come over another way"}
	}
	s.mu.Unlock()
	if f == nil && !s.starts.take() {
		f = busy("Too many calls per second", time.Second)
	}
	var offer *sdp.Session
	if f == nil {
		if offer, f = s.readOffer(r); f == nil && offer != nil {
			// A call that we could not speak on needs no application and no port.
			if _, _, err := sdp.Answer(offer, sdp.Local{Addr: r.path.remote.Addr(), Port: 9, Codecs: s.cfg.Codecs}); err != nil {
				f = unacceptable(err)
			}
		}
	}
	if f != nil {
		s.refuse(r.raw, r.path, f)
		return
	}

	l := s.newLeg()
	l.dialog, l.in = s.newDialog(r), &incoming{invite: invite(r), first: r, offer: offer}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.in.tx = s.begin(r, l); l.in.tx == nil {
		return
	}
	s.mu.Lock()
	if f := s.full(); f != nil { // Close, or another line's call, may have been faster
		s.mu.Unlock()
		l.in.tx.Terminate()
		s.refuse(r.raw, r.path, f)
		return
	}
	s.legs[l] = struct{}{}
	s.incoming++
	s.dialogs[l.id()] = l
	s.calling.Add(1)
	s.mu.Unlock()
	if l.path.line != nil {
		l.path.line.legs.Add(1)
	}
	l.in.tx.respond(r.raw.response(r.path, 100, "Trying", ""))
	go func() {
		defer s.calling.Done()
		l.run()
	}()
}

// full tells why there is no room for one more call. s.mu is held.
func (s *Server) full() *fault {
	switch {
	case s.draining.Load():
		return busy("Going down", 5*time.Second)
	case s.cfg.MaxCalls > 0 && s.incoming >= s.cfg.MaxCalls:
		return busy("Too many calls", 5*time.Second)
	}
	return nil
}

// run is the life of a leg, on the goroutine that is its own.
func (l *Leg) run() {
	s := l.server
	defer func() {
		<-l.ctx.Done()
		s.mu.Lock()
		s.incoming--
		s.mu.Unlock()
		l.forget()
	}()
	defer l.Hangup(context.Background())
	defer func() {
		if recover() != nil {
			s.log.Error("sip: panic in a call", "call", l.callID, "stack", string(debug.Stack()))
			l.fail()
		}
	}()
	s.cfg.Answer(l.ctx, l)
}

// fail ends an unanswered leg with 500.
func (l *Leg) fail() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.answered && l.ctx.Err() == nil {
		l.in.tx.respond(l.answerTo(l.in.first, 500, "Server Internal Error"))
		l.end(ErrFailed)
	}
}

// Invite is what the caller asked for, nil on a leg that was placed here.
func (l *Leg) Invite() *Invite {
	if l.in == nil {
		return nil
	}
	return &l.in.invite
}

// Answer takes the call. It returns when the caller has confirmed it, which
// ends with the leg after 32 s (RFC 3261 §13.3.1.4), or when ctx is done; the
// call is then still being answered and may be hung up.
func (l *Leg) Answer(ctx context.Context) error {
	l.mu.Lock()
	if l.Err() == nil && ctx.Err() == nil && !l.answered && l.in != nil {
		if err := l.accept(); err != nil {
			l.in.tx.respond(l.answerTo(l.in.first, 503, "No port for the sound of this call", field{"Retry-After", "5"}))
			l.end(ErrFailed)
			l.mu.Unlock()
			return fmt.Errorf("sip: answer: %w", err)
		}
	}
	l.mu.Unlock()
	select {
	case <-l.acked:
	case <-l.ctx.Done():
	case <-ctx.Done():
	}
	switch {
	case l.Err() != nil:
		return l.Err()
	case ctx.Err() != nil && !isClosed(l.acked):
		return context.Cause(ctx)
	}
	return nil
}

// Reject refuses an unanswered call with a status of 400 to 699 and a reason
// phrase ("" is the usual one). It does nothing on a leg that is over, and is an
// error on an answered one.
func (l *Leg) Reject(ctx context.Context, status int, reason string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Err() != nil {
		return nil
	}
	if l.answered || l.in == nil {
		return errors.New("sip: reject: the call has been answered, or was placed here")
	}
	if status < 400 || status > 699 {
		return fmt.Errorf("sip: reject: %d is not a status of 400 to 699", status)
	}
	if reason = printable(reason); reason == "" {
		reason = phrase(status)
	}
	var extra []field
	if status == 503 {
		extra = []field{{"Retry-After", "5"}}
	}
	err := l.in.tx.respond(l.answerTo(l.in.first, status, reason, extra...))
	l.end(ErrRejected)
	return err
}

// cancelled ends a leg that has not been answered (RFC 3261 §9.2). The lock
// decides between CANCEL and an answer at the same moment.
func (l *Leg) cancelled(t *transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t == l.waitTx && l.waiting != nil {
		t.respond(l.answerTo(l.waiting, 487, "Request Terminated"))
		l.waiting = nil
	}
	if l.in == nil || t != l.in.tx || l.answered || l.Err() != nil {
		return
	}
	l.in.tx.respond(l.answerTo(l.in.first, 487, "Request Terminated"))
	l.end(ErrCanceled)
}

// invite reads what an application may want to know.
func invite(r *request) Invite {
	v := Invite{CallID: r.callID, Transport: r.path.transport(), Source: r.path.remote,
		RequestURI: address("", &r.Recipient), From: address(r.From().DisplayName, &r.From().Address),
		To: address(r.To().DisplayName, &r.To().Address), Headers: make(map[string][]string, len(r.raw.fields))}
	for _, f := range r.raw.fields {
		v.Headers[f.name] = append(v.Headers[f.name], f.value)
	}
	return v
}

func address(display string, u *sipgo.Uri) Address {
	a := Address{User: u.User, Host: u.Host, Port: u.Port, Display: display, URI: u.String()}
	if u.Scheme == "tel" {
		a.User, _, _ = strings.Cut(u.Raw(), ";")
	}
	return a
}
