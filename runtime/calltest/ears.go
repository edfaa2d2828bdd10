package calltest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// hearing is how well the script's ears hear.
type hearing struct {
	off  bool
	fail time.Duration // of sound, after which they do not hear any more; -1 never
	slow time.Duration // how much later they tell what they understood
}

// ears are the scripted speech recognition (ai.ASR): they find the words of the
// script in whatever sound they are given.
type ears struct {
	script *Script
	trace  *trace
}

// sure is how sure the ears are of what they understood when the script does not say.
const sure = 0.9

// told is a result that is told at a time.
type told struct {
	at time.Time
	ai.Result
}

// Hear yields what is said (ai.ASR).
func (e ears) Hear(ctx context.Context, h ai.Hearing, sound <-chan pcm.Frame) iter.Seq2[ai.Result, error] {
	return func(yield func(ai.Result, error) bool) {
		if slices.Contains(e.script.show, "ASR") {
			e.trace.note("", "ASR"+asked(h))
		}
		d := &decoder{known: e.script.words, rate: h.Rate}
		var results []told // in order of time
		timer := time.NewTimer(0)
		<-timer.C
		defer timer.Stop()
		for {
			for len(results) > 0 && !results[0].at.After(time.Now()) {
				if !yield(results[0].Result, nil) {
					return
				}
				results = results[1:]
			}
			if len(results) > 0 {
				timer.Reset(time.Until(results[0].at))
			} else if sound == nil {
				return
			}
			var f pcm.Frame
			open := true
			select {
			case f, open = <-sound:
			case <-timer.C:
				continue
			case <-ctx.Done():
				yield(ai.Result{}, context.Cause(ctx))
				return
			}
			if fail := e.script.ears.fail; open && fail >= 0 && time.Duration(d.blocks)*block >= fail {
				yield(ai.Result{}, errDeaf)
				return
			}
			if !open {
				sound = nil
			}
			for _, r := range e.understand(d, h, f, !open) {
				results = append(results, told{time.Now().Add(e.script.ears.slow), r})
			}
		}
	}
}

var errDeaf = &ai.Error{Provider: "script", Kind: ai.Unavailable, Msg: "the script's ears have failed",
	Fix: "take the line \"ears fail\" out of the script", Err: errors.ErrUnsupported}

// understand gives d the next sound and returns what is to be told of it. Last
// says that no more comes.
func (e ears) understand(d *decoder, h ai.Hearing, f pcm.Frame, last bool) (results []ai.Result) {
	ended, over := d.hear(f)
	if last && d.end() {
		ended, over = true, true
	}
	if ended && h.Interim {
		if r, ok := e.script.partial(d.said); ok {
			results = append(results, r)
		}
	}
	if (over || last) && len(d.said) > 0 {
		results = append(results, e.script.understood(d.said))
		d.said = nil
	}
	return results
}

// understood is the final result for what was said.
func (s *Script) understood(said []spoken) ai.Result {
	r := ai.Result{Text: strings.Join(texts(said), " "), Final: true, Over: true, Confidence: sure}
	if i := slices.IndexFunc(s.phrases, func(p *phrase) bool { return p.begins(said) && len(p.words) == len(said) }); i >= 0 {
		p := s.phrases[i]
		r.Text, r.Confidence = strings.Join(p.heard(), " "), p.confidence
	}
	return timed(r, said)
}

// partial is the result for what was said up to now, when the script wants one.
func (s *Script) partial(said []spoken) (ai.Result, bool) {
	i := slices.IndexFunc(s.phrases, func(p *phrase) bool { return p.partials && p.begins(said) })
	if i < 0 {
		return ai.Result{}, false
	}
	p := s.phrases[i]
	words := p.heard()
	if n := len(said); n < len(p.words) {
		words = words[:min(n, len(words))]
	}
	return timed(ai.Result{Text: strings.Join(words, " "), Confidence: p.confidence, Stability: sure}, said), true
}

// timed is r with the place of each word in the sound, where the words are
// those that were said.
func timed(r ai.Result, said []spoken) ai.Result {
	r.Began, r.Ended = said[0].began, said[len(said)-1].ended
	if r.Text == strings.Join(texts(said), " ") {
		for _, w := range said {
			r.Words = append(r.Words, ai.Word{Text: w.text, Began: w.began, Ended: w.ended, Confidence: r.Confidence})
		}
	}
	return r
}

// asked is what an engine was told of the speech, for the trace.
func asked(h ai.Hearing) string {
	var b strings.Builder
	for _, part := range []struct{ name, value string }{
		{"language", h.Language}, {"engine", h.Engine}, {"model", h.Model}, {"region", h.Region},
		{"hints", strings.Join(h.Hints, ",")}, {"keyterms", strings.Join(h.Keyterms, ",")},
	} {
		if part.value != "" {
			fmt.Fprintf(&b, " %s %s", part.name, part.value)
		}
	}
	for _, part := range []struct {
		name string
		on   bool
	}{{"interim", h.Interim}, {"profanity filter", h.ProfanityFilter}, {"smart format", h.SmartFormat}} {
		if part.on {
			b.WriteString(" " + part.name)
		}
	}
	return b.String()
}
