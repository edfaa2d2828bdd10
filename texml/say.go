package texml

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Say speaks text.
type Say struct {
	base
	Parts    []Part // what a voice without SSML speaks
	SSML     string // the inside of the element as XML; "" if it has no marks
	Voice    string // "man" if not written; Polly.<Id>, Telnyx.<Model>.<Voice>, …
	Language string // BCP 47; "" if not written: the voice's own, en-US for man, woman and alice
	Loop     int    // rounds; 0: until hang-up, in Telnyx only

	VoiceSpeed          float64 // 0.1 to 2, 1 is normal
	Gender              string  // Male or Female, for Azure voices
	Effect              string  // eq_telecomhp8k or eq_car, for Azure voices
	APIKeyRef           string  // api_key_ref in XML
	Region              string
	PronunciationDictID string
	LanguageBoost       string
}

// Part is a run of text spoken in one language, in one way, then silence.
type Part struct {
	Text     string        // white space collapsed; may be empty
	SSML     string        // the same with the marks that are left to the voice: emphasis, phoneme, say-as, sub, w, amazon:…; "" if it has none
	Pause    time.Duration // after the text
	Language string        // BCP 47; "": that of the <Say>
	Rate     float64       // 1 is normal; VoiceSpeed comes on top
	Volume   float64       // dB above the usual, up to 10; -Inf is silence as long as the text
	Pitch    float64       // percent above the voice's own, from -50 to 100
}

// Text gives the plain text of all parts.
func (s *Say) Text() string {
	if len(s.Parts) == 1 {
		return s.Parts[0].Text
	}
	var texts []string
	for _, p := range s.Parts {
		if p.Text != "" {
			texts = append(texts, p.Text)
		}
	}
	return strings.Join(texts, " ")
}

func say(e *element) Node {
	s := &Say{
		base:     e.base(),
		Voice:    voice(e.attr("voice", 13511)),
		Language: e.attr("language", 13512).text(),
		Loop:     loop(e, 13510, 10),

		VoiceSpeed:          e.attr("voiceSpeed", 13513).on(Telnyx).number(1, 0.1, 2),
		Gender:              e.attr("gender", 0).on(Telnyx).oneOf("", "Male", "Female"),
		Effect:              e.attr("effect", 0).on(Telnyx).oneOf("", "eq_telecomhp8k", "eq_car"),
		APIKeyRef:           e.attr("api_key_ref", 0).on(Telnyx).text(),
		Region:              e.attr("region", 0).on(Telnyx).text(),
		PronunciationDictID: e.attr("pronunciationDictId", 0).on(Telnyx).text(),
		LanguageBoost:       e.attr("languageBoost", 0).on(Telnyx).text(),
	}
	s.Parts, s.SSML = spoken(e)
	if len(s.Parts) == 0 {
		e.slip(Warning, is(e, 90010, 13520), "<Say> has no text and is skipped", "put words inside, or use <Pause>", "Twilio skips it with warning 13520")
		return nil
	}
	if n, most := utf8.RuneCountInString(s.Text()), is(e, 5000, 4096); n > most {
		e.slip(Warning, is(e, 90010, 13521), "<Say> has "+strconv.Itoa(n)+" characters, more than "+strconv.Itoa(most)+"; all are spoken here",
			"split it", "Telnyx refuses it (90010); Twilio logs 13521")
	}
	return s
}

// loop reads the rounds of Say and Play. Twilio ends a loop of 0 after 1000.
func loop(e *element, code, telnyxMost int) int {
	a := e.attr("loop", code)
	if f, ok := a.parse(); ok && a.index >= 0 && f < 0 {
		a.bad("is out of range; 1 is used", "write 0 for ever, or the number of rounds") // 0 would be for ever
		return 1
	}
	n := a.whole(1, 0, is(e, telnyxMost, 1000))
	if n == 0 && e.p.dialect == Twilio {
		n = 1000
	}
	return n
}

// voice gives the name of a voice, with notes on those that one platform lacks.
func voice(a attr) string {
	if !a.written() {
		return "man"
	}
	v := strings.TrimSpace(a.value)
	for _, known := range []string{"man", "woman", "alice"} {
		if v == known {
			return v
		}
		if equalFold(v, known) {
			a.bad("has the wrong case; "+known+" is used", "write "+known)
			return known
		}
	}
	vendor, _, dotted := strings.Cut(v, ".")
	switch {
	case v == "":
		a.bad("is empty; man is used", "write man, woman, alice or the name of a voice")
		return "man"
	case !dotted:
		a.slip(Note, 13511, "voice "+quoted(v)+" is one of your own server; Telnyx and Twilio do not know it", "man, woman, alice and Polly.… work everywhere", "")
	case a.e.p.dialect == Telnyx && vendor == "Google":
		a.slip(Note, 13511, "TeXML has no Google voices; TwiML has them", "", "")
	case a.e.p.dialect == Twilio && (vendor == "Telnyx" || vendor == "ElevenLabs" || vendor == "Azure" || vendor == "AWS"):
		a.slip(Note, 13511, "TwiML has no "+vendor+" voices in <Say>; TeXML has them", "", "Twilio logs 13511")
	}
	return v
}
