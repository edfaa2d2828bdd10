package texml

import "time"

// ConversationRelay turns the call into text for a server, and its text into
// speech, over a WebSocket.
type ConversationRelay struct {
	base
	Relay
	URL        string
	Languages  []Language
	Parameters []Parameter
}

// Relay is what <ConversationRelay> and <Assistant> have in common.
type Relay struct {
	WelcomeGreeting              string
	WelcomeGreetingInterruptible string // none, dtmf, speech, any
	Language                     string // BCP 47
	TTSLanguage                  string // "": Language
	TTSProvider                  string
	Voice                        string // "": the provider's default
	TranscriptionLanguage        string // "": Language
	TranscriptionProvider        string
	SpeechModel                  string // "": the provider's default
	Interruptible                string // none, dtmf, speech, any
	InterruptSensitivity         string // low, medium, high
	DTMFDetection                bool
	ReportInputDuringAgentSpeech string // none, dtmf, speech, any
	Preemptible                  bool
	PartialPrompts               bool
	ProfanityFilter              bool
	Hints                        []string
	Debug                        []string // debugging, speaker-events, tokens-played
	TextNormalization            string   // elevenlabsTextNormalization: on, auto, off
	IntelligenceService          string
	Events                       string
	SpeechTimeout                time.Duration // 0: the provider's default
	IgnoreBackchannel            bool
	BackgroundNoiseReduction     bool
	DeepgramSmartFormat          bool
	BackgroundAudio
}

// BackgroundAudio is a sound below the voice.
type BackgroundAudio struct{ BackgroundAudioType, BackgroundAudioValue string }

// Language is how one language is heard and spoken; what is empty comes from
// the relay.
type Language struct {
	Code                  string // BCP 47, or multi
	TTSProvider           string
	Voice                 string
	TranscriptionProvider string
	SpeechModel           string
	BackgroundAudio
}

func conversationRelay(e *element) Node {
	r := &ConversationRelay{base: e.base(), Relay: relay(e)}
	r.Languages, r.Parameters = relayChildren(e)
	if r.URL = e.attr("url", 64101).webSocket(); r.URL == "" {
		e.slip(Warning, 64101, "<ConversationRelay> goes nowhere and is skipped", `write url="wss://…"`, "")
		return nil
	}
	return r
}

func relay(e *element) Relay {
	return Relay{
		WelcomeGreeting:              e.attr("welcomeGreeting", 0).text(),
		WelcomeGreetingInterruptible: interruptible(e.attr("welcomeGreetingInterruptible", 0), "any"),
		Language:                     e.attr("language", 0).or("en-US"),
		TTSLanguage:                  e.attr("ttsLanguage", 0).on(Twilio).text(),
		TTSProvider:                  e.attr("ttsProvider", 0).on(Twilio).or(is(e, "", "ElevenLabs")),
		Voice:                        e.attr("voice", 0).text(),
		TranscriptionLanguage:        e.attr("transcriptionLanguage", 0).on(Twilio).text(),
		TranscriptionProvider:        e.attr("transcriptionProvider", 0).or(is(e, "", "Deepgram")),
		SpeechModel:                  e.attr("speechModel", 0).on(Twilio).text(),
		Interruptible:                interruptible(e.attr("interruptible", 0), "any"),
		InterruptSensitivity:         e.attr("interruptSensitivity", 0).on(Twilio).oneOf("high", "low", "medium", "high"),
		DTMFDetection:                e.attr("dtmfDetection", 0).boolean(false),
		ReportInputDuringAgentSpeech: interruptible(e.attr("reportInputDuringAgentSpeech", 0).on(Twilio), "none"),
		Preemptible:                  e.attr("preemptible", 0).on(Twilio).boolean(false),
		PartialPrompts:               e.attr("partialPrompts", 0).on(Twilio).boolean(false),
		ProfanityFilter:              e.attr("profanityFilter", 0).on(Twilio).boolean(true),
		Hints:                        e.attr("hints", 0).on(Twilio).list(),
		Debug:                        e.attr("debug", 0).on(Twilio).words("debugging", "speaker-events", "tokens-played"),
		TextNormalization:            e.attr("elevenlabsTextNormalization", 0).on(Twilio).oneOf("off", "on", "auto", "off"),
		IntelligenceService:          e.attr("intelligenceService", 0).on(Twilio).text(),
		Events:                       e.attr("events", 0).on(Twilio).text(),
		SpeechTimeout:                e.attr("speechTimeout", 0).on(Twilio).millis(0, 0, many),
		IgnoreBackchannel:            e.attr("ignoreBackchannel", 0).on(Twilio).boolean(false),
		BackgroundNoiseReduction:     e.attr("backgroundNoiseReduction", 0).on(Twilio).boolean(false),
		DeepgramSmartFormat:          e.attr("deepgramSmartFormat", 0).on(Twilio).boolean(false),
		BackgroundAudio:              backgroundAudio(e),
	}
}

// interruptible reads by what a voice is interrupted; true is any, false none.
func interruptible(a attr, def string) string {
	switch v := a.oneOf(def, "none", "dtmf", "speech", "any", "true", "false"); v {
	case "true":
		return "any"
	case "false":
		return "none"
	default:
		return v
	}
}

func backgroundAudio(e *element) BackgroundAudio {
	kind, value := e.attr("backgroundAudioType", 0).on(Telnyx), e.attr("backgroundAudioValue", 0).on(Telnyx)
	if kind.written() != value.written() {
		e.slip(Warning, 0, "<"+e.name+"> has one of backgroundAudioType and backgroundAudioValue; no sound is played", "write both", "")
		return BackgroundAudio{}
	}
	return BackgroundAudio{kind.oneOf("", "media_url"), value.text()}
}

// relayChildren reads <Language> and <Parameter>.
func relayChildren(e *element) (languages []Language, parameters []Parameter) {
	for c := e.kids(); c != nil; c = c.next {
		switch {
		case !c.allowed(0, "Language", "Parameter"):
		case c.name == "Parameter":
			parameters = append(parameters, c.pair())
		default:
			c.with(func(e *element) {
				l := Language{
					Code:                  e.attr("code", 0).need(),
					TTSProvider:           e.attr("ttsProvider", 0).text(),
					Voice:                 e.attr("voice", 0).text(),
					TranscriptionProvider: e.attr("transcriptionProvider", 0).text(),
					SpeechModel:           e.attr("speechModel", 0).text(),
					BackgroundAudio:       backgroundAudio(e),
				}
				if l.Code != "" {
					languages = append(languages, l)
				}
			})
		}
	}
	return languages, parameters
}
