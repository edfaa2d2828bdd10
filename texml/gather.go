package texml

import (
	"slices"
	"strings"
	"time"
)

// Gather collects keys or speech and posts them.
type Gather struct {
	base
	Input               []string // "dtmf", "speech" or both, in this order
	Action              string   // "" without HasAction: Twilio asks for the current document again
	Method              string   // "": the application's method (Telnyx)
	HasAction           bool
	Timeout             time.Duration // for the first input, and between keys
	NumDigits           int           // 0: no limit but MaxDigits
	MinDigits           int           // 1 to 128
	MaxDigits           int           // 1 to 128
	ValidDigits         string        // "": all
	InvalidDigitsAction string
	FinishOnKey         string // keys that end the input; "": none does
	ActionOnEmptyResult bool
	BargeIn             bool // input interrupts the prompts

	SpeechTimeout               time.Duration // silence that ends speech
	SpeechTimeoutAuto           bool          // the first pause ends speech; SpeechTimeout is then Timeout
	MaxSpeechTime               time.Duration // at most 60 s
	PartialResultCallback       string
	PartialResultCallbackMethod string
	Language                    string // BCP 47
	Hints                       []string
	Keyterms                    []string // Deepgram Nova-3
	SmartFormat                 bool     // Deepgram
	ProfanityFilter             bool
	SpeechModel                 string // speechModel or Telnyx's model; "default"
	Enhanced                    bool   // enhanced or Telnyx's useEnhanced
	TranscriptionEngine         string // "": the default one
	APIKeyRef                   string
	Region                      string
	Debug                       bool

	Prompts []Node // *Say, *Play, *Pause
}

func gather(e *element) Node {
	action := e.attr("action", 0)
	g := &Gather{
		base:                e.base(),
		Input:               input(e.attr("input", 13326)),
		Action:              action.url(),
		Method:              e.attr("method", 13312).on(Twilio).method(is(e, "", "POST")),
		HasAction:           action.written(),
		Timeout:             gatherTimeout(e.attr("timeout", 13313)),
		NumDigits:           e.attr("numDigits", 13314).whole(0, 1, is(e, 128, many)),
		MinDigits:           e.attr("minDigits", 0).on(Telnyx).whole(1, 1, 128),
		MaxDigits:           e.attr("maxDigits", 0).on(Telnyx).whole(128, 1, 128),
		ValidDigits:         e.attr("validDigits", 0).on(Telnyx).keys("", gatherKeys),
		InvalidDigitsAction: e.attr("invalidDigitsAction", 0).on(Telnyx).url(),
		FinishOnKey:         finishOnKey(e.attr("finishOnKey", 13310)),
		ActionOnEmptyResult: e.attr("actionOnEmptyResult", 13338).on(Twilio).boolean(false),
		BargeIn:             e.attr("bargeIn", 13332).on(Twilio).boolean(true),

		MaxSpeechTime:               e.attr("maxSpeechTime", 13328).on(Twilio).seconds(60, 1, 60),
		PartialResultCallback:       e.attr("partialResultCallback", 0).url(),
		PartialResultCallbackMethod: e.attr("partialResultCallbackMethod", 13329).method("POST"),
		Language:                    e.attr("language", 13331).or("en-US"),
		Hints:                       hints(e.attr("hints", 13330)),
		Keyterms:                    e.attr("keyterms", 0).on(Telnyx).list(),
		SmartFormat:                 e.attr("smartFormat", 0).on(Telnyx).boolean(true),
		ProfanityFilter:             e.attr("profanityFilter", 13333).boolean(true),
		SpeechModel:                 orDefault(e.attr("speechModel", 13334).on(Twilio).text(), e.attr("model", 0).on(Telnyx).or("default")),
		Enhanced:                    e.attr("enhanced", 0).on(Twilio).boolean(false),
		TranscriptionEngine:         engine(e.attr("transcriptionEngine", 0).on(Telnyx)),
		APIKeyRef:                   e.attr("apiKeyRef", 0).on(Telnyx).text(),
		Region:                      e.attr("region", 0).on(Telnyx).text(),
		Debug:                       e.attr("debug", 0).on(Twilio).boolean(false),
	}
	g.Enhanced = e.attr("useEnhanced", 0).on(Telnyx).boolean(g.Enhanced)
	g.speechTimeout(e)
	if g.MinDigits > g.MaxDigits {
		e.attr("minDigits", 0).bad("is more than maxDigits; the latter counts", "write the smaller number as minDigits")
		g.MinDigits = g.MaxDigits
	}
	g.Prompts = e.nodes(13320, "Say", "Play", "Pause")
	return g
}

