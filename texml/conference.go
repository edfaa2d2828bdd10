package texml

import (
	"strings"
	"time"
)

// Conference is a room of many.
type Conference struct {
	base
	Room                   string
	Muted                  bool
	Beep                   string // true, false, onEnter, onExit
	StartConferenceOnEnter bool
	EndConferenceOnExit    bool
	MaxParticipants        int
	ParticipantLabel       string

	Record           string // do-not-record or record-from-start
	RecordBeep       bool
	RecordingTimeout time.Duration // silence that ends the recording; 0: none does
	Trim             bool
	RecordingCallbacks
	SendRecordingURL         bool
	RecordingConfigurationID string

	StatusCallbacks
	WaitURL          string // "" with HasWaitURL: silence
	HasWaitURL       bool
	WaitMethod       string
	Coach            string // CallSid of the one participant who hears this one
	Region           string
	JitterBufferSize string // off, small, medium, large
	EventCallbackURL string
}

func conference(e *element) Node {
	telnyx := []string{"start", "end", "join", "leave", "speaker"}
	twilio := []string{"start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"}
	wait := e.attr("waitUrl", 13233)
	c := &Conference{
		base:                   e.base(),
		Muted:                  e.attr("muted", 13230).boolean(false),
		Beep:                   e.attr("beep", 13235).oneOf("true", "true", "false", "onEnter", "onExit"),
		StartConferenceOnEnter: e.attr("startConferenceOnEnter", 13232).boolean(true),
		EndConferenceOnExit:    e.attr("endConferenceOnExit", 13231).boolean(false),
		MaxParticipants:        e.attr("maxParticipants", 16002).whole(250, 2, is(e, 800, 250)),
		ParticipantLabel:       label(e.attr("participantLabel", 16023)),

		Record:                   conferenceRecord(e.attr("record", 13217)),
		RecordBeep:               e.attr("recordBeep", 0).on(Telnyx).boolean(true),
		RecordingTimeout:         e.attr("recordingTimeout", 0).on(Telnyx).seconds(0, 0, 14400),
		Trim:                     trim(e.attr("trim", 13239), is(e, false, true)),
		RecordingCallbacks:       recordingCallbacks(e, 13621),
		SendRecordingURL:         e.attr("sendRecordingUrl", 0).on(Telnyx).boolean(true),
		RecordingConfigurationID: e.attr("recordingConfigurationId", 0).on(Twilio).text(),

		StatusCallbacks:  statusCallbacks(e, nil, is(e, telnyx, twilio)...),
		WaitURL:          wait.url(),
		HasWaitURL:       wait.written(),
		WaitMethod:       e.attr("waitMethod", 13234).method("POST"),
		Coach:            e.attr("coach", 13240).on(Twilio).text(),
		Region:           e.attr("region", 0).on(Twilio).oneOf("", "us1", "us2", "ie1", "sg1", "br1", "au1", "jp1", "de1"),
		JitterBufferSize: e.attr("jitterBufferSize", 0).on(Twilio).oneOf("large", "off", "small", "medium", "large"),
		EventCallbackURL: e.attr("eventCallbackUrl", 0).on(Twilio).url(),
	}
	if c.Room = e.content(); c.Room == "" {
		e.slip(Warning, 13237, "<Conference> has no name and is skipped", "put the name of the room inside", "Twilio logs 13237")
		return nil
	}
	return c
}

// conferenceRecord reads when a recording starts. Twilio also has true and false.
func conferenceRecord(a attr) string {
	switch a.value {
	case "true":
		return "record-from-start"
	case "false":
		return "do-not-record"
	}
	return a.oneOf("do-not-record", "do-not-record", "record-from-start")
}

// label reads a name of up to 128 characters without a slash, which is no CallSid.
func label(a attr) string {
	v := a.text()
	sid := len(v) == 34 && strings.HasPrefix(v, "CA")
	if len([]rune(v)) > 128 || strings.Contains(v, "/") || sid {
		a.bad("is not a label and is ignored", "write up to 128 characters without /, other than a CallSid")
		return ""
	}
	return v
}
