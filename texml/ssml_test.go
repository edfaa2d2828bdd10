package texml

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
)

func TestParts(t *testing.T) {
	ms := time.Millisecond
	plain := func(text string) Part { return Part{Text: text, Rate: 1} }
	marked := func(text, ssml string) Part { return Part{Text: text, SSML: ssml, Rate: 1} }
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
		{"a mark inside a word", `un<emphasis level="strong">believ</emphasis>able`, []Part{marked("unbelievable", `un<emphasis level="strong">believ</emphasis>able`)}, `un<emphasis level="strong">believ</emphasis>able`},
		{"another language", `Say <lang xml:lang="fr-FR">bonjour</lang> now`, []Part{plain("Say"), {Text: "bonjour", Language: "fr-FR", Rate: 1}, plain("now")}, `Say <lang xml:lang="fr-FR">bonjour</lang> now`},
		{"rates multiply", `<prosody rate="50%">a <prosody rate="x-fast">b</prosody></prosody>`, []Part{{Text: "a", Rate: 0.5}, {Text: "b", Rate: 0.75}}, `<prosody rate="50%">a <prosody rate="x-fast">b</prosody></prosody>`},
		{"an alias", `The <sub alias="World Wide Web Consortium">W3C</sub>.`, []Part{marked("The World Wide Web Consortium.", `The <sub alias="World Wide Web Consortium">W3C</sub>.`)}, `The <sub alias="World Wide Web Consortium">W3C</sub>.`},
		{"digits", `Code <say-as interpret-as="digits">1234</say-as>!`, []Part{marked("Code 1 2 3 4!", `Code <say-as interpret-as="digits">1234</say-as>!`)}, `Code <say-as interpret-as="digits">1234</say-as>!`},
		{"letters", `<say-as interpret-as="spell-out">A&amp;B</say-as>`, []Part{marked("A & B", `<say-as interpret-as="spell-out">A&amp;B</say-as>`)}, `<say-as interpret-as="spell-out">A&amp;B</say-as>`},
		{"a telephone number", `<say-as interpret-as="telephone">+1 (415) 555</say-as>`, []Part{marked("plus 1, 4 1 5, 5 5 5", `<say-as interpret-as="telephone">+1 (415) 555</say-as>`)}, `<say-as interpret-as="telephone">+1 (415) 555</say-as>`},
		{"a date is left to the voice", `<say-as interpret-as="date" format="mdy">1/2/26</say-as>`, []Part{marked("1/2/26", `<say-as interpret-as="date" format="mdy">1/2/26</say-as>`)}, `<say-as interpret-as="date" format="mdy">1/2/26</say-as>`},
		{"a date of digits only", `<say-as interpret-as="date" format="yyyymmdd">20260102</say-as>`, []Part{marked("2026-01-02", `<say-as interpret-as="date" format="yyyymmdd">20260102</say-as>`)}, `<say-as interpret-as="date" format="yyyymmdd">20260102</say-as>`},
		{"a mark over a break", `<emphasis>a<break time="1s"/>b</emphasis> c`, []Part{{Text: "a", SSML: `<emphasis>a</emphasis>`, Pause: 1000 * ms, Rate: 1}, marked("b c", `<emphasis>b</emphasis> c`)}, `<emphasis>a<break time="1s"/>b</emphasis> c`},
		{"volumes add up, and end", `<prosody volume="soft">a<prosody volume="+2dB">b</prosody></prosody>c`, []Part{{Text: "a", Rate: 1, Volume: -6}, {Text: "b", Rate: 1, Volume: -4}, plain("c")}, `<prosody volume="soft">a<prosody volume="+2dB">b</prosody></prosody>c`},
		{"silence", `<prosody volume="silent">a</prosody>b`, []Part{{Text: "a", Rate: 1, Volume: math.Inf(-1)}, plain("b")}, `<prosody volume="silent">a</prosody>b`},
		{"a lower voice", `<prosody pitch="low" rate="slow">a</prosody>`, []Part{{Text: "a", Rate: 0.75, Pitch: -10}}, `<prosody pitch="low" rate="slow">a</prosody>`},
		{"a pitch in percent", `<prosody pitch="+20%">a</prosody>`, []Part{{Text: "a", Rate: 1, Pitch: 20}}, `<prosody pitch="+20%">a</prosody>`},
		{"an unknown mark", `A <b>bold</b> word`, []Part{plain("A bold word")}, `A bold word`},
		{"Polly's own marks", `<amazon:effect name="whispered">psst</amazon:effect>`, []Part{marked("psst", `<amazon:effect name="whispered">psst</amazon:effect>`)}, `<amazon:effect name="whispered">psst</amazon:effect>`},
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

// TestEveryMarkIsTreated goes over all marks with all values of all attributes,
// alone and inside every other: what is spoken is the text and never a mark.
func TestEveryMarkIsTreated(t *testing.T) {
	numbers := map[string][]string{"time": {"2s", "50ms"}, "xml:lang": {"fr-FR"}, "ph": {"t"}, "volume": {"+6dB", "-6dB"},
		"rate": {"90%", "+10%"}, "pitch": {"+10%", "-10%"}, "alias": {"text"}, "role": {"amazon:VB"}}
	var all []string
	for name, m := range marks {
		if name == "Say" {
			continue
		}
		all = append(all, "<"+name+">text</"+name+">", "<"+name+"/>text")
		for attr, v := range m.attrs {
			for _, value := range append(slices.Clone(v.words), numbers[attr]...) {
				all = append(all, fmt.Sprintf("<%s %s=%q>text</%s>", name, attr, value, name))
			}
		}
	}
	for _, amazon := range []string{"effect name=\"whispered\"", "auto-breaths", "breath duration=\"long\"", "domain name=\"news\""} {
		name, _, _ := strings.Cut(amazon, " ")
		all = append(all, "<amazon:"+amazon+">text</amazon:"+name+">")
	}
	if len(all) < 90 {
		t.Fatalf("%d marks; where are the others?", len(all))
	}
	for name := range marks {
		for _, mark := range all {
			say := mark
			if name != "Say" {
				say = "<" + name + ">" + mark + "</" + name + ">"
			}
			s := parseOne[*Say](t, "<Say>"+say+"</Say>", Twilio)
			text := strings.ReplaceAll(s.Text(), " ", "")
			if text != "text" && text != "beep" {
				t.Errorf("%s is spoken %q", say, s.Text())
			}
			for _, p := range s.Parts {
				if p.SSML == "" {
					continue
				}
				doc := etree.NewDocument()
				if err := doc.ReadFromString("<speak xmlns:amazon=\"x\">" + p.SSML + "</speak>"); err != nil {
					t.Errorf("%s: the voice gets %s: %v", say, p.SSML, err)
				}
			}
		}
	}
}
