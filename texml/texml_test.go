package texml

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	for _, tt := range []struct {
		name, verb string
		get        func(Node) any
		telnyx     any
		twilio     any
	}{
		{"Say speaks once", "<Say>a</Say>", func(n Node) any { return n.(*Say).Loop }, 1, 1},
		{"Say loops until hang-up, or 1000 times", `<Say loop="0">a</Say>`, func(n Node) any { return n.(*Say).Loop }, 0, 1000},
		{"Play loops until hang-up, or 1000 times", `<Play loop="0">a</Play>`, func(n Node) any { return n.(*Play).Loop }, 0, 1000},
		{"Play trims its URL", "<Play>\n a.mp3\n</Play>", func(n Node) any { return n.(*Play).URL }, "a.mp3", "a.mp3"},
		{"Pause lasts a second", "<Pause/>", func(n Node) any { return n.(*Pause).Length }, time.Second, time.Second},
		{"Pause has an end in TeXML", `<Pause length="500"/>`, func(n Node) any { return n.(*Pause).Length }, 180 * time.Second, 500 * time.Second},
		{"Gather waits for keys", "<Gather/>", func(n Node) any { return n.(*Gather).Input }, []string{"dtmf"}, []string{"dtmf"}},
		{"Gather has one order of inputs", `<Gather input="speech dtmf"/>`, func(n Node) any { return n.(*Gather).Input }, []string{"dtmf", "speech"}, []string{"dtmf", "speech"}},
		{"Gather's method is the application's", "<Gather/>", func(n Node) any { return n.(*Gather).Method }, "", "POST"},
		{"Gather ends with #", "<Gather/>", func(n Node) any { return n.(*Gather).FinishOnKey }, "#", "#"},
		{"Gather ends with no key", `<Gather finishOnKey=""/>`, func(n Node) any { return n.(*Gather).FinishOnKey }, "", ""},
		{"Gather ends with many keys in TeXML", `<Gather finishOnKey="*#"/>`, func(n Node) any { return n.(*Gather).FinishOnKey }, "*#", "*"},
		{"Gather's timeout counts for speech", `<Gather timeout="7"/>`, func(n Node) any { return n.(*Gather).SpeechTimeout }, 7 * time.Second, 7 * time.Second},
		{"Gather takes an empty action as written", `<Gather action=""/>`, func(n Node) any { return n.(*Gather).HasAction }, true, true},
		{"Gather without an action says so", `<Gather/>`, func(n Node) any { return n.(*Gather).HasAction }, false, false},
		{"Gather can be interrupted", `<Gather/>`, func(n Node) any { return n.(*Gather).BargeIn }, true, true},
		{"Gather honours foreign attributes", `<Gather actionOnEmptyResult="true" minDigits="2"/>`, func(n Node) any { g := n.(*Gather); return []any{g.ActionOnEmptyResult, g.MinDigits} }, []any{true, 2}, []any{true, 2}},
		{"Gather takes Telnyx's names", `<Gather model="m" useEnhanced="true"/>`, func(n Node) any { g := n.(*Gather); return []any{g.SpeechModel, g.Enhanced} }, []any{"m", true}, []any{"m", true}},
		{"Redirect goes to this document", "<Redirect/>", func(n Node) any { r := n.(*Redirect); return r.URL + r.Method }, "POST", "POST"},
		{"Reject is not busy", "<Reject/>", func(n Node) any { return n.(*Reject).Reason }, "rejected", "rejected"},
		{"Record's silence", "<Record/>", func(n Node) any { return n.(*Record).Timeout }, time.Duration(0), 5 * time.Second},
		{"Record's trim, channels, format", "<Record/>", func(n Node) any { r := n.(*Record); return []any{r.Trim, r.Channels, r.Format} }, []any{false, "dual", "mp3"}, []any{true, "single", "wav"}},
		{"Record is short with a transcript", `<Record transcribe="true"/>`, func(n Node) any { return n.(*Record).MaxLength }, time.Hour, 2 * time.Minute},
		{"Dial rings in the caller's ear", "<Dial>+1</Dial>", func(n Node) any { return n.(*Dial).RingTone }, "us", ""},
		{"Dial's text is a number", "<Dial>(415) 555-0100</Dial>", func(n Node) any { return n.(*Dial).Nouns[0].(*Number).Number }, "4155550100", "4155550100"},
		{"Dial's text is a SIP address", "<Dial> sip:a@b </Dial>", func(n Node) any { return n.(*Dial).Nouns[0].(*Sip).URI }, "sip:a@b", "sip:a@b"},
		{"Dial's text has a noun's defaults", "<Dial>+1</Dial>", func(n Node) any { return n.(*Dial).Nouns[0].(*Number).Leg },
			parsedLeg(t, Telnyx), parsedLeg(t, Twilio)},
		{"machineDetectionTimeout's unit", `<Dial><Number machineDetectionTimeout="600">+1</Number></Dial>`, func(n Node) any { return n.(*Dial).Nouns[0].(*Number).AMD.Timeout }, 600 * time.Millisecond, time.Minute},
		{"Dial's thresholds count for its numbers", `<Dial machineDetectionSpeechThreshold="1500"><Number>+1</Number></Dial>`, func(n Node) any { return n.(*Dial).Nouns[0].(*Number).AMD.SpeechThreshold }, 1500 * time.Millisecond, 1500 * time.Millisecond},
		{"Conference's trim", "<Dial><Conference>a</Conference></Dial>", func(n Node) any { return n.(*Dial).Nouns[0].(*Conference).Trim }, false, true},
		{"Conference waits in silence", `<Dial><Conference waitUrl="">a</Conference></Dial>`, func(n Node) any { return n.(*Dial).Nouns[0].(*Conference).HasWaitURL }, true, true},
		{"Siprec's track", `<Start><Siprec connectorName="c"/></Start>`, func(n Node) any { return n.(*Start).Services[0].(*Siprec).Track }, "both_tracks", "inbound_track"},
		{"Transcription's track", `<Start><Transcription/></Start>`, func(n Node) any { return n.(*Start).Services[0].(*Transcription).Track }, "inbound_track", "both_tracks"},
		{"Pay knows the postal code", `<Pay postalCode="94105"/>`, func(n Node) any { p := n.(*Pay); return []any{p.PostalCode, p.KnownPostalCode} }, []any{false, "94105"}, []any{false, "94105"}},
		{"comments do not split text", "<Redirect>/a<!-- x -->/b</Redirect>", func(n Node) any { return n.(*Redirect).URL }, "/a/b", "/a/b"},
		{"CDATA is text", "<Redirect><![CDATA[/a?b&c]]></Redirect>", func(n Node) any { return n.(*Redirect).URL }, "/a?b&c", "/a?b&c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.get(parseOne[Node](t, tt.verb, Telnyx)); !reflect.DeepEqual(got, tt.telnyx) {
				t.Errorf("telnyx: got %v, want %v", got, tt.telnyx)
			}
			if got := tt.get(parseOne[Node](t, tt.verb, Twilio)); !reflect.DeepEqual(got, tt.twilio) {
				t.Errorf("twilio: got %v, want %v", got, tt.twilio)
			}
		})
	}
}

