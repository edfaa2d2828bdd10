package runtime

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/tones"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// Why a participant leaves by itself. The call goes on below <Dial>, except
// after errWaitHungUp.
var (
	errStar       = errors.New("star was pressed")
	errTime       = errors.New("timeLimit of <Dial> is over")
	errNotSetUp   = errors.New("the document of waitUrl failed")
	errWaitHungUp = errors.New("the document of waitUrl hung up")
)

// Confer takes the call into a conference (verbs.Call). It leaves when it is
// over, by * with hangupOnStar, after the timeLimit, when the conference ends
// or puts it out. All of these are DialCallStatus answered; failed is who could
// not enter, or whose waitUrl cannot be had. Then, too, the action follows, or
// without one the verb below.
func (c *script) Confer(ctx context.Context, d *texml.Dial, n *texml.Conference) (verbs.Dialed, error) {
	c.lively.Store(true)
	in, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	seat, err := c.s.rooms.Enter(RoomName{c.rec.AccountSID, n.Room}, c.participant(n, leave))
	if refused, ok := errors.AsType[*Refused](err); ok {
		c.Warn(n, by(c.set.Dialect, refused.Telnyx, refused.Twilio), refused.Error())
		return verbs.Dialed{Status: "failed"}, context.Cause(ctx)
	}
	if err != nil {
		return verbs.Dialed{Status: "failed"}, err
	}
	defer seat.Leave(DepartureFailed, "in-progress") // after a fault of ours; else it has left
	c.note("conference", "joined "+n.Room, "", 0)
	var recorded *take // of this call; that of the conference is the conference's
	if d.Record != "do-not-record" {
		recorded = c.recordDial(d)
	}
	stop := c.watchOut(in, d, leave)
	err = c.attend(in, n, seat)
	leave(err)
	stop()

	why, status := DepartureHungUp, "in-progress"
	if errors.Is(err, errNotSetUp) {
		why = DepartureFailed
	}
	if ctx.Err() != nil {
		status = "completed"
	}
	seat.Leave(why, status)
	c.note("conference", "left "+n.Room, "", 0)
	done := verbs.Dialed{Status: "answered", Recording: recorded.stop(ctx)}
	done.HangUp = errors.Is(err, errWaitHungUp) || errors.Is(err, ErrConferenceEnded)
	if errors.Is(err, errNotSetUp) {
		c.Warn(n, 13233, "the document of waitUrl failed, so the call is not in the conference")
		done.Status = "failed"
	}
	return done, context.Cause(ctx)
}

// jitters are the values of jitterBufferSize.
var jitters = map[string]time.Duration{
	"off": 0, "small": 20 * time.Millisecond, "medium": 40 * time.Millisecond, "large": 60 * time.Millisecond,
}

// participant is the call as one that enters the conference n.
func (c *script) participant(n *texml.Conference, leave func(cause error)) Participant {
	p := Participant{
		CallSID: c.rec.SID, Label: n.ParticipantLabel, Stream: c.leg.Stream(), Dialect: c.set.Dialect, Form: c.params(nil),
		Muted: n.Muted, StartOnEnter: n.StartConferenceOnEnter, EndOnExit: n.EndConferenceOnExit,
		BeepOnEnter: n.Beep == "true" || n.Beep == "onEnter", BeepOnExit: n.Beep == "true" || n.Beep == "onExit",
		Coach: n.Coach, Most: n.MaxParticipants, Jitter: jitters[n.JitterBufferSize],
		Events: n.StatusCallbackEvent, Speak: c.speaker(), Leave: leave,
	}
	if n.Record == "record-from-start" {
		p.Record, p.Beep = c.recordConference(n), n.RecordBeep && c.set.Dialect == texml.Telnyx
	}
	if n.StatusCallback != "" {
		at, err := resolve(c.page.url, n.StatusCallback)
		if err != nil {
			c.Warn(n, 0, "statusCallback: "+err.Error())
		}
		p.Callback = Request{URL: at, Method: n.StatusCallbackMethod}
	}
	return p
}

// watchOut has the participant leave by * and after the time limit of d. stop
// ends the watch.
func (c *script) watchOut(in context.Context, d *texml.Dial, leave context.CancelCauseFunc) (stop func()) {
	var keys <-chan rune // nil hears nothing
	if d.HangupOnStar {
		keys = c.leg.Stream().Keys(in)
	}
	var watch sync.WaitGroup
	watch.Go(func() {
		limit := time.NewTimer(d.TimeLimit)
		defer limit.Stop()
		for {
			select {
			case key := <-keys:
				if key == '*' {
					leave(errStar)
					return
				}
			case <-limit.C:
				leave(errTime)
				return
			case <-in.Done():
				return
			}
		}
	})
	return watch.Wait
}

// attend lets the participant hear what there is to be heard until in ends, and
// returns why.
func (c *script) attend(in context.Context, n *texml.Conference, seat Seat) error {
	waited := false
	for {
		h, while, stop := seat.Hears(in)
		if waited && h.Kind != HearsWait {
			c.note("conference", "started "+n.Room, "", 0)
		}
		waited = h.Kind == HearsWait
		err := c.hear(while, h, n, seat)
		changed := errors.Is(context.Cause(while), ErrHearsOther)
		stop()
		switch {
		case in.Err() != nil:
			return context.Cause(in)
		case changed:
		case errors.Is(err, media.ErrClosed): // before the news of the hang-up came
			<-in.Done()
			return context.Cause(in)
		case err != nil:
			return err
		}
	}
}

