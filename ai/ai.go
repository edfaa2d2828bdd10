// Package ai is who has the turn in a conversation, and what is said next. It
// knows nothing of calls and packets: speech comes and goes as frames of
// package pcm. Each provider is a package of its own below this one; ai/local
// is the voice that is there without a key.
package ai

import (
	"context"
	"iter"

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
	Voice    string  // as the document names it: "man", "Polly.Joanna", ...
	Language string  // BCP 47: "en-US"
	Rate     float64 // 1 is normal, 2 twice as fast; 0 counts as 1
}
