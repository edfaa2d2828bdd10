package runtime

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/audio"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/tones"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// Say speaks s once (verbs.Call).
func (c *call) Say(ctx context.Context, s *texml.Say) error {
	rate := c.leg.Stream().Rate()
	sound := pcm.Clip{Rate: rate}
	for _, part := range s.Parts {
		if part.Text != "" {
			speech := ai.Speech{Text: part.Text, Voice: s.Voice, Language: s.Language, Rate: s.VoiceSpeed}
			if part.Language != "" {
				speech.Language = part.Language
			}
			if part.Rate != 0 {
				speech.Rate *= part.Rate
			}
			clip, err := c.voice(ctx, speech, rate)
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			if err != nil {
				c.note("warning", c.at(s)+"<Say> was skipped: "+err.Error(), "", 13520)
				return nil
			}
			sound.Samples = append(sound.Samples, clip.Samples...)
		}
		sound.Samples = append(sound.Samples, make([]int16, samples(part.Pause, rate))...)
	}
	return c.sound(ctx, "say", "", strconv.Quote(s.Text()), sound)
}

// speak says text in the default voice.
func (c *call) speak(ctx context.Context, text string) error {
	rate := c.leg.Stream().Rate()
	clip, err := c.voice(ctx, ai.Speech{Text: text, Rate: 1}, rate)
	if err != nil {
		c.note("warning", "the apology was not spoken: "+err.Error(), "", 13520)
		return context.Cause(ctx)
	}
	return c.sound(ctx, "say", "", strconv.Quote(text), clip)
}

// errNoVoice is what a server without a voice says of every <Say>.
var errNoVoice = errors.New("there is no voice on this machine; install flite or espeak-ng and start again")

// voice turns one piece of speech into sound at rate, or finds it made.
func (c *call) voice(ctx context.Context, speech ai.Speech, rate int) (pcm.Clip, error) {
	if c.s.Voice == nil {
		return pcm.Clip{}, errNoVoice
	}
	key := clipKey{sha256.Sum256(fmt.Appendf(nil, "%q %q %q %g", speech.Text, speech.Voice, speech.Language, speech.Rate)), rate}
	if clip, ok := c.s.clips.get(key); ok {
		return clip, nil
	}
	clip := pcm.Clip{Rate: rate}
	for frame, err := range c.s.Voice.Speak(ctx, speech, rate) {
		if err != nil {
			return pcm.Clip{}, err
		}
		clip.Samples = append(clip.Samples, frame...)
	}
	c.s.clips.put(key, clip)
	return clip, nil
}

// sound plays a clip and notes it on the timeline as kind.
func (c *call) sound(ctx context.Context, kind, text, private string, clip pcm.Clip) error {
	c.lively.Store(true)
	c.note(kind, text, private, 0)
	err := c.leg.Stream().Play(ctx, media.NewClip(clip, c.leg.Stream().Rate()))
	if err != nil {
		c.note(kind+" stopped", "", "", 0)
	}
	return err
}

// Load fetches a sound (verbs.Call).
func (c *call) Load(ctx context.Context, ref string) (verbs.Sound, error) {
	clip, at, err := c.load(ctx, ref)
	if err != nil {
		if context.Cause(ctx) == nil {
			code := 13420
			if we, ok := asWebhook(err); ok {
				code = we.Code
			}
			c.note("error", "sound not played: "+err.Error(), "", code)
		}
		return nil, err
	}
	return func(ctx context.Context) error { return c.sound(ctx, "play", webhook.Redact(at), "", clip) }, nil
}

func (c *call) load(ctx context.Context, ref string) (clip pcm.Clip, at string, err error) {
	at, err = resolve(c.page.url, ref)
	if err != nil {
		return pcm.Clip{}, ref, &webhook.Error{Code: 11100, URL: ref, Err: err}
	}
	resp := c.served[at]
	if resp == nil {
		if resp, err = c.s.Web.Media(ctx, at); err != nil {
			return pcm.Clip{}, at, err
		}
	}
	rate := c.leg.Stream().Rate()
	key := clipKey{sha256.Sum256(resp.Body), rate}
	if clip, ok := c.s.clips.get(key); ok {
		return clip, at, nil
	}
	decoded, err := audio.Decode(resp.ContentType, at, resp.Body)
	if err != nil {
		return pcm.Clip{}, at, fmt.Errorf("%s: %w", webhook.Redact(at), err)
	}
	clip = decoded.At(rate)
	c.s.clips.put(key, clip)
	return clip, at, nil
}

// Ringback plays one round of a country's ringing tone (verbs.Call).
func (c *call) Ringback(ctx context.Context, country string) error {
	rate := c.leg.Stream().Rate()
	hz, cadence, ok := tones.Ringback(country)
	if !ok {
		c.note("warning", fmt.Sprintf("there is no ringing tone for country %q; the one of us is played", country), "", 13220)
		hz, cadence, _ = tones.Ringback("us")
	}
	clip := pcm.Clip{Rate: rate}
	for i, d := range cadence { // sound and silence in turn
		if i%2 == 0 {
			clip.Samples = append(clip.Samples, pcm.Tone(rate, d, 0.1, hz...).Samples...)
		} else {
			clip.Samples = append(clip.Samples, make([]int16, samples(d, rate))...)
		}
	}
	return c.sound(ctx, "ringback", country, "", clip)
}

// Send presses keys (verbs.Call).
func (c *call) Send(ctx context.Context, digits string) error {
	c.lively.Store(true)
	c.note("send", "", digits, 0)
	return c.leg.Stream().SendDigits(ctx, digits)
}

// Echo sends the caller's sound back (verbs.Call).
func (c *call) Echo(ctx context.Context) error {
	c.lively.Store(true)
	c.note("echo", "", "", 0)
	return c.leg.Stream().Echo(ctx)
}

// Keys are what the caller presses (verbs.Call).
func (c *call) Keys(ctx context.Context) <-chan rune {
	in := c.leg.Stream().Keys(ctx)
	out := make(chan rune)
	go func() { // ends with ctx, which closes in
		defer close(out)
		for key := range in {
			c.lively.Store(true)
			select {
			case out <- key.Digit:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func samples(d time.Duration, rate int) int { return int(d * time.Duration(rate) / time.Second) }
