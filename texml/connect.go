package texml

// Connect hands the call to a service until that ends.
type Connect struct {
	base
	Action, Method string // Action "": the next verb runs
	Service        Node   // *Stream, *ConversationRelay, *AIAssistant, *Siprec; or one that is not supported
}

func connect(e *element) Node {
	c := &Connect{base: e.base(), Action: e.attr("action", 0).url(), Method: e.attr("method", 0).method("POST")}
	cases := templated(e.chars()) // each has its own noun
	services := e.nodes(0, "Stream", "ConversationRelay", "AIAssistant", "Siprec", "Room", "VirtualAgent", "Conversation", "AiSession",
		"ConversationRelaySession", "Autopilot", "Assistant")
	if len(services) == 0 {
		e.slip(Warning, 12200, "<Connect> connects to nothing and is skipped", "put <Stream> or <ConversationRelay> inside", ignored)
		return nil
	}
	if len(services) > 1 && !cases {
		e.slip(Warning, 12200, "<Connect> has more than one noun; the first is used", "give each a <Connect> of its own", ignored)
	}
	c.Service = services[0]
	return c
}
