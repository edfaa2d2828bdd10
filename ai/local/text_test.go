package local

import (
	"testing"

	"github.com/hookswitch/hookswitch/ai"
)

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
