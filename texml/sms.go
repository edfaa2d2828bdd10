package texml

// Sms sends a message, which hookswitch does not.
type Sms struct {
	base
	To, From       string
	Action, Method string
	StatusCallback string
	Body           string
}

func sms(e *element) Node {
	e.unsupported(14110, "there is no network for text messages here; send it from your own application, by the API of who sends them for you")
	return &Sms{
		base:           e.base(),
		To:             e.attr("to", 14101).text(),
		From:           e.attr("from", 14102).text(),
		Action:         e.attr("action", 0).url(),
		Method:         e.attr("method", 14104).method("POST"),
		StatusCallback: e.attr("statusCallback", 14105).url(),
		Body:           e.content(),
	}
}
