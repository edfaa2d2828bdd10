package texml

// VirtualAgent is a Dialogflow agent, which only Twilio has.
type VirtualAgent struct {
	base
	ConnectorName        string
	Language             string
	SentimentAnalysis    bool
	StatusCallback       string
	StatusCallbackMethod string
	Parameters, Configs  []Parameter
}

func virtualAgent(e *element) Node {
	e.unsupported(12200, "use <Agent>, or <ConversationRelay> to your own server")
	v := &VirtualAgent{
		base:                 e.base(),
		ConnectorName:        e.attr("connectorName", 0).text(),
		Language:             e.attr("language", 0).text(),
		SentimentAnalysis:    e.attr("sentimentAnalysis", 0).boolean(false),
		StatusCallback:       e.attr("statusCallback", 0).url(),
		StatusCallbackMethod: e.attr("statusCallbackMethod", 0).method("POST"),
	}
	v.Parameters, v.Configs = parametersAndConfigs(e)
	return v
}
