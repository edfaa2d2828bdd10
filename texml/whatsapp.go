package texml

// WhatsApp is a WhatsApp account to call, which only Twilio can.
type WhatsApp struct {
	base
	URL, Method string
	StatusCallbacks
	Number string
}

func whatsApp(e *element) Node {
	e.unsupported(12200, "call the phone by <Number>")
	return &WhatsApp{
		base:            e.base(),
		URL:             e.attr("url", 0).url(),
		Method:          e.attr("method", 0).method("POST"),
		StatusCallbacks: statusCallbacks(e, completed, "initiated", "ringing", "answered", "completed"),
		Number:          e.content(),
	}
}
