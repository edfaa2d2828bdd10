package texml

// Reject refuses a call that is not answered yet; later it hangs up.
type Reject struct {
	base
	Reason     string // rejected or busy
	Parameters []Parameter
}

func reject(e *element) Node {
	return &Reject{e.base(), e.attr("reason", 13810).oneOf("rejected", "rejected", "busy"), e.parameters()}
}
