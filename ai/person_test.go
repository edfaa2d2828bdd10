package ai

import "testing"

func TestPersonOf(t *testing.T) {
	tests := []struct {
		voice, language, want string
		male                  bool
	}{
		{"man", "en-US", "en-us", true},
		{"woman", "en-GB", "en-gb", false},
		{"alice", "fr-FR", "fr-fr", false},
		{"", "", "en-us", false},
		{"Polly.Joanna", "de-DE", "en-us", false},
		{"Polly.Matthew-Neural", "", "en-us", true},
		{"AWS.Polly.Hans", "en-US", "de-de", true},
		{"polly.vicki-generative", "", "de-de", false},
		{"Polly.Nobody", "it-IT", "it-it", false},
		{"Google.en-US-Standard-B", "", "en-us", true},
		{"Google.de-DE-Wavenet-A", "en-US", "de-de", false},
		{"Google.de-DE-Wavenet-B", "en-US", "de-de", true},
		{"Azure.de-DE-ConradNeural", "", "de-de", true},
		{"Azure.en-GB-SoniaNeural", "", "en-gb", false},
		{"Telnyx.KokoroTTS.am_adam", "", "en-us", true},
		{"Telnyx.KokoroTTS.af", "", "en-us", false},
		{"Telnyx.NaturalHD.astra", "es_MX", "es-mx", false},
		{"Telnyx.NaturalHD.amber", "", "en-us", false},
		{"ElevenLabs.Flash.x", "nl-NL", "nl-nl", false},
		{"Google.de-DE-Chirp3-HD-Kore", "", "de-de", false},
		{"Google.de-DE-Chirp3-HD-Charon", "", "de-de", true},
		{"Azure.de-DE-FlorianMultilingualNeural", "", "de-de", true},
		{"AWS.Polly.Takumi-Neural", "", "ja-jp", true},
		{"Telnyx.KokoroTTS.bm_george", "", "en-gb", true},
		{"Telnyx.NaturalHD.orion", "", "en-us", true},
		{"ElevenLabs.eleven_v3.JBFqnCBsd6RMkjVDRZzb", "", "en-us", true},
		{"aura-2-julius-de", "", "de-de", true},
		{"onyx", "sv-SE", "sv-se", true},
	}
	for _, tt := range tests {
		if got := PersonOf(tt.voice, tt.language); got != (Person{tt.want, tt.male}) {
			t.Errorf("%q in %q: %+v, want %s, male %v", tt.voice, tt.language, got, tt.want, tt.male)
		}
	}
}
