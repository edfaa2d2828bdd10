package texml

import "strconv"

// HTTPRequest calls a web service and keeps fields of its answer.
type HTTPRequest struct {
	base
	Async   bool   // goes on at once; Action is then not requested
	Action  string // gets the call's parameters and Fields
	URL     string
	Method  string
	Headers []Parameter
	Body    string

	Type       string // of the answer: JSON
	StatusCode int    // that it must have
	Fields     []Field
}

// Field is a value of the answer and the parameter that takes it.
type Field struct {
	Path string // contact.name.first, records[0].Name
	As   string
}

func httpRequest(e *element) Node {
	e.only(Telnyx)
	h := &HTTPRequest{
		base:       e.base(),
		Async:      e.attr("async", 0).boolean(false),
		Action:     e.attr("action", 0).url(),
		Method:     "GET",
		Type:       "JSON",
		StatusCode: 200,
	}
	for c := e.kids(); c != nil; c = c.next {
		switch {
		case !c.allowed(0, "Request", "Response"):
		case c.name == "Request":
			c.with(h.request)
		default:
			c.with(h.response)
		}
	}
	if h.URL == "" {
		e.slip(Warning, 0, "<HttpRequest> has no URL and is skipped", `put <Request url="…" method="GET"/> inside`, "")
		return nil
	}
	if h.Async && h.Action != "" {
		e.attr("action", 0).bad("is never requested with async", `write async="false" to wait for the answer`)
	}
	return h
}

func (h *HTTPRequest) request(e *element) {
	h.URL = e.attr("url", 0).url()
	h.Method = e.attr("method", 0).method("GET")
	for c := e.kids(); c != nil; c = c.next {
		switch {
		case !c.allowed(0, "Headers", "Body"):
		case c.name == "Body":
			c.with(func(e *element) { h.Body = e.content() })
		default:
			c.with(func(e *element) {
				for c := e.kids(); c != nil; c = c.next {
					if c.allowed(0, "Header") {
						if key, value := c.two("Key", "Value"); key != "" {
							h.Headers = append(h.Headers, Parameter{key, value})
						}
					}
				}
			})
		}
	}
}

func (h *HTTPRequest) response(e *element) {
	for c := e.kids(); c != nil; c = c.next {
		if !c.allowed(0, "Type", "StatusCode", "Content") {
			continue
		}
		c.with(func(e *element) {
			switch e.name {
			case "Type":
				if h.Type = e.content(); !equalFold(h.Type, "JSON") && !templated(h.Type) {
					e.slip(Warning, 0, "the answer cannot be read as "+quoted(h.Type)+"; JSON is used", "write JSON", "")
				}
				h.Type = "JSON"
			case "StatusCode":
				text := e.content()
				code, err := strconv.Atoi(text)
				if err != nil || code < 100 || code > 599 {
					code = 200
					if !templated(text) {
						e.slip(Warning, 0, "this is no status code; 200 is used", "write a number such as 200", "")
					}
				}
				h.StatusCode = code
			case "Content":
				for c := e.kids(); c != nil; c = c.next {
					if c.allowed(0, "Field") {
						if path, as := c.two("Name", "Value"); path != "" && as != "" {
							h.Fields = append(h.Fields, Field{path, as})
						}
					}
				}
			}
		})
	}
}

// two reads an element whose two children hold a text each.
func (e *element) two(first, second string) (a, b string) {
	e.with(func(e *element) {
		for c := e.kids(); c != nil; c = c.next {
			switch {
			case !c.allowed(0, first, second):
			case c.name == first:
				c.with(func(e *element) { a = e.content() })
			default:
				c.with(func(e *element) { b = e.content() })
			}
		}
		if a == "" {
			e.slip(Warning, 0, "<"+e.name+"> has no <"+first+"> and is left out", "put <"+first+"> and <"+second+"> inside", "")
		}
	})
	return a, b
}
