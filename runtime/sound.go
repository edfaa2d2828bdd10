package runtime

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/audio"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/tones"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// sound plays src and notes it on the timeline as kind.
func (c *script) sound(ctx context.Context, kind, text, private string, src media.Source) error {
	c.lively.Store(true)
	c.note(kind, text, private, 0)
	out := c.out
	if out == nil {
		out = c.leg.Stream().Play
	}
	err := out(ctx, src)
	if err != nil {
		c.note(kind+" stopped", "", "", 0)
	}
	return err
}

// Load fetches a sound (verbs.Call).
func (c *script) Load(ctx context.Context, n texml.Node, ref string, code int) (verbs.Sound, error) {
	clip, at, err := c.load(ctx, ref)
	switch {
	case err == nil:
		return func(ctx context.Context) error {
			return c.sound(ctx, "play", webhook.Redact(at), "", media.NewClip(clip, clip.Rate))
		}, nil
	case ctx.Err() == nil:
		if we, ok := errors.AsType[*webhook.Error](err); ok {
			code = we.Code
		}
		c.note("error", c.at(n)+"sound not played: "+err.Error(), "", code)
	}
	return nil, err
}

// load returns the sound at ref, and where that is.
func (c *script) load(ctx context.Context, ref string) (clip pcm.Clip, at string, err error) {
	at, err = resolve(c.page.url, ref)
	if err != nil {
		return pcm.Clip{}, ref, &webhook.Error{Code: 11100, URL: ref, Err: err}
	}
	resp := c.page.sound
	if resp == nil {
		if resp, err = c.media(ctx, at); err != nil {
			return pcm.Clip{}, at, err
		}
	}
	rate := c.leg.Stream().Rate()
	key := clipKey{sha256.Sum256(resp.Body), rate}
	if clip, ok := c.s.clips.get(key); ok {
		return clip, at, nil
	}
	decoded, err := audio.Decode(resp.ContentType, at, resp.Body)
	if err == nil && len(decoded.Samples) == 0 {
		err = errNoSound
	}
	if err != nil {
		return pcm.Clip{}, at, fmt.Errorf("%s: %w", webhook.Redact(at), err)
	}
	clip = decoded.At(rate)
	c.s.clips.put(key, clip)
	return clip, at, nil
}

// media fetches the sound at url. A recording of the call's own account is read
// where it is kept: the server need not ask itself for it.
func (c *script) media(ctx context.Context, url string) (*webhook.Response, error) {
	sid, own := c.s.ownRecording(c.rec.AccountSID, url)
	if !own || c.s.Recordings == nil {
		return c.s.Web.Media(ctx, url)
	}
	// The SID alone would bring anybody's.
	if _, err := c.s.Store.Recording(ctx, c.rec.AccountSID, sid); err != nil {
		return nil, &webhook.Error{Code: 11200, URL: url, Err: err}
	}
	sound, kind, err := c.s.Recordings.Open(sid)
	if err != nil {
		return nil, &webhook.Error{Code: 11200, URL: url, Err: err}
	}
	defer sound.Close()
	body, err := io.ReadAll(sound)
	if err != nil {
		return nil, &webhook.Error{Code: 11200, URL: url, Err: err}
	}
	return &webhook.Response{URL: url, Status: 200, ContentType: kind, Body: body}, nil
}

// Ringback plays one round of a country's ringing tone (verbs.Call).
func (c *script) Ringback(ctx context.Context, country string) error {
	rate := c.leg.Stream().Rate()
	clip, ok := tones.Ringback(country, rate)
	if !ok {
		c.note("warning", fmt.Sprintf("there is no ringing tone for country %q; the one of us is played", country), "", 13220)
		clip, _ = tones.Ringback("us", rate)
	}
	return c.sound(ctx, "ringback", country, "", media.NewClip(clip, rate))
}

// Send presses keys (verbs.Call).
func (c *script) Send(ctx context.Context, digits string) error {
	c.lively.Store(true)
	c.note("send", "", digits, 0)
	return c.leg.Stream().SendDigits(ctx, digits)
}

// Echo sends the caller's sound back (verbs.Call).
func (c *script) Echo(ctx context.Context) error {
	c.lively.Store(true)
	c.note("echo", "", "", 0)
	return c.leg.Stream().Echo(ctx)
}

// Keys are what the caller presses (verbs.Call).
func (c *script) Keys(ctx context.Context) <-chan rune { return c.leg.Stream().Keys(ctx) }
