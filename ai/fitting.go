package ai

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// vendors are the makers whose voices a provider has, as documents name them.
// Telnyx resells those of others.
var vendors = map[string][]string{
	"telnyx":     {"telnyx", "polly", "azure", "minimax", "rime", "resemble", "inworld"},
	"deepgram":   {"deepgram"},
	"elevenlabs": {"elevenlabs"},
	"openai":     {"openai"},
}

// isOwn reports whether a name is one of the voices of a kind of provider.
func isOwn(kind, voice string) bool {
	vendor, _ := vendorOf(voice)
	switch {
	case slices.Contains(vendors[kind], vendor):
		return true
	case kind == "deepgram":
		return strings.HasPrefix(strings.ToLower(voice), "aura-")
	case kind == "openai":
		return slices.Contains(strings.Fields(openAIVoices), strings.ToLower(voice))
	}
	return false
}

// fit makes s the speech for a provider of kind, whose configured voice is
// configured ("": none): in the voice that the document names if it is one of
// its own, else in the configured one, else in one of the same sex and
// language. False says that it has no voice for the language.
func (s *Speech) fit(kind, configured string) bool {
	named := s.Voice
	if kind == "local" && configured == "" {
		return true // it knows all names by itself
	}
	if isOwn(kind, named) {
		vendor, name := vendorOf(named)
		switch {
		case vendor == "polly":
			s.Voice = "AWS.Polly." + name
		case vendor == "deepgram" || vendor == "openai":
			s.Voice = name
		}
		return true
	}
	const none = "none"
	if carried := PersonOf(named, none).Language; carried != none {
		s.Language = tag(carried)
	}
	person := PersonOf(named, s.Language)
	if configured != "" {
		s.Voice = configured
		own, ok := deepgramPerson(configured)
		return !ok || primary(own.Language) == primary(person.Language)
	}
	switch kind {
	case "openai":
		s.Voice = choose(person.Male, "onyx", "nova")
	case "elevenlabs":
		s.Voice = choose(person.Male, "JBFqnCBsd6RMkjVDRZzb", "EXAVITQu4vr4xnSDxMaL") // George, Sarah
	case "deepgram":
		id, language := standIn(auraVoices, person)
		if s.Voice = id; id != "" {
			s.Voice = auraName(id, language)
		}
		return id != ""
	case "telnyx":
		id, _ := standIn(pollyVoices, person)
		if s.Voice = id; id != "" {
			s.Voice = "AWS.Polly." + id
		}
		return id != ""
	default:
		s.Voice = ""
	}
	return true
}

// mark says speed and pitch of s in SSML, for voices that know them so only.
// Those that do not understand SSML read the text.
func (s *Speech) mark() {
	if s.Rate == 1 && s.Pitch == 0 {
		return
	}
	said := s.SSML
	if said == "" {
		var text strings.Builder
		xml.EscapeText(&text, []byte(s.Text)) // a Builder takes all
		said = text.String()
	}
	s.SSML = fmt.Sprintf(`<prosody rate="%.0f%%" pitch="%+.0f%%">%s</prosody>`, 100*s.Rate, s.Pitch, said)
}

func choose(male bool, man, woman string) string {
	if male {
		return man
	}
	return woman
}

// otherTags are languages that pollyVoices calls otherwise; the Hindi speakers are
// those of Indian English.
var otherTags = map[string]string{"zh": "cmn", "zh-cn": "cmn-cn", "zh-hk": "yue-cn", "ar": "arb", "no": "nb", "hi": "en-in", "hi-in": "en-in"}

// standIn is the first voice of the person's language and sex, of the same
// region if there is one: better from elsewhere than of the other sex, and
// better of the other sex than in another language. "" says that none speaks it.
func standIn(voices []speakers, p Person) (id, language string) {
	wanted := p.Language
	if other, ok := otherTags[wanted]; ok {
		wanted = other
	}
	for _, fits := range []func(l string, man bool) bool{
		func(l string, man bool) bool { return l == wanted && man == p.Male },
		func(l string, man bool) bool { return primary(l) == primary(wanted) && man == p.Male },
		func(l string, _ bool) bool { return l == wanted },
		func(l string, _ bool) bool { return primary(l) == primary(wanted) },
	} {
		for _, of := range voices {
			for name := range strings.FieldsSeq(of.ids) {
				if plain, man := strings.CutSuffix(name, "*"); fits(of.language, man) {
					return plain, of.language
				}
			}
		}
	}
	return "", ""
}

// tag is a BCP 47 tag with the capitals that it is mostly written with.
func tag(language string) string {
	parts := strings.Split(language, "-")
	for i := 1; i < len(parts); i++ {
		if len(parts[i]) == 2 {
			parts[i] = strings.ToUpper(parts[i])
		}
	}
	return strings.Join(parts, "-")
}
