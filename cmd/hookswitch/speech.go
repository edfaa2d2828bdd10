package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/deepgram"
	"github.com/hookswitch/hookswitch/ai/elevenlabs"
	"github.com/hookswitch/hookswitch/ai/local"
	"github.com/hookswitch/hookswitch/ai/openai"
	"github.com/hookswitch/hookswitch/ai/telnyx"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/vad"
)

// speech is what a program speaks and listens with.
type speech struct {
	voice ai.TTS   // nil: nobody speaks
	ears  ai.ASR   // nil: nobody listens
	shown []string // who speaks, the first first
	heard []string // who listens
	none  error    // why voice is nil

	shut    []func() error
	warming sync.WaitGroup
	cold    context.CancelFunc
}

// newSpeech makes the providers of a configuration. Texts that were spoken are
// kept on disk if keep says so. It opens connections to the providers, and does
// not wait for them.
func newSpeech(cfg *Config, keep bool, log *slog.Logger) (*speech, error) {
	warm, cold := context.WithCancel(context.Background())
	s := &speech{cold: cold}
	observe := ai.LogLatency(log)
	ears := s.listeners(cfg.AI)
	if len(ears) > 0 {
		s.ears = ai.NewListener(ai.ListenerConfig{Ears: ears, Observe: observe})
	}
	voices := s.voices(cfg.AI, log)
	if len(voices) > 0 {
		cache, err := openVoiceCache(cfg, keep, log)
		if err != nil {
			cold()
			return nil, err
		}
		table := make(map[string]ai.VoiceChoice)
		for name, v := range cfg.AI.Voices {
			table[name] = ai.VoiceChoice{Provider: v.Provider, Voice: v.Voice, Language: v.Language, Rate: float64(v.Rate)}
		}
		s.voice = ai.NewSpeaker(ai.SpeakerConfig{Voices: voices, Table: table, Cache: cache, Observe: observe})
	}
	reach := func(provider any) {
		if w, ok := provider.(interface{ Warm(context.Context) error }); ok {
			s.warming.Go(func() {
				if err := w.Warm(warm); err != nil && warm.Err() == nil {
					log.Warn("a provider of speech is not reached", "error", err)
				}
			})
		}
	}
	for _, v := range voices {
		if !v.Aside {
			reach(v.TTS)
		}
	}
	for _, e := range ears {
		if !e.Aside {
			reach(e.ASR)
		}
	}
	return s, nil
}

func openVoiceCache(cfg *Config, keep bool, log *slog.Logger) (*ai.VoiceCache, error) {
	c := ai.VoiceCacheConfig{Log: log}
	if keep {
		c.Folder, c.Disk = cmp.Or(cfg.AI.Cache.Folder, filepath.Join(cfg.Data, "voices")), int64(cfg.AI.Cache.Size)
	}
	return ai.OpenVoiceCache(c)
}

// inOrderOf are the names of providers: those of the defaults, then the others,
// which are aside if there are defaults.
func inOrderOf(have map[string]Provider, defaults []string) (names []string, aside func(name string) bool) {
	names = slices.Clone(defaults)
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, func(name string) bool { return len(defaults) > 0 && !slices.Contains(defaults, name) }
}

