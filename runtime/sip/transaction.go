package sip

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// The timers of RFC 3261 §17.1.1.1 that this package keeps itself; they are
// sipgo's defaults too.
const (
	t1 = 500 * time.Millisecond
	t2 = 4 * time.Second
)

// quiet is sipgo's logger: it would log messages whole.
var quiet = slog.New(slog.DiscardHandler)

// transaction is a request that is kept until it can no longer be repeated
// (RFC 3261 §17.2). All others are answered without state.
type transaction struct {
	*sipgo.ServerTx
	leg *Leg // whose INVITE or re-INVITE it is, or whose other request

	// Guarded by leg.mu.
	status   int       // of the final answer so far
	repeated time.Time // when a repetition was last answered
}

// begin keeps r as a transaction of leg. It returns nil when another copy of
// the request has been first.
func (s *Server) begin(r *request, leg *Leg) *transaction {
	t := &transaction{leg: leg}
	t.ServerTx = sipgo.NewServerTx(r.key, r.Request, r.path, quiet)
	t.Init() // cannot fail
	s.mu.Lock()
	if s.transactions[r.key] != nil {
		s.mu.Unlock()
		t.Terminate()
		return nil
	}
	s.transactions[r.key] = t
	if r.toTag == "" {
		s.merged[r.mergeKey()] = t
	}
	s.mu.Unlock()
	if !t.OnTerminate(func(string, error) { s.endTransaction(r, t) }) {
		s.endTransaction(r, t)
	}
	return t
}

func (s *Server) endTransaction(r *request, t *transaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.transactions, r.key)
	if s.merged[r.mergeKey()] == t {
		delete(s.merged, r.mergeKey())
	}
}

func (s *Server) transaction(key string) *transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transactions[key]
}

// terminate ends all transactions, when nothing can be received any more.
func (s *Server) terminate() {
	s.mu.Lock()
	theirs, ours := slices.Collect(maps.Values(s.transactions)), slices.Collect(maps.Values(s.attempts))
	s.mu.Unlock()
	for _, t := range theirs {
		t.Terminate()
	}
	for _, a := range ours {
		a.terminate()
	}
}

// respond sends res within the transaction. t.leg.mu is held, and no final
// answer may have been given that is not res itself: sipgo would repeat the
// later one, even a 200 after a 487.
func (t *transaction) respond(res *sipgo.Response) error {
	if res.StatusCode >= 200 {
		t.status = res.StatusCode
	}
	return t.Respond(res)
}

// transactionKey is what makes two requests copies of one (RFC 3261 §17.2.3).
// An ACK to a refusal and a CANCEL belong to their INVITE. Where the request
// came from is part of it, so that nobody else can speak into a transaction.
func (r *request) transactionKey() string {
	method := string(r.Method)
	if method == "ACK" || method == "CANCEL" {
		method = "INVITE"
	}
	via, _, _ := strings.Cut(r.raw.get("Via"), ",")
	branch := parameter(via, "branch")
	if rest, ok := strings.CutPrefix(branch, sipgo.RFC3261BranchMagicCookie); ok && rest != "" {
		sentBy, _, _ := strings.Cut(via, ";")
		return strings.Join([]string{r.path.remote.Addr().String(), sentBy, branch, method}, "\n")
	}
	seq, _, _ := strings.Cut(r.raw.get("CSeq"), " ")
	return strings.Join([]string{r.path.remote.Addr().String(), via, r.callID, r.fromTag, seq, method}, "\n")
}

// mergeKey is equal for copies of one request that came over different ways
// (RFC 3261 §8.2.2.2).
func (r *request) mergeKey() string {
	return strings.Join([]string{r.callID, r.fromTag, r.raw.get("CSeq")}, "\n")
}

// send sends a request other than INVITE and ACK, and repeats it until there is
// a final answer, which it returns, or the time for it is over or ctx is done. A
// line that is gone is dialled anew.
func (s *Server) send(ctx context.Context, req *sipgo.Request, p path) (*sipgo.Response, error) {
	res, err := s.sendOver(ctx, req, p)
	if err == nil || ctx.Err() != nil || p.line == nil {
		return res, err
	}
	if p.line, err = s.dial(ctx, p.to); err != nil {
		return nil, err
	}
	return s.sendOver(ctx, req, p)
}

func (s *Server) sendOver(ctx context.Context, req *sipgo.Request, p path) (*sipgo.Response, error) {
	key := requestKey(req.Via().Params.GetOr("branch", ""), string(req.Method))
	tx := sipgo.NewClientTx(key, req, p, quiet)
	s.mu.Lock()
	s.requests[key] = tx
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.requests, key)
		s.mu.Unlock()
	}()
	defer tx.Terminate()
	if err := tx.Init(); err != nil {
		return nil, err
	}
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res, nil
			}
		case <-tx.Done():
			return nil, fmt.Errorf("no answer to %s", req.Method)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// requestKey is what an answer has in common with its request (RFC 3261 §17.1.3).
func requestKey(branch, method string) string { return branch + "\n" + method }

// response hands an answer to the request of ours that it is for. One to an
// INVITE is taken at once: the order of answers and requests matters there.
func (s *Server) response(m *message, res *sipgo.Response) {
	via, seq := res.Via(), res.CSeq()
	if via == nil || seq == nil {
		return
	}
	key := requestKey(via.Params.GetOr("branch", ""), string(seq.MethodName))
	s.mu.Lock()
	a, tx := s.attempts[key], s.requests[key]
	var l *Leg
	if a == nil && seq.MethodName == sipgo.INVITE && res.IsSuccess() {
		l = s.dialogs[dialogID{m.get("Call-ID"), tagOf(m.get("From")), tagOf(m.get("To"))}]
	}
	s.mu.Unlock()
	if l != nil && l.out != nil {
		// A 2xx that comes again after its transaction has still lost its ACK.
		l.mu.Lock()
		a = l.out.attempt
		l.mu.Unlock()
	}
	switch {
	case a != nil:
		a.receive(&answer{res, m})
	case tx != nil:
		// sipgo waits here until the answer is taken; the read loop must not.
		s.reading.Go(func() { tx.Receive(res) })
	}
}
