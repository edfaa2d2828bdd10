package sip

import (
	"fmt"
	"hash/maphash"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// request is a request that has passed the gates.
type request struct {
	*sipgo.Request
	raw     *message
	path    path
	key     string // of its transaction
	callID  string
	fromTag string
	toTag   string
	seq     uint32 // of CSeq
}

// allow has the methods that can do something here; the others of methods are
// refused with 405, and what is not even there with 501.
var (
	allow   = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REFER, NOTIFY"
	methods = []string{"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE",
		"REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "REFER"}
)

// parser reads the headers whose parts are needed; the others stay text.
var parser = func() *sipgo.Parser {
	all := sipgo.DefaultHeadersParser()
	few := make(sipgo.HeadersParser)
	for name := range strings.FieldsSeq("via from to contact call-id cseq route record-route content-length content-type") {
		few[name] = all[name]
	}
	return sipgo.NewParser(sipgo.WithHeadersParsers(few))
}()

// receive handles one message. f is what has been found wrong with it so far.
// Messages of one socket or line come here one after the other: nothing below
// may wait.
func (s *Server) receive(m *message, f *fault, p path) {
	defer func() {
		if recover() != nil {
			s.log.Error("sip: panic while a message was handled", "from", p.remote, "stack", string(debug.Stack()))
		}
	}()
	if strings.HasPrefix(m.start, "SIP/") {
		if f != nil {
			s.note(slog.LevelWarn, "answer", "dropped an answer: "+f.text, "from", p.remote)
		} else {
			if msg, err := parser.ParseSIP(m.bytes()); err == nil {
				if res, ok := msg.(*sipgo.Response); ok {
					s.response(m, res)
				}
			}
		}
		return
	}
	if p.line == nil {
		p.to = replyTo(p.remote, m.get("Via"))
	}
	method, f := startLine(m.start, f)
	if f == nil {
		f = validate(m, method)
	}
	var r *request
	if f == nil {
		r, f = parse(m, p)
	}
	if f != nil {
		s.refuse(m, p, f)
		return
	}
	s.request(r)
}

// parse gives the message to sipgo.
func parse(m *message, p path) (*request, *fault) {
	msg, err := parser.ParseSIP(m.bytes())
	if err != nil {
		return nil, badRequest("the message cannot be parsed")
	}
	req, ok := msg.(*sipgo.Request)
	if !ok || req.Via() == nil || req.From() == nil || req.To() == nil || req.CSeq() == nil || req.CallID() == nil {
		return nil, badRequest("the message cannot be parsed")
	}
	req.SetTransport(p.transport())
	req.SetSource(p.remote.String())
	r := &request{Request: req, raw: m, path: p, callID: m.get("Call-ID"), seq: req.CSeq().SeqNo,
		fromTag: tagOf(m.get("From")), toTag: tagOf(m.get("To"))}
	r.key = r.transactionKey()
	return r, nil
}

// request takes a well-formed request to where it belongs.
func (s *Server) request(r *request) {
	known := s.transaction(r.key)
	switch r.Method {
	case "ACK":
		if known != nil && known.refused() {
			known.Receive(r.Request)
		} else if l := s.dialog(r); l != nil {
			l.ack(r)
		}
		return
	case "CANCEL":
		if known == nil {
			s.refuse(r.raw, r.path, &fault{status: 481, text: "No such transaction"})
			return
		}
		// The answer to CANCEL has the To tag of the INVITE's (§9.2).
		r.path.send([]byte(r.raw.response(r.path, 200, "OK", known.leg.local.tag, s.identity()...).String()))
		known.leg.cancelled(known)
		return
	}
	if known != nil {
		if known.repeats() {
			known.Receive(r.Request) // sipgo answers as before
		}
		return
	}
	if r.toTag != "" {
		l := s.dialog(r)
		if l == nil {
			s.refuse(r.raw, r.path, &fault{status: 481, text: "No such call"})
			return
		}
		l.request(r)
		return
	}
	if !s.allowed(r.path.remote.Addr()) {
		return // a guest: only what belongs to its call is heard
	}
	switch r.Method {
	case "INVITE":
		s.invited(r)
	case "OPTIONS":
		s.options(r)
	case "BYE", "INFO", "UPDATE", "NOTIFY":
		s.refuse(r.raw, r.path, &fault{status: 481, text: "No such call"})
	case "REFER":
		s.refuse(r.raw, r.path, declined()) // only who is in a call may have it moved
	default:
		s.refuse(r.raw, r.path, notAllowed())
	}
}

func (t *transaction) refused() bool {
	t.leg.mu.Lock()
	defer t.leg.mu.Unlock()
	return t.status >= 300
}

// repeats reports whether a repetition of the request is to be answered. No
// phone needs that more often than ten times a second.
func (t *transaction) repeats() bool {
	t.leg.mu.Lock()
	defer t.leg.mu.Unlock()
	if time.Since(t.repeated) < 100*time.Millisecond {
		return false
	}
	t.repeated = time.Now()
	return true
}

// options says what we can do (RFC 3261 §11.2), and with it that we live.
func (s *Server) options(r *request) {
	if s.draining.Load() {
		s.refuse(r.raw, r.path, busy("Going down", 5*time.Second))
		return
	}
	s.refuse(r.raw, r.path, &fault{status: 200, text: "OK",
		extra: []field{{"Allow", allow}, {"Accept", "application/sdp, application/dtmf-relay, application/dtmf"}, {"Accept-Encoding", "identity"}, {"Accept-Language", "en"}}})
}

// dialog returns the leg a request within a dialog is for, nil when there is
// none or when the request comes from somewhere else than its other side.
func (s *Server) dialog(r *request) *Leg {
	s.mu.Lock()
	l := s.dialogs[dialogID{r.callID, r.toTag, r.fromTag}]
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	if !l.isPeer(r.path.remote.Addr()) {
		s.note(slog.LevelWarn, "elsewhere", "a request for a call came from elsewhere", "method", r.Method, "from", r.path.remote)
		return nil
	}
	return l
}

// refuse answers a request without keeping anything of it; its To tag comes
// from the request, so that a repetition gets the same (RFC 3261 §8.2.7). What
// cannot be answered is dropped.
func (s *Server) refuse(m *message, p path, f *fault) {
	method, _, _ := strings.Cut(m.start, " ")
	if f.status >= 300 {
		s.note(slog.LevelWarn, strconv.Itoa(f.status), fmt.Sprintf("%d to %s from %s: %s", f.status, printable(method), p.remote.Addr(), f.text))
	}
	if f.status == 0 || method == "ACK" || !s.allowed(p.remote.Addr()) || m.count("Via") == 0 {
		return
	}
	tag := strconv.FormatUint(maphash.String(s.seed, m.get("Via")+"\n"+m.get("Call-ID")+"\n"+m.get("CSeq")), 36)
	p.send([]byte(m.response(p, f.status, printable(f.text), tag, append(s.identity(), f.extra...)...).String()))
}

func (s *Server) identity() []field {
	if s.cfg.UserAgent == "" {
		return nil
	}
	return []field{{"Server", s.cfg.UserAgent}}
}

// response makes the answer to a request. From, To, Via, Call-ID and CSeq go
// back as they came (RFC 3261 §8.2.6.2); To gets our tag unless it has one.
func (m *message) response(p path, status int, reason, tag string, extra ...field) *sipgo.Response {
	res := sipgo.NewResponse(status, reason)
	first := true
	for _, f := range m.fields {
		switch strings.ToLower(f.name) {
		case "via":
			if first {
				f.value = received(f.value, p)
				first = false
			}
			res.AppendHeader(sipgo.NewHeader("Via", f.value))
		case "record-route":
			if 180 <= status && status < 300 {
				res.AppendHeader(sipgo.NewHeader("Record-Route", f.value))
			}
		}
	}
	for name := range strings.FieldsSeq("From To Call-ID CSeq") {
		v := m.get(name)
		if v == "" {
			continue
		}
		if name == "To" && status > 100 && tag != "" && tagOf(v) == "" {
			v += ";tag=" + tag
		}
		res.AppendHeader(sipgo.NewHeader(name, v))
	}
	if v := m.get("Timestamp"); v != "" && status == 100 {
		res.AppendHeader(sipgo.NewHeader("Timestamp", v))
	}
	for _, f := range extra {
		res.AppendHeader(sipgo.NewHeader(f.name, f.value))
	}
	res.SetBody(nil)
	res.SetTransport(p.transport())
	return res
}

// received adds to the top Via where the request really came from
// (RFC 3261 §18.2.1, RFC 3581 §4).
func received(via string, p path) string {
	top, rest, more := strings.Cut(via, ",")
	parts := strings.Split(top, ";")
	out := parts[:1]
	asked := false
	for _, part := range parts[1:] {
		k, _, _ := strings.Cut(part, "=")
		switch {
		case strings.EqualFold(k, "rport"):
			asked = true
			out = append(out, "rport="+strconv.Itoa(int(p.remote.Port())))
		case !strings.EqualFold(k, "received"):
			out = append(out, part)
		}
	}
	host, _ := sentBy(top)
	if ip, _ := literal(host); asked || ip != p.remote.Addr() {
		out = append(out, "received="+p.remote.Addr().String())
	}
	top = strings.Join(out, ";")
	if more {
		top += "," + rest
	}
	return top
}

// printable makes text safe for a reason phrase or a quoted string.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r == 0x7f {
			return '.'
		}
		return r
	}, s[:min(len(s), 200)])
}

func notAllowed() *fault {
	return &fault{status: 405, text: "Method Not Allowed", extra: []field{{"Allow", allow}}}
}

func busy(text string, after time.Duration) *fault {
	return &fault{status: 503, text: text, extra: []field{{"Retry-After", strconv.Itoa(int(after.Seconds()))}}}
}
