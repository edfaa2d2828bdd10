package texml

// Refer moves the call to another SIP address by REFER (RFC 3515).
type Refer struct {
	base
	Action, Method string // Action "": the next verb runs
	URI            string
}

func refer(e *element) Node {
	r := &Refer{base: e.base(), Action: e.attr("action", 0).url(), Method: e.attr("method", 0).method("POST")}
	count, cases := 0, templated(e.chars())
	for c := e.kids(); c != nil; c = c.next {
		if !c.allowed(0, "Sip") {
			continue
		}
		if count++; count > 1 && !cases {
			c.slip(Warning, 12200, "<Refer> has more than one <Sip>; the first is used", "remove the others", ignored)
		}
		c.with(func(e *element) {
			if uri := e.content(); count == 1 && e.sipURI(uri) {
				r.URI = uri
			}
		})
	}
	if r.URI == "" {
		e.slip(Warning, 13243, "<Refer> names nobody and is skipped", "put <Sip>sip:name@host</Sip> inside", "")
		return nil
	}
	return r
}