// parsedLeg gives the defaults of a <Number>.
func parsedLeg(t *testing.T, d Dialect) Leg {
	return parseOne[*Dial](t, "<Dial><Number>+1</Number></Dial>", d).Nouns[0].(*Number).Leg
}

func TestPlaces(t *testing.T) {
	const src = "<Response>\n  <Gather numDigits='1'\n    timeuot = \"2\" action=\"a b\"><Pause/>\n  hm</Gather>\n</Response>"
	doc, err := Parse("menu.xml", []byte(src), Telnyx)
	if err != nil {
		t.Fatal(err)
	}
	g := doc.Verbs[0].(*Gather)
	if got, want := g.At(), (Pos{2, 3}); got != want {
		t.Errorf("Gather at %v, want %v", got, want)
	}
	if got, want := g.Prompts[0].At(), (Pos{3, 32}); got != want {
		t.Errorf("Pause at %v, want %v", got, want)
	}
	var places []string
	for _, s := range doc.Slips {
		places = append(places, s.Pos.String())
	}
	if got, want := strings.Join(places, " "), "3:5 3:19 4:3"; got != want {
		t.Errorf("slips at %s, want %s", got, want)
	}
	const want = `menu.xml:3:5: <Gather> has no attribute "timeuot"; did you mean timeout?`
	if got := doc.Slips[0].Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUnusable(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("<Response>", n) + strings.Repeat("</Response>", n) }
	for _, tt := range []struct {
		name, src string
		pos       Pos
		code      int
		msg       string
	}{
		{"nothing", "", Pos{1, 1}, 12100, "the document is empty"},
		{"blanks only", " \n ", Pos{1, 1}, 12100, "the document is empty"},
		{"text only", "\n hello", Pos{2, 2}, 12100, "text outside the root"},
		{"a bare & in text", "<Response>\n<Play>/a?b=1&c=2</Play></Response>", Pos{2, 13}, 12100, "a bare &"},
		{"a bare & in an attribute", `<Response><Gather action="/a?b&c"/></Response>`, Pos{1, 31}, 12100, "a bare &"},
		{"an entity of HTML", "<Response><Say>a&nbsp;b</Say></Response>", Pos{1, 17}, 12100, "&nbsp; is not an entity of XML"},
		{"an entity of its own", `<!DOCTYPE a [<!ENTITY b "c">]><Response><Say>&b;</Say></Response>`, Pos{1, 1}, 12100, "<!DOCTYPE> is not allowed"},
		{"another root", "<Twiml/>", Pos{1, 1}, 12102, "the root is <Twiml>"},
		{"two roots", "<Response/><Response/>", Pos{1, 12}, 12100, "a second root"},
		{"a cut document", "<Response>\n <Say", Pos{2, 2}, 12100, "the document breaks off here"},
		{"an open element", "<Response>\n <Say>", Pos{2, 2}, 12100, "<Say> is never closed"},
		{"an attribute written twice", `<Response><Say loop="1"  loop="2">a</Say></Response>`, Pos{1, 26}, 12100, "written twice"},
		{"bytes that are not UTF-8", "<Response><Say>\xe4</Say></Response>", Pos{1, 16}, 12100, "not UTF-8"},
		{"a control character", "<Response><Say>a\x01</Say></Response>", Pos{1, 17}, 12100, "a control character"},
		{"too deep", nested(33), Pos{1, 321}, 12100, "more than 32 elements inside each other"},
		{"too many elements", "<Response>" + strings.Repeat("<Pause/>", 1000) + "</Response>", Pos{1, 8003}, 12100, "more than 1000 elements"},
		{"too long", "<Response>" + strings.Repeat(" ", 64<<10) + "</Response>", Pos{1, 1}, 11750, "65557 bytes"},
		{"an encoding nobody knows", `<?xml version="1.0" encoding="KOI8-R"?>` + "<Response><Say>\xe4</Say></Response>", Pos{1, 55}, 12100, "not UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := Parse("a.xml", []byte(tt.src), Telnyx)
			if err == nil {
				t.Fatal("no error", doc.Slips)
			}
			e := err.(Errors)[0]
			if e.Pos != tt.pos || e.Code != tt.code || !strings.Contains(e.Msg, tt.msg) || e.Level != Fatal {
				t.Errorf("got %v %d %s, want %v %d %s", e.Pos, e.Code, e, tt.pos, tt.code, tt.msg)
			}
			if e.Fix == "" {
				t.Error("no remedy")
			}
			if len(e.Context) > 200 {
				t.Errorf("%d bytes of context", len(e.Context))
			}
		})
	}
}

