package texml

// Autopilot is an assistant of a product that Twilio has withdrawn.
type Autopilot struct {
	base
	Assistant string
}

func autopilot(e *element) Node {
	e.unsupported(12200, "Twilio has withdrawn it; use <Agent>")
	return &Autopilot{e.base(), e.content()}
}
