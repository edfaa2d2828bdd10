package texml

// AiSession is a session of an AI connector, which only Twilio has.
type AiSession struct {
	base
	AIConnector     string
	AIConfiguration string // aiSessionConfiguration in XML
}

func aiSession(e *element) Node {
	e.unsupported(12200, "use <Agent>, or <ConversationRelay> to your own server")
	return &AiSession{e.base(), e.attr("aiConnector", 0).text(), e.attr("aiSessionConfiguration", 0).text()}
}
