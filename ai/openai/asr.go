package openai

import (
	"cmp"
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	interimStep = time.Second     // of new sound until an utterance is transcribed again
	maxWaiting  = 2 * time.Minute // of sound may wait for a slow server
)

// ASR has each utterance transcribed by a request to /audio/transcriptions. It
// is an [ai.ASR], safe for concurrent use.
type ASR struct{ *service }

// NewASR makes no request yet; see Warm.
func NewASR(c Config) *ASR { return &ASR{newService(c, "asr", "gpt-transcribe")} }

// Hear yields a final result of each utterance, after 500 ms of silence or when
// it has lasted 30 s. With h.Interim, what was said so far is transcribed once
// for every second of it. One request is under way at a time, and none while
// nobody speaks. An interim request that fails is the utterance's last; any
// other that fails ends the sequence. Errors are *ai.Error.
//
// These servers cannot filter profanity or format numbers, so it does neither.
// When 2 minutes of sound wait for a slow one, it takes no more frames until
// the next final result is there.
func (a *ASR) Hear(ctx context.Context, h ai.Hearing, sound <-chan pcm.Frame) iter.Seq2[ai.Result, error] {
	return func(yield func(ai.Result, error) bool) {
		if h.Rate <= 0 {
			h.Rate = 8000
		}
		l := &listening{asr: a, h: h, ear: a.ear(h.Rate), answers: make(chan answer, 1)}
		l.ctx, l.stop = context.WithCancel(ctx)
		defer l.request.Wait()
		defer l.stop()
		for {
			frames := sound
			if l.behind > pcm.Samples(h.Rate, maxWaiting) {
				frames = nil
			}
			select {
			case <-ctx.Done():
			case f, ok := <-frames:
				switch {
				case ok:
					l.add(l.ear.hear(f))
				default:
					sound = nil
					l.add(l.ear.end(true))
				}
			case ans := <-l.answers:
				l.busy = nil
				if ctx.Err() == nil && !l.take(ans, yield) {
					return
				}
			}
			if ctx.Err() != nil {
				yield(ai.Result{}, context.Cause(ctx))
				return
			}
			if !l.next() && sound == nil {
				return
			}
		}
	}
}

// listening is one Hear. All of it but the request under way belongs to the
// goroutine of the consumer.
type listening struct {
	asr     *ASR
	h       ai.Hearing
	ctx     context.Context // of requests
	stop    context.CancelFunc
	ear     *ear
	waiting []*utterance // that have ended
	behind  int          // samples in waiting
	busy    *asking      // nil: no request is under way
	answers chan answer
	request sync.WaitGroup
}

// asking is the request under way.
type asking struct {
	u     *utterance
	final bool
	stop  context.CancelFunc
}

type answer struct {
	asking
	transcript
	err error
}

func (l *listening) add(u *utterance) {
	if u != nil {
		l.waiting = append(l.waiting, u)
		l.behind += len(u.sound)
	}
}

// next makes the request that is due. It reports whether one is under way.
func (l *listening) next() bool {
	u := l.ear.now
	switch {
	case l.busy != nil && !l.busy.final && len(l.waiting) > 0:
		l.busy.stop() // the final result matters more
	case l.busy != nil:
	case len(l.waiting) > 0:
		u = l.waiting[0]
		l.waiting = l.waiting[1:]
		l.behind -= len(u.sound)
		l.ask(u, true)
	case l.h.Interim && u != nil && !u.failed && len(u.sound)-u.asked >= pcm.Samples(l.h.Rate, interimStep):
		l.ask(u, false)
	}
	return l.busy != nil
}

// ask has an utterance transcribed as far as it goes.
func (l *listening) ask(u *utterance, final bool) {
	u.asked = len(u.sound)
	clip := pcm.Clip{Rate: l.h.Rate, Samples: u.sound[:u.asked:u.asked]}
	ctx, stop := context.WithCancel(l.ctx)
	now := asking{u, final, stop}
	l.busy = &now
	l.request.Go(func() {
		defer stop()
		t, err := l.asr.transcribe(ctx, l.h, clip, final)
		l.answers <- answer{now, t, err} // there is room: it is the only one
	})
}

// take yields what an answer says; false ends it.
func (l *listening) take(ans answer, yield func(ai.Result, error) bool) bool {
	u := ans.u
	switch {
	case !ans.final && ans.err != nil:
		u.failed = true
		return true
	case ans.err != nil:
		yield(ai.Result{}, ans.err)
		return false
	case !ans.final && (u != l.ear.now || ans.text == "" || ans.text == u.last):
		return true
	case ans.final && ans.text == "" && !u.over:
		return true
	}
	u.last = ans.text
	r := ai.Result{Text: ans.text, Final: ans.final, Over: ans.final && u.over, Confidence: ans.confidence}
	r.Began, r.Ended = place(u.began, l.h.Rate), place(u.ended, l.h.Rate)
	start := place(u.start, l.h.Rate)
	for _, w := range ans.words {
		r.Words = append(r.Words, ai.Word{Text: w.Text, Began: start + w.Began, Ended: start + w.Ended})
	}
	return yield(r, nil)
}

// model is the one that a document names if this API may have it, else the
// configured one: documents name those of other engines, too.
func (s *service) model(h ai.Hearing) string {
	if m := strings.ToLower(h.Model); strings.Contains(m, "whisper") || strings.Contains(m, "transcribe") {
		return h.Model
	}
	return s.Model
}

// prompt tells a model which words are likely. Whisper reads the last 224
// tokens of it.
func (s *service) prompt(h ai.Hearing) string {
	var words []string
	for _, w := range append(h.Hints[:len(h.Hints):len(h.Hints)], h.Keyterms...) {
		if w = strings.TrimSpace(w); w != "" && !strings.HasPrefix(w, "$") { // a class of words, as Google has them
			words = append(words, w)
		}
	}
	list := strings.Join(words, ", ")
	for len(list) > 800 {
		list = list[:max(0, strings.LastIndex(list, ", "))]
	}
	return strings.TrimSpace(s.Extra["prompt"] + " " + list)
}

// languageCode is the ISO 639-1 code that Whisper knows for a BCP 47 tag: "en"
// for "en-US"; "" for none and for those that mean any language.
func languageCode(tag string) string {
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	switch primary {
	case "auto", "multi", "und":
		return ""
	}
	return cmp.Or(map[string]string{"cmn": "zh", "fil": "tl", "nb": "no", "iw": "he"}[primary], primary)
}
