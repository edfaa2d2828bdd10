package runtime

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/tones"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// inQueue are the verbs of a document that is heard in a queue.
var inQueue = []string{"Say", "Play", "Pause", "Gather", "Redirect", "Leave", "Hangup"}

// Enqueue lets the caller wait until somebody takes the call, the wait document
// or the time ends the waiting, or the caller is gone (verbs.Call).
func (c *script) Enqueue(ctx context.Context, e *texml.Enqueue) (verbs.Queued, error) {
	c.lively.Store(true)
	if e.Queue == "" {
		c.Warn(e, 14220, "<Enqueue> with a workflow or a task needs TaskRouter, which hookswitch has not; put the name of a queue inside")
		return verbs.Queued{Result: "system-error"}, context.Cause(ctx)
	}
	w := &Waiting{call: c.call, Taken: make(chan *Taking, 1), gone: make(chan struct{})}
	defer close(w.gone)
	err := c.s.queues.Enter(c.queueName(e.Queue), w, e.MaxQueueSize)
	sid := c.queueSID(w, e.Queue)
	if err != nil {
		c.Warn(e, by(c.set.Dialect, 90036, 14207), "the queue "+e.Queue+" is full with "+strconv.Itoa(e.MaxQueueSize)+" callers")
		return verbs.Queued{Result: "queue-full", SID: sid}, context.Cause(ctx)
	}
	c.note("enqueue", e.Queue, "", 0)
	limit := longest
	if e.MaxWait > 0 {
		limit = e.MaxWait
	}
	patience := time.NewTimer(limit)
	defer patience.Stop()
	for {
		done, again := c.waitIn(ctx, e, w, patience.C)
		if again {
			c.s.queues.Return(w)
			continue
		}
		done.SID = sid
		if done.Waited == 0 {
			done.Waited = time.Since(w.entered)
		}
		return done, context.Cause(ctx)
	}
}

// longest is how long a caller waits at most when nothing else is said.
const longest = 24 * time.Hour

func by[T any](d texml.Dialect, telnyx, twilio T) T {
	if d == texml.Twilio {
		return twilio
	}
	return telnyx
}

func (c *call) queueName(name string) QueueName { return QueueName{c.rec.AccountSID, name} }

// queueSID is what requests call the queue: Telnyx has its name there.
func (c *script) queueSID(w *Waiting, name string) string {
	return by(c.set.Dialect, name, c.s.queues.Place(w).SID)
}

// waitIn waits once. Again is true when somebody took the call who was then
// gone before the two could speak.
func (c *script) waitIn(ctx context.Context, e *texml.Enqueue, w *Waiting, patience <-chan time.Time) (done verbs.Queued, again bool) {
	waiting, leave := context.WithCancel(ctx)
	var hearing sync.WaitGroup
	defer hearing.Wait()
	defer leave()
	ended := make(chan verbs.Queued, 1)
	hearing.Go(func() {
		err := verbs.Guard(func() error {
			if d := c.hearQueue(waiting, e, w); d.Result != "" {
				ended <- d
			}
			return nil
		})
		if err != nil {
			c.fail(err)
			ended <- verbs.Queued{Result: "system-error"}
		}
	})
	var t *Taking
	select {
	case t = <-w.Taken:
	case done = <-ended:
	case <-patience:
		c.Warn(e, 15002, "the longest wait in the queue is over")
		done.Result = "leave"
	case <-ctx.Done():
		done.Result = "hangup"
	}
	if t == nil && !c.s.queues.Quit(w) {
		t = <-w.Taken
		if ctx.Err() == nil && !done.HangUp { // it was just being taken
			done = verbs.Queued{}
		}
	}
	if t == nil {
		c.note("leave queue", done.Result, "", 0)
		return done, false
	}
	done.Waited = time.Since(w.entered)
	leave()
	hearing.Wait()
	if done.Result != "" {
		t.ready <- false
		return done, false
	}
	return c.joinTaker(ctx, w, t, done)
}

// joinTaker is the part of the one who waited in being joined with t.
func (c *script) joinTaker(ctx context.Context, w *Waiting, t *Taking, done verbs.Queued) (verbs.Queued, bool) {
	whispering, stop := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stop(nil)
	watch.Go(func() {
		select {
		case <-t.over:
			stop(errTakerGone)
		case <-whispering.Done():
		}
	})
	ok := c.whisperQueued(whispering, w, t, done.Waited)
	switch {
	case ctx.Err() != nil:
		t.ready <- false
		done.Result = "bridging-in-process"
		return done, false
	case context.Cause(whispering) != nil: // the other one is gone
		t.ready <- false
		return done, true
	case !ok:
		t.ready <- false
		done.Result, done.HangUp = "hangup", true
		return done, false
	}
	t.ready <- true
	select {
	case <-t.over:
		if !t.joined {
			return done, true
		}
	case <-ctx.Done():
	}
	done.Result = "bridged"
	return done, false
}

var errTakerGone = errors.New("who took the call is gone")

// whisperQueued runs the document that the one who waited hears before the two
// are joined. It is false when that hangs up.
func (c *script) whisperQueued(ctx context.Context, w *Waiting, t *Taking, waited time.Duration) bool {
	if t.whisper.URL == "" {
		return true
	}
	s := &script{call: c.call, first: t.whisper, allowed: []string{"Say", "Play", "Pause", "Redirect", "Hangup"}, code: 13201}
	sid := c.s.queues.Place(w).SID
	s.extra = func() url.Values {
		return url.Values{"QueueSid": {sid}, "QueueTime": {wholeSeconds(waited)}, "DequeingCallSid": {t.call.rec.SID}}
	}
	s.documents(ctx) // what is wrong with it is noted, and keeps nobody apart
	return !s.hungUp
}

