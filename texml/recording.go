package texml

// Recording records the call while the verbs below run.
type Recording struct {
	base
	Label string // the name attribute
	RecordingCallbacks
	Channels                 string // single or dual
	Track                    string // inbound, outbound or both
	Trim                     bool
	Format                   string // mp3 or wav
	HasFormat                bool
	RecordingConfigurationID string
}

func recording(e *element) Node {
	format := e.attr("format", 0).on(Telnyx)
	r := &Recording{
		base:                     e.base(),
		Label:                    e.attr("name", 0).on(Twilio).text(),
		RecordingCallbacks:       recordingCallbacks(e, 13621),
		Channels:                 e.attr("channels", 0).oneOf("dual", "mono", "single", "dual"),
		Track:                    e.attr("track", 13622).oneOf("both", "inbound", "outbound", "both"),
		Trim:                     trim(e.attr("trim", 13699), is(e, false, true)),
		Format:                   format.oneOf(is(e, "mp3", "wav"), "mp3", "wav"),
		HasFormat:                format.written(),
		RecordingConfigurationID: e.attr("recordingConfigurationId", 0).on(Twilio).text(),
	}
	if r.Channels == "mono" {
		r.Channels = "single"
	}
	return r
}
