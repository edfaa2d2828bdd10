// Package ai is who has the turn in a conversation, and what is said next. It
// knows nothing of calls and packets: speech comes and goes as frames of
// package pcm. Each provider is a package of its own below this one; ai/local
// is the voice that is there without a key.
package ai

import (
	"context"
	"iter"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// TTS gives text a voice.
type TTS interface {
	// Speak yields the sound of s as mono frames of any length at rate (Hz),
	// each as soon as it is there. The sequence ends at the first error,
	// which is context.Cause(ctx) when ctx ended first. A consumer that stops
	// early stops the engine. The frames belong to the consumer.
	Speak(ctx context.Context, s Speech, rate int) iter.Seq2[pcm.Frame, error]
}

// Speech is one text to be spoken. Only Text must be set.
type Speech struct {
	Text     string  // plain, without marks
	SSML     string  // the same with marks, as the inside of a <speak>; "": it has none
	Voice    string  // as the document names it: "man", "Polly.Joanna", ...
	Language string  // BCP 47: "en-US"
	Rate     float64 // 1 is normal, 2 twice as fast; 0 counts as 1
	Pitch    float64 // percent above the voice's own; negative is below
	Volume   float64 // dB above the usual; -Inf is silence as long as the text

	// What only some providers know, as TeXML <Say> has it.
	Gender, Effect, Region, LanguageBoost string
}

// ASR turns speech into text.
type ASR interface {
	// Hear yields what is said in sound, each result as soon as it is there.
	// Its frames are mono at h.Rate, 20 ms each, in real time or faster; they
	// belong to Hear. Closing sound says that no more comes: what is left is
	// yielded and the sequence ends. It ends at the first error, too, which is
	// context.Cause(ctx) when ctx ended first. A consumer that stops early
	// stops the engine. Hear takes frames at all times, also while the engine
	// is slow; it may leave out what an engine cannot take.
	Hear(ctx context.Context, h Hearing, sound <-chan pcm.Frame) iter.Seq2[Result, error]
}

// Hearing is what an [ASR] should know of the speech. Only Rate must be set;
// what an engine cannot do it leaves out.
type Hearing struct {
	Rate     int    // Hz
	Language string // BCP 47; "": the engine's
	Engine   string // as a document names it: Google, Deepgram, ...; "": the first one configured
	Model    string // as a document names it; "": the configured one
	Region   string // of the engine

	Hints           []string // words and phrases that are likely
	Keyterms        []string // the same for engines that tell the two apart
	Interim         bool     // results that are not final are wanted
	ProfanityFilter bool     // mask what is not said in public
	SmartFormat     bool     // write numbers and dates as people do
}

// Result is what an [ASR] has understood. Results that are not final replace
// each other until a final one of the same stretch of sound.
type Result struct {
	Text       string
	Final      bool
	Confidence float64       // 0 to 1; 0: not known
	Stability  float64       // of a result that is not final: how likely it stays, 0 to 1; 0: not known
	Began      time.Duration // where in the sound the text begins and ends; both 0: not known
	Ended      time.Duration
	Words      []Word // may be missing

	// Over says that the engine takes the speaker to have finished. Text may
	// be empty then.
	Over bool
}

// Word is one word of a [Result], and where in the sound it is.
type Word struct {
	Text         string
	Began, Ended time.Duration
	Confidence   float64 // 0 to 1; 0: not known
}

// Error is what went wrong with a provider.
type Error struct {
	Provider string        // as configured, or its kind: "deepgram"
	Kind     Kind          // what it was
	Msg      string        // in words; it holds no key and nothing of what was said
	Fix      string        // what a person can do about it
	After    time.Duration // when to come again, 0 if that was not said
	Err      error         // what was behind it, or nil
}

// Kind tells faults of providers apart.
type Kind string

const (
	Auth        Kind = "auth"        // the key is wrong, missing, or may not do this
	RateLimit   Kind = "rate limit"  // too much was asked, or nothing is left to spend
	Timeout     Kind = "timeout"     // nothing came in time
	Content     Kind = "content"     // the text or sound was refused
	Unsupported Kind = "unsupported" // there is no such voice, language or model
	Unavailable Kind = "unavailable" // the provider cannot be reached, or has a fault
	Protocol    Kind = "protocol"    // what it sent makes no sense, or is too much
)

func (e *Error) Error() string {
	s := e.Provider + ": " + e.Msg
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }
