package texml

import "slices"

// verbNames are the elements that stand directly inside <Response>.
var verbNames = []string{
	"AIGather", "Agent", "Connect", "Dial", "Echo", "Enqueue", "Gather", "Hangup", "HttpRequest", "Leave", "Pause", "Pay", "Play",
	"Record", "Redirect", "Refer", "Reject", "Say", "Sms", "Start", "Stop",
}

// verb reads a verb and reports what is left over in it. It gives nil for one
// that cannot run.
func (e *element) verb() Node {
	mark := len(e.p.asked)
	var n Node
	switch e.name {
	case "AIGather":
		n = aiGather(e)
	case "Agent":
		return agent(e)
	case "Connect":
		n = connect(e)
	case "Dial":
		n = dial(e)
	case "Echo":
		n = echo(e)
	case "Enqueue":
		n = enqueue(e)
	case "Gather":
		n = gather(e)
	case "Hangup":
		n = hangup(e)
	case "HttpRequest":
		n = httpRequest(e)
	case "Leave":
		n = leave(e)
	case "Pause":
		n = pause(e)
	case "Pay":
		n = pay(e)
	case "Play":
		n = play(e)
	case "Record":
		n = record(e)
	case "Redirect":
		n = redirect(e)
	case "Refer":
		n = refer(e)
	case "Reject":
		n = reject(e)
	case "Say":
		n = say(e)
	case "Sms":
		n = sms(e)
	case "Start":
		n = start(e)
	case "Stop":
		n = stop(e)
	default:
		e.unknownVerb()
		return nil
	}
	e.done(mark)
	return n
}

// noun reads what stands inside a verb. It gives nil for one that cannot be
// used, and for verbs.
func (e *element) noun() Node {
	mark := len(e.p.asked)
	var n Node
	switch e.name {
	case "AIAssistant":
		n = aiAssistant(e)
	case "AiSession":
		n = aiSession(e)
	case "Application":
		n = application(e)
	case "Assistant":
		n = assistant(e)
	case "Autopilot":
		n = autopilot(e)
	case "Client":
		n = client(e)
	case "Conference":
		n = conference(e)
	case "Conversation":
		n = conversation(e)
	case "ConversationRelay":
		n = conversationRelay(e)
	case "ConversationRelaySession":
		n = conversationRelaySession(e)
	case "Number":
		n = number(e)
	case "Prompt":
		n = prompt(e)
	case "Queue":
		n = queue(e)
	case "Recording":
		n = recording(e)
	case "Room":
		n = room(e)
	case "Sim":
		n = sim(e)
	case "Sip":
		n = sip(e)
	case "Siprec":
		n = siprec(e)
	case "Stream":
		n = stream(e)
	case "Suppression":
		n = suppression(e)
	case "Task":
		n = task(e)
	case "Transcription":
		n = transcription(e)
	case "VirtualAgent":
		n = virtualAgent(e)
	case "WhatsApp":
		n = whatsApp(e)
	default:
		return nil
	}
	e.done(mark)
	return n
}

// unknownVerb reports a child of <Response> that is no verb.
func (e *element) unknownVerb() {
	if !e.p.tells(Warning) {
		return
	}
	if h := home(e.name); h != "" {
		e.slip(Warning, 12200, "<"+e.name+"> cannot be inside <Response>", h, ignored)
		return
	}
	fix := suggest(e.name, verbNames)
	switch {
	case slices.Contains(verbNames, e.Tag):
		fix = "names have no prefix: write " + e.Tag
	case e.name == "Message":
		fix = "it answers text messages, not calls: remove it"
	case fix == "":
		fix = "the verbs are " + andList(verbNames)
	}
	e.slip(Warning, 12200, "there is no verb <"+e.name+">", fix, ignored)
}

// home says where an element belongs that is not a verb; "" if it is unknown.
func home(name string) string {
	var parent string
	switch name {
	case "Number", "Sip", "Client", "Sim", "Application", "WhatsApp", "Conference", "Queue":
		parent = "Dial"
	case "Stream", "Siprec", "Transcription", "Recording", "Suppression":
		parent = "Start"
	case "Room", "VirtualAgent", "Autopilot", "Conversation", "AiSession", "ConversationRelaySession", "Assistant", "ConversationRelay", "AIAssistant":
		parent = "Connect"
	case "Task":
		parent = "Enqueue"
	case "Prompt":
		parent = "Pay"
	case "Language":
		parent = "ConversationRelay"
	case "Request", "Response", "Headers", "Body":
		parent = "HttpRequest"
	case "Greeting", "Voice", "Parameters", "MessageHistory", "InterruptionSettings":
		parent = "AIGather"
	case "Parameter", "Config":
		return "it belongs into a noun such as <Stream>"
	case "Identity":
		parent = "Client"
	case "ApplicationSid":
		parent = "Application"
	case "Uri":
		parent = "Sip"
	default:
		if slices.Contains(verbNames, name) {
			return "it is a verb and belongs directly into <Response>"
		}
		if markOf(name) != nil {
			return "it belongs into the text of <Say>"
		}
		return ""
	}
	return "it belongs into <" + parent + ">"
}

func knownElement(name string) bool { return home(name) != "" }
