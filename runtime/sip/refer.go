package sip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// How long a transfer that we have asked for is followed.
const (
	firstNotify = 64 * t1         // from the answer to REFER to the first NOTIFY
	referTime   = 3 * time.Minute // and to the last
)

// referral is a transfer that we have asked for, and our subscription to how it
// goes (RFC 3515 §2.4.4). It is guarded by Leg.mu.
type referral struct {
	id       uint32 // CSeq of the REFER
	statuses chan int
	until    time.Time
	timer    *time.Timer // nil before the answer to REFER
	notified bool
}

// Refer asks the other side to call uri instead (REFER, RFC 3515). The headers of
// uri, such as ?Replaces=…, are escaped where they must be; headers are those of
// the REFER itself, whose Referred-By is us unless they say otherwise. The leg
// must have been answered, and stays up: whoever has sent the call away hangs up.
//
// Refer returns the status of the answer: 408 when none came within 32 s. A 2xx
// brings the statuses that the other side then tells of its new call, as they
// come. The channel is buffered, loses the oldest status when nobody reads it,
// and is closed when the other side says that it was the last, when the leg is
// over, after 32 s without any, or after 3 min. After a refusal it is closed.
//
// ctx is for the answer only. An error says that there was none because ctx or
// the leg is over, or that uri or headers cannot be sent.
func (l *Leg) Refer(ctx context.Context, uri string, headers map[string][]string) (status int, notified <-chan int, err error) {
	to, err := transferURI(uri)
	if err != nil {
		return 0, nil, fmt.Errorf("sip: refer: %w", err)
	}
	further, err := furtherHeaders(headers)
	if err != nil {
		return 0, nil, fmt.Errorf("sip: refer: %w", err)
	}
	l.mu.Lock()
	if err := l.Err(); err != nil {
		l.mu.Unlock()
		return 0, nil, err
	}
	if !isClosed(l.acked) {
		l.mu.Unlock()
		return 0, nil, errors.New("sip: refer: the call has not been answered")
	}
	f := &referral{statuses: make(chan int, 16)}
	l.referrals = append(l.referrals, f) // a NOTIFY may overtake the answer
	l.mu.Unlock()

	res := l.askReferral(ctx, f, append([]field{{"Refer-To", "<" + to + ">"}}, further...))
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case res != nil:
		status = res.StatusCode
	case l.Err() != nil:
		return 0, nil, l.Err() // which has ended f
	case ctx.Err() != nil:
		l.endReferral(f)
		return 0, nil, context.Cause(ctx)
	default:
		status = 408 // RFC 3261 §8.1.3.1
	}
	switch {
	case status >= 300, isFalse(res.GetHeader("Refer-Sub")):
		l.endReferral(f)
	case slices.Contains(l.referrals, f): // not over already
		f.until = time.Now().Add(referTime)
		wait := firstNotify
		if f.notified {
			wait = referTime
		}
		f.timer = time.AfterFunc(wait, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.endReferral(f)
		})
	}
	return status, f.statuses, nil
}

// askReferral sends the REFER of f and returns its answer, nil when there is
// none. When the leg ends it waits a little longer, since the BYE of a side that
// has gone where it was sent may overtake its answer.
func (l *Leg) askReferral(ctx context.Context, f *referral, further []field) *sipgo.Response {
	asking, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(l.ctx, func() { time.AfterFunc(t1, stop) })()
	defer context.AfterFunc(ctx, func() {
		if l.Err() == nil {
			stop()
		}
	})()
	return l.ask(asking, func() (*sipgo.Request, path) {
		l.mu.Lock()
		defer l.mu.Unlock()
		req := l.newRequest(sipgo.REFER, l.server.cfg.UserAgent)
		f.id = l.seq
		contact := l.contact()
		own := []field{contact}
		if !slices.ContainsFunc(further, func(h field) bool { return strings.EqualFold(h.name, "Referred-By") }) {
			own = append(own, field{"Referred-By", contact.value})
		}
		for _, h := range append(own, further...) {
			req.AppendHeader(sipgo.NewHeader(h.name, h.value))
		}
		p := l.path
		p.to = l.server.next(&l.dialog)
		return req, p
	})
}

// notified takes a NOTIFY. l.mu is held.
func (l *Leg) notified(r *request) *fault {
	id, ok := referEvent(r.raw.get("Event"))
	if !ok {
		return &fault{status: 489, text: "Bad Event", extra: []field{{"Allow-Events", "refer"}}}
	}
	i := slices.IndexFunc(l.referrals, func(f *referral) bool { return id == 0 || f.id == id })
	if i < 0 {
		return &fault{status: 481, text: "No such subscription"}
	}
	f := l.referrals[i]
	if !f.notified && f.timer != nil {
		f.timer.Reset(time.Until(f.until))
	}
	f.notified = true
	if body, ok := r.raw.part("message/sipfrag"); ok {
		if status, ok := fragmentStatus(body); ok {
			push(f.statuses, status)
		}
	}
	if terminated(r.raw.get("Subscription-State")) {
		l.endReferral(f)
	}
	return &fault{status: 200, text: "OK"}
}

// push adds to a buffer that only the caller adds to. When it is full the oldest
// is lost: the last status is the one that counts.
func push(to chan int, status int) {
	if len(to) == cap(to) {
		select {
		case <-to:
		default: // somebody reads after all
		}
	}
	to <- status
}

// endReferral ends the subscription. l.mu is held.
func (l *Leg) endReferral(f *referral) {
	i := slices.Index(l.referrals, f)
	if i < 0 {
		return
	}
	l.referrals = slices.Delete(l.referrals, i, i+1)
	if f.timer != nil {
		f.timer.Stop()
	}
	close(f.statuses)
}

// isFalse reads a Refer-Sub header (RFC 4488 §4), nil when there is none.
func isFalse(h sipgo.Header) bool {
	if h == nil {
		return false
	}
	v, _, _ := strings.Cut(h.Value(), ";")
	return strings.EqualFold(strings.TrimSpace(v), "false")
}