func TestLimitsAreReached(t *testing.T) {
	deep := strings.Repeat("<Response>", 32) + strings.Repeat("</Response>", 32)
	many := "<Response>" + strings.Repeat("<Pause/>", 999) + "</Response>"
	long := "<Response>" + strings.Repeat(" ", 64<<10-21) + "</Response>"
	for _, src := range []string{deep, many, long} {
		if _, err := Parse("", []byte(src), Telnyx); err != nil {
			t.Error(err)
		}
	}
}

func TestEncodings(t *testing.T) {
	const body = "<Response><Say>Grüße €</Say></Response>"
	utf16 := func(big bool) string {
		var b strings.Builder
		for _, r := range body {
			hi, lo := byte(r>>8), byte(r)
			if big {
				b.Write([]byte{hi, lo})
			} else {
				b.Write([]byte{lo, hi})
			}
		}
		return b.String()
	}
	latin := strings.NewReplacer("ü", "\xfc", "ß", "\xdf", "€", "\x80").Replace(body)
	for _, tt := range []struct{ name, src string }{
		{"UTF-8", body},
		{"UTF-8 with a mark", "\xef\xbb\xbf" + body},
		{"UTF-16, the low byte first", "\xff\xfe" + utf16(false)},
		{"UTF-16, the high byte first", "\xfe\xff" + utf16(true)},
		{"UTF-16 without a mark", utf16(true)},
		{"ISO-8859-1", `<?xml version="1.0" encoding="ISO-8859-1"?>` + latin},
		{"Windows-1252", `<?xml version='1.0' encoding='windows-1252'?>` + latin},
		{"declared as UTF-8", `<?xml version="1.0" encoding="utf-8"?>` + body},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := Parse("", []byte(tt.src), Telnyx)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := doc.Verbs[0].(*Say).Text(), "Grüße €"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestBeforeTheFirstTag(t *testing.T) {
	for _, src := range []string{"\xef\xbb\xbf<Response/>", "\n<?xml version=\"1.0\"?><Response/>"} {
		for d, level := range map[Dialect]Level{Telnyx: Note, Twilio: Warning} {
			doc, err := Parse("", []byte(src), d)
			if err != nil {
				t.Fatal(err)
			}
			if len(doc.Slips) != 1 || doc.Slips[0].Code != 12100 || doc.Slips[0].Level != level {
				t.Errorf("%q, %v: %v", src, d, doc.Slips)
			}
		}
	}
}

func TestSayLimit(t *testing.T) {
	for d, most := range map[Dialect]int{Telnyx: 5000, Twilio: 4096} {
		for over, want := range map[int]int{0: 0, 1: 1} {
			verbs, slips := parseSlips(t, "<Say>"+strings.Repeat("ü", most+over)+"</Say>", d)
			if len(slips) != want || len(verbs) != 1 {
				t.Errorf("%v, %d characters: %v", d, most+over, slips)
			}
		}
	}
}

func TestSuggest(t *testing.T) {
	names := []string{"numDigits", "timeout", "url"}
	for _, tt := range []struct{ written, want string }{
		{"numDigit", "did you mean numDigits?"},
		{"numdigits", "names are case-sensitive: write numDigits"},
		{"tiemout", "did you mean timeout?"},
		{"urls", "did you mean url?"},
		{"time", "did you mean timeout?"},
		{"num_digits", "did you mean numDigits?"},
		{"abc", ""},
		{"", ""},
		{strings.Repeat("x", 1000), ""},
	} {
		if got := suggest(tt.written, names); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.written, got, tt.want)
		}
	}
}

