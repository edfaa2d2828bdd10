package texml

// AIAssistant is one of Telnyx's assistants, by its id.
type AIAssistant struct {
	base
	ID              string
	Join            string // an existing conversation
	ParticipantName string
	ParticipantRole string // user or assistant
}

func aiAssistant(e *element) Node {
	e.only(Telnyx)
	return &AIAssistant{
		base:            e.base(),
		ID:              e.attr("id", 0).need(),
		Join:            e.attr("join", 0).text(),
		ParticipantName: e.attr("participantName", 0).text(),
		ParticipantRole: e.attr("participantRole", 0).oneOf("user", "user", "assistant"),
	}
}
