package texml

import "time"

// Conversation is a conversation of Twilio's messaging, which only Twilio has.
type Conversation struct {
	base
	ServiceInstanceSID       string
	InboundAutocreation      bool
	RoutingAssignmentTimeout time.Duration
	InboundTimeout           time.Duration
	URL, Method              string
	Record                   string
	Trim                     bool
	RecordingCallbacks
	StatusCallbacks
}

func conversation(e *element) Node {
	e.unsupported(12200, "use <Enqueue> and <Dial>")
	return &Conversation{
		base:                     e.base(),
		ServiceInstanceSID:       e.attr("serviceInstanceSid", 0).text(),
		InboundAutocreation:      e.attr("inboundAutocreation", 0).boolean(false),
		RoutingAssignmentTimeout: e.attr("routingAssignmentTimeout", 0).seconds(0, 0, many),
		InboundTimeout:           e.attr("inboundTimeout", 0).seconds(0, 0, many),
		URL:                      e.attr("url", 0).url(),
		Method:                   e.attr("method", 0).method("POST"),
		Record:                   dialRecord(e.attr("record", 0)),
		Trim:                     trim(e.attr("trim", 0), false),
		RecordingCallbacks:       recordingCallbacks(e, 0),
		StatusCallbacks:          statusCallbacks(e, nil, "call-initiated", "call-ringing", "call-answered", "call-completed"),
	}
}
