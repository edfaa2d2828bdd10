package texml

import (
	"strconv"
	"strings"
)

// Pos is a place in a document. Both count from 1; Col counts bytes of the
// document in UTF-8, without a byte order mark.
type Pos struct{ Line, Col int }

// String gives "3:5".
func (p Pos) String() string {
	return strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
}

// before orders places from the start of a document to its end.
func (p Pos) before(q Pos) bool {
	return p.Line < q.Line || p.Line == q.Line && p.Col < q.Col
}

// Level says how bad a slip is.
type Level int

// A Note is worth knowing: the document works, though not in both dialects. A
// Warning is a slip: part of the document is skipped or a default is used, and
// a check fails. Fatal means that nothing of the document can run.
const (
	Note Level = iota
	Warning
	Fatal
)

// String gives "note", "warning" or "error".
func (l Level) String() string {
	switch l {
	case Note:
		return "note"
	case Warning:
		return "warning"
	}
	return "error"
}

// Error is one slip of a document.
type Error struct {
	Source    string // file name or URL, as given to Parse
	Pos       Pos
	Level     Level
	Code      int    // the code Twilio gives to this slip, 0 if it has none
	Msg       string // what is wrong
	Fix       string // what to write instead
	Platforms string // what Telnyx and Twilio do with it, if it matters
	Context   string // the line of the document, cut to 200 bytes; Fatal only
}

// Error gives "menu.xml:2:3: <Gather> has no attribute "numDigit"; did you
// mean numDigits?".
func (e *Error) Error() string {
	var b strings.Builder
	if e.Source != "" {
		b.WriteString(e.Source + ":")
	}
	b.WriteString(e.Pos.String() + ": " + e.Msg)
	if e.Fix != "" {
		b.WriteString("; " + e.Fix)
	}
	return b.String()
}

// Errors are the slips of one document, in the order of their places.
type Errors []*Error

// Error gives one slip per line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Failed reports whether any slip is more than a Note.
func (es Errors) Failed() bool {
	for _, e := range es {
		if e.Level > Note {
			return true
		}
	}
	return false
}

// from gives copies of the slips that name another source.
func (es Errors) from(source string) Errors {
	if len(es) == 0 || es[0].Source == source {
		return es
	}
	named := make(Errors, len(es))
	for i, e := range es {
		c := *e
		c.Source = source
		named[i] = &c
	}
	return named
}
