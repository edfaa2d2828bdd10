// Package local is the voice that is there without a key: flite, espeak-ng or
// macOS say, run as programs. Text goes to them by standard input and sound
// comes back by a temporary file; no shell is involved, and nothing of our
// environment is passed on.
package local

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// Limits of one run of an engine, which speaks some 400 letters at most.
const (
	timeLimit = 20 * time.Second
	sizeLimit = 16 << 20 // bytes of WAV
)

// ErrNone is returned by [Find] when the machine has no engine.
var ErrNone = errors.New("no local voice: flite or espeak-ng is needed; install one (Debian: apt install flite, macOS: brew install espeak-ng)")

// Voice speaks with the engines of this machine. It is an [ai.TTS], safe for
// concurrent use.
type Voice struct {
	engines []engine // best first
	slots   chan struct{}
}

// Find looks for engines on PATH and asks each what it can speak. It takes
// some tens of milliseconds. The error is ErrNone when there is none.
func Find() (*Voice, error) {
	v := &Voice{slots: make(chan struct{}, max(2, runtime.NumCPU()))}
	for _, find := range []func() (engine, bool){findFlite, findEspeak, findSay} {
		if e, ok := find(); ok {
			v.engines = append(v.engines, e)
		}
	}
	if len(v.engines) == 0 {
		return nil, ErrNone
	}
	return v, nil
}

// String names the engines: "flite (/usr/bin/flite), espeak-ng (…)".
func (v *Voice) String() string {
	var names []string
	for _, e := range v.engines {
		names = append(names, fmt.Sprintf("%s (%s)", e.name, e.path))
	}
	return strings.Join(names, ", ")
}

// Speak yields the sound of s in frames of 20 ms, the last of them shorter.
// The text is voiced by the sentence, so a long one begins as soon as a short
// one. Silence before the first word is cut to 20 ms, and the level is about
// -20 dBFS whatever the engine.
func (v *Voice) Speak(ctx context.Context, s ai.Speech, rate int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		p := ai.PersonOf(s.Voice, s.Language)
		e, err := v.engineFor(p, s.Text)
		if err != nil {
			yield(nil, err)
			return
		}
		parts := ai.Sentences(s.Text, firstPart, laterPart, longest)
		for i, text := range parts {
			job := job{text: text, person: p, speed: speed(s.Rate), pitch: s.Pitch, rate: rate, last: i == len(parts)-1}
			sound, err := v.voice(ctx, e, job)
			if err != nil {
				yield(nil, err)
				return
			}
			for frame := range slices.Chunk(sound, max(1, pcm.FrameLen(rate))) {
				if !yield(frame, nil) {
					return
				}
			}
		}
	}
}

// speed keeps a rate to what engines bear.
func speed(rate float64) float64 {
	if !(rate > 0) {
		return 1
	}
	return min(4, max(0.25, rate))
}

// engineFor is the first engine that speaks the person's language. Without
// one, the first engine reads the text as English if it is in Latin letters:
// a foreign accent is better than dead air.
func (v *Voice) engineFor(p ai.Person, text string) (engine, error) {
	for _, e := range v.engines {
		if e.voice(p) != "" {
			return e, nil
		}
	}
	if plain(text) == "" && text != "" {
		return engine{}, fmt.Errorf("no voice here speaks %s; install espeak-ng (apt install espeak-ng, brew install espeak-ng)", p.Language)
	}
	return v.engines[0], nil
}

// job is one sentence for an engine.
type job struct {
	text   string
	person ai.Person
	speed  float64
	pitch  float64 // percent above the voice's own
	rate   int
	last   bool // of its text
}

// voice is the sound of a job.
func (v *Voice) voice(ctx context.Context, e engine, j job) ([]int16, error) {
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	clip, err := run(ctx, e, j)
	if err != nil {
		return nil, err
	}
	return finish(clip, j.rate, j.last), nil
}

// run starts the engine for one job and waits for it; when ctx ends it is
// killed.
func run(ctx context.Context, e engine, j job) (pcm.Clip, error) {
	dir, err := os.MkdirTemp("", "hookswitch-voice-")
	if err != nil {
		return pcm.Clip{}, fmt.Errorf("%s: %w", e.name, err)
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "speech.wav")

	ctx, cancel := context.WithTimeoutCause(ctx, timeLimit, fmt.Errorf("%s took more than %v for one sentence", e.name, timeLimit))
	defer cancel()
	voice := e.voice(j.person)
	if voice == "" {
		voice = e.voice(ai.Person{Language: "en-us", Male: j.person.Male})
	}
	cmd := exec.CommandContext(ctx, e.path, e.args(voice, j.speed, j.pitch, out)...)
	cmd.Stdin = strings.NewReader(e.text(j.text))
	cmd.Env = []string{"LANG=C.UTF-8", "HOME=" + dir, "TMPDIR=" + dir}
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return pcm.Clip{}, context.Cause(ctx)
		}
		// What an engine prints may repeat the text, which is private.
		return pcm.Clip{}, fmt.Errorf("%s with voice %s: %w", e.name, voice, err)
	}
	info, err := os.Stat(out)
	if err != nil {
		return pcm.Clip{}, fmt.Errorf("%s with voice %s wrote no sound", e.name, voice)
	}
	if info.Size() > sizeLimit {
		return pcm.Clip{}, fmt.Errorf("%s wrote %d bytes of sound for one sentence, more than %d", e.name, info.Size(), sizeLimit)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		return pcm.Clip{}, fmt.Errorf("%s: %w", e.name, err)
	}
	clip, err := wav.Decode(b)
	if err != nil {
		return pcm.Clip{}, fmt.Errorf("%s: %w", e.name, err)
	}
	return clip, nil
}
