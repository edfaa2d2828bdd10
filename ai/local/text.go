package local

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// How much an engine is given at once, in bytes: the first sentence is short
// so that speech begins soon, later ones are long enough to keep their melody.
const (
	firstPart = 20
	laterPart = 80
	longest   = 400
)

// typographic are signs that flite would spell out as bytes.
var typographic = strings.NewReplacer("‘", "'", "’", "'", "“", `"`, "”", `"`, "–", "-", "—", ", ", "…", "...", "ß", "ss", "æ", "ae", "ø", "o", "œ", "oe", "ł", "l", "€", " euro ", "£", " pounds ")

// plain is a text in ASCII, accents taken off and other letters left out.
func plain(text string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(typographic.Replace(text)) {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r):
		default:
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}
