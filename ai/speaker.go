package ai

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// SpeakerConfig is what a [Speaker] speaks with.
type SpeakerConfig struct {
	// Voices are all providers. Those that are not Aside are the chain that a
	// text falls back along, the first first.
	Voices []NamedTTS

	// Table says who speaks for the names that documents use: "Polly.Joanna",
	// "Polly.*" or "*". Upper and lower case are the same. It comes before
	// what is known of names without it.
	Table map[string]VoiceChoice

	Cache   *VoiceCache   // nil: none
	Observe func(Latency) // nil: nobody; it must not block
}

// NamedTTS is one provider of voices.
type NamedTTS struct {
	Name  string // as configured
	Kind  string // openai, deepgram, telnyx, elevenlabs, local
	TTS   TTS
	SSML  bool   // it understands Speech.SSML
	Voice string // the one for names that it does not know; "": one that fits the person
	Aside bool   // it speaks only for names that lead to it

	// Timeout is how long the first sound may take until the next provider
	// is asked too; 0: 10 s.
	Timeout time.Duration
}

// VoiceChoice is who speaks for a name.
type VoiceChoice struct {
	Provider string  // its name; "": the first of the chain
	Voice    string  // its own name of the voice; "": one that fits the document's
	Language string  // BCP 47; "": the document's
	Rate     float64 // times the document's; 0 counts as 1
}

// Latency is what one use of a provider took.
type Latency struct {
	Provider string        // its name; "cache" for what was there
	Kind     string        // "tts", "asr"
	First    time.Duration // until the first sound or result; 0: there was none
	Total    time.Duration
	Err      error // nil: it went well, or was not wanted any more
}

// Speaker is the [TTS] of a server. It finds the provider that the name of a
// voice asks for, goes on with the next one when that fails, keeps what was
// said in a cache, and measures. It is safe for concurrent use.
//
// A text is voiced by the sentence. When a provider fails within one, the next
// one says that sentence from its beginning: what was heard of it is heard
// again, and nothing is lost. A provider that failed is left alone for a while,
// as [health] says; one whose first sound is late races with the next.
type Speaker struct {
	voices  []*voice
	table   map[string]VoiceChoice // by lower-case name
	cache   *VoiceCache
	flights flights
	observe func(Latency)
}

// voice is a provider and how it does.
type voice struct {
	NamedTTS
	health health
}

// NewSpeaker is the Speaker of a configuration.
func NewSpeaker(c SpeakerConfig) *Speaker {
	s := &Speaker{table: make(map[string]VoiceChoice), cache: c.Cache, observe: c.Observe}
	if s.observe == nil {
		s.observe = func(Latency) {}
	}
	for _, v := range c.Voices {
		v.Timeout = cmp.Or(v.Timeout, defaultTimeout)
		s.voices = append(s.voices, &voice{NamedTTS: v})
	}
	for name, choice := range c.Table {
		s.table[strings.ToLower(name)] = choice
	}
	return s
}

const defaultTimeout = 10 * time.Second

// candidate is one way to say a text.
type candidate struct {
	*voice
	speech Speech // as the provider is given it
}

// Speak yields the sound of speech as [TTS] says. Texts that are asked for at
// once by several calls are voiced once.
func (s *Speaker) Speak(ctx context.Context, speech Speech, rate int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		if ctx.Err() != nil {
			yield(nil, context.Cause(ctx))
			return
		}
		gain := gainOf(speech.Volume)
		speech.Volume = 0
		louder := func(f pcm.Frame, err error) bool {
			if gain != 1 {
				amplify(f, gain)
			}
			return yield(f, err)
		}
		ways := s.candidates(speech)
		if s.cache == nil {
			s.say(ctx, ways, rate, louder)
			return
		}
		if sound, ok := s.cached(ways, rate); ok {
			tell(ctx, s.observe, Latency{Provider: "cache", Kind: "tts"})
			for f := range slices.Chunk(slices.Clone(sound), max(1, pcm.FrameLen(rate))) {
				if !louder(f, nil) {
					return
				}
			}
			return
		}
		f := s.flights.join(ctx, keyOf("", speech, rate), func(ctx context.Context, put func(pcm.Frame)) error {
			return s.voiceAndKeep(ctx, ways, rate, put)
		})
		defer s.flights.leave(f)
		f.listen(ctx, louder)
	}
}

// cached is the sound of the first of ways that is in the cache, if all before
// it are out of service.
func (s *Speaker) cached(ways []candidate, rate int) ([]int16, bool) {
	for _, way := range ways {
		if sound, ok := s.cache.get(keyOf(way.Name, way.speech, rate)); ok {
			return sound, true
		}
		if way.health.ready() {
			return nil, false
		}
	}
	return nil, false
}

