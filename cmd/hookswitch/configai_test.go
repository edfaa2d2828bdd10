package main

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSpeechConfig(t *testing.T) {
	const file = `
ai:
  tts:
    main: {provider: elevenlabs, apiKey: k, timeout: 2s}
    spare: {provider: openai, baseUrl: "http://127.0.0.1:8880/v1", voice: af_heart}
  defaults: {tts: [main, local]}
  voices:
    Polly.*: spare
    "*": {voice: x, language: de-DE, rate: 1.5}
  cache: {folder: v, size: 2 gb}
`
	c, slips := parseConfig("conf/f", []byte(file), noEnv)
	if len(slips) != 0 {
		t.Fatal(slips)
	}
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"a timeout", c.AI.TTS["main"].Timeout, 2 * time.Second},
		{"a timeout that is not written", c.AI.TTS["spare"].Timeout, 10 * time.Second},
		{"a voice by the name of a provider alone", c.AI.Voices["Polly.*"], VoiceConfig{Provider: "spare"}},
		{"a voice in full", c.AI.Voices["*"], VoiceConfig{Voice: "x", Language: "de-DE", Rate: 1.5}},
		{"a folder counts from the file", c.AI.Cache.Folder, "conf/v"},
		{"a size in whatever case", c.AI.Cache.Size, Size(2 << 30)},
		{"the size that is not written", defaultConfig().AI.Cache.Size, Size(256 << 20)},
	} {
		if !reflect.DeepEqual(row.got, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, row.got, row.want)
		}
	}
}

func TestSpeechConfigSlips(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"a misspelt provider", "ai: {asr: {a: {provider: deepgramm, apiKey: k}}}", `1:26: ai.asr.a.provider: "deepgramm" is not one of openai, openai-realtime, deepgram, telnyx; did you mean deepgram?`},
		{"one that does not speak", "ai: {tts: {a: {provider: openai-realtime, apiKey: k}}}", `"openai-realtime" is not one of openai, deepgram, telnyx, elevenlabs, local; `},
		{"no key", "ai: {tts: {a: {provider: deepgram}}}", `1:15: ai.tts.a has no apiKey; write it, as in ${DEEPGRAM_API_KEY}`},
		{"no key of OpenAI", "ai: {asr: {a: {provider: openai-realtime}}}", `write it, as in ${OPENAI_API_KEY}`},
		{"a variable that is not set, told once", "ai: {tts: {a: {provider: deepgram, apiKey: '${NOT_SET}'}}}", `f:1:44: ai.tts.a.apiKey needs the environment variable NOT_SET, which is not set; set it, or write ${NOT_SET:-default}`},
		{"an extra that is misspelt", "ai: {tts: {a: {provider: openai, apiKey: k, extra: {instuctions: calm}}}}", `ai.tts.a.extra has no key "instuctions"; did you mean instructions?`},
		{"a default that is misspelt", "ai: {tts: {main: {provider: local}}, defaults: {tts: [mian]}}", `ai.defaults.tts[0]: there is no ai.tts.mian; did you mean main?`},
		{"a voice of nobody", "ai: {voices: {alice: lokal}}", `1:22: ai.voices.alice: there is no ai.tts.lokal; did you mean local?`},
		{"a star in the middle", "ai: {voices: {\"Polly.*-Neural\": local}}", `ai.voices.Polly.*-Neural has its * before the end; write the beginning of names`},
		{"no rate", "ai: {voices: {a: {rate: fast}}}", `1:25: ai.voices.a.rate: "fast" is no number from 0.25 to 4; write 1`},
		{"a size without unit", "ai: {cache: {size: 100}}", `1:20: ai.cache.size: "100" is no size; write it as 256MB`},
		{"a key that a voice has not", "ai: {voices: {a: {voise: x}}}", `ai.voices.a has no key "voise"; did you mean voice?`},
	} {
		cfg, slips := parseConfig("f", []byte(c.file), noEnv)
		if cfg != nil || len(slips) != 1 || !strings.Contains(slips.Error(), c.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", c.name, slips, c.want)
		}
	}
}
