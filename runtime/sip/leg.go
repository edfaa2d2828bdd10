package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/sdp"
)

// Why a leg is over.
var (
	ErrCanceled = errors.New("the caller gave up before the answer") // CANCEL, or BYE before the answer
	ErrBye      = errors.New("the other side hung up")               // BYE
	ErrHungUp   = errors.New("we hung up")                           // Hangup on an answered leg
	ErrRejected = errors.New("we refused the call")                  // Reject, or Hangup before the answer

	// These are faults: nobody hung up.
	ErrNoAck   error = &broken{"the answer was never confirmed", 32022}        // no ACK within 32 s
	ErrNoMedia error = &broken{"the other side sends nothing any more", 32014} // Config.MediaTimeout
	ErrFailed  error = &broken{"the call failed on our side", 0}               // a panic, or no port for its sound
	ErrOffer   error = &broken{"the other side's answer has nothing that we speak", 32102}
)

// broken is the end of a leg that broke.
type broken struct {
	msg  string
	code int
}

func (b *broken) Error() string { return b.msg }

// Code is Twilio's code for it, 0 when it has none.
func (b *broken) Code() int { return b.code }

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

// Leg is one call from another SIP side. Its methods may be called from any
// goroutine; errors are one of the Err values above, a context's cause, or name
// what failed.
type Leg struct {
	dialog // mu guards what of it can change

	server *Server
	invite Invite
	first  *request // the INVITE
	tx     *transaction
	ctx    context.Context // ends with the leg
	cancel context.CancelCauseFunc
	acked  chan struct{} // closed at the ACK to the first 2xx
	byed   chan struct{} // closed when Hangup's BYE is answered or given up

	mu        sync.Mutex
	rang      bool
	answered  bool      // a 2xx is out
	confirm   bool      // its ACK is in
	hanging   bool      // Hangup has begun
	pending   *accepted // a 2xx that waits for its ACK
	waiting   *request  // a re-INVITE that came before that ACK
	waitTx    *transaction
	wire      media.Wire // from the answer on; owned by stream, which is there from the ACK on
	port      int
	session   uint64       // id of our descriptions
	described *sdp.Session // our last one; nil before the answer
	offer     *sdp.Session // theirs of the INVITE; nil when it had none
	agreed    sdp.Agreed
	stream    *media.Stream
	silence   *time.Timer // Config.MediaTimeout
	since     time.Time   // when the other side could last be heard at the earliest
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

	l := &Leg{server: s, first: r, offer: offer, dialog: s.newDialog(r), invite: invite(r), session: uint64(time.Now().Unix()),
		acked: make(chan struct{}), byed: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tx = s.begin(r, l); l.tx == nil {
		return
	}
	s.mu.Lock()
	if f := s.full(); f != nil { // Close, or another line's call, may have been faster
		s.mu.Unlock()
		l.tx.Terminate()
		s.refuse(r.raw, r.path, f)
		return
	}
	s.legs[l] = struct{}{}
	s.dialogs[l.id()] = l
	s.calling.Add(1)
	s.mu.Unlock()
	if l.path.line != nil {
		l.path.line.legs.Add(1)
	}
	l.tx.respond(r.raw.response(r.path, 100, "Trying", ""))
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
	case s.cfg.MaxCalls > 0 && len(s.legs) >= s.cfg.MaxCalls:
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
		delete(s.legs, l)
		delete(s.dialogs, l.id())
		s.mu.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.path.line != nil {
			l.path.line.legs.Add(-1)
		}
		// The INVITE's transaction keeps the leg for 32 s more; most of it can go.
		l.stream, l.wire, l.offer, l.described = nil, nil, nil, nil
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
		l.tx.respond(l.answerTo(l.first, 500, "Server Internal Error"))
		l.end(ErrFailed)
	}
}

// Invite is what the caller asked for.
func (l *Leg) Invite() *Invite { return &l.invite }

// Stream is the sound and the keys of an answered leg, nil before Answer has
// succeeded and after the server's Answer function has returned.
func (l *Leg) Stream() *media.Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stream
}

// Done is closed when the leg is over; Err then says why.
func (l *Leg) Done() <-chan struct{} { return l.ctx.Done() }

// Err is nil while the leg is up.
func (l *Leg) Err() error { return context.Cause(l.ctx) }

