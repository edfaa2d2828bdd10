package runtime

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strconv"
	"time"

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
	rate := c.leg.Stream().Rate()
	u := &utterance{rate: rate, clip: pcm.Clip{Rate: rate}, list: media.NewPlaylist(rate), made: make(chan struct{})}
	first := make(chan struct{})
	c.finishing.Go(func() {
		defer close(u.made)
		defer u.list.End()
		begin := first
		u.err = verbs.Guard(func() error {
			return c.voice(c.watch(ctx), s, u.rate, func(samples []int16) {
				u.clip.Samples = append(u.clip.Samples, samples...)
				u.list.Append(samples)
				if begin != nil {
					close(begin)
					begin = nil
				}
			})
		})
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
	for speech, pause := range Speeches(s) {
		if speech.Text != "" {
			for frame, err := range c.s.Voice.Speak(ctx, speech, rate) {
				if err != nil {
					return err
				}
				if len(frame) > 0 {
					out(frame)
				}
			}
		}
		if pause > 0 {
			out(pcm.Silence(rate, pause).Samples)
		}
	}
	return nil
}

// Speeches are the texts of a <Say> as a call has them spoken, each with the pause
// behind it. A text may be empty.
func Speeches(s *texml.Say) iter.Seq2[ai.Speech, time.Duration] {
	return func(yield func(ai.Speech, time.Duration) bool) {
		for _, part := range s.Parts {
			speech := ai.Speech{Text: part.Text, SSML: part.SSML, Voice: s.Voice, Language: cmp.Or(part.Language, s.Language),
				Rate: s.VoiceSpeed * cmp.Or(part.Rate, 1), Pitch: part.Pitch, Volume: part.Volume,
				Gender: s.Gender, Effect: s.Effect, Region: s.Region, LanguageBoost: s.LanguageBoost}
			if !yield(speech, part.Pause) {
				return
			}
		}
	}
}