func TestCache(t *testing.T) {
	c := NewCache(2)
	parse := func(source, body string, d Dialect) *Document {
		t.Helper()
		doc, err := c.Parse(source, []byte(body), d)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	const hello, bye, late = "<Response><Sya/><Say>hello</Say></Response>", "<Response><Say>bye</Say></Response>", "<Response/>"
	first := parse("a.xml", hello, Telnyx)
	if parse("a.xml", hello, Telnyx) != first {
		t.Error("a document seen before is parsed again")
	}
	other := parse("b.xml", hello, Telnyx)
	if other.Verbs[0] != first.Verbs[0] {
		t.Error("a document of another name is parsed again")
	}
	if other.Source != "b.xml" || other.Slips[0].Source != "b.xml" || first.Slips[0].Source != "a.xml" {
		t.Error("slips carry the wrong name:", other.Slips, first.Slips)
	}
	if parse("a.xml", hello, Twilio) == first {
		t.Error("the dialects share a document")
	}
	parse("a.xml", hello, Telnyx)
	parse("a.xml", bye, Telnyx) // drops that of Twilio, not used for the longest time
	if parse("a.xml", hello, Telnyx) != first {
		t.Error("the document used last is dropped")
	}
	parse("a.xml", bye, Telnyx)
	parse("a.xml", late, Telnyx)
	if parse("a.xml", hello, Telnyx) == first {
		t.Error("three documents are kept, want two")
	}
	for range 2 {
		_, err := c.Parse("c.xml", []byte("<Respnse/>"), Telnyx)
		if errs, ok := err.(Errors); !ok || errs[0].Source != "c.xml" {
			t.Errorf("error %v", err)
		}
	}
}

func TestTemplatesAreNotChecked(t *testing.T) {
	_, slips := parseSlips(t, `<Gather numDigits="{{N}}" action="{{#url_encode}}{{A b}}{{/url_encode}}"/>{{#if A}}<Dial>{{To}}</Dial>{{/if}}`, Twilio)
	if len(slips) > 0 {
		t.Error(slips)
	}
}

func TestAgentKeepsItsText(t *testing.T) {
	a := parseOne[*Agent](t, "<Agent src='a.md'><Prompt> Be <b>kind</b> </Prompt></Agent>", Twilio)
	if got, want := a.Element.SelectElement("Prompt").Text(), " Be "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := a.Element.SelectAttrValue("src", ""), "a.md"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