// voiceAndKeep voices a text, gives each frame to put, and keeps the whole in
// the cache if one provider has said all of it.
func (s *Speaker) voiceAndKeep(ctx context.Context, ways []candidate, rate int, put func(pcm.Frame)) error {
	var all []int16
	var failed error
	by := s.say(ctx, ways, rate, func(f pcm.Frame, err error) bool {
		if err != nil {
			failed = err
			return false
		}
		all = append(all, f...)
		put(f)
		return true
	})
	if failed == nil && by != nil && len(all) > 0 {
		s.cache.put(keyOf(by.Name, by.speech, rate), pcm.Clip{Rate: rate, Samples: all})
	}
	return failed
}

// keyOf names a sound: what is said, by whom, how, and at what rate.
func keyOf(provider string, s Speech, rate int) soundKey {
	return newKey(fmt.Appendf(nil, "%q %q %q %q %q %g %g %q %q %q %q %d", provider, s.Text, s.SSML, s.Voice, s.Language,
		s.Rate, s.Pitch, s.Gender, s.Effect, s.Region, s.LanguageBoost, rate))
}

// candidates are the ways to say speech, the best first: the provider that the
// voice's name leads to, then the chain.
func (s *Speaker) candidates(speech Speech) []candidate {
	choice, named := s.choice(speech.Voice)
	if choice.Language != "" {
		speech.Language = choice.Language
	}
	speech.Rate = cmp.Or(speech.Rate, 1) * cmp.Or(choice.Rate, 1)
	var first, rest, foreign []candidate
	for _, v := range s.voices {
		to := speech
		if !v.SSML {
			to.SSML = ""
		}
		chosen := named && (choice.Provider == v.Name || choice.Provider == "" && len(first) == 0 && !v.Aside)
		fits := true
		if chosen && choice.Voice != "" {
			to.Voice = choice.Voice
		} else {
			fits = to.fit(v.Kind, v.Voice)
		}
		if v.SSML {
			to.mark()
		}
		way := candidate{v, to}
		switch {
		case chosen || !named && len(first) == 0 && isOwn(v.Kind, speech.Voice):
			first = append(first, way)
		case v.Aside:
		case fits:
			rest = append(rest, way)
		default:
			foreign = append(foreign, way)
		}
	}
	return slices.Concat(first, rest, foreign)
}

// choice is what the table says of a name: the entry of the name itself, else
// the longest beginning of it before a *.
func (s *Speaker) choice(name string) (VoiceChoice, bool) {
	name = strings.ToLower(name)
	if c, ok := s.table[name]; ok {
		return c, true
	}
	var found VoiceChoice
	longest := -1
	for pattern, c := range s.table {
		if beginning, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasPrefix(name, beginning) && len(beginning) > longest {
			found, longest = c, len(beginning)
		}
	}
	return found, longest >= 0
}

// gainOf is the factor of a volume in dB.
func gainOf(db float64) float64 {
	if math.IsNaN(db) {
		return 1
	}
	return math.Pow(10, min(db, 20)/20)
}

// amplify multiplies f, without wrapping.
func amplify(f pcm.Frame, gain float64) {
	for i, v := range f {
		f[i] = int16(max(math.MinInt16, min(math.MaxInt16, math.Round(float64(v)*gain))))
	}
}

type watchKey struct{}

// Watch is ctx whose uses of providers are told to f as well, such as those of one
// call. F must not block. A text that several ask for at once is told to the first.
func Watch(ctx context.Context, f func(Latency)) context.Context {
	return context.WithValue(ctx, watchKey{}, f)
}

// tell tells l to those who observe all uses and to who watches ctx.
func tell(ctx context.Context, observe func(Latency), l Latency) {
	observe(l)
	if watch, ok := ctx.Value(watchKey{}).(func(Latency)); ok {
		watch(l)
	}
}

// LogLatency is an Observe that logs faults and, for those who look closely,
// times. Neither has anything of what was said.
func LogLatency(log *slog.Logger) func(Latency) {
	return func(l Latency) {
		if c, ok := errors.AsType[*crash](l.Err); ok {
			log.Error("speech", "provider", l.Provider, "kind", l.Kind, "stack", string(c.stack))
			return
		}
		if l.Err != nil {
			log.Warn("speech", "provider", l.Provider, "kind", l.Kind, "error", l.Err)
			return
		}
		log.Debug("speech", "provider", l.Provider, "kind", l.Kind, "first", l.First, "total", l.Total)
	}
}
