package texml

import (
	"slices"
	"testing"
	"time"
)

func TestParts(t *testing.T) {
	ms := time.Millisecond
	plain := func(text string) Part { return Part{Text: text, Rate: 1} }
	for _, tt := range []struct {
		name, say string
		parts     []Part
		ssml      string
	}{
		{"text only", "\n Hello,\n   you &amp; I ", []Part{plain("Hello, you & I")}, ""},
		{"a break", `One<break time="1.5s"/>two`, []Part{{Text: "One", Pause: 1500 * ms, Rate: 1}, plain("two")}, `One<break time="1.5s"/>two`},
		{"a break first", `<break time="20s"/>two`, []Part{{Pause: 10 * time.Second, Rate: 1}, plain("two")}, `<break time="20s"/>two`},
		{"a break alone", `<break time="1s"/>`, []Part{{Pause: time.Second, Rate: 1}}, `<break time="1s"/>`},
		{"a break of no length", `One<break strength="none"/> two`, []Part{plain("One"), plain("two")}, `One<break strength="none"/> two`},
		{"breaks add up", `a<break time="1s"/><break time="500ms"/>b`, []Part{{Text: "a", Pause: 1500 * ms, Rate: 1}, plain("b")}, `a<break time="1s"/><break time="500ms"/>b`},
		{"paragraphs pause between, not around", `<p>One</p><p>Two</p>`, []Part{{Text: "One", Pause: afterParagraph, Rate: 1}, plain("Two")}, `<p>One</p><p>Two</p>`},
		{"sentences", `<p><s>One.</s><s>Two.</s></p>`, []Part{{Text: "One.", Pause: afterSentence, Rate: 1}, plain("Two.")}, `<p><s>One.</s><s>Two.</s></p>`},
		{"a mark inside a word", `un<emphasis level="strong">believ</emphasis>able`, []Part{plain("unbelievable")}, `un<emphasis level="strong">believ</emphasis>able`},
		{"another language", `Say <lang xml:lang="fr-FR">bonjour</lang> now`, []Part{plain("Say"), {Text: "bonjour", Language: "fr-FR", Rate: 1}, plain("now")}, `Say <lang xml:lang="fr-FR">bonjour</lang> now`},
		{"rates multiply", `<prosody rate="50%">a <prosody rate="x-fast">b</prosody></prosody>`, []Part{{Text: "a", Rate: 0.5}, {Text: "b", Rate: 0.75}}, `<prosody rate="50%">a <prosody rate="x-fast">b</prosody></prosody>`},
		{"an alias", `The <sub alias="World Wide Web Consortium">W3C</sub>.`, []Part{plain("The World Wide Web Consortium.")}, `The <sub alias="World Wide Web Consortium">W3C</sub>.`},
		{"digits", `Code <say-as interpret-as="digits">1234</say-as>!`, []Part{plain("Code 1 2 3 4!")}, `Code <say-as interpret-as="digits">1234</say-as>!`},
		{"letters", `<say-as interpret-as="spell-out">A&amp;B</say-as>`, []Part{plain("A & B")}, `<say-as interpret-as="spell-out">A&amp;B</say-as>`},
		{"a telephone number", `<say-as interpret-as="telephone">+1 (415) 555</say-as>`, []Part{plain("plus 1, 4 1 5, 5 5 5")}, `<say-as interpret-as="telephone">+1 (415) 555</say-as>`},
		{"a date is left to the voice", `<say-as interpret-as="date" format="mdy">1/2/26</say-as>`, []Part{plain("1/2/26")}, `<say-as interpret-as="date" format="mdy">1/2/26</say-as>`},
		{"an unknown mark", `A <b>bold</b> word`, []Part{plain("A bold word")}, `A bold word`},
		{"Polly's own marks", `<amazon:effect name="whispered">psst</amazon:effect>`, []Part{plain("psst")}, `<amazon:effect name="whispered">psst</amazon:effect>`},
		{"a comment", `a<!-- no -->b`, []Part{plain("ab")}, ""},
		{"text of a break", `<break>now</break>`, []Part{{Pause: 400 * ms, Rate: 1}, plain("now")}, `<break>now</break>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := parseOne[*Say](t, "<Say>"+tt.say+"</Say>", Telnyx)
			if !slices.Equal(s.Parts, tt.parts) {
				t.Errorf("got  %v\nwant %v", s.Parts, tt.parts)
			}
			if s.SSML != tt.ssml {
				t.Errorf("got  %s\nwant %s", s.SSML, tt.ssml)
			}
		})
	}
}

func TestSayText(t *testing.T) {
	s := parseOne[*Say](t, `<Say>One<break/> <p>two</p> three</Say>`, Twilio)
	if got, want := s.Text(), "One two three"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
