package texml

import (
	"strings"
	"testing"
)

func TestReachKnowsTemplates(t *testing.T) {
	const never = "never runs"
	for _, tt := range []struct{ name, verbs, want string }{
		{"plain", "<Redirect>/a</Redirect><Say>a</Say>", never},
		{"the other case", "{{#if A}}<Redirect>/a</Redirect>{{#else}}<Say>a</Say>{{/if}}", ""},
		{"the next case", "{{#if A}}<Redirect>/a</Redirect>{{#elseif B}}<Say>a</Say>{{/if}}", ""},
		{"behind the section", "{{#A}}<Hangup/>{{/A}}<Say>a</Say>", ""},
		{"behind two sections", "{{#A}}{{^B}}<Hangup/>{{/B}}{{/A}}<Say>a</Say>", ""},
		{"the next section", "{{#A}}<Hangup/>{{/A}}{{^A}}<Say>a</Say>{{/A}}", ""},
		{"the same section", "{{#if A}}<Hangup/><Say>a</Say>{{/if}}", never},
		{"a section below", "<Hangup/>{{#if A}}<Say>a</Say>{{/if}}", never},
		{"a section inside the text", "<Redirect>/a{{#if A}}b{{#else}}c{{/if}}</Redirect><Say>a</Say>", never},
		{"a value between", "<Hangup/><!-- {{A}} --><Say>a</Say>", never},
	} {
		slips := Check("", []byte("<Response>\n"+tt.verbs+"</Response>"), Telnyx)
		switch {
		case tt.want == "" && len(slips) > 0:
			t.Errorf("%s: %v", tt.name, slips)
		case tt.want != "" && (len(slips) != 1 || !strings.Contains(slips[0].Msg, tt.want)):
			t.Errorf("%s: got %v, want %q", tt.name, slips, tt.want)
		}
	}
}

func TestTemplatesAreNotJudged(t *testing.T) {
	for _, verb := range []string{
		"<Redirect>menu.xml?try={{#if try == 1}}2{{/if}}</Redirect>",
		"<Play>{{#if A}}a b{{/if}}.wav</Play>",
		`<Gather action="menu.xml?try={{#if try == 1}}2{{/if}}"/>`,
		"<Dial>{{#if A}}+15550100{{#else}}sip:a@b{{/if}}</Dial>",
		"<Dial>{{#if A}}<Number>+15550100</Number>{{#else}}<Conference>a</Conference>{{/if}}</Dial>",
		"<Connect>{{#if A}}<Stream url='wss://a/'/>{{#else}}<Stream url='wss://b/'/>{{/if}}</Connect>",
		"<Refer>{{#if A}}<Sip>sip:a@b</Sip>{{#else}}<Sip>sip:c@b</Sip>{{/if}}</Refer>",
		"<Enqueue>{{#if A}}" + strings.Repeat("long", 20) + "{{#else}}short{{/if}}</Enqueue>",
		"<Gather>{{#if A}}<Say>a</Say>{{#else}}<Say>b</Say>{{/if}}</Gather>",
	} {
		if slips := Check("", []byte("<Response>"+verb+"</Response>"), Telnyx); len(slips) > 0 {
			t.Errorf("%s: %v", verb, slips)
		}
	}
	slips := Check("", []byte("<Response><Connect>a<Stream url='wss://a/'/></Connect></Response>"), Telnyx)
	if len(slips) != 1 || !strings.Contains(slips[0].Msg, "text inside <Connect>") {
		t.Errorf("text that is no template: %v", slips)
	}
}

func TestTemplatesThatAreNoXMLAreFilledIn(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"the root in both cases", "{{#if A}}<Response><Say>a</Say></Response>{{#else}}<Response/>{{/if}}", nil},
		{"the root opened in a case", "{{#if A == 1}}<Response>{{#elseif A == 2}}<Response><Pause/>{{#else}}<Response><Say>a</Say>{{/if}}</Response>", nil},
		{"an attribute in a case", `<Response><Say {{#if L}}language="{{L}}"{{/if}}>a</Say></Response>`, nil},
		{"two conditions that exclude each other", "{{#A}}<Response>{{/A}}{{^A}}<Response><Pause/>{{/A}}</Response>", nil},
		{"a slip in one case", "{{#if A}}<Response>\n<Sya>a</Sya></Response>{{#else}}<Response/>{{/if}}", []string{`2:1: there is no verb <Sya>; did you mean Say?`}},
		{"a slip behind another case", "{{#if A == 7}}<Response><Say>a</Say>{{#else}}<Response>{{/if}}\n <Sya>a</Sya></Response>", []string{`2:2: there is no verb <Sya>; did you mean Say?`}},
		{"a bare & in one case", "{{#if A}}<Response>\n<Say>a & b</Say></Response>{{#else}}<Response/>{{/if}}", []string{`2:8: a bare &, when parameters are "x"; write &amp;, also in URLs`}},
		{"no root in one case", "{{#if A}}<Response/>{{/if}}", []string{"1:1: the document is empty, when all parameters are empty; answer with <Response/> if nothing is to be done"}},
		{"wrong in each case", "<Respons>{{#if A}}<Say>a</Say>{{/if}}</Respons>", []string{"1:1: the root is <Respons>; did you mean Response?"}},
		{"wrong for two of three values", "{{#if A == 7}}<Response/>{{#else}}<Twiml/>{{/if}}", []string{"1:35: the root is <Twiml>, when all parameters are empty; put everything inside one <Response>"}},
	} {
		var got []string
		for _, s := range Check("", []byte(tt.src), Telnyx) {
			got = append(got, s.Error())
		}
		if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func TestSlipsAreNumbered(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		d         Dialect
		more      string
		level     Level
	}{
		{"unknown verbs", "<Response>" + strings.Repeat("<Sya/>", 150) + "</Response>", Telnyx, "and 50 more slips", Warning},
		{"attributes written twice", "<Response>" + strings.Repeat("<Say a='' a=''/>", 130) + "</Response>", Telnyx, "and 30 more slips", Fatal},
		{"notes, then a warning", "<Response>" + strings.Repeat("<Say gender='Male'>a</Say>", 110) + "<Sya/></Response>", Twilio, "and 11 more slips", Warning},
	} {
		slips := Check("", []byte(tt.src), tt.d)
		last := slips[len(slips)-1]
		if len(slips) != 101 || last.Msg != tt.more || last.Level != tt.level {
			t.Errorf("%s: got %d slips, the last %v (%v); want 101, %q (%v)", tt.name, len(slips), last, last.Level, tt.more, tt.level)
		}
	}
	for _, n := range []int{99, 100} {
		if slips := Check("", []byte("<Response>"+strings.Repeat("<Sya/>", n)+"</Response>"), Telnyx); len(slips) != n {
			t.Errorf("got %d slips, want %d", len(slips), n)
		}
	}
}
