package openai

import (
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	before  = 300 * time.Millisecond // of sound kept from before the first voice: detectors take a while
	silence = 500 * time.Millisecond // without voice ends an utterance
	after   = 200 * time.Millisecond // of that silence are kept: models make up words for more
	longest = 30 * time.Second       // an utterance, the window of Whisper
)

// ear finds the utterances in a stream of sound.
type ear struct {
	rate  int
	voice func(pcm.Frame) bool
	heard int        // samples
	prior []int16    // the last that belong to no utterance
	now   *utterance // nil while nobody speaks
}

// utterance is a stretch of sound in which somebody speaks. Places are in
// samples from the beginning of the stream.
type utterance struct {
	sound        []int16
	start        int // of sound
	began, ended int // the voice
	over         bool

	// What its transcription knows of it.
	asked  int    // samples of sound that were transcribed already
	last   string // what that gave
	failed bool   // no more before the end
}

func (s *service) ear(rate int) *ear { return &ear{rate: rate, voice: s.Speech(rate)} }

// hear takes the next frame, and returns the utterance that ends with it.
func (e *ear) hear(f pcm.Frame) *utterance {
	voice := e.voice(f)
	e.heard += len(f)
	if e.now == nil {
		if !voice {
			e.keep(f)
			return nil
		}
		e.now = &utterance{sound: append([]int16(nil), e.prior...), start: e.heard - len(f) - len(e.prior), began: e.heard - len(f)}
		e.prior = e.prior[:0]
	}
	u := e.now
	u.sound = append(u.sound, f...)
	if voice {
		u.ended = e.heard
	}
	switch {
	case e.heard-u.ended >= pcm.Samples(e.rate, silence):
		return e.end(true)
	case len(u.sound) >= pcm.Samples(e.rate, longest):
		return e.end(false)
	}
	return nil
}

// voiced reports whether there was voice in the latest frame.
func (e *ear) voiced() bool { return e.now != nil && e.now.ended == e.heard }

// end ends the utterance that is going on, and returns it or nil.
func (e *ear) end(over bool) *utterance {
	u := e.now
	e.now = nil
	if u == nil {
		return nil
	}
	u.over = over
	keep := min(len(u.sound), u.ended-u.start+pcm.Samples(e.rate, after))
	e.keep(u.sound[keep:])
	u.sound = u.sound[:keep]
	return u
}

func (e *ear) keep(s []int16) {
	e.prior = append(e.prior, s...)
	if extra := len(e.prior) - pcm.Samples(e.rate, before); extra > 0 {
		e.prior = e.prior[:copy(e.prior, e.prior[extra:])]
	}
}

func place(samples, rate int) time.Duration {
	return time.Duration(samples) * time.Second / time.Duration(rate)
}
