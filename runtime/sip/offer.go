package sip

import (
	"slices"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/sdp"
)

// accepted is a 2xx to an INVITE that waits for its ACK. It is repeated after
// 0.5, 1, 2, 4, 4 … s, over every transport, and the call ended after 32 s
// (RFC 3261 §13.3.1.4).
type accepted struct {
	tx      *transaction
	res     *sipgo.Response
	seq     uint32 // of the INVITE, and so of the ACK
	offered bool   // the 2xx has our offer, the ACK brings the answer
	timer   *time.Timer
	wait    time.Duration
	left    time.Duration
}

// readOffer reads the offer of a request, nil when it has none.
func (s *Server) readOffer(r *request) (*sdp.Session, *fault) {
	if len(r.raw.body) == 0 {
		return nil, nil
	}
	body, _ := r.raw.part("application/sdp")
	offer, err := sdp.Parse(body)
	if err != nil {
		return nil, unacceptable(err)
	}
	return offer, nil
}

// unacceptable is 488 with a Warning that says why (RFC 3261 §20.43).
func unacceptable(err error) *fault {
	text := printable(err.Error())
	return &fault{status: 488, text: text, extra: []field{{"Warning", `305 hookswitch "` + text + `"`}}}
}

// accept answers the INVITE with 200. l.mu is held.
func (l *Leg) accept() error {
	if err := l.describe(); err != nil {
		return err
	}
	l.answered = true
	l.acceptWith(l.in.first, l.in.tx, l.in.offer == nil)
	return nil
}

// describe opens the port of a call that has come in and makes our description of
// it, unless Early has done so. l.mu is held.
func (l *Leg) describe() error {
	if l.described != nil {
		return nil
	}
	wire, port, err := l.server.openWire()
	if err != nil {
		return err
	}
	l.wire, l.port = wire, port
	if l.in.offer == nil {
		l.described = l.offer()
		return nil
	}
	l.described, l.agreed, err = sdp.Answer(l.in.offer, l.description())
	return err // cannot be: the INVITE was tried
}

// description is our side of the next offer or answer.
func (l *Leg) description() sdp.Local {
	return sdp.Local{Addr: l.host, Port: l.port, SessionID: l.session, Version: l.session,
		Codecs: l.codecs(), Last: l.described}
}

// offer describes our side anew.
func (l *Leg) offer() *sdp.Session {
	if l.recording != nil {
		return l.offerTracks()
	}
	return sdp.Offer(l.description())
}

