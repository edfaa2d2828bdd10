package texml

import "strings"

// Sip is a SIP address to call.
type Sip struct {
	base
	Leg
	URI                string // headers after ?, as in sip:a@b?X-Foo=bar
	Username, Password string
	URIs               []SipURI    // tried in order of priority; then URI is ""
	Headers            []Parameter // sent with the INVITE
}

// SipURI is one of several addresses of a <Sip>.
type SipURI struct {
	URI                string
	Priority, Weight   int // lower priorities first; equal ones in proportion to weight
	Username, Password string
}

func sip(e *element) Node {
	s := &Sip{
		base:     e.base(),
		Leg:      leg(e, 13241),
		Username: e.attr("username", 13249).text(),
		Password: e.attr("password", 13249).text(),
	}
	if (s.Username == "") != (s.Password == "") {
		e.slip(Warning, 13249, "<Sip> has one of username and password", "write both", "Twilio logs 13249")
	}
	s.URI = e.content()
	for c := e.kids(); c != nil; c = c.next {
		switch {
		case !c.allowed(13250, "Uri", "Headers"):
		case c.name == "Headers":
			c.with(func(e *element) { s.Headers = headers(e) })
		default:
			c.with(func(e *element) {
				if u := sipURI(e); u.URI != "" {
					s.URIs = append(s.URIs, u)
				}
			})
		}
	}
	if s.URI == "" && len(s.URIs) > 0 {
		return s
	}
	if !e.sipURI(s.URI) {
		return nil
	}
	return s
}

func sipURI(e *element) SipURI {
	u := SipURI{
		URI:      e.content(),
		Priority: e.attr("priority", 0).whole(0, 0, 65535),
		Weight:   e.attr("weight", 0).whole(1, 0, 65535),
		Username: e.attr("username", 13249).text(),
		Password: e.attr("password", 13249).text(),
	}
	if !e.sipURI(u.URI) {
		u.URI = ""
	}
	return u
}

// headers reads the <Header name value> of a <Headers>.
func headers(e *element) []Parameter {
	var found []Parameter
	for c := e.kids(); c != nil; c = c.next {
		if !c.allowed(13252, "Header") {
			continue
		}
		if h := c.pair(); strings.ContainsAny(h.Name+h.Value, "\r\n") || strings.ContainsAny(h.Name, " :") {
			c.slip(Warning, 13252, "a SIP header cannot be called "+quoted(h.Name)+" or has a line break", "write letters, digits and -", "Twilio logs 13252")
		} else {
			found = append(found, h)
		}
	}
	return found
}