// Ring says 180, once and only before the answer.
func (l *Leg) Ring(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if l.rang || l.answered {
		return nil
	}
	l.rang = true
	return l.tx.respond(l.answerTo(l.first, 180, "Ringing", l.contact()))
}

// Answer takes the call. It returns when the caller has confirmed it, which
// ends with the leg after 32 s (RFC 3261 §13.3.1.4), or when ctx is done; the
// call is then still being answered and may be hung up.
func (l *Leg) Answer(ctx context.Context) error {
	l.mu.Lock()
	if l.Err() == nil && ctx.Err() == nil && !l.answered {
		if err := l.accept(); err != nil {
			l.tx.respond(l.answerTo(l.first, 503, "No port for the sound of this call", field{"Retry-After", "5"}))
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
	if l.answered {
		return errors.New("sip: reject: the call has been answered")
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
	err := l.tx.respond(l.answerTo(l.first, status, reason, extra...))
	l.end(ErrRejected)
	return err
}

// Hangup ends the leg: with 480 before the answer, with BYE after it. It
// returns when the BYE is answered, after 5 s without an answer, or when ctx is
// done; the BYE goes on then. An answer that is not confirmed yet is waited for,
// since a BYE may not overtake it (RFC 3261 §15).
func (l *Leg) Hangup(ctx context.Context) error {
	l.mu.Lock()
	if l.Err() != nil && !l.hanging {
		l.mu.Unlock()
		return nil
	}
	if !l.answered {
		l.mu.Unlock()
		return l.Reject(ctx, 480, "")
	}
	if !l.hanging {
		l.hanging = true
		l.server.calling.Go(func() {
			defer close(l.byed)
			select {
			case <-l.acked:
				l.bye(ErrHungUp)
			case <-l.ctx.Done():
			}
		})
	}
	l.mu.Unlock()
	select {
	case <-l.byed:
		return nil
	case <-ctx.Done():
		if l.Err() != nil {
			return nil // ctx may be the leg's own
		}
		return context.Cause(ctx)
	}
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
	if t != l.tx || l.answered || l.Err() != nil {
		return
	}
	l.tx.respond(l.answerTo(l.first, 487, "Request Terminated"))
	l.end(ErrCanceled)
}

// end closes the leg for everybody. l.mu is held. The dialog stays known until
// run has returned, so that a BYE that crosses ours is answered.
func (l *Leg) end(cause error) {
	if l.Err() != nil {
		return
	}
	if l.pending != nil {
		l.pending.timer.Stop()
		l.pending = nil
	}
	if l.waiting != nil {
		l.waitTx.respond(l.answerTo(l.waiting, 487, "Request Terminated"))
		l.waiting = nil
	}
	if l.silence != nil {
		l.silence.Stop()
	}
	switch {
	case l.stream != nil:
		l.server.calling.Go(l.stream.Close) // may wait for the pacer; l.mu must not
	case l.wire != nil:
		l.wire.Close()
	}
	l.cancel(cause)
}

// watch ends the leg when nothing has been heard of the other side's media.
// It looks again when the time could next be up.
func (l *Leg) watch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Err() != nil {
		return
	}
	stats := l.stream.Stats()
	heard := latest(stats.LastReceived, stats.LastRTCP)
	limit := l.server.cfg.MediaTimeout
	switch {
	case l.agreed.Direction != "sendrecv":
		limit *= 2 // held
	case heard.After(l.since):
		limit /= 2
	}
	silent := time.Since(latest(heard, l.since))
	if silent < limit {
		l.silence.Reset(limit - silent)
		return
	}
	l.server.log.Log(l.ctx, slog.LevelInfo, "sip: no media", "call", l.callID, "for", silent)
	l.server.calling.Go(func() { l.bye(ErrNoMedia) })
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
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

// phrase is the usual reason phrase (RFC 3261 §21) of what a call is refused
// with.
func phrase(status int) string {
	i := slices.IndexFunc(phrases, func(p statusPhrase) bool { return p.status == status })
	if i < 0 {
		return "Refused"
	}
	return phrases[i].text
}

type statusPhrase struct {
	status int
	text   string
}

var phrases = []statusPhrase{{403, "Forbidden"}, {404, "Not Found"}, {408, "Request Timeout"}, {480, "Temporarily Unavailable"},
	{486, "Busy Here"}, {488, "Not Acceptable Here"}, {500, "Server Internal Error"}, {503, "Service Unavailable"}, {600, "Busy Everywhere"}, {603, "Decline"}}
