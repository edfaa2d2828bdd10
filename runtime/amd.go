package runtime

import (
	"cmp"
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/amd"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/texml"
)

// AMD is answering machine detection on a placed call: what is to be found out,
// and who is told. A time of 0 is the dialect's default for calls that are not
// dialled by a document: 30 s; 3500, 800 and 3500 ms in Telnyx, 2400, 1200 and
// 5000 ms in Twilio.
type AMD struct {
	// Mode is Enable, to tell a person from a machine, or DetectMessageEnd, to
	// wait for the end of the machine's greeting; "" is no detection.
	Mode string

	// Async lets the documents run at once. Without it the first one is asked
	// for when it is known who has answered, and is told.
	Async bool

	Timeout            time.Duration // 500 ms to 60 s
	SpeechThreshold    time.Duration // 1 to 6 s; longer speech is a machine's
	SpeechEndThreshold time.Duration // 500 ms to 5 s; silence that ends speech
	SilenceTimeout     time.Duration // 2 to 10 s of nothing are unknown
	FreqOnly           bool          // a beep may be of any length

	// Callback is told the verdict. Without a URL an Async one is told at the
	// status callback, if that asks for the event amd.
	Callback Request
}

// waits reports whether the documents wait for the verdict.
func (a AMD) waits() bool { return a.Mode != "" && !a.Async }

// options are a, with the defaults of a dialect.
func (a AMD) options(d texml.Dialect, rate int) amd.Options {
	const ms = time.Millisecond
	return amd.Options{
		Rate:               rate,
		Timeout:            cmp.Or(a.Timeout, 30*time.Second),
		SpeechThreshold:    cmp.Or(a.SpeechThreshold, by(d, 3500*ms, 2400*ms)),
		SpeechEndThreshold: cmp.Or(a.SpeechEndThreshold, by(d, 800*ms, 1200*ms)),
		SilenceTimeout:     cmp.Or(a.SilenceTimeout, by(d, 3500*ms, 5000*ms)),
		MessageEnd:         a.Mode == "DetectMessageEnd",
		FreqOnly:           a.FreqOnly,
	}
}

// amdOf is what a noun of a <Dial> asks for. The two are joined at once: the
// platforms tell who has answered beside the call.
func (c *script) amdOf(t target) AMD {
	in := t.amd
	if in.Mode == "" {
		return AMD{}
	}
	a := AMD{Mode: in.Mode, Async: true, Timeout: in.Timeout, SpeechThreshold: in.SpeechThreshold,
		SpeechEndThreshold: in.SpeechEndThreshold, SilenceTimeout: in.SilenceTimeout, FreqOnly: in.BeepProfile == "freq_only"}
	if in.Callback != "" {
		at, err := resolve(c.page.url, in.Callback)
		if err != nil {
			c.Warn(t.node, 11100, "amdStatusCallback: "+err.Error())
		}
		a.Callback = Request{URL: at, Method: in.CallbackMethod}
	}
	return a
}

// detect begins to listen for who has answered. wait returns when that is known
// or ctx is done, and must be called once.
func (c *call) detect() (wait func(ctx context.Context) *amd.Verdict) {
	stream := c.leg.Stream()
	d := amd.New(c.set.AMD.options(c.set.Dialect, stream.Rate()))
	heard := make(chan amd.Verdict, 1)
	known := false
	remove := stream.Tap(func(f pcm.Frame) {
		if known {
			return
		}
		var v amd.Verdict
		if v, known = d.Hear(f); known {
			heard <- v
		}
	})
	return func(ctx context.Context) *amd.Verdict {
		defer remove()
		select {
		case v := <-heard:
			c.note("amd", v.Why, "", 0)
			return &v
		case <-ctx.Done():
			return nil
		}
	}
}

// whoAnswers waits for the verdict, tells it with the answer of the call, and
// returns first with it.
func (c *call) whoAnswers(ctx context.Context, first Request) Request {
	c.verdict = c.detect()(ctx)
	c.save(c.callback(answered, c.rec.Answered))
	if c.verdict != nil {
		c.tellAMD(*c.verdict)
		form := answeredBy(*c.verdict)
		maps.Copy(form, first.Form)
		first.Form = form
	}
	return first
}

// detection goes on beside a call until it has a verdict.
type detection struct {
	end  context.CancelFunc
	done sync.WaitGroup
}

// detectBeside begins one, where that is asked for.
func (c *call) detectBeside() {
	if c.set.AMD.Mode == "" {
		return
	}
	wait := c.detect()
	ctx, end := context.WithCancel(context.Background())
	d := &detection{end: end}
	d.done.Go(func() {
		if c.verdict = wait(ctx); c.verdict != nil {
			c.tellAMD(*c.verdict)
		}
	})
	c.serve("AMD", "", d)
}

// stop ends it (service).
func (d *detection) stop(context.Context) {
	d.end()
	d.done.Wait()
}

// tellAMD tells who has answered where that is asked for.
func (c *call) tellAMD(v amd.Verdict) {
	to := c.set.AMD.Callback
	if to.URL == "" && c.set.AMD.Async && c.set.Dialect == texml.Telnyx && slices.Contains(c.set.StatusEvents, "amd") {
		to = c.set.StatusCallback
	}
	f := answeredBy(v)
	f.Set("CallSid", c.rec.SID)
	f.Set("AccountSid", c.rec.AccountSID)
	if c.set.Dialect == texml.Telnyx {
		f.Set("CallSidLegacy", c.rec.SID)
		f.Set("ConnectionId", connectionID(c.rec.AccountSID))
	}
	c.owe(c.news(to, f))
}

// answeredBy is a verdict as both platforms tell it.
func answeredBy(v amd.Verdict) url.Values {
	return url.Values{
		"AnsweredBy":               {v.AnsweredBy},
		"MachineDetectionDuration": {strconv.FormatInt(v.After.Milliseconds(), 10)},
	}
}
