package ai

import (
	"slices"
	"strings"
)

// Person is who a voice sounds like: what can be kept of it when another
// provider speaks.
type Person struct {
	Language string // BCP 47 in lower case: "en-us"
	Male     bool
}

// PersonOf is the person behind the voice names of the platforms: man, woman,
// alice, Polly.Joanna-Neural, Google.en-US-Standard-B, Azure.de-DE-KatjaNeural,
// Telnyx.KokoroTTS.am_adam. A name that carries a language speaks that one,
// whatever the document's language says; unknown names are women, and speak
// American English if language is "" too.
func PersonOf(voice, language string) Person {
	p := Person{Language: strings.ToLower(strings.ReplaceAll(language, "_", "-"))}
	if p.Language == "" {
		p.Language = "en-us"
	}
	vendor, name := vendorOf(voice)
	switch vendor {
	case "man", "male":
		p.Male = true
	case "polly":
		if known, ok := pollyPerson(name); ok {
			p = known
		}
	case "google":
		p = googlePerson(name, p)
	case "azure":
		if l, rest := leadingTag(name); l != "" {
			p.Language = l
			p.Male = slices.Contains(strings.Fields(azureMen), azureName(rest))
		}
	case "telnyx":
		// Kokoro names its voices by language and sex: am_adam, bf_emma. The
		// other models have first names.
		_, id, _ := strings.Cut(name, ".")
		if len(id) > 1 && (len(id) == 2 || id[2] == '_') {
			p.Male = id[1] == 'm'
			if l, ok := kokoroLanguages[id[0]]; ok {
				p.Language = l
			}
		} else {
			p.Male = slices.Contains(strings.Fields(telnyxMen), strings.ToLower(id))
		}
	case "elevenlabs":
		id := name[strings.LastIndex(name, ".")+1:]
		p.Male = slices.Contains(strings.Fields(elevenLabsMen), id)
	}
	if own, ok := deepgramPerson(voice); ok {
		p = own
	}
	if slices.Contains(strings.Fields(openAIMen), strings.ToLower(voice)) {
		p.Male = true
	}
	return p
}

// vendorOf takes the maker, in lower case, off the name of a voice. AWS.Polly
// is Polly; the names of one word are makers by themselves.
func vendorOf(voice string) (vendor, name string) {
	vendor, name, _ = strings.Cut(voice, ".")
	if strings.EqualFold(vendor, "aws") {
		vendor, name, _ = strings.Cut(name, ".")
	}
	return strings.ToLower(vendor), name
}

// primary is the language of a tag without its region.
func primary(language string) string {
	p, _, _ := strings.Cut(language, "-")
	return strings.ToLower(p)
}

// leadingTag cuts "en-US" off "en-US-Standard-B".
func leadingTag(name string) (language, rest string) {
	f := strings.SplitN(name, "-", 3)
	if len(f) < 3 || len(f[0]) < 2 || len(f[0]) > 3 || len(f[1]) != 2 {
		return "", name
	}
	return strings.ToLower(f[0] + "-" + f[1]), f[2]
}

// pollyPerson is a voice of Polly by its id, whatever engine it names behind.
func pollyPerson(id string) (Person, bool) {
	id, _, _ = strings.Cut(id, "-") // -Neural, -Generative, -Long-Form
	for _, of := range pollyVoices {
		for n := range strings.FieldsSeq(of.ids) {
			if plain, man := strings.CutSuffix(n, "*"); strings.EqualFold(plain, id) {
				return Person{Language: of.language, Male: man}, true
			}
		}
	}
	return Person{}, false
}

// googlePerson reads en-US-Standard-B and en-US-Chirp3-HD-Kore. Google gives
// letters to both sexes, by another order in each language: B and D are men in
// most of them. A name of one word is a person of Chirp 3, who speaks anything.
func googlePerson(name string, p Person) Person {
	l, rest := leadingTag(name)
	if l != "" {
		p.Language = l
	} else {
		rest = name
	}
	letter := rest[strings.LastIndex(rest, "-")+1:]
	men := "BD"
	if l == "en-us" {
		men = "ABDIJ"
	}
	p.Male = len(letter) == 1 && strings.Contains(men, letter) || slices.Contains(strings.Fields(chirpMen), letter)
	return p
}

// azureName is the name in KatjaNeural and ConradMultilingualNeural.
func azureName(rest string) string {
	rest, _, _ = strings.Cut(rest, ":") // DragonHDLatestNeural and the like
	rest = strings.TrimSuffix(rest, "Neural")
	return strings.TrimSuffix(strings.TrimSuffix(rest, "Multilingual"), "V2")
}

// deepgramPerson reads aura-2-thalia-en.
func deepgramPerson(voice string) (Person, bool) {
	for _, of := range auraVoices {
		for n := range strings.FieldsSeq(of.ids) {
			plain, man := strings.CutSuffix(n, "*")
			if strings.EqualFold(voice, auraName(plain, of.language)) {
				return Person{Language: of.language, Male: man}, true
			}
		}
	}
	return Person{}, false
}

func auraName(name, language string) string { return "aura-2-" + name + "-" + primary(language) }
