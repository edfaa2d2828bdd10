package runtime

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/vad"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// noEars is the warning where a document wants speech and nothing here hears it.
const noEars = "no speech is heard: this server has no speech recognition; name a provider under ai.asr in the configuration"

// Listen hears what the caller says (verbs.Call).
func (c *script) Listen(ctx context.Context, g *texml.Gather) (<-chan verbs.Heard, func()) {
	if c.s.Ears == nil {
		c.Warn(g, 13340, noEars)
		return nil, nil
	}
	c.lively.Store(true)
	c.note("listen", "", "", 0)
	stream := c.leg.Stream()
	h := ai.Hearing{
		Rate: stream.Rate(), Language: g.Language, Engine: g.TranscriptionEngine, Model: g.SpeechModel, Region: g.Region,
		Hints: g.Hints, Keyterms: g.Keyterms, Interim: true, ProfanityFilter: g.ProfanityFilter, SmartFormat: g.SmartFormat,
	}
	if h.Model == "default" {
		h.Model = ""
	}
	c.knows(g, h.Engine)
	heard, voices := make(chan verbs.Heard), newVoices(h.Rate)
	e := newEar(stream.Tap, voices.hear)
	tell := func(what verbs.Heard) {
		select {
		case heard <- what:
		case <-ctx.Done():
		}
	}
	deaf := make(chan struct{}) // closed when nothing more is understood
	var both sync.WaitGroup
	both.Go(func() {
		for {
			select {
			case v := <-voices.news:
				tell(v)
			case <-deaf:
				return
			}
		}
	})
	both.Go(func() {
		defer close(deaf)
		c.guard(func() { c.understand(ctx, g, c.s.Ears.Hear(c.watch(ctx), h, e.sound), tell) })
		if lost := e.close(); lost > 0 {
			c.note("warning", fmt.Sprintf("%d ms of the speech were lost: the machine is too slow", lost*20), "", 13340)
		}
	})
	go func() {
		both.Wait()
		close(heard)
	}()
	return heard, func() { e.close() }
}

// knows warns when a document asks for an engine that is not configured: the first
// that is hears in its place.
func (c *script) knows(n texml.Node, engine string) {
	if ears, ok := c.s.Ears.(interface{ Has(engine string) bool }); ok && !ears.Has(engine) {
		c.Warn(n, 0, "there is no "+engine+" in the configuration (ai.asr); the default hears in its place")
	}
}

// watch is ctx in which a provider's fault is noted on the call's timeline, where the
// next one goes on, too: it is why a voice changed or was late.
func (c *call) watch(ctx context.Context) context.Context {
	return ai.Watch(ctx, func(l ai.Latency) {
		if l.Err != nil {
			c.note("provider", l.Kind+" failed: "+l.Err.Error(), "", 0)
		}
	})
}

// understand tells the results of an engine until they end.
func (c *script) understand(ctx context.Context, g *texml.Gather, results iter.Seq2[ai.Result, error], tell func(verbs.Heard)) {
	for r, err := range results {
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.Warn(g, 13340, "speech is not understood any more: "+err.Error())
			tell(verbs.Heard{Err: err})
			return
		}
		text := strings.TrimSpace(r.Text)
		if r.Final && text != "" {
			c.note("heard", "", strconv.Quote(text), 0)
		}
		tell(verbs.Heard{Text: text, Final: r.Final, Confidence: r.Confidence, Stability: r.Stability, Over: r.Over})
	}
}

// voices tells when somebody begins to speak and when they stop.
type voices struct {
	detector *vad.Detector
	speaking bool
	news     chan verbs.Heard
}

func newVoices(rate int) *voices {
	return &voices{detector: vad.New(rate), news: make(chan verbs.Heard, 16)}
}

// hear takes the next 20 ms. News that nobody takes in time is left out: another
// comes soon.
func (v *voices) hear(f pcm.Frame) {
	speech := v.detector.Hear(f)
	if speech == v.speaking {
		return
	}
	now := verbs.Heard{Voice: verbs.Silent, Since: vad.Hang}
	if speech {
		now = verbs.Heard{Voice: verbs.Speaking, Since: vad.Onset}
	}
	select {
	case v.news <- now:
		v.speaking = speech
	default:
	}
}
