package ai

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	quotes  = "\"')]»”’」』）" // may follow the end of a sentence
	eastern = "。！？"         // end one without a space behind
	ends    = ".!?;:…" + eastern
)

// Sentences cuts a text where one would breathe: after the end of a sentence
// once a piece has as many bytes as first (later for those after it), and in
// any case before it has more than longest, which is at least 4. White space is
// collapsed.
func Sentences(text string, first, later, longest int) []string {
	var pieces []string
	var piece strings.Builder
	end := func() {
		if piece.Len() > 0 {
			pieces = append(pieces, piece.String())
			piece.Reset()
		}
	}
	space := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	for word := range strings.FieldsFuncSeq(strings.ToValidUTF8(text, " "), space) {
		gap := " "
		for word != "" {
			n := cut(word, longest)
			part := word[:n]
			word = word[n:]
			if piece.Len()+len(gap)+n > longest {
				end()
			}
			if piece.Len() > 0 {
				piece.WriteString(gap)
			}
			piece.WriteString(part)
			gap = ""
			enough := later
			if len(pieces) == 0 {
				enough = first
			}
			if piece.Len() >= enough && strings.ContainsAny(lastRune(strings.TrimRight(part, quotes)), ends) {
				end()
			}
		}
	}
	end()
	return pieces
}

// cut is how much of word comes first: all of it, or up to the end of a
// sentence in it, but no more than longest bytes.
func cut(word string, longest int) int {
	n := len(word)
	if i := strings.IndexAny(word, eastern); i >= 0 {
		n -= len(strings.TrimLeft(word[i:], eastern+quotes))
	}
	if n > longest { // no word, but it must not be a way round the limit
		for n = longest; !utf8.RuneStart(word[n]); n-- {
		}
	}
	return n
}

func lastRune(s string) string {
	_, n := utf8.DecodeLastRuneInString(s)
	return s[len(s)-n:]
}
