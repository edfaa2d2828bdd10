package runtime

import (
	"context"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// How callbacks are tried again: after 2 s, 4 s, … up to an hour, for a day.
const (
	firstRetry  = 2 * time.Second
	longestWait = time.Hour
	giveUp      = 24 * time.Hour
	atOnce      = 256 // callbacks under way
)

// Signer finds what signs the callbacks of an account; ok is false when the
// account is no more.
type Signer func(accountSID string, telnyx bool) (s webhook.Signer, ok bool)

// Deliver sends the callbacks that are owed, those of one call in their order,
// each until it is taken with a 2xx or a day is over. It returns when ctx ends
// and what is under way is done; the rest stays in the store.
func (s *Server) Deliver(ctx context.Context, sign Signer) error {
	done := make(chan int64)
	busy := map[int64]bool{}
	for {
		owed, err := s.Store.Due(ctx, time.Now(), atOnce+len(busy))
		if err != nil && ctx.Err() == nil {
			s.Log.Error("callbacks could not be read from the store", "error", err)
		}
		for _, cb := range owed {
			if busy[cb.ID] || len(busy) >= atOnce {
				continue
			}
			busy[cb.ID] = true
			go func() {
				s.deliver(ctx, cb, sign)
				done <- cb.ID
			}()
		}
		wake := time.NewTimer(s.untilDue(ctx, len(busy) > 0))
		select {
		case <-s.due:
		case id := <-done:
			delete(busy, id)
		case <-wake.C:
		case <-ctx.Done():
			for ; len(busy) > 0; delete(busy, <-done) {
			}
			wake.Stop()
			return context.Cause(ctx)
		}
		wake.Stop()
	}
}

// untilDue is how long to wait when no callback is queued meanwhile. The head
// of the queue may be under way and due at once; its end wakes us then.
func (s *Server) untilDue(ctx context.Context, underWay bool) time.Duration {
	at, ok, err := s.Store.NextDue(ctx)
	switch d := time.Until(at); {
	case err != nil:
		return time.Second
	case !ok, underWay && d <= 0:
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
	s.Log.Warn("a status callback was not taken", "call", cb.CallSID, "code", 15003, "try", cb.Attempts+1, "error", err)
	if s.Observe != nil {
		s.Observe(cb.CallSID, Event{At: time.Now(), Kind: "warning", Code: 15003,
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
