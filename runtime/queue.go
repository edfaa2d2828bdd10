package runtime

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media"
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
		return verbs.Queued{Result: "system-error"}, context.Cause(ctx)
	}
	w := &Waiting{CallSID: c.rec.SID, Stream: c.leg.Stream(), Taken: make(chan *Taking, 1), Gone: make(chan struct{})}
	defer close(w.Gone)
	err := c.s.queues.Enter(c.queueName(e.Queue), w, e.MaxQueueSize)
	sid := c.queueSID(w, e.Queue)
	if err != nil {
		c.Warn(e, by(c.set.Dialect, 90036, 14207), "the queue "+e.Queue+" is full: it takes no more than "+strconv.Itoa(c.s.queues.Place(w).Max))
		return verbs.Queued{Result: "queue-full", SID: sid}, context.Cause(ctx)
	}
	c.note("enqueue", e.Queue, "", 0)
	for {
		done, again := c.waitIn(ctx, e, w)
		if again {
			c.note("enqueue", e.Queue, "", 0)
			c.s.queues.Return(w)
			continue
		}
		done.SID = sid
		return done, context.Cause(ctx)
	}
}

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
func (c *script) waitIn(ctx context.Context, e *texml.Enqueue, w *Waiting) (done verbs.Queued, again bool) {
	waiting, leave := context.WithCancel(ctx)
	var hearing sync.WaitGroup
	defer hearing.Wait()
	defer leave()
	patience := time.NewTimer(e.MaxWait - time.Since(w.entered))
	defer patience.Stop()
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
	late := false
	select {
	case t = <-w.Taken:
	case done = <-ended:
	case <-patience.C:
		done.Result, late = "leave", true
	case <-ctx.Done():
		done.Result = "hangup"
	}
	if t == nil && !c.s.queues.Quit(w) {
		t = <-w.Taken
		if ctx.Err() == nil && !done.HangUp { // it was just being taken
			done = verbs.Queued{}
		}
	}
	done.Waited = time.Since(w.entered)
	leave()
	hearing.Wait()
	if t == nil {
		if late {
			c.Warn(e, 15002, "the longest wait in the queue is over")
		}
		c.note("leave queue", done.Result, "", 0)
		return done, false
	}
	switch {
	case t.move.URL != "":
		if done.Result == "" {
			done.Result, done.Move = "redirected", &verbs.Fetch{URL: t.move.URL, Method: t.move.Method}
		}
		c.note("leave queue", done.Result, "", 0)
		return done, false
	case done.Result != "":
		t.Ready <- false
		c.note("leave queue", done.Result, "", 0)
		return done, false
	}
	return c.joinTaker(ctx, e, t, w, done)
}

