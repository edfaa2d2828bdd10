package runtime

import (
	"context"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// How callbacks are tried again: after 2 s, 4 s, … up to an hour, for a day.
const (
	firstRetry  = 2 * time.Second
	longestWait = time.Hour
	giveUp      = 24 * time.Hour
	atOnce      = 256 // callbacks under way
	toOneHost   = 32  // of them
)

// Signer finds what signs the callbacks of an account; ok is false when the
// account is no more.
type Signer func(accountSID string, telnyx bool) (s webhook.Signer, ok bool)

// Deliver sends the callbacks that are owed, those of one call in their order,
// each until it is taken with a 2xx or a day is over. A host that is slow to
// take its own keeps nobody else waiting. Deliver returns when ctx ends and
// what is under way is done; the rest stays in the store.
func (s *Server) Deliver(ctx context.Context, sign Signer) error {
	done := make(chan Callback)
	under := underWay{ids: map[int64]bool{}, hosts: map[string]int{}}
	for {
		for _, cb := range s.next(ctx, under) {
			go func() {
				s.deliver(ctx, cb, sign)
				done <- cb
			}()
		}
		wake := time.NewTimer(s.untilDue(ctx, len(under.ids) > 0))
		select {
		case <-s.due:
		case cb := <-done:
			under.remove(cb)
		case <-wake.C:
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

// next returns what is due and there is room for, and adds it to what is under
// way.
func (s *Server) next(ctx context.Context, under underWay) (begin []Callback) {
	for {
		limit := atOnce + len(under.ids)
		owed, err := s.Store.Due(ctx, time.Now(), limit, under.full())
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

// deliver tries one callback once.
func (s *Server) deliver(ctx context.Context, cb Callback, sign Signer) {
	form, err := url.ParseQuery(cb.Form)
	if err != nil {
		s.Log.Error("a stored callback cannot be read; it is dropped", "call", cb.CallSID, "error", err)
		s.settle(s.Store.Delivered(ctx, cb.ID), cb)
		return
	}
	signer, ok := sign(cb.AccountSID, form.Has("CallSidLegacy"))
	if !ok {
		s.Log.Warn("a callback's account is gone; it is dropped", "call", cb.CallSID, "account", cb.AccountSID)
		s.settle(s.Store.Delivered(ctx, cb.ID), cb)
		return
	}
	if u := form.Get("RecordingUrl"); u != "" {
		form.Set("RecordingUrl", s.toldURL(cb.AccountSID, u, form.Has("CallSidLegacy")))
	}
	if s.Observe != nil {
		s.Observe(cb.CallSID, Event{At: time.Now(), Kind: "callback", Text: cb.Method + " " + webhook.Redact(cb.URL), Private: cb.Form})
	}
	_, err = s.Web.Do(ctx, webhook.Request{
		URL: cb.URL, Method: cb.Method, Form: form, Sign: signer,
		Header: http.Header{"I-Twilio-Idempotency-Token": {cb.Token}},
	})
	if ctx.Err() != nil && err != nil {
		return // not its fault: it is still owed
	}
	if err == nil {
		s.settle(s.Store.Delivered(ctx, cb.ID), cb)
		return
	}
	code := 15003
	if strings.HasPrefix(cb.CallSID, "CF") { // news of a conference
		code = 16011
	}
	s.Log.Warn("a status callback was not taken", "call", cb.CallSID, "code", code, "try", cb.Attempts+1, "error", err)
	if s.Observe != nil {
		s.Observe(cb.CallSID, Event{At: time.Now(), Kind: "warning", Code: code,
			Text: "status callback try " + strconv.Itoa(cb.Attempts+1) + " failed: " + err.Error()})
	}
	if time.Since(cb.Created) > giveUp {
		s.settle(s.Store.Delivered(ctx, cb.ID), cb)
		return
	}
	wait := min(firstRetry<<min(cb.Attempts, 20), longestWait)
	wait += jitter(cb, wait/10)
	s.settle(s.Store.Retry(ctx, cb.ID, cb.Attempts+1, time.Now().Add(wait)), cb)
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
