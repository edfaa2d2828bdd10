package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// AIConfig names providers. Its keys are those of a playbook.
type AIConfig struct {
	ASR      map[string]Provider    `yaml:"asr"`
	LLM      map[string]Provider    `yaml:"llm" later:"yes"`
	TTS      map[string]Provider    `yaml:"tts"`
	Defaults AIDefaults             `yaml:"defaults"`
	Voices   map[string]VoiceConfig `yaml:"voices"`
	Cache    VoicesCache            `yaml:"cache"`
}

type Provider struct {
	Provider string            `yaml:"provider" need:"yes"`
	BaseURL  string            `yaml:"baseUrl" is:"url"`
	APIKey   string            `yaml:"apiKey"`
	Model    string            `yaml:"model"`
	Language string            `yaml:"language"`
	Voice    string            `yaml:"voice"`
	Timeout  time.Duration     `yaml:"timeout" default:"10s"`
	Extra    map[string]string `yaml:"extra"` // what only this provider knows
}

// AIDefaults are names of providers, the first first. Empty: all there are.
type AIDefaults struct {
	ASR []string `yaml:"asr"`
	LLM []string `yaml:"llm"`
	TTS []string `yaml:"tts"`
}

// VoiceConfig is who speaks for the name of a voice in documents.
type VoiceConfig struct {
	Provider string `yaml:"provider" short:"yes"` // a name of ai.tts; "": the first default
	Voice    string `yaml:"voice"`
	Language string `yaml:"language"`
	Rate     Rate   `yaml:"rate"`
}

// VoicesCache is where spoken texts are kept.
type VoicesCache struct {
	Folder string `yaml:"folder" path:"yes"` // "": voices in the data folder
	Size   Size   `yaml:"size" default:"256MB"`
}

// Rate is a speed of speech, 1 for the usual one; 0 counts as 1.
type Rate float64

func (r *Rate) UnmarshalText(text []byte) error {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(f >= 0.25 && f <= 4) {
		return errors.New("is no number from 0.25 to 4; write 1 for the usual speed")
	}
	*r = Rate(f)
	return nil
}

// Size is a number of bytes.
type Size int64

func (s *Size) UnmarshalText(text []byte) error {
	const remedy = "is no size; write it as 256MB (KB, MB or GB), or 0"
	number, factor := string(text), int64(0)
	for unit, bytes := range map[string]int64{"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30} {
		if n, ok := strings.CutSuffix(strings.ToUpper(number), unit); ok {
			number, factor = strings.TrimSpace(n), bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 || factor == 0 && n > 0 {
		return errors.New(remedy)
	}
	*s = Size(n * factor)
	return nil
}

// The kinds of providers there are.
var (
	asrKinds = []string{"openai", "openai-realtime", "deepgram", "telnyx"}
	ttsKinds = []string{"openai", "deepgram", "telnyx", "elevenlabs", "local"}
)

var openaiExtra = []string{"instructions", "prompt", "realtime", "words"}

// told reports whether there is a slip that begins so.
func (d *decoder) told(msg string) bool {
	return slices.ContainsFunc(d.slips, func(s *texml.Error) bool { return strings.HasPrefix(s.Msg, msg) })
}

// providers reports what is wrong between the keys of ai.
func (d *decoder) providers(c *Config, at func(path string) texml.Pos) {
	fatal := func(path, msg, fix string) { d.add(at(path), texml.Fatal, path+msg, fix) }
	for _, section := range []struct {
		name  string
		kinds []string // nil: not looked at
		have  map[string]Provider
		used  []string
	}{
		{"asr", asrKinds, c.AI.ASR, c.AI.Defaults.ASR},
		{"llm", nil, c.AI.LLM, c.AI.Defaults.LLM},
		{"tts", ttsKinds, c.AI.TTS, c.AI.Defaults.TTS},
	} {
		names := slices.Sorted(maps.Keys(section.have))
		if section.name == "tts" {
			names = append(names, "local")
		}
		for i, name := range section.used {
			if !slices.Contains(names, name) {
				fatal(fmt.Sprintf("ai.defaults.%s[%d]", section.name, i), fmt.Sprintf(": there is no ai.%s.%s", section.name, shortened(name)), meant(name, names, "add it, or write a name that is there"))
			}
		}
		for name, p := range section.have {
			path := "ai." + section.name + "." + name
			switch {
			case p.Provider == "" || section.kinds == nil:
			case !slices.Contains(section.kinds, p.Provider):
				fatal(path+".provider", fmt.Sprintf(": %q is not one of %s", shortened(p.Provider), strings.Join(section.kinds, ", ")), meant(p.Provider, section.kinds, "write one of them"))
			case p.APIKey == "" && p.BaseURL == "" && p.Provider != "local" && !d.told(path+".apiKey "):
				fatal(path, " has no apiKey", "write it, as in ${"+strings.ToUpper(strings.TrimSuffix(p.Provider, "-realtime"))+"_API_KEY}")
			}
			if strings.HasPrefix(p.Provider, "openai") { // those of the others go on to the service
				for _, key := range slices.Sorted(maps.Keys(p.Extra)) {
					if !slices.Contains(openaiExtra, key) {
						fatal(path+".extra", fmt.Sprintf(" has no key %q", shortened(key)), meant(key, openaiExtra, "write "+strings.Join(openaiExtra, ", ")))
					}
				}
			}
		}
	}
	names := append(slices.Collect(maps.Keys(c.AI.TTS)), "local")
	for pattern, v := range c.AI.Voices {
		path := "ai.voices." + pattern
		if v.Provider != "" && !slices.Contains(names, v.Provider) {
			fatal(path, fmt.Sprintf(": there is no ai.tts.%s", shortened(v.Provider)), meant(v.Provider, names, "add it, or write a name that is there"))
		}
		if i := strings.Index(pattern, "*"); i >= 0 && i < len(pattern)-1 {
			fatal(path, " has its * before the end", "write the beginning of names and then *, as in Polly.*")
		}
	}
}

// meant is the remedy for a name that is none of names.
func meant(name string, names []string, otherwise string) string {
	if n := texml.Nearest(name, names); n != "" {
		return "did you mean " + n + "?"
	}
	return otherwise
}
