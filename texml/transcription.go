package texml

// Transcription posts the words of a call while they are spoken. The names are
// Twilio's where the two platforms differ.
type Transcription struct {
	base
	Label                string // the name attribute
	Track                string // inbound_track, outbound_track, both_tracks; or Telnyx's transcriptionTracks
	StatusCallbackURL    string // or transcriptionCallback
	StatusCallbackMethod string // or transcriptionCallbackMethod
	LanguageCode         string // or language
	PartialResults       bool   // or interimResults
	TranscriptionEngine  string // "": the default one
	SpeechModel          string // or model; "": the engine's default
	Hints                []string
	Keyterms             []string
	SmartFormat          bool
	APIKeyRef            string
	Region               string

	ProfanityFilter            bool
	EnableAutomaticPunctuation bool
	InboundTrackLabel          string
	OutboundTrackLabel         string
	IntelligenceService        string
	EnableProviderData         bool
	ConversationConfiguration  string
	ConversationID             string
	Parameters, Configs        []Parameter
}

func transcription(e *element) Node {
	t := &Transcription{
		base:                 e.base(),
		Label:                e.attr("name", 0).on(Twilio).text(),
		Track:                tracks(e),
		StatusCallbackURL:    orDefault(e.attr("statusCallbackUrl", 0).on(Twilio).url(), e.attr("transcriptionCallback", 0).on(Telnyx).url()),
		StatusCallbackMethod: e.attr("statusCallbackMethod", 0).on(Twilio).method(""),
		LanguageCode:         orDefault(e.attr("languageCode", 0).on(Twilio).text(), e.attr("language", 0).on(Telnyx).or(is(e, "en", "en-US"))),
		PartialResults:       e.attr("partialResults", 0).on(Twilio).boolean(false),
		TranscriptionEngine:  engine(e.attr("transcriptionEngine", 0)),
		SpeechModel:          orDefault(e.attr("speechModel", 0).on(Twilio).text(), e.attr("model", 0).on(Telnyx).text()),
		Hints:                e.attr("hints", 0).list(),
		Keyterms:             e.attr("keyterms", 0).on(Telnyx).list(),
		SmartFormat:          e.attr("smartFormat", 0).on(Telnyx).boolean(true),
		APIKeyRef:            e.attr("apiKeyRef", 0).on(Telnyx).text(),
		Region:               e.attr("region", 0).on(Telnyx).text(),

		ProfanityFilter:            e.attr("profanityFilter", 0).on(Twilio).boolean(true),
		EnableAutomaticPunctuation: e.attr("enableAutomaticPunctuation", 0).on(Twilio).boolean(true),
		InboundTrackLabel:          e.attr("inboundTrackLabel", 0).on(Twilio).text(),
		OutboundTrackLabel:         e.attr("outboundTrackLabel", 0).on(Twilio).text(),
		IntelligenceService:        e.attr("intelligenceService", 0).on(Twilio).text(),
		EnableProviderData:         e.attr("enableProviderData", 0).on(Twilio).boolean(false),
		ConversationConfiguration:  e.attr("conversationConfiguration", 0).on(Twilio).text(),
		ConversationID:             e.attr("conversationId", 0).on(Twilio).text(),
	}
	method := e.attr("transcriptionCallbackMethod", 0).on(Telnyx).method("POST")
	t.StatusCallbackMethod = orDefault(t.StatusCallbackMethod, method)
	t.PartialResults = e.attr("interimResults", 0).on(Telnyx).boolean(t.PartialResults)
	t.Parameters, t.Configs = parametersAndConfigs(e)
	return t
}

// tracks reads Twilio's track or Telnyx's transcriptionTracks.
func tracks(e *element) string {
	track := e.attr("track", 0).on(Twilio).oneOf("", "inbound_track", "outbound_track", "both_tracks")
	other := e.attr("transcriptionTracks", 0).on(Telnyx).oneOf("", "inbound", "outbound", "both")
	switch {
	case track != "":
		return track
	case other == "both":
		return "both_tracks"
	case other != "":
		return other + "_track"
	}
	return is(e, "inbound_track", "both_tracks")
}

// parametersAndConfigs reads children <Parameter> and <Config>.
func parametersAndConfigs(e *element) (parameters, configs []Parameter) {
	for c := e.kids(); c != nil; c = c.next {
		switch {
		case !c.allowed(0, "Parameter", "Config"):
		case c.name == "Config":
			configs = append(configs, c.pair())
		default:
			parameters = append(parameters, c.pair())
		}
	}
	return parameters, configs
}
