package local

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/ai"
)

func TestSentences(t *testing.T) {
	long := strings.Repeat("word ", 100)
	tests := []struct {
		name, text string
		want       []string
	}{
		{"one", "Hello.", []string{"Hello."}},
		{"short ones stay together", "Yes. No. Well.", []string{"Yes. No. Well."}},
		{"the first ends early", "Welcome to our company. Press one. Press two.", []string{"Welcome to our company.", "Press one. Press two."}},
		{"later ones are longer", "Welcome to our company. Press one for sales. Press two for support, or three for anything else at all here. Or wait.",
			[]string{"Welcome to our company.", "Press one for sales. Press two for support, or three for anything else at all here.", "Or wait."}},
		{"a quotation", `He said "wait a little while." Then he left.`, []string{`He said "wait a little while."`, "Then he left."}},
		{"a number is no end", "The total is 3.50 today for you.", []string{"The total is 3.50 today for you."}},
		{"white space", "  a\n\n b\tc\x00d ", []string{"a b c d"}},
		{"no end at all", long, []string{strings.TrimSpace(long[:400]), strings.TrimSpace(long[400:])}},
		{"nothing", "", nil},
		{"bytes that are no text", "a\xffb", []string{"a b"}},
	}
	for _, tt := range tests {
		if got := sentences(tt.text); strings.Join(got, "|") != strings.Join(tt.want, "|") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSayVoices(t *testing.T) {
	voices := sayVoices("Alex                en_US    # Most people recognize me by my voice.\nAnna                de_DE    # Hallo!\nBad News            en_US    # The light\nEddy (German (Germany)) de_DE    # Hallo!\n")
	tests := []struct {
		name string
		p    ai.Person
		want string
	}{
		{"a man", ai.Person{Language: "en-us", Male: true}, "Alex"},
		{"a woman", ai.Person{Language: "en-us", Male: false}, "Bad News"},
		{"another region", ai.Person{Language: "en-gb", Male: true}, "Alex"},
		{"only a woman speaks it", ai.Person{Language: "de-de", Male: true}, "Anna"},
		{"nobody speaks it", ai.Person{Language: "fi-fi", Male: true}, ""},
	}
	for _, tt := range tests {
		if got := sayVoice(voices, tt.p); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzSentences(f *testing.F) {
	f.Add("Welcome to our company. Press one.")
	f.Add(strings.Repeat("é", 500) + "\xff\x00。")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range sentences(text) {
			if len(s) > longest || s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\r\x00") {
				t.Fatalf("%d bytes: %q", len(s), s)
			}
		}
	})
}
