package texml

import "strings"

// tmpl is a part of a template.
type tmpl struct {
	kind  int
	off   int    // in the template
	text  string // the text, or the name
	body  []tmpl
	cases []tmplCase // of an if
}

const (
	tmplText   = iota
	tmplValue  // {{name}}
	tmplList   // {{#name}}
	tmplNone   // {{^name}}
	tmplIf     // {{#if …}}
	tmplEncode // {{#url_encode}}
	tmplSecret // {{#secret}}
)

type tmplCase struct {
	test test
	body []tmpl
}

// test compares two words; op is ==, !=, "" (left is not empty) or "else".
type test struct{ left, op, right string }

// templateReader goes through a template once.
type templateReader struct {
	src   string
	off   int
	depth int
}

// parseTemplate reads a whole template.
func parseTemplate(src string) ([]tmpl, *Error) {
	r := &templateReader{src: src}
	parts, end, bad := r.until()
	if bad == nil && end.text != "" {
		bad = r.fail(end.off, 11320, "{{"+cut(end.text, 40)+"}} closes or continues nothing", "remove it, or open the section before it")
	}
	return parts, bad
}

func (r *templateReader) fail(off, code int, msg, fix string) *Error {
	return templateError(r.src, off, code, msg, fix)
}

// ending is the tag that ended a run of parts; without text, it is the end.
type ending struct {
	off  int
	text string
}

// until reads parts up to a tag that closes or continues the section around
// them.
func (r *templateReader) until() (parts []tmpl, end ending, bad *Error) {
	for r.off < len(r.src) {
		open := strings.Index(r.src[r.off:], "{{")
		if open < 0 {
			open = len(r.src) - r.off
		}
		if open > 0 {
			parts = append(parts, tmpl{kind: tmplText, off: r.off, text: r.src[r.off : r.off+open]})
			r.off += open
			continue
		}
		off := r.off
		length := strings.Index(r.src[off:], "}}")
		if length < 0 {
			return nil, end, r.fail(off, 11320, "{{ is never closed", "write }}")
		}
		tag := strings.TrimSpace(r.src[off+2 : off+length])
		r.off += length + 2
		switch {
		case tag == "":
			return nil, end, r.fail(off, 11310, "{{}} names nothing", "write the name of a parameter inside")
		case tag[0] == '!':
		case tag[0] == '/' || tag == "#else" || tag == "else" || strings.HasPrefix(tag, "#elseif"):
			return parts, ending{off, tag}, nil
		case tag[0] == '#' || tag[0] == '^':
			t, bad := r.section(off, tag)
			if bad != nil {
				return nil, end, bad
			}
			parts = append(parts, t)
		case !isName(tag):
			return nil, end, r.fail(off, 11310, "{{"+cut(tag, 40)+"}} is no name of a parameter", "write letters, digits, and . _ - only")
		default:
			parts = append(parts, tmpl{kind: tmplValue, off: off, text: tag})
		}
	}
	return parts, ending{}, nil
}

func isName(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-[]:", c)) {
			return false
		}
	}
	return s != ""
}

// section reads what {{#…}} or {{^…}} opens, up to its end.
func (r *templateReader) section(off int, tag string) (tmpl, *Error) {
	if r.depth++; r.depth > maxSections {
		return tmpl{}, r.fail(off, 11320, "more than 32 sections inside each other", "close what should be closed")
	}
	defer func() { r.depth-- }()
	name := strings.TrimSpace(tag[1:])
	word, rest, _ := strings.Cut(name, " ")
	t := tmpl{kind: tmplList, off: off, text: strings.TrimSuffix(name, "[]")}
	switch {
	case word == "if" && tag[0] == '#':
		return r.conditional(off, rest)
	case tag[0] == '^':
		t.kind = tmplNone
	case name == "url_encode":
		t.kind = tmplEncode
	case name == "secret":
		t.kind = tmplSecret
	}
	if !isName(name) {
		return t, r.fail(off, 11310, "{{"+cut(tag, 40)+"}} is no section", "write {{#Name}}, {{#if A == B}}, {{#url_encode}} or {{#secret}}")
	}
	body, end, bad := r.until()
	t.body = body
	if bad == nil {
		bad = r.closes(off, tag, end, name)
	}
	return t, bad
}

// closes reports an end that is not the one of the section.
func (r *templateReader) closes(off int, tag string, end ending, name string) *Error {
	if end.text == "" {
		return r.fail(off, 11320, "{{"+cut(tag, 40)+"}} is never closed", "write {{/"+name+"}}")
	}
	if end.text[0] != '/' || strings.TrimSpace(end.text[1:]) != name {
		return r.fail(end.off, 11320, "{{"+cut(end.text, 40)+"}} stands where {{"+cut(tag, 40)+"}} is still open", "write {{/"+name+"}} before it")
	}
	return nil
}

// conditional reads {{#if …}} up to {{/if}}.
func (r *templateReader) conditional(off int, condition string) (tmpl, *Error) {
	t := tmpl{kind: tmplIf, off: off}
	for at := off; ; {
		test, bad := r.condition(at, condition)
		if bad != nil {
			return t, bad
		}
		body, end, bad := r.until()
		if bad != nil {
			return t, bad
		}
		t.cases = append(t.cases, tmplCase{test, body})
		at = end.off
		switch rest, elseif := strings.CutPrefix(end.text, "#elseif"); {
		case test.op == "else" && end.text != "" && end.text[0] != '/':
			return t, r.fail(end.off, 11320, "{{"+cut(end.text, 40)+"}} after {{#else}}", "let {{#else}} be the last")
		case elseif:
			condition = rest
		case end.text == "#else" || end.text == "else":
			condition = "else"
		default:
			return t, r.closes(off, "#if", end, "if")
		}
	}
}

// condition reads "A == B", "A != B" or "A".
func (r *templateReader) condition(off int, s string) (test, *Error) {
	s = strings.TrimSpace(s)
	if s == "else" {
		return test{op: "else"}, nil
	}
	var t test
	for _, op := range []string{"==", "!="} {
		if left, right, ok := strings.Cut(s, op); ok {
			t = test{strings.TrimSpace(left), op, strings.TrimSpace(right)}
			break
		}
	}
	if t.op == "" {
		t.left = s
	}
	if !isWord(t.left) || t.op != "" && !isWord(t.right) {
		return t, r.fail(off, 11310, "the condition "+quoted(s)+" cannot be read", `write A == "text", A != B, or A`)
	}
	return t, nil
}

// isWord reports whether s is a name, a number, or text in quotes.
func isWord(s string) bool {
	if n := len(s); n >= 2 && (s[0] == '"' || s[0] == '\'') {
		return s[n-1] == s[0] && strings.IndexByte(s[1:n-1], s[0]) < 0
	}
	return isName(strings.TrimPrefix(s, "+"))
}
