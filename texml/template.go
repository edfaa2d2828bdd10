package texml

import (
	"net/url"
	"strconv"
	"strings"
)

// Limits of a template. The steps bound lists inside each other that print nothing.
const (
	maxRendered = 256 << 10
	maxSections = 32      // inside each other
	maxSteps    = 100_000 // rounds of all lists
)

// templated reports whether text is yet to be filled in, so that nothing can be
// said about it.
func templated(text string) bool { return strings.Contains(text, "{{") }

// Render fills in a Mustache template as TeXML has them:
//
//	{{Name}}                                   a parameter; empty if there is none
//	{{#Name}}…{{.}}…{{/Name}}                  for each value of Name[], or of Name if it is not empty
//	{{^Name}}…{{/Name}}                        if it has none
//	{{#if A == B}}…{{#elseif C}}…{{#else}}…{{/if}}   ==, !=, or alone: is not empty
//	{{#url_encode}}…{{/url_encode}}            percent-encoded
//	{{#secret}}name{{/secret}}                 a stored secret
//	{{! comment }}
//
// A word of a condition is the parameter of that name; in quotes, or on the
// right where no parameter has that name, it is text. Values are escaped for
// XML and never read as templates themselves. A template without {{ comes back
// as it is.
//
// An error is an [*Error] with the place in the template: 11310 for a token that
// cannot be read or a secret that does not exist, 11320 for brackets and
// sections that do not match, 11750 for a result of more than 256 KB. Secret may
// be nil.
func Render(template []byte, vars url.Values, secret func(name string) (string, bool)) ([]byte, error) {
	src := string(template)
	if !templated(src) {
		return template, nil
	}
	parts, bad := parseTemplate(src)
	if bad != nil {
		return nil, bad
	}
	r := renderer{src: src, vars: vars, secret: secret, escape: xmlValue}
	if bad := r.render(parts, ""); bad != nil {
		return nil, bad
	}
	return r.out, nil
}

// xmlValue escapes a value for text and attributes, and drops what XML forbids.
func xmlValue(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return templateXML.Replace(s)
}

var templateXML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")

// renderer writes one result.
type renderer struct {
	src    string
	vars   url.Values
	secret func(string) (string, bool)
	escape func(string) string
	out    []byte
	steps  int
}

// render writes parts; dot is the value of {{.}}.
func (r *renderer) render(parts []tmpl, dot string) *Error {
	for i := range parts {
		t := &parts[i]
		if bad := r.part(t, dot); bad != nil {
			return bad
		}
		if len(r.out) > maxRendered {
			return templateError(r.src, t.off, 11750, "the result has more than 256 KB", "pass fewer or shorter parameters")
		}
	}
	return nil
}

func (r *renderer) part(t *tmpl, dot string) *Error {
	switch t.kind {
	case tmplText:
		r.out = append(r.out, t.text...)
	case tmplValue:
		value := dot
		if t.text != "." {
			value = r.vars.Get(t.text)
		}
		r.out = append(r.out, r.escape(value)...)
	case tmplList:
		for _, value := range r.values(t.text) {
			if r.steps++; r.steps > maxSteps {
				return templateError(r.src, t.off, 11310, "the template repeats too often", "put fewer lists inside each other")
			}
			if bad := r.render(t.body, value); bad != nil {
				return bad
			}
		}
	case tmplNone:
		if len(r.values(t.text)) == 0 {
			return r.render(t.body, dot)
		}
	case tmplIf:
		for i := range t.cases {
			if c := &t.cases[i]; r.holds(c.test, dot) {
				return r.render(c.body, dot)
			}
		}
	case tmplEncode:
		text, bad := r.inner(t, dot)
		if bad != nil {
			return bad
		}
		r.out = append(r.out, strings.ReplaceAll(url.QueryEscape(text), "+", "%20")...)
	case tmplSecret:
		name, bad := r.inner(t, dot)
		if bad != nil {
			return bad
		}
		name = strings.TrimSpace(name)
		var value string
		ok := false
		if r.secret != nil {
			value, ok = r.secret(name)
		}
		if !ok {
			return templateError(r.src, t.off, 11310, "there is no secret "+quoted(name), "store it, or correct its name")
		}
		r.out = append(r.out, r.escape(value)...)
	}
	return nil
}

// inner gives what a section renders to, not escaped.
func (r *renderer) inner(t *tmpl, dot string) (string, *Error) {
	in := renderer{src: r.src, vars: r.vars, secret: r.secret, escape: func(s string) string { return s }, steps: r.steps}
	bad := in.render(t.body, dot)
	r.steps = in.steps
	return string(in.out), bad
}

// values gives what a list repeats over.
func (r *renderer) values(name string) []string {
	if list, ok := r.vars[name+"[]"]; ok {
		return list
	}
	if value := r.vars.Get(name); value != "" {
		return []string{value}
	}
	return nil
}

func (r *renderer) holds(t test, dot string) bool {
	left := r.operand(t.left, dot, false)
	switch t.op {
	case "==":
		return left == r.operand(t.right, dot, true)
	case "!=":
		return left != r.operand(t.right, dot, true)
	case "else":
		return true
	}
	return left != ""
}

func (r *renderer) operand(word, dot string, right bool) string {
	if n := len(word); n >= 2 && (word[0] == '"' || word[0] == '\'') && word[n-1] == word[0] {
		return word[1 : n-1]
	}
	if word == "." {
		return dot
	}
	if values, ok := r.vars[word]; ok && len(values) > 0 {
		return values[0]
	}
	switch {
	case !right, word == "null":
		return ""
	}
	return word
}

func templateError(src string, off, code int, msg, fix string) *Error {
	p := &parse{src: src}
	return &Error{Pos: p.at(off), Level: Fatal, Code: code, Msg: msg, Fix: fix, Platforms: "Twilio ends with error " + strconv.Itoa(code), Context: p.context(off)}
}
