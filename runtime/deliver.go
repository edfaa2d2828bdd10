package runtime

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// How callbacks are tried again: after 2 s, 4 s, … up to an hour, for a day. One
// that is refused is tried for the four minutes that a deployment may take.
const (
	firstRetry   = 2 * time.Second
	longestWait  = time.Hour
	giveUp       = 24 * time.Hour
	giveUpWords  = 10 * time.Second // of what is not final: more has been said by then
	refusedTries = 8
	atOnce       = 256 // callbacks under way
	toOneHost    = 32  // of them
)

// Signer finds what signs the callbacks of an account; ok is false when the
// account is no more.
type Signer func(accountSID string, telnyx bool) (s webhook.Signer, ok bool)

// Deliver sends the callbacks that are owed, those of one call to one
// destination in their order, each until it is taken with a 2xx, is refused for
// minutes or a day is over; for words that are not final, ten seconds. A host that is slow to take its own keeps nobody
// else waiting. Once the server is closed, Deliver sends what was due then, each
// once, and returns nil. When ctx ends it breaks off what is under way, which
// may be sent again after the next start, and returns the cause. What is not
// delivered stays in the store.
func (s *Server) Deliver(ctx context.Context, sign Signer) error {
	done := make(chan Callback)
	under := underWay{ids: map[int64]bool{}, hosts: map[string]int{}}
	closed, last := s.closed, time.Time{} // last is when it was closed
	for {
		now := time.Now()
		if !last.IsZero() {
			now = last
		}
		for _, cb := range s.next(ctx, now, under) {
			r, err := s.request(cb, sign)
			go func() {
				s.deliver(ctx, cb, r, err)
				done <- cb
			}()
		}
		if !last.IsZero() && len(under.ids) == 0 {
			return context.Cause(ctx)
		}
		wake := time.NewTimer(s.untilDue(ctx, len(under.ids) > 0))
		select {
		case <-s.due:
		case cb := <-done:
			under.remove(cb)
		case <-wake.C:
		case <-closed:
			closed, last = nil, time.Now()
		case <-ctx.Done():
			for len(under.ids) > 0 {
				under.remove(<-done)
			}
			wake.Stop()
			return context.Cause(ctx)
		}
		wake.Stop()
	}
}

// underWay are the callbacks being sent, and how many of them to each host.
type underWay struct {
	ids   map[int64]bool
	hosts map[string]int
}

func (u underWay) add(cb Callback) { u.ids[cb.ID] = true; u.hosts[origin(cb.URL)]++ }

func (u underWay) remove(cb Callback) {
	delete(u.ids, cb.ID)
	if u.hosts[origin(cb.URL)]--; u.hosts[origin(cb.URL)] == 0 {
		delete(u.hosts, origin(cb.URL))
	}
}

// full are the hosts that get no more for now.
func (u underWay) full() (origins []string) {
	for host, n := range u.hosts {
		if n >= toOneHost {
			origins = append(origins, host)
		}
	}
	return origins
}

// next returns what is due at now and there is room for, and adds it to what is
// under way.
func (s *Server) next(ctx context.Context, now time.Time, under underWay) (begin []Callback) {
	for {
		limit := atOnce + len(under.ids)
		owed, err := s.Store.Due(ctx, now, limit, under.full())
		if err != nil && ctx.Err() == nil {
			s.Log.Error("callbacks could not be read from the store", "error", err)
		}
		begun := len(begin)
		for _, cb := range owed {
			if !under.ids[cb.ID] && len(under.ids) < atOnce && under.hosts[origin(cb.URL)] < toOneHost {
				under.add(cb)
				begin = append(begin, cb)
			}
		}
		if len(owed) < limit || len(under.ids) == atOnce || len(begin) == begun {
			return begin
		}
	}
}

