package texml

// Stop ends services that <Start> has started.
type Stop struct {
	base
	Services []Stopped
}

// Stopped is a service to end.
type Stopped struct {
	Kind  string // Stream, Siprec, Transcription, Recording, Suppression
	Label string // the name it was started with; "": the current one
}

func stop(e *element) Node {
	s := &Stop{base: e.base()}
	for c := e.kids(); c != nil; c = c.next {
		if !c.allowed(14300, "Stream", "Siprec", "Transcription", "Recording", "Suppression") {
			continue
		}
		if c.name == "Recording" {
			c.only(Twilio)
		} else if c.name == "Suppression" {
			c.only(Telnyx)
		}
		c.with(func(e *element) { s.Services = append(s.Services, Stopped{e.name, e.attr("name", 0).text()}) })
	}
	if len(s.Services) == 0 {
		e.slip(Warning, 14300, "<Stop> stops nothing and is skipped", `put what is to end inside, as in <Stream name="…"/>`, "")
		return nil
	}
	return s
}