func wholeSeconds(d time.Duration) string { return strconv.Itoa(int(d.Round(time.Second).Seconds())) }

// hearQueue is what a caller hears in a queue, until ctx is done or the wait
// document ends the waiting.
func (c *script) hearQueue(ctx context.Context, e *texml.Enqueue, w *Waiting) verbs.Queued {
	switch {
	case !e.HasWaitURL:
		rate := c.leg.Stream().Rate()
		c.sound(ctx, "music", "", "", media.NewLoop(tones.Music(rate), rate))
		return verbs.Queued{}
	case e.WaitURL == "":
		return verbs.Queued{}
	}
	at, err := resolve(c.page.url, e.WaitURL)
	if err != nil {
		c.Warn(e, 14202, "waitUrl: "+err.Error())
		return verbs.Queued{Result: "error"}
	}
	for ctx.Err() == nil {
		s := &script{call: c.call, first: Request{URL: at, Method: e.WaitURLMethod}, allowed: inQueue, code: 13238,
			extra: func() url.Values { return c.placeParams(w, e.Queue) }}
		began := time.Now()
		err := s.documents(ctx)
		switch {
		case ctx.Err() != nil:
			return verbs.Queued{}
		case err != nil:
			c.Warn(e, 14202, "the document of waitUrl failed, and the caller leaves the queue")
			return verbs.Queued{Result: "error"}
		case s.left:
			return verbs.Queued{Result: "leave"}
		case s.hungUp:
			return verbs.Queued{Result: "hangup", HangUp: true}
		}
		// A document of no length is not fetched more than once a second.
		rest := time.NewTimer(time.Second - time.Since(began))
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
		rest.Stop()
	}
	return verbs.Queued{}
}

// placeParams are the parameters of a wait document.
func (c *script) placeParams(w *Waiting, name string) url.Values {
	p := c.s.queues.Place(w)
	f := url.Values{
		"QueuePosition":    {strconv.Itoa(p.Position)},
		"QueueSid":         {by(c.set.Dialect, name, p.SID)},
		"QueueTime":        {wholeSeconds(time.Since(w.entered))},
		"AvgQueueTime":     {wholeSeconds(p.Average)},
		"CurrentQueueSize": {strconv.Itoa(p.Size)},
	}
	if c.set.Dialect == texml.Twilio {
		f.Set("MaxQueueSize", strconv.Itoa(p.Max))
	}
	return f
}

// Leave marks that the caller leaves the queue (verbs.Call).
func (c *script) Leave() bool {
	c.left = slices.Contains(c.allowed, "Leave")
	return c.left
}

// Dequeue joins the call to the first of a queue (verbs.Call).
func (c *script) Dequeue(ctx context.Context, d *texml.Dial, q *texml.Queue) (verbs.Dialed, error) {
	c.lively.Store(true)
	c.note("dequeue", q.Queue, "", 0)
	ringer := c.ring(ctx, d)
	defer ringer.stop()
	patience, stop := context.WithTimeoutCause(ctx, d.Timeout, errNoAnswer)
	defer stop()
	whisper := Request{Method: q.Method}
	if q.URL != "" {
		at, err := resolve(c.page.url, q.URL)
		if err != nil {
			c.Warn(q, 14212, "url: "+err.Error()+"; no document is heard before the two are joined")
		}
		whisper.URL = at
	}
	for {
		t := &Taking{call: c.call, whisper: whisper, ready: make(chan bool, 1), over: make(chan struct{})}
		w, err := c.s.queues.Take(patience, c.queueName(q.Queue), t)
		switch {
		case errors.Is(err, errNoQueue):
			c.Warn(q, 14210, "there is no queue "+q.Queue)
			return verbs.Dialed{Status: "failed", Queue: &verbs.Dequeued{Result: "error"}}, context.Cause(ctx)
		case ctx.Err() != nil:
			return verbs.Dialed{Status: "canceled", Queue: &verbs.Dequeued{Result: "error"}}, context.Cause(ctx)
		case err != nil:
			return verbs.Dialed{Status: "no-answer", Queue: &verbs.Dequeued{Result: "queue-empty"}}, nil
		}
		done := verbs.Dequeued{Result: "bridged", SID: c.queueSID(w, q.Queue), CallSID: w.call.rec.SID, Waited: time.Since(w.entered)}
		if c.joinQueued(ctx, d, w, t, ringer, &done) {
			return verbs.Dialed{Status: "completed", Bridged: true, Queue: &done}, context.Cause(ctx)
		}
	}
}

// joinQueued joins the call to one who waited, until the two are apart again. It
// is false when that one could not be joined.
func (c *script) joinQueued(ctx context.Context, d *texml.Dial, w *Waiting, t *Taking, ringer *ringer, done *verbs.Dequeued) bool {
	defer close(t.over)
	live, stop := whileThere(ctx, w.gone)
	defer stop()
	select {
	case ok := <-t.ready:
		if !ok {
			return false
		}
	case <-live.Done():
		return false
	}
	ringer.stop()
	t.joined = true
	began := time.Now()
	c.note("bridge", w.call.rec.SID, "", 0)
	c.together(live, d, w.call.leg.Stream())
	done.Duration = time.Since(began)
	return true
}

// whileThere is ctx until gone is closed.
func whileThere(ctx context.Context, gone <-chan struct{}) (_ context.Context, stop func()) {
	ctx, end := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-gone:
			end(ErrHungUp)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		end(nil)
		watch.Wait()
	}
}
