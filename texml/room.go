package texml

// Room is a video room, which only Twilio has.
type Room struct {
	base
	Room                string // its name
	ParticipantIdentity string
}

func room(e *element) Node {
	e.unsupported(12200, "use <Dial><Conference> for a room of voices")
	return &Room{e.base(), e.content(), e.attr("participantIdentity", 0).text()}
}
