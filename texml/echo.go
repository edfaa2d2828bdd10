package texml

// Echo plays the caller's audio back until hang-up.
type Echo struct{ base }

func echo(e *element) Node {
	e.only(Twilio)
	return &Echo{e.base()}
}
