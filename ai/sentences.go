package ai

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentences cuts a text where one would breathe: after the end of a sentence
// once a piece has as many bytes as first (later for those after it), and in
// any case before it has more than longest. White space is collapsed.
func Sentences(text string, first, later, longest int) []string {
	var pieces []string
	var piece strings.Builder
	end := func() {
		if piece.Len() > 0 {
			pieces = append(pieces, piece.String())
			piece.Reset()
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
				pieces = append(pieces, word[:cut])
				word = word[cut:]
			}
			if piece.Len()+1+len(word) > longest {
				end()
			}
			if piece.Len() > 0 {
				piece.WriteByte(' ')
			}
			piece.WriteString(word)
			enough := later
			if len(pieces) == 0 {
				enough = first
			}
			if piece.Len() >= enough && strings.ContainsAny(lastRune(strings.TrimRight(word, `"')]»”’`)), ".!?;:…。！？") {
				end()
			}
		}
	}
	end()
	return pieces
}

func lastRune(s string) string {
	_, n := utf8.DecodeLastRuneInString(s)
	return s[len(s)-n:]
}