// describeIn puts our description into an INVITE.
func (l *Leg) describeIn(req *sipgo.Request) {
	if l.recording != nil {
		l.say(req, l.described.Bytes())
		return
	}
	req.AppendHeader(sipgo.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(l.described.Bytes())
}

// acceptAnswer agrees on the answer to our offer. After an error everything is
// as before.
func (l *Leg) acceptAnswer(answer *sdp.Session) error {
	if l.recording != nil {
		l.acceptTracks(answer)
		return nil
	}
	agreed, err := sdp.Accept(l.described, answer, l.description())
	if err == nil {
		l.agree(agreed)
	}
	return err
}

// acceptWith sends a 200 with our description and awaits the ACK. l.mu is held.
func (l *Leg) acceptWith(r *request, t *transaction, offered bool) {
	res := l.answerTo(r, 200, "OK", l.contact(), field{"Allow", allow}, field{"Content-Type", "application/sdp"})
	res.SetBody(l.described.Bytes())
	p := &accepted{tx: t, res: res, seq: r.seq, offered: offered, wait: t1, left: 64 * t1}
	p.timer = time.AfterFunc(p.wait, func() { l.repeat(p) })
	l.pending = p
	t.respond(res)
}

// repeat sends a 2xx again whose ACK is late.
func (l *Leg) repeat(p *accepted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending != p {
		return
	}
	if p.left -= p.wait; p.left <= 0 {
		l.server.calling.Go(func() { l.bye(ErrNoAck) })
		return
	}
	p.tx.respond(p.res)
	p.wait = min(2*p.wait, t2, p.left)
	p.timer.Reset(p.wait)
}

// ack takes the ACK to a 2xx. Others than the awaited one are repetitions.
func (l *Leg) ack(r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pending
	if p == nil || p.seq != r.seq {
		return
	}
	p.timer.Stop()
	l.pending = nil
	if p.offered && !l.answeredIn(r) {
		l.server.calling.Go(func() { l.bye(ErrOffer) })
		return
	}
	l.confirmed()
	if next, t := l.waiting, l.waitTx; next != nil {
		l.waiting = nil
		l.reinvited(next, t)
	}
}

// confirmed marks the first ACK. On a leg that has come in, sound begins here and
// not at the 200: an INVITE is easily sent in a peer's name, and would have us
// send half a minute of RTP to whatever address its offer gives. The ACK has our
// tag, so its sender has seen the 200.
func (l *Leg) confirmed() {
	if isClosed(l.acked) {
		return
	}
	l.sound()
	if l.server.cfg.MediaTimeout > 0 && l.recording == nil { // a recorder sends nothing
		l.since = time.Now()
		l.silence = time.AfterFunc(l.server.cfg.MediaTimeout, l.watch)
	}
	close(l.acked)
}

// sound makes the stream, as agreed.
func (l *Leg) sound() {
	if l.recording != nil {
		l.recording.sound(l)
		return
	}
	if l.stream == nil {
		l.stream = media.NewStream(l.server.cfg.Pacer, l.wire, l.mediaConfig(l.agreed))
		l.stream.Start()
	}
}

// answeredIn reads the answer to our offer from an ACK.
func (l *Leg) answeredIn(r *request) bool {
	answer, f := l.readOffer(r)
	return f == nil && answer != nil && l.acceptAnswer(answer) == nil
}

// agree makes the sound follow what has been agreed on.
func (l *Leg) agree(agreed sdp.Agreed) {
	if l.agreed.Direction != agreed.Direction {
		l.since = time.Now() // silence while we were held does not count now
		if l.silence != nil {
			l.silence.Reset(l.server.cfg.MediaTimeout)
		}
	}
	l.agreed = agreed
	if l.stream != nil {
		l.stream.Configure(l.mediaConfig(l.agreed))
	}
}

func (l *Leg) mediaConfig(a sdp.Agreed) media.Config {
	return media.Config{Codec: a.Codec, PayloadType: a.PayloadType, EventType: a.EventType,
		Remote: a.Remote, RemoteRTCP: a.RemoteRTCP, Signalling: l.path.remote.Addr(),
		Send: a.Direction == "sendrecv" || a.Direction == "sendonly", Receive: receives(a.Direction),
		CNAME: "hookswitch@" + l.host.String()}
}

func receives(direction string) bool { return direction == "sendrecv" || direction == "recvonly" }

// reinvited takes an INVITE within the dialog (RFC 3261 §14.2): another place
// or codec, hold, resume, or a question for our offer. l.mu is held.
func (l *Leg) reinvited(r *request, t *transaction) {
	say := func(status int, reason string, extra ...field) {
		t.respond(l.answerTo(r, status, reason, extra...))
	}
	switch {
	case !l.answered, l.waiting != nil:
		say(500, "An earlier INVITE is not over", retryLater())
		return
	case l.recording != nil && l.recording.inviting:
		say(491, "Request Pending")
		return
	case l.pending != nil:
		// The ACK may have been overtaken; this one's turn comes after it.
		t.respond(r.raw.response(r.path, 100, "Trying", ""))
		l.waiting, l.waitTx = r, t
		return
	}
	offer, f := l.readOffer(r)
	if f == nil {
		f = l.renegotiate(offer)
	}
	if f != nil {
		say(f.status, printable(f.text), f.extra...)
		return
	}
	l.refresh(r)
	l.acceptWith(r, t, offer == nil)
}

// updated takes an UPDATE (RFC 3311), which has its answer in its 200.
func (l *Leg) updated(r *request, t *transaction) {
	offer, f := l.readOffer(r)
	switch {
	case f != nil:
	case offer != nil && l.recording != nil && l.recording.inviting:
		f = &fault{status: 491, text: "Request Pending"}
	case offer != nil && (!l.answered || l.pending != nil):
		f = &fault{status: 500, text: "An INVITE is not over", extra: []field{retryLater()}}
	case offer != nil:
		f = l.renegotiate(offer)
	}
	if f != nil {
		t.respond(l.answerTo(r, f.status, printable(f.text), f.extra...))
		return
	}
	l.refresh(r)
	res := l.answerTo(r, 200, "OK", l.contact())
	if offer != nil {
		res.AppendHeader(sipgo.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(l.described.Bytes())
	}
	t.respond(res)
}

// renegotiate agrees on offer, or makes an offer when there is none. After a
// fault everything is as before.
func (l *Leg) renegotiate(offer *sdp.Session) *fault {
	if offer == nil {
		l.described = l.offer()
		return nil
	}
	if l.recording != nil {
		if err := l.answerTracks(offer); err != nil {
			return unacceptable(err)
		}
		return nil
	}
	answer, agreed, err := sdp.Answer(offer, l.description())
	if err != nil {
		return unacceptable(err)
	}
	l.described = answer
	l.agree(agreed)
	return nil
}

// refresh takes the new target of a request that was accepted
// (RFC 3261 §12.2.2).
func (l *Leg) refresh(r *request) {
	if c := r.Contact(); c != nil {
		l.target = c.Address
	}
	if ip, ok := literal(l.target.Host); ok && len(l.peers) < 16 && !slices.Contains(l.peers, ip) {
		l.peers = append(l.peers, ip)
	}
}

func (l *Leg) codecs() []string {
	if l.out != nil {
		return l.out.codecs
	}
	return l.server.cfg.Codecs
}
