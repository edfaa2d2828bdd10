package runtime

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

var (
	errNoVoice = errors.New("there is no voice on this machine; install flite or espeak-ng and start again")
	errNoSound = errors.New("there is nothing to hear in it")
)

// Voice gives s a voice (verbs.Call). It returns with the first sound of it; what
// follows is made while that plays.
func (c *script) Voice(ctx context.Context, s *texml.Say) (verbs.Sound, error) {
	u, err := c.utter(ctx, s)
	if err != nil {
		if ctx.Err() == nil {
			c.Warn(s, 13520, "<Say> was skipped: "+err.Error())
		}
		return nil, err
	}
	return func(ctx context.Context) error {
		err := c.sound(ctx, "say", "", strconv.Quote(s.Text()), u.source())
		if slip := u.wait(); slip != nil && ctx.Err() == nil {
			c.Warn(s, 13520, "<Say> was cut short: "+slip.Error())
		}
		return err
	}, nil
}

// speak says text in the default voice.
func (c *script) speak(ctx context.Context, text string) error {
	u, err := c.utter(ctx, &texml.Say{Parts: []texml.Part{{Text: text}}, VoiceSpeed: 1})
	if err != nil {
		c.note("warning", "the apology was not spoken: "+err.Error(), "", 13520)
		return context.Cause(ctx)
	}
	defer u.wait()
	return c.sound(ctx, "say", "", strconv.Quote(text), u.source())
}

// utterance is a text that is being spoken, or was.
type utterance struct {
	rate int
	clip pcm.Clip        // all of it, once it is made
	list *media.Playlist // what plays while it is made
	made chan struct{}   // closed when clip and err are set
	err  error
}

// utter begins to speak s and returns with its first sound, or with the error
// that there is none. What makes the sound ends with ctx.
func (c *script) utter(ctx context.Context, s *texml.Say) (*utterance, error) {
	if c.s.Voice == nil {
		return nil, errNoVoice
	}
	u := &utterance{rate: c.leg.Stream().Rate(), made: make(chan struct{})}
	key := clipKey{sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %g %q %q", s.SSML, s.Text(), s.Voice, s.Language, s.VoiceSpeed, s.Gender, s.Effect)), u.rate}
	if clip, ok := c.s.clips.get(key); ok {
		u.clip = clip
		close(u.made)
		return u, nil
	}
	u.list = media.NewPlaylist(u.rate)
	first := make(chan struct{})
	c.finishing.Go(func() {
		defer close(u.made)
		defer u.list.End()
		begin := first
		u.err = verbs.Guard(func() error {
			return c.voice(ctx, s, u.rate, func(samples []int16) {
				u.clip.Samples = append(u.clip.Samples, samples...)
				u.list.Append(samples)
				if begin != nil {
					close(begin)
					begin = nil
				}
			})
		})
		if u.clip.Rate = u.rate; u.err == nil {
			c.s.clips.put(key, u.clip)
		}
	})
	select {
	case <-first:
	case <-u.made:
		if u.err == nil && len(u.clip.Samples) == 0 {
			u.err = errNoSound
		}
		if len(u.clip.Samples) == 0 {
			return nil, u.err
		}
	}
	return u, nil
}

// source plays it once.
func (u *utterance) source() media.Source {
	select {
	case <-u.made:
		return media.NewClip(u.clip, u.rate)
	default:
		return u.list
	}
}

// wait waits until nothing more of it is made, and returns what went wrong.
func (u *utterance) wait() error {
	<-u.made
	return u.err
}

// voice speaks the texts of s one after the other, with their pauses, to out.
func (c *script) voice(ctx context.Context, s *texml.Say, rate int, out func([]int16)) error {
	for _, part := range s.Parts {
		if part.Text != "" {
			speech := ai.Speech{Text: part.Text, Voice: s.Voice, Language: s.Language, Rate: s.VoiceSpeed,
				Gender: s.Gender, Effect: s.Effect, Region: s.Region, LanguageBoost: s.LanguageBoost}
			if part.Language != "" {
				speech.Language = part.Language
			}
			if part.Rate != 0 {
				speech.Rate *= part.Rate
			}
			for frame, err := range c.s.Voice.Speak(ctx, speech, rate) {
				if err != nil {
					return err
				}
				if len(frame) > 0 {
					out(frame)
				}
			}
		}
		if part.Pause > 0 {
			out(pcm.Silence(rate, part.Pause).Samples)
		}
	}
	return nil
}