// voices are the providers that speak, the local voices last unless the
// configuration names them.
func (s *speech) voices(c AIConfig, log *slog.Logger) (voices []ai.NamedTTS) {
	find := sync.OnceValues(local.Find)
	names, aside := inOrderOf(c.TTS, c.Defaults.TTS)
	if !slices.ContainsFunc(names, func(name string) bool { return name == "local" || c.TTS[name].Provider == "local" }) {
		names = append(names, "local")
	}
	for _, name := range names {
		p, configured := c.TTS[name]
		if !configured {
			p = Provider{Provider: "local"}
		}
		v := ai.NamedTTS{Name: name, Kind: p.Provider, Voice: p.Voice, Timeout: p.Timeout, Aside: configured && aside(name), SSML: p.Provider == "telnyx"}
		told := name + " (" + p.Provider + ")"
		switch p.Provider {
		case "openai":
			t := openai.NewTTS(openai.Config{Name: name, BaseURL: p.BaseURL, APIKey: p.APIKey, Model: p.Model, Voice: p.Voice, Language: p.Language, Timeout: p.Timeout, Extra: p.Extra})
			v.TTS = t
			s.shut = append(s.shut, t.Close)
		case "deepgram":
			t := deepgram.NewTTS(deepgram.Config{Name: name, BaseURL: p.BaseURL, APIKey: p.APIKey, Model: p.Model, Voice: p.Voice, Language: p.Language, Timeout: p.Timeout, Extra: p.Extra})
			v.TTS, v.Voice = t, cmp.Or(p.Voice, p.Model) // the same to Deepgram
			s.shut = append(s.shut, t.Close)
		case "telnyx":
			t := telnyx.NewTTS(telnyx.Config{Name: name, BaseURL: p.BaseURL, APIKey: p.APIKey, Model: p.Model, Voice: p.Voice, Language: p.Language, Timeout: p.Timeout, Extra: p.Extra})
			v.TTS = t
			s.shut = append(s.shut, t.Close)
		case "elevenlabs":
			t := elevenlabs.NewTTS(elevenlabs.Config{Name: name, BaseURL: p.BaseURL, APIKey: p.APIKey, Model: p.Model, Voice: p.Voice, Language: p.Language, Timeout: p.Timeout, Extra: p.Extra})
			v.TTS = t
			s.shut = append(s.shut, t.Close)
		case "local":
			t, err := find()
			if s.none = err; err != nil {
				if configured {
					log.Warn("ai.tts."+name+" does not speak", "error", err)
				}
				continue
			}
			v.TTS, told = t, t.String()
		}
		if !v.Aside {
			s.shown = append(s.shown, told)
		}
		voices = append(voices, v)
	}
	return voices
}

// listeners are the providers that understand speech.
func (s *speech) listeners(c AIConfig) (ears []ai.NamedASR) {
	names, aside := inOrderOf(c.ASR, c.Defaults.ASR)
	for _, name := range names {
		p := c.ASR[name]
		e := ai.NamedASR{Name: name, Kind: p.Provider, Aside: aside(name)}
		detector := func(rate int) func(pcm.Frame) bool { return vad.New(rate).Hear }
		switch p.Provider {
		case "openai":
			a := openai.NewASR(openai.Config{Name: name, BaseURL: p.BaseURL, APIKey: p.APIKey, Model: p.Model, Language: p.Language, Timeout: p.Timeout, Extra: p.Extra, Speech: detector})
			e.ASR = a
			s.shut = append(s.shut, a.Close)
		case "openai-realtime":
			a := openai.NewRealtimeASR(openai.Config{Name: name, BaseURL: p.BaseURL, APIKey: p.APIKey, Model: p.Model, Language: p.Language, Timeout: p.Timeout, Extra: p.Extra, Speech: detector})
			e.ASR = a
			s.shut = append(s.shut, a.Close)
		case "deepgram":
			a := deepgram.NewASR(deepgram.Config{Name: name, BaseURL: p.BaseURL, APIKey: p.APIKey, Model: p.Model, Language: p.Language, Timeout: p.Timeout, Extra: p.Extra})
			e.ASR = a
			s.shut = append(s.shut, a.Close)
		case "telnyx":
			a := telnyx.NewASR(telnyx.Config{Name: name, BaseURL: p.BaseURL, APIKey: p.APIKey, Model: p.Model, Language: p.Language, Timeout: p.Timeout, Extra: p.Extra})
			e.ASR = a
			s.shut = append(s.shut, a.Close)
		}
		if !e.Aside {
			s.heard = append(s.heard, name+" ("+p.Provider+")")
		}
		ears = append(ears, e)
	}
	return ears
}

// String tells who speaks, the first first.
func (s *speech) String() string {
	if s.voice == nil {
		return fmt.Sprintf("NONE, so <Say> is silent: %v", s.none)
	}
	return strings.Join(s.shown, ", then ")
}

// listens tells who understands speech, the first first.
func (s *speech) listens() string {
	if s.ears == nil {
		return "nobody, keys only; ai.asr in the configuration names who understands speech"
	}
	return strings.Join(s.heard, ", then ")
}

// close lets go of the providers, when nobody uses them any more.
func (s *speech) close() error {
	s.cold()
	s.warming.Wait()
	var errs []error
	for _, shut := range s.shut {
		errs = append(errs, shut())
	}
	return errors.Join(errs...)
}
