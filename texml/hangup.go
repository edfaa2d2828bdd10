package texml

// Hangup ends the call.
type Hangup struct {
	base
	Parameters []Parameter
}

func hangup(e *element) Node { return &Hangup{e.base(), e.parameters()} }
