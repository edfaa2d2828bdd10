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