// gatherTimeout reads seconds; "auto", which one list of Twilio's names, is the
// default.
func gatherTimeout(a attr) time.Duration {
	if a.e.p.dialect == Twilio && a.value == "auto" {
		return 5 * time.Second
	}
	return a.seconds(5, 1, is(a.e, 120, many))
}

// input gives the kinds of input in one order.
func input(a attr) []string {
	kinds := a.words("dtmf", "speech")
	switch {
	case len(kinds) == 0:
		return []string{"dtmf"}
	case slices.Contains(kinds, "speech") && slices.Contains(kinds, "dtmf"):
		return []string{"dtmf", "speech"}
	}
	return kinds[:1]
}

// finishOnKey reads a set of keys (Telnyx), or one key or none (Twilio).
func finishOnKey(a attr) string {
	keys := a.keys("#", gatherKeys)
	if a.e.p.dialect == Twilio && len(keys) > 1 {
		a.bad("has more than one key; "+keys[:1]+" is used", "write one key, or none")
		return keys[:1]
	}
	return keys
}

// speechTimeout reads seconds or "auto". Twilio wants a number once a model is
// named (13335).
func (g *Gather) speechTimeout(e *element) {
	a := e.attr("speechTimeout", 13327)
	g.SpeechTimeout = g.Timeout
	if a.value == "auto" {
		g.SpeechTimeoutAuto = true
		if e.p.dialect == Twilio && g.SpeechModel != "default" {
			a.code = 13335
			a.bad("does not go with speechModel", "write a number of seconds")
		}
		return
	}
	if a.written() {
		g.SpeechTimeout = a.seconds(int(g.Timeout/time.Second), 1, many)
	}
}

// hints reads up to 500 phrases of 100 characters each (Twilio).
func hints(a attr) []string {
	found := a.list()
	if a.e.p.dialect == Twilio {
		if len(found) > 500 {
			a.bad("has more than 500 phrases; the first 500 are used", "leave some out")
			found = found[:500]
		}
		if slices.ContainsFunc(found, func(h string) bool { return len([]rune(h)) > 100 }) {
			a.bad("has a phrase of more than 100 characters", "shorten it")
		}
	}
	return found
}

var engines = []string{
	"Google", "Telnyx", "Azure", "Deepgram", "xAI", "AssemblyAI", "Soniox", "Speechmatics", "Parakeet", "Humain", "Reson8", "Cohere",
}

// engine reads the name of a speech engine. Older pages of Telnyx write them in
// lower case, and as A (Google) and B (Telnyx). A name that no platform has
// stays as written: it may be that of a provider of the configuration.
func engine(a attr) string {
	v := strings.TrimSpace(a.value)
	switch v {
	case "A", "google":
		return "Google"
	case "B", "telnyx":
		return "Telnyx"
	case "deepgram":
		return "Deepgram"
	}
	if v == "" || templated(v) || slices.ContainsFunc(engines, func(known string) bool { return equalFold(v, known) }) {
		return a.oneOf("", engines...)
	}
	fix := "write " + orList(engines) + ", or keep it if ai.asr of the configuration has a provider of that name"
	if s := suggest(v, engines); s != "" {
		fix = s
	}
	a.slip(Note, 0, a.name+"="+quoted(a.value)+" of <"+a.e.name+"> is no engine of the platforms; a provider of that name in ai.asr hears, or else the default one", fix,
		"Telnyx uses its default and says nothing; Twilio logs a warning")
	return v
}
