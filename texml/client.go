package texml

// Client is a registered softphone to call by its identity.
type Client struct {
	base
	URL, Method string
	StatusCallbacks
	Identity   string
	Parameters []Parameter
}

func client(e *element) Node {
	e.only(Twilio)
	c := &Client{
		base:            e.base(),
		URL:             e.attr("url", 0).url(),
		Method:          e.attr("method", 0).method("POST"),
		StatusCallbacks: statusCallbacks(e, completed, "initiated", "ringing", "answered", "completed"),
	}
	c.Identity, c.Parameters = named(e, "Identity")
	if c.Identity == "" {
		e.slip(Warning, 13223, "<Client> names nobody and is skipped", "put the identity inside", "Twilio logs 13223")
		return nil
	}
	return c
}

// named reads who is meant: the text of e, or of its child called name beside
// parameters.
func named(e *element, name string) (who string, found []Parameter) {
	who = e.content()
	for c := e.kids(); c != nil; c = c.next {
		switch {
		case !c.allowed(0, name, "Parameter"):
		case c.name == "Parameter":
			found = append(found, c.pair())
		default:
			c.with(func(e *element) { who = e.content() })
		}
	}
	return who, found
}
