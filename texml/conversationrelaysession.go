package texml

// ConversationRelaySession is a stored relay, which only Twilio has.
type ConversationRelaySession struct {
	base
	Connector            string
	SessionConfiguration string
}

func conversationRelaySession(e *element) Node {
	e.unsupported(12200, "use <ConversationRelay> with the URL of your server")
	return &ConversationRelaySession{e.base(), e.attr("connector", 0).text(), e.attr("sessionConfiguration", 0).text()}
}
