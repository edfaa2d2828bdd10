package sip

import (
	"context"
	"errors"
	"fmt"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// ringAgain is how often a caller is told again that it rings: a proxy gives up
// after three minutes of silence, and may lose what is not confirmed
// (RFC 3261 §13.3.1.1).
const ringAgain = time.Minute

// Ring says 180 before the answer, and again each minute. It does nothing the
// second time, on an answered leg, and on one that was placed here.
func (l *Leg) Ring(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if l.in == nil || l.in.rang || l.answered {
		return nil
	}
	l.in.rang = true
	return l.provisional(l.answerTo(l.in.first, 180, "Ringing", l.contact()))
}

// Early says 183 with our description, so that the caller hears us before the
// answer: the announcement or the ringing tone of somebody who is called for it.
// Stream is there from now on and sends. Answer later repeats the description.
//
// Sound goes out before the caller has shown by an ACK that it asked for any. So
// Early is for what must be heard before the answer and for nothing else: an
// INVITE in a peer's name makes us send wherever it says, until its call is
// refused or given up.
//
// It does nothing the second time, on an answered leg, and on one that was placed
// here. It is an error when the INVITE has no offer, since sound cannot be agreed
// on then before the answer, and when no port is free; the call goes on.
func (l *Leg) Early(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if l.in == nil || l.answered || l.stream != nil {
		return nil
	}
	if l.in.offer == nil {
		return errors.New("sip: early: the INVITE has no offer, so there is no sound before the answer")
	}
	if err := l.describe(); err != nil {
		return fmt.Errorf("sip: early: %w", err)
	}
	l.sound()
	res := l.answerTo(l.in.first, 183, "Session Progress", l.contact(), field{"Content-Type", "application/sdp"})
	res.SetBody(l.described.Bytes())
	return l.provisional(res)
}

// provisional sends res, and sends it again until there is another or a final
// answer. l.mu is held.
func (l *Leg) provisional(res *sipgo.Response) error {
	in := l.in
	if in.again != nil {
		in.again.Stop()
	}
	in.again = time.AfterFunc(ringAgain, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.Err() == nil && !l.answered {
			l.provisional(res)
		}
	})
	return in.tx.respond(res)
}
