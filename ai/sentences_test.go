package ai

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
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
		{"no space at all", strings.Repeat("é", 300), []string{strings.Repeat("é", 200), strings.Repeat("é", 100)}},
		{"Chinese has no spaces", "欢迎致电我们公司。请按一。请按二。", []string{"欢迎致电我们公司。", "请按一。请按二。"}},
		{"a Japanese quotation", "「お電話ありがとうございます！？」と言いました。", []string{"「お電話ありがとうございます！？」", "と言いました。"}},
		{"nothing", "", nil},
		{"bytes that are no text", "a\xffb", []string{"a b"}},
	}
	for _, tt := range tests {
		if got := Sentences(tt.text, 20, 80, 400); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzSentences(f *testing.F) {
	f.Add("Welcome to our company. Press one.", 400)
	f.Add(strings.Repeat("é", 500)+"\xff\x00。", 5)
	f.Add("你好。\n\n...「！」", 4)
	f.Fuzz(func(t *testing.T, text string, longest int) {
		if longest < 4 || longest > 4000 {
			return
		}
		pieces := Sentences(text, longest/4, longest/2, longest)
		for _, s := range pieces {
			if len(s) > longest || s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\r\x00") {
				t.Fatalf("%d bytes of at most %d: %q", len(s), longest, s)
			}
		}
		// But for white space, control characters and bytes that are no text,
		// nothing is lost.
		bare := func(s string) string {
			return strings.Join(Sentences(strings.ReplaceAll(s, " ", ""), 1<<20, 1<<20, 1<<20), "")
		}
		if got, want := strings.ReplaceAll(strings.Join(pieces, ""), " ", ""), strings.ReplaceAll(bare(text), " ", ""); got != want {
			t.Errorf("%q became %q", want, got)
		}
	})
}
