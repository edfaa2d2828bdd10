package sip

import (
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/hookswitch/hookswitch/media/sdp"
)

// again has the session offered again after d: that keeps it alive (RFC 4028) and
// tells the metadata as a whole (RFC 7866 §9.1). l.mu is held.
func (l *Leg) again(d time.Duration) {
	r := l.recording
	if r.next != nil {
		r.next.Stop()
	}
	r.next = time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.Err() == nil {
			l.server.calling.Go(l.inviteAgain)
		}
	})
}

// keepAlive has the session offered again at half of its timer: of that in res,
// an answer of the server, or of ours. l.mu is held.
func (l *Leg) keepAlive(res *answer) {
	expires := l.recording.expires
	if expires == 0 {
		return
	}
	if v, _, _ := strings.Cut(res.raw.get("Session-Expires"), ";"); v != "" {
		if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && n >= 90 && n < int(expires.Seconds()) {
			expires = time.Duration(n) * time.Second
		}
	}
	l.again(expires / 2)
}

// inviteAgain sends an INVITE within the dialog. A server that says nothing, or
// knows of no session, has ended it (RFC 3261 §12.2.1.2).
func (l *Leg) inviteAgain() {
	g := l.credentials()
	for {
		a, err := l.startAgain(g)
		if err == nil && a == nil {
			return
		}
		var res *answer
		if err == nil {
			res, _ = l.await(a, nil)
		}
		if res != nil && challenged(res.Response) && g.take(res.Response) {
			continue
		}
		l.mu.Lock()
		l.recording.inviting = false
		gone := res == nil || res.StatusCode == 408 || res.StatusCode == 481
		switch {
		case l.Err() != nil, gone:
		case res.StatusCode == 491:
			l.again(3 * time.Second) // two INVITEs have met (RFC 3261 §14.1)
		default:
			l.keepAlive(res)
		}
		l.mu.Unlock()
		if gone {
			l.bye(ErrGone)
		}
		return
	}
}

// startAgain sends the INVITE. It returns none when the leg is over, or when one
// of the server is not, whose end is waited for then.
func (l *Leg) startAgain(g *login) (*attempt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Err() != nil {
		return nil, nil
	}
	if l.pending != nil {
		l.again(time.Second)
		return nil, nil
	}
	l.recording.inviting = true
	l.described = l.offer()
	req := l.newRequest(sipgo.INVITE, l.server.cfg.UserAgent)
	contact := l.contact()
	req.AppendHeader(sipgo.NewHeader(contact.name, contact.value))
	req.AppendHeader(sipgo.NewHeader("Allow", allow))
	l.describeIn(req)
	g.sign(req)
	p := l.path
	p.to = l.server.next(&l.dialog)
	a, err := l.start(req, p)
	if err == nil {
		a.within = true // l.mu is held, so no answer has been looked at
	}
	return a, err
}

// acceptedAgain takes the 2xx to an INVITE within the dialog.
func (l *Leg) acceptedAgain(a *attempt, res *answer) {
	if c := res.Contact(); c != nil {
		l.target = c.Address
		l.addPeers()
	}
	l.confirmIn(a, &l.dialog, tagOf(res.raw.get("To")))
	if answer := described(res.raw); answer != nil && l.Err() == nil {
		l.acceptAnswer(answer) // that of a recording session has no error
	}
	a.finish(res)
}

// readOffer reads the offer of a request within the dialog, nil when it has none.
// A recorder may ask for the metadata instead (RFC 7866 §9.3).
func (l *Leg) readOffer(r *request) (*sdp.Session, *fault) {
	if l.recording != nil {
		if _, asks := r.raw.part("application/rs-metadata-request"); asks {
			l.again(0)
		}
		if _, ok := r.raw.part("application/sdp"); !ok {
			return nil, nil
		}
	}
	return l.server.readOffer(r)
}
