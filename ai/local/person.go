package local

import "strings"

// person is what can be kept of a cloud voice on this machine.
type person struct {
	language string // lower case: "en-us"
	male     bool
}

// primary is the language of a tag without its region.
func primary(language string) string {
	p, _, _ := strings.Cut(language, "-")
	return p
}

// personOf is the person behind the voice names of the platforms: man, woman,
// alice, Polly.Joanna-Neural, Google.en-US-Standard-B, Azure.de-DE-KatjaNeural,
// Telnyx.KokoroTTS.am_adam. A name that carries a language speaks that one,
// whatever the document's language says; unknown names are women.
func personOf(voice, language string) person {
	p := person{language: strings.ToLower(strings.ReplaceAll(language, "_", "-"))}
	if p.language == "" {
		p.language = "en-us"
	}
	voice = strings.TrimPrefix(voice, "AWS.")
	provider, name, _ := strings.Cut(voice, ".")
	switch strings.ToLower(provider) {
	case "man", "male":
		p.male = true
	case "polly":
		name, _, _ = strings.Cut(name, "-") // -Neural, -Generative
		if known, ok := polly(name); ok {
			p = known
		}
	case "google":
		if l, rest := leadingTag(name); l != "" {
			p.language = l
			letter := rest[strings.LastIndex(rest, "-")+1:]
			men := "BD"
			if l == "en-us" {
				men = "ABDIJ"
			}
			p.male = len(letter) == 1 && strings.Contains(men, letter)
		}
	case "azure":
		if l, rest := leadingTag(name); l != "" {
			p.language = l
			p.male = strings.Contains(azureMen, " "+strings.TrimSuffix(strings.TrimSuffix(rest, "Neural"), "Multilingual")+" ")
		}
	case "telnyx":
		// Kokoro names its voices by language and sex: am_adam, bf_emma.
		_, id, _ := strings.Cut(name, ".")
		p.male = len(id) > 1 && id[1] == 'm' && (len(id) == 2 || id[2] == '_')
	}
	return p
}

// leadingTag cuts "en-US" off "en-US-Standard-B".
func leadingTag(name string) (language, rest string) {
	f := strings.SplitN(name, "-", 3)
	if len(f) < 3 || len(f[0]) < 2 || len(f[0]) > 3 || len(f[1]) != 2 {
		return "", name
	}
	return strings.ToLower(f[0] + "-" + f[1]), f[2]
}

// pollyVoices are the voices of Amazon Polly by language, men marked by an
// asterisk.
var pollyVoices = map[string]string{
	"en-us": "Joanna Ivy Kendra Kimberly Salli Ruth Danielle Tiffany Joey* Justin* Kevin* Matthew* Stephen* Gregory* Patrick*",
	"en-gb": "Amy Emma Brian* Arthur*", "en-au": "Nicole Olivia Russell*", "en-in": "Raveena Aditi Kajal", "en-ie": "Niamh", "en-nz": "Aria",
	"en-za": "Ayanda", "en-sg": "Jasmine", "en-gb-wls": "Geraint*", "cy-gb": "Gwyneth",
	"es-es": "Conchita Lucia Alba Enrique* Sergio* Raul*", "es-mx": "Mia Andres*", "es-us": "Lupe Penelope Miguel* Pedro*",
	"fr-fr": "Celine Lea Mathieu* Remi*", "fr-ca": "Chantal Gabrielle Liam*", "fr-be": "Isabelle",
	"de-de": "Marlene Vicki Hans* Daniel*", "de-at": "Hannah", "de-ch": "Sabrina", "it-it": "Carla Bianca Beatrice Giorgio* Adriano* Lorenzo*",
	"pt-br": "Camila Vitoria Ricardo* Thiago*", "pt-pt": "Ines Cristiano*", "nl-nl": "Lotte Laura Ruben*", "nl-be": "Lisa",
	"da-dk": "Naja Sofie Mads*", "sv-se": "Astrid Elin", "nb-no": "Liv Ida", "fi-fi": "Suvi", "is-is": "Dora Karl*", "pl-pl": "Ewa Maja Ola Jacek* Jan*",
	"ru-ru": "Tatyana Maxim*", "ro-ro": "Carmen", "tr-tr": "Filiz Burcu", "cs-cz": "Jitka", "ca-es": "Arlet", "ja-jp": "Mizuki Kazuha Tomoko Takumi*",
	"ko-kr": "Seoyeon Jihye", "cmn-cn": "Zhiyu", "yue-cn": "Hiujin", "arb": "Zeina", "ar-ae": "Hala Zayd*",
}

func polly(name string) (person, bool) {
	for language, names := range pollyVoices {
		for n := range strings.FieldsSeq(names) {
			if plainName, man := strings.CutSuffix(n, "*"); strings.EqualFold(plainName, name) {
				return person{language: language, male: man}, true
			}
		}
	}
	return person{}, false
}

// azureMen are the more frequent men among Azure's voices.
const azureMen = " Guy Davis Tony Jason Brandon Christopher Eric Jacob Roger Steffan Andrew Brian Ryan Thomas William Liam Conrad Killian Henri Alain Alvaro Jorge Alonso Diego Antonio Keita InJoon Yunxi Yunyang Hamed Prabhat Maarten Mattias Finn Jeppe Harri Marek Dmitry Ahmet "