// hear plays what is heard until ctx ends.
func (c *script) hear(ctx context.Context, h Hearing, n *texml.Conference, seat Seat) error {
	switch h.Kind {
	case HearsRoom:
		return seat.Talk(ctx)
	case HearsHold:
		c.note("conference", "held in "+n.Room, "", 0)
		if h.Hold == nil {
			return c.music(ctx)
		}
		err := c.meanwhile(ctx, *h.Hold)
		if errors.Is(err, errNotSetUp) {
			return c.music(ctx) // what is wrong is noted
		}
		return err
	}
	if !n.HasWaitURL {
		return c.music(ctx)
	}
	if n.WaitURL == "" {
		return c.meanwhile(ctx, Request{})
	}
	at, err := resolve(c.page.url, n.WaitURL)
	if err != nil {
		c.Warn(n, 13233, "waitUrl: "+err.Error())
		return errNotSetUp
	}
	return c.meanwhile(ctx, Request{URL: at, Method: n.WaitMethod})
}

// music plays our own until ctx ends. Both dialects have it where a document
// names none: who hears nothing hangs up.
func (c *script) music(ctx context.Context) error {
	rate := c.leg.Stream().Rate()
	return c.sound(ctx, "music", "", "", media.NewLoop(c.s.music(rate), rate))
}

// music is what is heard on hold, made once.
func (s *Server) music(rate int) pcm.Clip {
	key := clipKey{sha256.Sum256([]byte("music on hold")), rate}
	clip, ok := s.clips.get(key)
	if !ok {
		clip = tones.Music(rate)
		s.clips.put(key, clip)
	}
	return clip
}

// What a document may do that is heard before a conference or on hold.
var (
	twilioWait = []string{"Say", "Play", "Pause", "Redirect"}
	telnyxWait = append(twilioWait[:len(twilioWait):len(twilioWait)], "Gather", "Hangup")
)

// meanwhile runs the document that r brings until ctx ends. A sound is repeated.
// A document is not on Twilio, where silence follows it; on Telnyx it is fetched
// again, unless it lasted less than a second. No URL is silence.
func (c *script) meanwhile(ctx context.Context, r Request) error {
	for again := r.URL != ""; again && ctx.Err() == nil; {
		began := time.Now()
		w := &script{call: c.call, first: r, allowed: by(c.set.Dialect, telnyxWait, twilioWait), code: 13238}
		err := w.documents(ctx)
		for err == nil && w.page.sound != nil && !w.broken && time.Since(began) >= 20*time.Millisecond {
			began = time.Now()
			_, err = w.play(ctx, w.page)
		}
		switch {
		case ctx.Err() != nil:
		case err != nil && w.page == nil, w.broken && w.page.sound != nil:
			return errNotSetUp
		case w.hungUp:
			return errWaitHungUp
		}
		again = err == nil && c.set.Dialect == texml.Telnyx && time.Since(began) >= time.Second
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// shadow is the call for another goroutine, with the record that it had once.
func (c *call) shadow(rec CallRecord) *call {
	return &call{s: c.s, leg: c.leg, set: c.set, jar: c.jar, rec: rec}
}

// inherit takes over what is new on the timeline of a shadow.
func (c *call) inherit(shadow *call) {
	shadow.mu.Lock()
	events := shadow.events
	shadow.events = nil
	shadow.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, events...)
}

// speaker returns what speaks announcements in the name of the call.
func (c *script) speaker() func(context.Context, Request, func(context.Context, media.Source) error) error {
	rec := c.rec
	return func(ctx context.Context, r Request, out func(context.Context, media.Source) error) error {
		a := &script{call: c.shadow(rec), first: r, allowed: twilioWait, code: 13238, out: out}
		defer c.inherit(a.call)
		err := verbs.Guard(func() error { return a.documents(ctx) })
		if err == nil && a.broken {
			err = errors.New("the sound cannot be played")
		}
		return err
	}
}

// recordConference returns what begins the recording of a conference in the
// name of the call. What that returns, nil when there is no recording, waits
// until ctx ends or there has been silence for the recordingTimeout of n, and
// finishes it.
func (c *script) recordConference(n *texml.Conference) func(sid string, own tap, rate int) func(ctx context.Context) {
	rec, page := c.rec, c.page
	return func(sid string, own tap, rate int) func(ctx context.Context) {
		r := &script{call: c.shadow(rec), page: page}
		t := r.record(n, takeOptions{source: "Conference", conference: sid, track: "both", channels: 1, trim: n.Trim,
			format: by(c.set.Dialect, "mp3", "wav"), told: n.RecordingCallbacks, send: n.SendRecordingURL}, own, rate)
		c.inherit(r.call)
		if t == nil {
			return nil
		}
		return func(ctx context.Context) {
			defer c.inherit(r.call)
			r.untilSilent(ctx, t, n.RecordingTimeout)
			t.stop(ctx)
			r.finishing.Wait()
		}
	}
}

// untilSilent waits for the end of ctx, of what t can hold, or for so much
// silence; 0 is no end by silence.
func (c *script) untilSilent(ctx context.Context, t *take, silence time.Duration) {
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if _, quiet := t.sound.Heard(); silence > 0 && quiet >= silence {
				return
			}
		case <-t.full():
			return
		case <-ctx.Done():
			return
		}
	}
}
