package texml

// Redirect goes on with another document.
type Redirect struct {
	base
	URL    string // "": the current document
	Method string
}

func redirect(e *element) Node {
	r := &Redirect{base: e.base(), Method: e.attr("method", 13710).method("POST")}
	at := e.text
	r.URL = e.content()
	return e.withURL(r, &r.URL, at)
}
