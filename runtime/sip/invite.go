package sip

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/hookswitch/hookswitch/media/sdp"
)

// longestRinging is how long a call may ring, whoever has forgotten it.
const longestRinging = 15 * time.Minute

// attempt is an INVITE of ours on its way to one place: the client transaction
// of RFC 3261 §17.1.1 and RFC 6026, and what becomes of the dialogs that it
// begins. sipgo's own takes answers on a goroutine each, which loses their
// order, and confirms a repeated refusal 4 s late.
type attempt struct {
	leg    *Leg
	req    *sipgo.Request
	key    string
	path   path
	within bool          // the dialog of leg, which has begun already
	final  chan *answer  // the first final answer, once; closed without one when none came
	over   chan struct{} // closed with it

	// Guarded by leg.mu.
	came      bool // an answer has, so that CANCEL may go out (RFC 3261 §9.1)
	abandoned bool // nobody waits for it any more
	canceled  bool
	refused   bool
	wait      time.Duration
	repeat    *time.Timer             // Timer A; nil over TCP
	expire    *time.Timer             // Timer B, and then D or M
	acks      map[string]confirmation // of the 2xx, by To tag
}

// confirmation is the ACK to a 2xx, for when that comes again.
type confirmation struct {
	ack  *sipgo.Request
	path path
}

// answer is an answer that has passed the gates.
type answer struct {
	*sipgo.Response
	raw *message
}

// maxForks is how many branches of a call may answer. The more have not been
// told apart by any proxy.
const maxForks = 20

// start sends req over p. l.mu is held.
func (l *Leg) start(req *sipgo.Request, p path) (*attempt, error) {
	a := &attempt{leg: l, req: req, path: p, key: requestKey(req.Via().Params.GetOr("branch", ""), "INVITE"),
		final: make(chan *answer, 1), over: make(chan struct{}), wait: t1, acks: make(map[string]confirmation)}
	s := l.server
	s.mu.Lock()
	s.attempts[a.key] = a
	s.mu.Unlock()
	if err := p.WriteMsg(req); err != nil {
		a.drop()
		return nil, err
	}
	if p.line == nil {
		a.repeat = time.AfterFunc(a.wait, a.sendAgain)
	}
	a.expire = time.AfterFunc(64*t1, a.expired)
	return a, nil
}

// drop ends the transaction.
func (a *attempt) drop() {
	s := a.leg.server
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.attempts, a.key)
}

// terminate ends the transaction before its time.
func (a *attempt) terminate() {
	a.leg.mu.Lock()
	defer a.leg.mu.Unlock()
	if a.repeat != nil {
		a.repeat.Stop()
	}
	a.expire.Stop()
	a.finish(nil)
	a.drop()
}

// sendAgain is Timer A.
func (a *attempt) sendAgain() {
	a.leg.mu.Lock()
	defer a.leg.mu.Unlock()
	if a.came || isClosed(a.over) {
		return
	}
	a.path.WriteMsg(a.req) // a fault is that of a lost packet
	a.wait *= 2
	a.repeat.Reset(a.wait)
}

// expired is Timer B while nothing has come, the end of a call that rings for
// ever, and Timer D or M after a final answer.
func (a *attempt) expired() {
	a.leg.mu.Lock()
	defer a.leg.mu.Unlock()
	if a.came && !a.abandoned && !isClosed(a.over) {
		a.finish(nil)
		a.abandon(&a.leg.server.calling)
		return
	}
	a.finish(nil)
	a.drop()
}

// finish gives the final answer to who waits for it, nil when there is none.
func (a *attempt) finish(res *answer) {
	if isClosed(a.over) {
		return
	}
	if res != nil {
		a.final <- res
	}
	close(a.final)
	close(a.over)
}

// abandon has the INVITE cancelled, now or as soon as that is allowed, and
// what answers it all the same hung up. sending counts the CANCEL. l.mu is held.
func (a *attempt) abandon(sending *sync.WaitGroup) {
	if a == nil {
		return
	}
	a.abandoned = true
	if a.came && !a.canceled && !a.refused && len(a.acks) == 0 {
		a.canceled = true
		// Who has agreed to a CANCEL owes a final answer, but may have gone.
		a.expire.Reset(64 * t1)
		s := a.leg.server
		sending.Go(func() { s.send(s.ctx, cancelOf(a.req), a.path) })
	}
}

// cancelOf makes the CANCEL of an INVITE: what a proxy finds that by is equal
// in both, and nothing of what the answers have said is in it (RFC 3261 §9.1).
func cancelOf(invite *sipgo.Request) *sipgo.Request {
	req := sipgo.NewRequest(sipgo.CANCEL, invite.Recipient)
	req.AppendHeader(invite.Via())
	for _, h := range invite.Headers() {
		switch h.Name() {
		case "Route", "Max-Forwards", "From", "To", "Call-ID", "User-Agent":
			req.AppendHeader(h)
		}
	}
	req.AppendHeader(&sipgo.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sipgo.CANCEL})
	req.SetBody(nil)
	req.SetTransport(invite.Transport())
	return req
}

// receive takes an answer to the INVITE.
func (a *attempt) receive(res *answer) {
	l := a.leg
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.repeat != nil {
		a.repeat.Stop()
	}
	switch {
	case res.StatusCode < 200:
		if isClosed(a.over) {
			return
		}
		if !a.came {
			a.came = true
			a.expire.Reset(longestRinging)
		}
		if a.abandoned {
			a.abandon(&l.server.reading)
		} else if res.StatusCode > 100 && l.Err() == nil && l.out.attempt == a {
			l.early(a, res)
		}
	case res.StatusCode < 300:
		l.accepted(a, res)
	default:
		// Each is confirmed, and by its transaction only (RFC 3261 §17.1.1.3).
		a.path.WriteMsg(ackOf(a.req, res.raw.get("To")))
		if !a.refused {
			a.refused = true
			a.expire.Reset(64 * t1) // Timer D
		}
		a.finish(res)
	}
}

