package texml

// Start starts services that go on beside the verbs below.
type Start struct {
	base
	Action, Method string
	Services       []Node // *Stream, *Siprec, *Transcription, *Recording, *Suppression
}

func start(e *element) Node {
	s := &Start{
		base:     e.base(),
		Action:   e.attr("action", 0).on(Twilio).url(),
		Method:   e.attr("method", 0).on(Twilio).method("POST"),
		Services: e.nodes(14300, "Stream", "Siprec", "Transcription", "Recording", "Suppression"),
	}
	if len(s.Services) == 0 {
		e.slip(Warning, 14300, "<Start> starts nothing and is skipped", "put <Stream>, <Siprec>, <Transcription>, <Recording> or <Suppression> inside", "Twilio ends with error 14300")
		return nil
	}
	return s
}
