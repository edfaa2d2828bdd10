package ai

import (
	"strings"
	"testing"
)

func TestCandidates(t *testing.T) {
	all := []NamedTTS{
		{Name: "main", Kind: "deepgram"}, {Name: "second", Kind: "openai", Voice: "sage"},
		{Name: "lab", Kind: "elevenlabs", Aside: true}, {Name: "tel", Kind: "telnyx", Aside: true, SSML: true}, {Name: "local", Kind: "local"},
	}
	table := map[string]VoiceChoice{
		"Polly.Joanna": {Provider: "second", Voice: "nova", Rate: 1.5}, "Polly.*": {Provider: "lab"}, "polly.m*": {Provider: "tel"},
		"german": {Language: "de-DE"}, "Azure.de-DE-*": {Provider: "local"},
	}
	for _, tt := range []struct{ name, voice, language, want string }{
		{"no name", "", "", "main=aura-2-thalia-en second=sage local="},
		{"a man", "man", "", "main=aura-2-apollo-en second=sage local=man"},
		{"another language", "woman", "fr-FR", "main=aura-2-agathe-fr second=sage local=woman"},
		{"a language that the first has not", "woman", "pl-PL", "second=sage local=woman main="},
		{"an exact name", "Polly.Joanna", "", "second=nova main=aura-2-thalia-en/en-US local=Polly.Joanna"},
		{"in other letters", "polly.joanna", "", "second=nova main=aura-2-thalia-en/en-US local=polly.joanna"},
		{"the beginning of names", "Polly.Hans", "", "lab=JBFqnCBsd6RMkjVDRZzb/de-DE main=aura-2-julius-de/de-DE second=sage/de-DE local=Polly.Hans"},
		{"the longer beginning counts", "Polly.Matthew", "", "tel=AWS.Polly.Matthew main=aura-2-apollo-en/en-US second=sage/en-US local=Polly.Matthew"},
		{"a language by the table", "german", "", "main=aura-2-viktoria-de/de-DE second=sage/de-DE local=german/de-DE"},
		{"local by the table", "Azure.de-DE-ConradNeural", "", "local=Azure.de-DE-ConradNeural main=aura-2-julius-de/de-DE second=sage/de-DE"},
		{"a name of one aside", "ElevenLabs.eleven_v3.abc", "", "lab=ElevenLabs.eleven_v3.abc main=aura-2-thalia-en second=sage local=ElevenLabs.eleven_v3.abc"},
		{"what another resells", "Azure.fr-FR-HenriNeural", "", "tel=Azure.fr-FR-HenriNeural main=aura-2-hector-fr/fr-FR second=sage/fr-FR local=Azure.fr-FR-HenriNeural"},
		{"a voice of the second", "onyx", "", "second=onyx main=aura-2-apollo-en local=onyx"},
		{"a voice of the first", "aura-2-zeus-en", "", "main=aura-2-zeus-en second=sage/en-US local=aura-2-zeus-en"},
		{"Google's are nobody's here", "Google.it-IT-Standard-D", "", "main=aura-2-dionisio-it/it-IT second=sage/it-IT local=Google.it-IT-Standard-D"},
	} {
		s := NewSpeaker(SpeakerConfig{Voices: all, Table: table})
		var got []string
		for _, c := range s.candidates(Speech{Text: "x", SSML: "<w>x</w>", Voice: tt.voice, Language: tt.language}) {
			way := c.Name + "=" + c.speech.Voice
			if c.speech.Language != tt.language {
				way += "/" + c.speech.Language
			}
			got = append(got, way)
			if (c.speech.SSML != "") != c.SSML {
				t.Errorf("%s: %s gets the marks %q", tt.name, c.Name, c.speech.SSML)
			}
			if want := map[bool]float64{true: 1.5, false: 1}[strings.EqualFold(tt.voice, "Polly.Joanna")]; c.speech.Rate != want {
				t.Errorf("%s: %s speaks at %g, want %g", tt.name, c.Name, c.speech.Rate, want)
			}
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestStandIns(t *testing.T) {
	for _, tt := range []struct{ name, voice, language, openai, telnyx string }{
		{"alice", "alice", "en-GB", "nova", "AWS.Polly.Amy"},
		{"a man of another region", "man", "en-IN", "onyx", "AWS.Polly.Matthew"},
		{"only a woman speaks it", "man", "fi-FI", "onyx", "AWS.Polly.Suvi"},
		{"Chinese", "woman", "zh-CN", "nova", "AWS.Polly.Zhiyu"},
		{"Arabic", "woman", "ar", "nova", "AWS.Polly.Zeina"},
		{"nobody speaks it", "woman", "et-EE", "nova", ""},
		{"Polly is behind AWS", "Polly.Vicki-Neural", "", "nova", "AWS.Polly.Vicki-Neural"},
	} {
		for kind, want := range map[string]string{"openai": tt.openai, "telnyx": tt.telnyx} {
			s := Speech{Voice: tt.voice, Language: tt.language}
			if fits := s.fit(kind, ""); s.Voice != want || fits != (want != "") {
				t.Errorf("%s of %s: %q, %v, want %q", tt.name, kind, s.Voice, fits, want)
			}
		}
	}
}

func TestMark(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    Speech
		want string
	}{
		{"as it is", Speech{Text: "a & b", Rate: 1}, ""},
		{"slower and higher", Speech{Text: "a & b", Rate: 0.75, Pitch: 10}, `<prosody rate="75%" pitch="+10%">a &amp; b</prosody>`},
		{"with marks of its own", Speech{Text: "a", SSML: "<w>a</w>", Rate: 2}, `<prosody rate="200%" pitch="+0%"><w>a</w></prosody>`},
	} {
		if tt.s.mark(); tt.s.SSML != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.s.SSML, tt.want)
		}
	}
}

func FuzzVoiceNames(f *testing.F) {
	for _, name := range []string{"", "man", "Polly.Joanna-Neural", "AWS.Polly.", "Google.en-US-Standard-B", "Azure.de-DE-x", "Telnyx.KokoroTTS.am_adam", "Telnyx.a.b", "ElevenLabs..", "aura-2-thalia-en", "*", "a*"} {
		f.Add(name, "de_DE")
	}
	s := NewSpeaker(SpeakerConfig{Voices: []NamedTTS{{Name: "a", Kind: "openai"}, {Name: "b", Kind: "deepgram"}, {Name: "c", Kind: "telnyx", SSML: true}, {Name: "d", Kind: "elevenlabs"}, {Name: "e", Kind: "local"}},
		Table: map[string]VoiceChoice{"Polly.*": {Provider: "b"}}})
	f.Fuzz(func(t *testing.T, voice, language string) {
		if got := len(s.candidates(Speech{Text: "x", Voice: voice, Language: language, Rate: 2})); got != 5 {
			t.Errorf("%d ways to speak, want 5", got)
		}
	})
}
