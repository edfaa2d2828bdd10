package texml

// Sim is a SIM card to call, which only Twilio can.
type Sim struct {
	base
	SID string
}

func sim(e *element) Node {
	e.unsupported(13258, "call the phone by <Number>")
	return &Sim{e.base(), e.content()}
}
