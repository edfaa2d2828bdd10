package texml

// Assistant is one of Twilio's AI assistants, which only Twilio has.
type Assistant struct {
	base
	Relay
	ID         string
	Languages  []Language
	Parameters []Parameter
}

func assistant(e *element) Node {
	e.unsupported(12200, "use <Agent>, or <ConversationRelay> to your own server")
	a := &Assistant{base: e.base(), Relay: relay(e), ID: e.attr("id", 0).text()}
	a.Languages, a.Parameters = relayChildren(e)
	return a
}
