package texml

// StatusCallbacks are the attributes that ask for news of a leg, a room or a
// service.
type StatusCallbacks struct {
	StatusCallback       string
	StatusCallbackMethod string
	StatusCallbackEvent  []string // nil if there are none
}

// statusCallbacks reads the three; without events, def are sent.
func statusCallbacks(e *element, def []string, events ...string) StatusCallbacks {
	s := StatusCallbacks{
		StatusCallback:       e.attr("statusCallback", 0).url(),
		StatusCallbackMethod: e.attr("statusCallbackMethod", 0).method("POST"),
		StatusCallbackEvent:  e.attr("statusCallbackEvent", 0).words(events...),
	}
	if s.StatusCallbackEvent == nil {
		s.StatusCallbackEvent = def
	}
	return s
}

// RecordingCallbacks are the attributes that ask for news of a recording.
type RecordingCallbacks struct {
	RecordingStatusCallback       string
	RecordingStatusCallbackMethod string
	RecordingStatusCallbackEvent  []string // in-progress, completed, absent; completed if not written
}

func recordingCallbacks(e *element, code int) RecordingCallbacks {
	events := []string{"in-progress", "completed", "absent"}
	r := RecordingCallbacks{
		RecordingStatusCallback:       e.attr("recordingStatusCallback", 0).url(),
		RecordingStatusCallbackMethod: e.attr("recordingStatusCallbackMethod", 0).method("POST"),
		RecordingStatusCallbackEvent:  e.attr("recordingStatusCallbackEvent", code).words(events...),
	}
	if r.RecordingStatusCallbackEvent == nil {
		r.RecordingStatusCallbackEvent = completed
	}
	return r
}

var completed = []string{"completed"}

// trim reads whether silence is cut off both ends of a recording.
func trim(a attr, def bool) bool {
	if !a.written() {
		return def
	}
	name := "do-not-trim"
	if def {
		name = "trim-silence"
	}
	return a.oneOf(name, "trim-silence", "do-not-trim") == "trim-silence"
}
