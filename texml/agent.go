package texml

import "github.com/beevik/etree"

// Agent hands the call to a conversation with a model. It is hookswitch's own
// verb: neither platform has it.
type Agent struct {
	base
	Element *etree.Element // as written
}

func agent(e *element) Node { return &Agent{e.base(), e.Element} }
