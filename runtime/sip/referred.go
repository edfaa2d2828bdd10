package sip

import (
	"context"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// transfer is what the other side has asked of us with REFER, and its
// subscription to how that goes (RFC 3515 §2.4.2). It is guarded by Leg.mu, and
// is Leg.transfer until it is over.
type transfer struct {
	id       uint32   // CSeq of the REFER
	quiet    bool     // the other side does not want to be told
	status   int      // the latest, 100 at first
	statuses chan int // to be told
	told     chan struct{}
}

// OnRefer sets who decides about a REFER of the other side. With nil, as at
// first, each is refused with 603.
//
// decide gets the URI that the other side wants to be connected with, with the
// headers that the INVITE to it is to have, such as ?Replaces=…. It runs on a
// goroutine of its own and must return within 30 s, after which the other side
// gives up asking. False is 603. After true the other side is told 100, and then
// each status that notify is called with; the first of 200 or more is the last,
// and Hangup waits until the other side has it. notify may be called from any
// goroutine, also before decide returns. It does not block, and does nothing once
// the transfer or the leg is over. Without a last status the other side is told
// after 3 min that none will come.
//
// While one transfer is under way another is refused with 500 and Retry-After: a
// call can go to one place at a time, and that answer says when to ask again.
func (l *Leg) OnRefer(decide func(uri string, notify func(status int)) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.decide = decide
}

// referred takes a REFER. l.mu is held.
func (l *Leg) referred(r *request, t *transaction) {
	uri, f := referredTo(r.raw)
	switch {
	case f != nil:
	case l.decide == nil:
		f = declined()
	case !isClosed(l.acked):
		f = &fault{status: 500, text: "The call is not up yet", extra: []field{retryLater()}}
	case l.transfer != nil:
		f = &fault{status: 500, text: "An earlier transfer is not over", extra: []field{retryLater()}}
	}
	if f != nil {
		t.respond(l.answerTo(r, f.status, printable(f.text), f.extra...))
		return
	}
	tr := &transfer{id: r.seq, quiet: isFalse(r.GetHeader("Refer-Sub")), status: 100,
		statuses: make(chan int, 16), told: make(chan struct{})}
	l.transfer = tr
	decide := l.decide
	l.server.calling.Go(func() {
		defer close(tr.told)
		defer func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.transfer = nil
		}()
		if l.answerRefer(r, t, tr, l.decided(tr, decide, uri)) {
			l.follow(tr)
		}
	})
}

func declined() *fault { return &fault{status: 603, text: "Transfers are not taken here"} }

// decided asks decide. A panic is a refusal.
func (l *Leg) decided(tr *transfer, decide func(string, func(int)) bool, uri string) (accepted bool) {
	defer func() {
		if recover() != nil {
			l.server.log.Error("sip: panic while a transfer was decided on", "call", l.callID, "stack", string(debug.Stack()))
		}
	}()
	return decide(uri, func(status int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.transfer == tr && tr.status < 200 && tr.status != status && 100 <= status && status <= 699 {
			tr.status = status
			push(tr.statuses, status)
		}
	})
}

// answerRefer answers the REFER, and tells whether the transfer goes on.
func (l *Leg) answerRefer(r *request, t *transaction, tr *transfer, accepted bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.Err() != nil:
		t.respond(l.answerTo(r, 487, phrase(487))) // RFC 3261 §15.1.2
		return false
	case !accepted:
		f := declined()
		t.respond(l.answerTo(r, f.status, f.text))
		return false
	case tr.quiet:
		t.respond(l.answerTo(r, 202, "Accepted", l.contact(), field{"Refer-Sub", "false"}))
	default:
		t.respond(l.answerTo(r, 202, "Accepted", l.contact()))
	}
	return true
}

// follow tells the other side each status until the last, the end of the leg, or
// a NOTIFY that is not taken (RFC 6665 §4.2.2). One goes out after the other,
// because a later one that overtakes is answered with 500.
func (l *Leg) follow(tr *transfer) {
	until := time.Now().Add(referTime)
	expired := time.NewTimer(referTime)
	defer expired.Stop()
	for status := 100; ; {
		if status >= 200 {
			l.tell(tr, status, "terminated;reason=noresource")
			return
		}
		if !l.tell(tr, status, "active;expires="+strconv.Itoa(int(time.Until(until).Seconds()))) {
			return
		}
		select {
		case status = <-tr.statuses:
		case <-expired.C:
			l.tell(tr, status, "terminated;reason=timeout")
			return
		case <-l.ctx.Done():
			return
		}
	}
}

// tell sends a NOTIFY and reports whether the other side has taken it.
func (l *Leg) tell(tr *transfer, status int, state string) bool {
	if tr.quiet {
		return true
	}
	res := l.ask(l.ctx, func() (*sipgo.Request, path) {
		l.mu.Lock()
		defer l.mu.Unlock()
		req := l.newRequest(sipgo.NOTIFY, l.server.cfg.UserAgent)
		for _, h := range []field{l.contact(), {"Event", fmt.Sprintf("refer;id=%d", tr.id)}, {"Subscription-State", state},
			{"Content-Type", "message/sipfrag;version=2.0"}} {
			req.AppendHeader(sipgo.NewHeader(h.name, h.value))
		}
		req.SetBody(fragment(status))
		p := l.path
		p.to = l.server.next(&l.dialog)
		return req, p
	})
	return res != nil && res.StatusCode < 300
}

// awaitTold waits, for no longer than a BYE may take, until the other side knows
// the last status of its transfer: after our BYE it would not hear of it.
func (l *Leg) awaitTold() {
	l.mu.Lock()
	tr := l.transfer
	last := tr != nil && tr.status >= 200
	l.mu.Unlock()
	if !last {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, byeTime)
	defer cancel()
	select {
	case <-tr.told:
	case <-ctx.Done():
	}
}