// joinTaker is the part of the one who waited in being joined with t.
func (c *script) joinTaker(ctx context.Context, e *texml.Enqueue, t *Taking, w *Waiting, done verbs.Queued) (verbs.Queued, bool) {
	c.note("dequeued", t.CallSID, "", 0)
	whispering, stop := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stop(nil)
	watch.Go(func() {
		select {
		case <-t.Over:
			stop(errTakerGone)
		case <-whispering.Done():
		}
	})
	ok := c.whisperQueued(whispering, t, c.queueSID(w, e.Queue), done.Waited)
	switch {
	case ctx.Err() != nil:
		t.Ready <- false
		done.Result = "bridging-in-process"
		c.note("leave queue", done.Result, "", 0)
		return done, false
	case context.Cause(whispering) != nil: // the other one is gone
		t.Ready <- false
		return done, true
	case !ok:
		t.Ready <- false
		done.Result, done.HangUp = "hangup", true
		c.note("leave queue", done.Result, "", 0)
		return done, false
	}
	t.Ready <- true
	select {
	case <-t.Over:
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
func (c *script) whisperQueued(ctx context.Context, t *Taking, sid string, waited time.Duration) bool {
	if t.Whisper.URL == "" {
		return true
	}
	s := &script{call: c.call, first: t.Whisper, allowed: []string{"Say", "Play", "Pause", "Redirect", "Hangup"}, code: 13201}
	s.extra = func() url.Values {
		return url.Values{"QueueSid": {sid}, "QueueTime": {wholeSeconds(waited)}, "DequeingCallSid": {t.CallSID}}
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
		c.sound(ctx, "music", "", "", media.NewLoop(c.s.music(rate), rate))
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
		case ctx.Err() != nil || errors.Is(err, ErrHungUp):
			return verbs.Queued{}
		case err != nil, s.broken && s.page.sound != nil:
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

// dequeuing is one <Dial> of a queue while it runs.
type dequeuing struct {
	*script
	d      *texml.Dial
	ringer *ringer // what is heard until somebody comes
	took   *take   // the recording; nil is none
}

// Dequeue joins the call to the first of a queue (verbs.Call).
func (c *script) Dequeue(ctx context.Context, d *texml.Dial, q *texml.Queue) (verbs.Dialed, error) {
	c.lively.Store(true)
	c.note("dequeue", q.Queue, "", 0)
	if _, err := c.s.queues.Members(c.rec.AccountSID, q.Queue); err != nil {
		c.Warn(q, 14210, "there is no queue "+q.Queue)
		return verbs.Dialed{Status: "failed", Queue: &verbs.Dequeued{Result: "error"}}, context.Cause(ctx)
	}
	dq := &dequeuing{script: c, d: d}
	if strings.HasPrefix(d.Record, "record-from-ringing") {
		dq.took = c.recordDial(d)
	}
	dq.ringer = c.ring(ctx, d)
	defer dq.ringer.stop()
	done := dq.run(ctx, q)
	done.Recording = dq.took.stop(ctx)
	return done, context.Cause(ctx)
}

// run takes one after the other from q until it was joined with one.
func (dq *dequeuing) run(ctx context.Context, q *texml.Queue) verbs.Dialed {
	patience, stop := context.WithTimeoutCause(ctx, dq.d.Timeout, errNoAnswer)
	defer stop()
	whisper := Request{Method: q.Method}
	if q.URL != "" {
		at, err := resolve(dq.page.url, q.URL)
		if err != nil {
			dq.Warn(q, 14212, "url: "+err.Error()+"; no document is heard before the two are joined")
		}
		whisper.URL = at
	}
	for {
		t := &Taking{CallSID: dq.rec.SID, Whisper: whisper, Ready: make(chan bool, 1), Over: make(chan struct{})}
		w, err := dq.s.queues.Take(patience, dq.queueName(q.Queue), t)
		switch {
		case err != nil && ctx.Err() != nil:
			return verbs.Dialed{Status: "canceled", Queue: &verbs.Dequeued{Result: "hangup"}}
		case err != nil:
			return verbs.Dialed{Status: "no-answer", Queue: &verbs.Dequeued{Result: "queue-empty"}}
		}
		done := verbs.Dequeued{Result: "bridged", SID: dq.queueSID(w, q.Queue), CallSID: w.CallSID, Waited: time.Since(w.entered)}
		if dq.join(ctx, w, t, &done) {
			return verbs.Dialed{Status: "completed", Bridged: true, Queue: &done}
		}
	}
}

// join joins the call to one who waited, until the two are apart again. It is
// false when that one could not be joined.
func (dq *dequeuing) join(ctx context.Context, w *Waiting, t *Taking, done *verbs.Dequeued) bool {
	defer close(t.Over)
	live, stop := whileThere(ctx, w.Gone)
	defer stop()
	select {
	case ok := <-t.Ready:
		if !ok || live.Err() != nil {
			return false
		}
	case <-live.Done():
		return false
	}
	dq.ringer.stop()
	t.joined = true
	if dq.took == nil && dq.d.Record != "do-not-record" {
		dq.took = dq.recordDial(dq.d)
	}
	began := time.Now()
	dq.note("bridge", w.CallSID, "", 0)
	dq.together(live, dq.d, w.Stream)
	done.Duration = time.Since(began)
	return true
}
