package sip

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/sdp"
)

// Why a leg is over.
var (
	ErrCanceled = errors.New("the caller gave up before the answer") // CANCEL, or BYE before the answer
	ErrBye      = errors.New("the other side hung up")               // BYE
	ErrHungUp   = errors.New("we hung up")                           // Hangup on an answered leg, or on one that was placed here
	ErrRejected = errors.New("we refused the call")                  // Reject, or Hangup before the answer

	// These are faults: nobody hung up.
	ErrNoAck   error = &broken{"the answer was never confirmed", 32022}        // no ACK within 32 s
	ErrNoMedia error = &broken{"the other side sends nothing any more", 32014} // Config.MediaTimeout
	ErrFailed  error = &broken{"the call failed on our side", 0}               // a panic, or no port for its sound
	ErrOffer   error = &broken{"the other side's answer has nothing that we speak", 32102}
	ErrGone    error = &broken{"the recorder no longer answers", 0} // to an INVITE within its session
)

// broken is the end of a leg that broke.
type broken struct {
	msg  string
	code int
}

func (b *broken) Error() string { return b.msg }

// Code is Twilio's code for it, 0 when it has none.
func (b *broken) Code() int { return b.code }

// Leg is one call with another SIP side, whichever of the two has placed it. Its
// methods may be called from any goroutine; errors are one of the Err values
// above, a [Refused], a context's cause, or name what failed.
type Leg struct {
	dialog // mu guards what of it can change

	server    *Server
	in        *incoming       // what only a leg has that has come in, nil on others
	out       *placed         // what only a leg has that was placed here, nil on others
	recording *recording      // what only a recording session has beside, nil on others
	ctx       context.Context // ends with the leg
	cancel    context.CancelCauseFunc
	acked     chan struct{} // closed at the ACK to the first 2xx, in whichever direction
	byed      chan struct{} // closed when Hangup's BYE is answered or given up

	parting sync.WaitGroup // our BYE

	mu        sync.Mutex
	answered  bool      // a 2xx is out, or has come
	hanging   bool      // Hangup has begun
	pending   *accepted // a 2xx of ours that waits for its ACK
	waiting   *request  // a re-INVITE that came before that ACK
	waitTx    *transaction
	wire      media.Wire // from the answer on, or the first offer of ours; owned by stream as soon as there is one
	port      int
	session   uint64       // id of our descriptions
	described *sdp.Session // our last one; nil before the first
	agreed    sdp.Agreed
	stream    *media.Stream
	silence   *time.Timer // Config.MediaTimeout
	since     time.Time   // when the other side could last be heard at the earliest
	referrals []*referral // ours that are under way
	transfer  *transfer   // theirs that is under way
	decide    func(uri string, notify func(status int)) bool
}

// newLeg makes a leg without a dialog.
func (s *Server) newLeg() *Leg {
	l := &Leg{server: s, session: uint64(time.Now().Unix()), acked: make(chan struct{}), byed: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

// CallID is the dialog's (RFC 3261 §8.1.1.4).
func (l *Leg) CallID() string { return l.callID }

// Stream is the sound and the keys of the leg: nil until it is answered or early
// media comes, and closed once the leg is over. Whoever has been told of the
// answer may use it, however soon the other side hangs up.
func (l *Leg) Stream() *media.Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stream
}

// Done is closed when the leg is over; Err then says why.
func (l *Leg) Done() <-chan struct{} { return l.ctx.Done() }

// Err is nil while the leg is up.
func (l *Leg) Err() error { return context.Cause(l.ctx) }

// Hangup ends the leg: before the answer with 480 or, when it was placed here,
// with CANCEL; after it with BYE. It returns when the other side has agreed,
// after 5 s without an answer, or when ctx is done; the request goes on then. An
// answer that is not confirmed yet is waited for, since a BYE may not overtake it
// (RFC 3261 §15).
func (l *Leg) Hangup(ctx context.Context) error {
	l.mu.Lock()
	if l.Err() != nil && !l.hanging {
		l.mu.Unlock()
		return nil
	}
	if !l.answered {
		l.mu.Unlock()
		if l.out != nil {
			return l.giveUp(ctx)
		}
		return l.Reject(ctx, 480, "")
	}
	if !l.hanging {
		l.hanging = true
		l.server.calling.Go(func() {
			defer close(l.byed)
			select {
			case <-l.acked:
				l.awaitTold()
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

// end closes the leg for everybody. l.mu is held. The dialog stays known until
// run has returned, so that a BYE that crosses ours is answered.
func (l *Leg) end(cause error) {
	if l.Err() != nil {
		return
	}
	if l.out != nil {
		l.out.conclude(487, nil)
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
	if l.in != nil && l.in.again != nil {
		l.in.again.Stop()
	}
	for len(l.referrals) > 0 {
		l.endReferral(l.referrals[0])
	}
	switch {
	case l.recording != nil:
		l.recording.close(l)
	case l.stream != nil:
		l.server.calling.Go(l.stream.Close) // may wait for the pacer; l.mu must not
	case l.wire != nil:
		l.wire.Close()
	}
	l.cancel(cause)
}

// forget takes a leg that is over out of the server's tables. Its INVITE's
// transaction keeps it for 32 s more; most of it can go.
func (l *Leg) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.server
	s.mu.Lock()
	delete(s.legs, l)
	if s.dialogs[l.id()] == l {
		delete(s.dialogs, l.id())
	}
	s.mu.Unlock()
	if l.path.line != nil {
		l.path.line.legs.Add(-1)
	}
	l.wire, l.described = nil, nil
	if l.in != nil {
		l.in.offer = nil
	}
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