// confirm sends the ACK to a 2xx and keeps it for repetitions.
func (a *attempt) confirm(tag string, ack *sipgo.Request, p path) {
	if len(a.acks) == 0 {
		a.expire.Reset(64 * t1) // Timer M
	}
	a.acks[tag] = confirmation{ack, p}
	p.WriteMsg(ack) // if it gets lost the answer comes again
}

// ackOf makes the ACK to a refusal, which belongs to the INVITE's transaction
// (RFC 3261 §17.1.1.3).
func ackOf(invite *sipgo.Request, to string) *sipgo.Request {
	ack := cancelOf(invite)
	ack.Method = sipgo.ACK
	ack.ReplaceHeader(sipgo.NewHeader("To", to))
	ack.ReplaceHeader(&sipgo.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sipgo.ACK})
	return ack
}

// early takes a provisional answer with news. The other side may fork: the
// sound is that of who spoke last.
func (l *Leg) early(a *attempt, res *answer) {
	if tagOf(res.raw.get("To")) != "" {
		l.join(l.dialogOf(a, res))
	}
	if answer := described(res.raw); answer != nil && l.acceptAnswer(answer) == nil && l.recording == nil {
		l.sound()
	}
	l.out.progress(res.StatusCode)
}

// accepted takes a 2xx (RFC 3261 §13.2.2.4). The first one that anybody waits
// for makes the call; the others are confirmed and hung up.
func (l *Leg) accepted(a *attempt, res *answer) {
	tag := tagOf(res.raw.get("To"))
	if c, ok := a.acks[tag]; ok {
		c.path.WriteMsg(c.ack)
		return
	}
	if len(a.acks) == maxForks {
		return
	}
	if a.within {
		l.acceptedAgain(a, res)
		return
	}
	d := l.dialogOf(a, res)
	l.confirmIn(a, &d, tag)
	if l.answered || l.Err() != nil || l.out.attempt != a || a.abandoned {
		l.server.reading.Go(func() { l.sendBye(&d) })
		a.finish(res)
		return
	}
	l.join(d)
	l.answered = true
	if answer := described(res.raw); answer != nil && l.acceptAnswer(answer) != nil {
		l.agreed.Codec = ""
	}
	if l.agreed.Codec == "" && (l.recording == nil || !l.recording.wanted()) {
		l.out.conclude(488, nil)
		l.server.reading.Go(func() { l.bye(ErrOffer) })
		a.finish(res)
		return
	}
	l.confirmed()
	if l.recording != nil {
		l.keepAlive(res)
	}
	l.out.conclude(res.StatusCode, headers(res.raw))
	a.finish(res)
}

// confirmIn sends the ACK to a 2xx to a, which goes through d (RFC 3261 §13.2.2.4).
func (l *Leg) confirmIn(a *attempt, d *dialog, tag string) {
	ack := d.request(sipgo.ACK, a.req.CSeq().SeqNo, l.server.cfg.UserAgent)
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		for _, h := range a.req.GetHeaders(name) {
			ack.AppendHeader(h)
		}
	}
	p := d.path
	p.to = l.server.next(d)
	a.confirm(tag, ack, p)
}

// described reads the description of an answer, nil when there is none.
func described(m *message) *sdp.Session {
	body, ok := m.part("application/sdp")
	if !ok {
		return nil
	}
	d, err := sdp.Parse(body)
	if err != nil {
		return nil
	}
	return d
}

// dialogOf is the dialog that an answer to an INVITE of ours begins
// (RFC 3261 §12.1.2).
func (l *Leg) dialogOf(a *attempt, res *answer) dialog {
	d := l.dialog
	d.path = a.path
	d.remoteSeq = -1
	d.seq = a.req.CSeq().SeqNo
	d.remote = party{res.raw.get("To"), tagOf(res.raw.get("To"))}
	d.target = a.req.Recipient
	if c := res.Contact(); c != nil {
		d.target = c.Address
	}
	d.routes = nil
	for _, h := range res.GetHeaders("Record-Route") {
		if rr, ok := h.(*sipgo.RecordRouteHeader); ok {
			d.routes = append(d.routes, rr.Address)
		}
	}
	slices.Reverse(d.routes)
	d.peers = []netip.Addr{a.path.remote.Addr()}
	d.addPeers()
	return d
}

// join makes d the leg's dialog, which requests of the other side find.
func (l *Leg) join(d dialog) {
	s := l.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dialogs[l.id()] == l {
		delete(s.dialogs, l.id())
	}
	if l.remote.tag == d.remote.tag {
		d.remoteSeq = l.remoteSeq
	}
	// Not the whole, since the Call-ID and our tag are read without the lock.
	l.seq, l.remote, l.remoteSeq, l.target, l.routes, l.peers = d.seq, d.remote, d.remoteSeq, d.target, d.routes, d.peers
	l.take(d.path)
	s.dialogs[l.id()] = l
}

func headers(m *message) map[string][]string {
	h := make(map[string][]string, len(m.fields))
	for _, f := range m.fields {
		h[f.name] = append(h[f.name], f.value)
	}
	return h
}
