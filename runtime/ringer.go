package runtime

import (
	"cmp"
	"context"
	"sync"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/tones"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// ringer is what a caller hears while others are called: a ringing tone, a
// sound of the document's, or what the called side sends before it answers.
type ringer struct {
	c    *script
	ctx  context.Context
	hush context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	begun   bool // the called side is heard
	stopped bool
	split   func()
}

// ring begins to tell the caller that it rings. A caller to whom nothing is
// sent yet hears the ringing of their own phone.
func (c *script) ring(ctx context.Context, d *texml.Dial) *ringer {
	r := &ringer{c: c}
	r.ctx, r.hush = context.WithCancel(ctx)
	if c.leg.Stream() == nil {
		return r
	}
	r.done.Go(func() {
		verbs.Guard(func() error { return c.ringing(r.ctx, d) })
	})
	return r
}

// ringAgain lets a caller who hears the called side already hear ringing
// instead, as at first.
func (dl *dialing) ringAgain(ctx context.Context) {
	dl.ringer.mu.Lock()
	begun := dl.ringer.begun
	dl.ringer.mu.Unlock()
	if begun {
		dl.ringer.stop()
		dl.ringer = dl.ring(ctx, dl.d)
	}
}

// ringing plays the sound of d until ctx is done.
func (c *script) ringing(ctx context.Context, d *texml.Dial) error {
	if d.AudioURL != "" {
		clip, at, err := c.load(ctx, d.AudioURL)
		if err == nil {
			return c.sound(ctx, "play", at, "", media.NewLoop(clip, c.leg.Stream().Rate()))
		}
		if ctx.Err() != nil {
			return err
		}
		c.Warn(d, codeOf(err), "audioUrl not played, a ringing tone is: "+err.Error())
	}
	country := cmp.Or(d.RingTone, "us")
	rate := c.leg.Stream().Rate()
	clip, ok := tones.Ringback(country, rate)
	if !ok {
		clip, _ = tones.Ringback("us", rate)
	}
	return c.sound(ctx, "ringback", country, "", media.NewLoop(clip, rate))
}

// early lets the caller hear what the called side sends before it answers. A
// caller who is not answered gets it as early media, if that can be.
func (r *ringer) early(s *media.Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.begun || r.stopped {
		return
	}
	r.begun = true
	if r.c.rec.Answered.IsZero() {
		if err := r.c.incoming.Early(r.ctx); err != nil {
			r.c.s.Log.Debug("no early media", "call", r.c.rec.SID, "error", err)
			return
		}
	}
	r.hush()
	r.done.Wait()
	r.c.note("early media", "", "", 0)
	r.split = media.Relay(r.c.leg.Stream(), s, pcm.Clip{})
}

// stop ends it.
func (r *ringer) stop() {
	r.hush()
	r.done.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	if r.split != nil {
		r.split()
		r.split = nil
	}
}