// origin is scheme, host and port of a URL, as it is written.
func origin(raw string) string {
	scheme, rest, _ := strings.Cut(raw, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return scheme + "://" + rest
}

// untilDue is how long to wait when no callback is queued and none ends
// meanwhile. One that is due and not begun is under way, or its host is full.
func (s *Server) untilDue(ctx context.Context, underWay bool) time.Duration {
	at, ok, err := s.Store.NextDue(ctx)
	switch d := time.Until(at); {
	case err != nil, ok && underWay && d <= 0:
		return time.Second
	case !ok:
		return time.Hour
	default:
		return max(d, 0)
	}
}

// request is what a callback sends. The error is why it never can be sent.
func (s *Server) request(cb Callback, sign Signer) (r webhook.Request, err error) {
	form, err := url.ParseQuery(cb.Form)
	if err != nil {
		return r, fmt.Errorf("it cannot be read: %w", err)
	}
	telnyx := form.Has("CallSidLegacy")
	signer, ok := sign(cb.AccountSID, telnyx)
	if !ok {
		return r, fmt.Errorf("the account %s is gone", cb.AccountSID)
	}
	if u := form.Get("RecordingUrl"); u != "" {
		form.Set("RecordingUrl", s.toldURL(cb.AccountSID, u, telnyx))
	}
	s.observe(cb, Event{Kind: "callback", Text: cb.Method + " " + webhook.Redact(cb.URL), Private: withoutEntered(cb.Form)})
	return webhook.Request{
		URL: cb.URL, Method: cb.Method, Form: form, Sign: signer,
		Header: http.Header{"I-Twilio-Idempotency-Token": {cb.Token}},
	}, nil
}

// deliver tries one callback once, or drops it when it has no request.
func (s *Server) deliver(ctx context.Context, cb Callback, r webhook.Request, err error) {
	stored := context.WithoutCancel(ctx) // what is known of it must not be lost
	if err != nil {
		s.Log.Error("a callback is dropped", "call", cb.CallSID, "error", err)
		s.settle(s.Store.Delivered(stored, cb.ID), cb)
		return
	}
	_, err = s.Web.Do(ctx, r)
	if err == nil {
		s.settle(s.Store.Delivered(stored, cb.ID), cb)
		return
	}
	if ctx.Err() != nil {
		return // not its fault: it is still owed
	}
	code := 15003
	if strings.HasPrefix(cb.CallSID, "CF") { // news of a conference
		code = 16011
	}
	try := cb.Attempts + 1
	s.Log.Warn("a status callback was not taken", "call", cb.CallSID, "code", code, "try", try, "error", err)
	text := "status callback try " + strconv.Itoa(try) + " failed"
	longest := giveUp
	if interim(r.Form) {
		longest = giveUpWords
	}
	if time.Since(cb.Created) > longest || refused(err) && try >= refusedTries {
		s.observe(cb, Event{Kind: "warning", Code: code, Text: text + ", it was the last: " + err.Error()})
		s.settle(s.Store.Delivered(stored, cb.ID), cb)
		return
	}
	s.observe(cb, Event{Kind: "warning", Code: code, Text: text + ": " + err.Error()})
	wait := min(firstRetry<<min(cb.Attempts, 20), longestWait)
	wait += jitter(cb, wait/10)
	s.settle(s.Store.Retry(stored, cb.ID, try, time.Now().Add(wait)), cb)
}

// interim reports whether a callback tells words that are not final: partial
// results of <Gather>, and of <Transcription> in either dialect.
func interim(form url.Values) bool {
	return form.Has("UnstableSpeechResult") || form.Get("Final") == "false" || form.Get("IsFinal") == "false"
}

// refused reports whether the answer says that a further try is of no use: a 4xx
// other than Request Timeout, Too Early and Too Many Requests.
func refused(err error) bool {
	var e *webhook.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Status >= 400 && e.Status <= 499
}

func (s *Server) observe(cb Callback, e Event) {
	if s.Observe != nil {
		e.At = time.Now()
		s.Observe(cb.CallSID, e)
	}
}

func (s *Server) settle(err error, cb Callback) {
	if err != nil {
		s.Log.Error("a callback's outcome could not be stored; it may be sent twice", "call", cb.CallSID, "error", err)
	}
}

// jitter spreads what failed together over d. It is the same for the same try
// of a callback, so that a call script is the same each time.
func jitter(cb Callback, d time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(cb.Token + strconv.Itoa(cb.Attempts)))
	return time.Duration(h.Sum64() % uint64(d))
}
