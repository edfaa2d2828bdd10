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

// sentences cuts a text where one would breathe: after the end of a sentence
// or a line, and in any case before it is too long. White space is collapsed.
func sentences(text string) []string {
	var parts []string
	var part strings.Builder
	end := func() {
		if part.Len() > 0 {
			parts = append(parts, part.String())
			part.Reset()
		}
	}
	for line := range strings.Lines(strings.ToValidUTF8(text, " ")) {
		for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			for len(word) > longest { // no word, but it must not be a way round the limit
				end()
				cut := longest
				for !utf8.RuneStart(word[cut]) {
					cut--
				}
				parts = append(parts, word[:cut])
				word = word[cut:]
			}
			if part.Len()+1+len(word) > longest {
				end()
			}
			if part.Len() > 0 {
				part.WriteByte(' ')
			}
			part.WriteString(word)
			enough := laterPart
			if len(parts) == 0 {
				enough = firstPart
			}
			if part.Len() >= enough && strings.ContainsAny(lastRune(strings.TrimRight(word, `"')]»”’`)), ".!?;:…。！？") {
				end()
			}
		}
	}
	end()
	return parts
}

func lastRune(s string) string {
	_, n := utf8.DecodeLastRuneInString(s)
	return s[len(s)-n:]
}

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
