package texml

import "time"

// Record takes a message and posts where it is.
type Record struct {
	base
	Action      string // "" without HasAction: Twilio asks for the current document again
	HasAction   bool
	Method      string
	Timeout     time.Duration // silence that ends it; 0: none does
	FinishOnKey string
	MaxLength   time.Duration // 0: unlimited, in Telnyx only
	PlayBeep    bool
	Trim        bool
	Channels    string // single or dual
	Format      string // mp3 or wav
	HasFormat   bool
	RecordingCallbacks

	Transcription            bool // transcription (Telnyx) or transcribe (Twilio)
	TranscriptionCallback    string
	TranscriptionEngine      string // "": the default one
	TranscriptionModel       string
	TranscriptionLanguage    string
	RecordingConfigurationID string
}

func record(e *element) Node {
	action, format := e.attr("action", 0), e.attr("format", 0).on(Telnyx)
	r := &Record{
		base:               e.base(),
		Action:             action.url(),
		HasAction:          action.written(),
		Method:             e.attr("method", 13610).method("POST"),
		Timeout:            e.attr("timeout", 13611).seconds(is(e, 0, 5), 0, many),
		FinishOnKey:        e.attr("finishOnKey", 13613).keys("1234567890*#", gatherKeys),
		PlayBeep:           e.attr("playBeep", 13616).boolean(true),
		Trim:               trim(e.attr("trim", 13699), is(e, false, true)),
		Channels:           e.attr("channels", 0).on(Telnyx).oneOf(is(e, "dual", "single"), "single", "dual"),
		Format:             format.oneOf(is(e, "mp3", "wav"), "mp3", "wav"),
		HasFormat:          format.written(),
		RecordingCallbacks: recordingCallbacks(e, 13621),

		Transcription:            e.attr("transcription", 0).on(Telnyx).boolean(false),
		TranscriptionCallback:    e.attr("transcriptionCallback", 0).on(Telnyx).url(),
		TranscriptionEngine:      engine(e.attr("transcriptionEngine", 0).on(Telnyx)),
		TranscriptionModel:       e.attr("transcriptionModel", 0).on(Telnyx).text(),
		TranscriptionLanguage:    e.attr("transcriptionLanguage", 0).on(Telnyx).or("en-US"),
		RecordingConfigurationID: e.attr("recordingConfigurationId", 0).on(Twilio).text(),
	}
	transcribe := e.attr("transcribe", 13614).on(Twilio)
	r.Transcription = transcribe.boolean(r.Transcription)
	callback := e.attr("transcribeCallback", 0).on(Twilio)
	r.TranscriptionCallback = orDefault(r.TranscriptionCallback, callback.url())
	if callback.written() && !r.Transcription {
		callback.bad("is never requested without transcribe", `write transcribe="true" too`)
	}
	r.maxLength(e, transcribe.written() && r.Transcription)
	return r
}

// maxLength reads seconds. Twilio transcribes recordings of 2 to 120 s.
func (r *Record) maxLength(e *element, transcribed bool) {
	a := e.attr("maxLength", 13612)
	switch {
	case e.p.dialect == Twilio && transcribed:
		a.code = 13615
		r.MaxLength = a.seconds(120, 2, 120)
	case e.p.dialect == Twilio:
		r.MaxLength = a.seconds(3600, 2, 86400)
	default:
		r.MaxLength = a.seconds(3600, 0, 14400)
	}
}
