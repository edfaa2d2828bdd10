package sip

import (
	"fmt"
	"strconv"
	"strings"
)

// Limits of the front door. sipgo's parser needs quadratic time for the
// parameters of one line, so a line may only have a few.
const (
	maxMessage = 8 << 10 // bytes, head and body
	maxFields  = 128     // header lines
	maxMarks   = 64      // of ; , and & in one line
)

// message is what the front door makes of a SIP message: lines cut apart, with
// nothing understood yet. Its text goes into answers as it came.
type message struct {
	start  string
	fields []field // in order
	length int     // Content-Length; -1 when there is none, or none that is right
	body   []byte
}

// field is a header line. Its name is in the long form (RFC 3261 §7.3.3), its
// value on one line and without white space that has no meaning.
type field struct{ name, value string }

// fault is why a message is refused: with a status and a reason phrase, or with
// silence when the status is 0.
type fault struct {
	status int
	text   string
	extra  []field
}

func badRequest(format string, args ...any) *fault {
	return &fault{status: 400, text: fmt.Sprintf(format, args...)}
}

// longNames are the long forms of compact header names (RFC 3261 §7.3.3).
var longNames = map[string]string{
	"c": "Content-Type", "e": "Content-Encoding", "f": "From", "i": "Call-ID",
	"k": "Supported", "l": "Content-Length", "m": "Contact", "o": "Event",
	"r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via",
}

// split cuts a message's head, without the empty line that ends it, into
// lines. It works in time linear in the length. On a fault it returns as much
// as it could cut, so that the peer can be told.
func split(head string) (m message, f *fault) {
	m.length = -1
	flaw := func(format string, args ...any) {
		if f == nil {
			f = badRequest(format, args...)
		}
	}
	var rest string
	m.start, rest, _ = strings.Cut(head, "\r\n")
	flawed(m.start, flaw)
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\r\n")
		if len(m.fields) == maxFields {
			flaw("more than %d header lines", maxFields)
			break
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimRight(name, " \t")
		if !ok || !token(name) {
			flaw("a header line has no name")
			continue
		}
		value = strings.Trim(value, " \t")
		if rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
			value, rest = unfold(value, rest)
		}
		flawed(value, flaw)
		if long, ok := longNames[strings.ToLower(name)]; ok {
			name = long
		}
		switch strings.ToLower(name) {
		case "via":
			value = tidy(value, ";=,/:", flaw)
		case "from", "to", "contact", "route", "record-route":
			value = tidy(value, ";=,", flaw)
		case "cseq":
			value = strings.Join(strings.Fields(value), " ")
		}
		m.fields = append(m.fields, field{name, value})
	}
	for name := range strings.FieldsSeq("From To Call-ID CSeq Max-Forwards Content-Length") {
		switch n := m.count(name); {
		case n > 1:
			flaw("%s is there %d times", name, n)
		case n == 0 && name != "Max-Forwards" && name != "Content-Length":
			flaw("%s is missing", name)
		}
	}
	if m.count("Via") == 0 {
		flaw("Via is missing")
	}
	if v := m.get("Content-Length"); m.count("Content-Length") == 1 {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil {
			flaw("Content-Length is not a number of bytes")
		} else {
			m.length = int(n)
		}
	}
	return m, f
}

// unfold joins the continuation lines at the start of rest to value
// (RFC 3261 §7.3.1).
func unfold(value, rest string) (string, string) {
	var b strings.Builder
	b.WriteString(value)
	for rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
		var line string
		line, rest, _ = strings.Cut(rest, "\r\n")
		b.WriteByte(' ')
		b.WriteString(strings.Trim(line, " \t"))
	}
	return b.String(), rest
}

// flawed reports bytes that a line may not have, since whoever reads it next
// could take them for its end, and lines with too many parameters.
func flawed(line string, flaw func(string, ...any)) {
	marks := 0
	for i := range len(line) {
		switch line[i] {
		case 0, '\r', '\n':
			flaw("a header line has a control character")
			return
		case ';', ',', '&':
			marks++
		}
	}
	if marks > maxMarks {
		flaw("a header line has more than %d parameters", maxMarks)
	}
}

// tidy takes out the white space around marks, and all but one space of any
// other, outside of quotes and angle brackets. It may stand there
// (RFC 3261 §25.1, LWS), but sipgo loses parameters over it.
func tidy(s, marks string, flaw func(string, ...any)) string {
	var b strings.Builder
	b.Grow(len(s))
	var quoted, angled bool
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quoted && c == '\\' && i+1 < len(s):
			b.WriteByte(c)
			i++
			c = s[i]
		case c == '"' && !angled:
			quoted = !quoted
		case c == '<' && !quoted:
			angled = true
		case c == '>' && !quoted:
			angled = false
		case (c == ' ' || c == '\t') && !quoted && !angled:
			for i+1 < len(s) && (s[i+1] == ' ' || s[i+1] == '\t') {
				i++
			}
			before := b.Len() > 0 && strings.IndexByte(marks, b.String()[b.Len()-1]) >= 0
			after := i+1 < len(s) && strings.IndexByte(marks, s[i+1]) >= 0
			if before || after {
				continue
			}
			c = ' '
		}
		b.WriteByte(c)
	}
	if quoted || angled {
		flaw("a quote or a bracket is not closed")
	}
	return b.String()
}

// get returns the first value of a header, "" when there is none.
func (m *message) get(name string) string {
	for _, f := range m.fields {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// list returns the parts of a comma-separated header, from all its lines.
// It is for headers whose parts have no quotes.
func (m *message) list(name string) []string {
	var parts []string
	for _, f := range m.fields {
		if strings.EqualFold(f.name, name) {
			for p := range strings.SplitSeq(f.value, ",") {
				if p = strings.TrimSpace(p); p != "" {
					parts = append(parts, p)
				}
			}
		}
	}
	return parts
}

func (m *message) count(name string) int {
	n := 0
	for _, f := range m.fields {
		if strings.EqualFold(f.name, name) {
			n++
		}
	}
	return n
}

// bytes writes the message anew for sipgo's parser.
func (m *message) bytes() []byte {
	n := len(m.start) + len(m.body) + 64
	for _, f := range m.fields {
		n += len(f.name) + len(f.value) + 4
	}
	b := append(make([]byte, 0, n), m.start...)
	b = append(b, "\r\n"...)
	for _, f := range m.fields {
		if strings.EqualFold(f.name, "Content-Length") {
			continue
		}
		b = append(b, f.name...)
		b = append(b, ": "...)
		b = append(b, f.value...)
		b = append(b, "\r\n"...)
	}
	b = fmt.Appendf(b, "Content-Length: %d\r\n\r\n", len(m.body))
	return append(b, m.body...)
}

// token tells whether s is a token (RFC 3261 §25.1), as method and header
// names are.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			strings.IndexByte("-.!%*_+`'~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// tagOf returns the tag of a From or To value, "" when it has none.
func tagOf(value string) string { return parameter(value, "tag") }

// parameter returns a header parameter of a value that [tidy] has seen: one
// that follows the address or the sent-by, not one of the URI in brackets.
func parameter(value, name string) string {
	if i := strings.LastIndexByte(value, '>'); i >= 0 {
		value = value[i:]
	}
	for p := range strings.SplitSeq(value, ";") {
		if k, v, ok := strings.Cut(p, "="); ok && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}
