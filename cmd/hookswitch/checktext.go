package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/texml"
)

// writeText writes the slips of each file with its line and a caret below the
// place, what the platforms do, and how many there are at the end.
func writeText(out io.Writer, all []checked) error {
	var b strings.Builder
	for _, c := range all {
		for _, s := range c.slips {
			fmt.Fprintf(&b, "%s:%v: %v: %s", s.Source, s.Pos, s.Level, s.Msg)
			if s.Fix != "" {
				b.WriteString("; " + s.Fix)
			}
			if s.Code != 0 {
				fmt.Fprintf(&b, " [%d]", s.Code)
			}
			b.WriteByte('\n')
			b.WriteString(picture(c, s.Pos))
			if s.Platforms != "" {
				b.WriteString("    " + s.Platforms + "\n")
			}
		}
		if len(c.slips) > 0 {
			b.WriteByte('\n')
		}
	}
	errs, warnings, notes := count(all)
	parts := []string{plural(len(all), "file")}
	for _, part := range []struct {
		n    int
		name string
	}{{errs, "error"}, {warnings, "warning"}, {notes, "note"}} {
		if part.n > 0 {
			parts = append(parts, plural(part.n, part.name))
		}
	}
	if len(parts) == 1 {
		parts = append(parts, "nothing wrong")
	}
	b.WriteString(strings.Join(parts, ", ") + "\n")
	_, err := io.WriteString(out, b.String())
	return err
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Most characters of a line that are shown, and how many of them at least stand
// before the place.
const (
	pictureWidth = 100
	pictureLead  = 40
)

// picture shows a line and where in it a slip is, or nothing if there is no
// such line, or none that can be shown: a configuration holds secrets, and only
// what is UTF-8 has the columns that places count.
func picture(c checked, at texml.Pos) string {
	text, ok := lineOf(c.body, at.Line)
	if !ok || c.secret || at.Col-1 > len(text) || !utf8.Valid(text) || len(bytes.TrimSpace(text)) == 0 {
		return ""
	}
	line := []rune(string(hidden(text)))
	caret := utf8.RuneCount(text[:at.Col-1])
	for i, r := range line {
		if !unicode.IsPrint(r) {
			line[i] = ' '
		}
	}
	if from := caret - pictureLead; from > 0 && len(line) > pictureWidth {
		from = min(from, len(line)-pictureWidth)
		line, caret = line[from:], caret-from
		line[0] = '…'
	}
	if len(line) > pictureWidth {
		line = line[:pictureWidth]
		line[pictureWidth-1] = '…'
	}
	number := strconv.Itoa(at.Line)
	return fmt.Sprintf("    %s | %s\n    %s | %s^\n", number, strings.TrimRight(string(line), " "),
		strings.Repeat(" ", len(number)), strings.Repeat(" ", caret))
}

var password = regexp.MustCompile(`(?i)(password|secret|token)\w*\s*=\s*("[^"]*"|'[^']*')`)

// hidden puts stars over passwords; everything stays where it is. The tokenType
// of <Pay> is none.
func hidden(line []byte) []byte {
	return password.ReplaceAllFunc(line, func(b []byte) []byte {
		if bytes.HasPrefix(bytes.ToLower(b), []byte("tokentype")) {
			return b
		}
		quote := bytes.IndexAny(b, `"'`)
		return append(bytes.Clone(b[:quote+1]), append(bytes.Repeat([]byte("*"), len(b)-quote-2), b[len(b)-1])...)
	})
}

// lineOf gives a line, counted from 1, without its end.
func lineOf(body []byte, number int) ([]byte, bool) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	for range number - 1 {
		_, rest, ok := bytes.Cut(body, []byte("\n"))
		if !ok {
			return nil, false
		}
		body = rest
	}
	line, _, _ := bytes.Cut(body, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), true
}
