package texml

import (
	"net/url"
	"strings"
	"testing"
)

func secrets(name string) (string, bool) { return "p<w", name == "key" }

func TestRender(t *testing.T) {
	vars := url.Values{
		"From": {"+1415"}, "Name": {`Tom & "Ann" <x>`}, "Empty": {""}, "List[]": {"a", "b"}, "None[]": {},
		"Evil": {"{{From}}{{#secret}}key{{/secret}}"}, "Other": {"+1415"}, "Bad": {"a\x00b\xff"},
	}
	for _, tt := range []struct{ name, template, want string }{
		{"no template", "<Say>a } b {</Say>", "<Say>a } b {</Say>"},
		{"a parameter", "<Say>{{ From }}</Say>", "<Say>+1415</Say>"},
		{"none of that name", "a{{Nobody}}b", "ab"},
		{"values are escaped", "{{Name}}", "Tom &amp; &quot;Ann&quot; &lt;x&gt;"},
		{"values are no templates", "{{Evil}}", "{{From}}{{#secret}}key{{/secret}}"},
		{"what XML forbids is dropped", "{{Bad}}", "ab\ufffd"},
		{"a list", "{{#List}}<Say>{{.}}</Say>{{/List}}", "<Say>a</Say><Say>b</Say>"},
		{"a list by its full name", "{{#List[]}}{{.}},{{/List[]}}", "a,b,"},
		{"an empty list", "{{#None}}x{{/None}}{{^None}}none{{/None}}", "none"},
		{"a parameter as a list of one", "{{#From}}[{{.}}]{{/From}}{{#Empty}}x{{/Empty}}", "[+1415]"},
		{"a comment", "a{{! b }}c", "ac"},
		{"equal to text", `{{#if From == "+1415"}}yes{{#else}}no{{/if}}`, "yes"},
		{"equal to a bare word", `{{#if From == +1415}}yes{{/if}}`, "yes"},
		{"equal to a parameter", `{{#if From == Other}}yes{{/if}}`, "yes"},
		{"not equal", `{{#if From != '+1415'}}yes{{#else}}no{{/if}}`, "no"},
		{"not empty", `{{#if From}}a{{/if}}{{#if Empty}}b{{/if}}{{#if Nobody}}c{{/if}}`, "a"},
		{"not null", `{{#if From != null}}a{{/if}}{{#if Nobody == null}}b{{/if}}`, "ab"},
		{"the second case", `{{#if Nobody}}a{{#elseif From == "x"}}b{{#elseif From}}c{{#else}}d{{/if}}`, "c"},
		{"conditions inside each other", `{{#if From}}{{#if Nobody}}a{{#else}}b{{/if}}{{/if}}`, "b"},
		{"each value is compared", `{{#List}}{{#if . == "b"}}B{{#else}}-{{/if}}{{/List}}`, "-B"},
		{"percent-encoded", "/x?n={{#url_encode}}{{Name}}{{/url_encode}}&amp;y", "/x?n=Tom%20%26%20%22Ann%22%20%3Cx%3E&amp;y"},
		{"a secret", "{{#secret}} key {{/secret}}", "p&lt;w"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Render([]byte(tt.template), vars, secrets)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestRenderErrors(t *testing.T) {
	vars := url.Values{"L[]": strings.Split(strings.Repeat("x,", 999), ","), "Long": {strings.Repeat("x", 1<<18+1)}}
	for _, tt := range []struct {
		name, template string
		pos            Pos
		code           int
		msg            string
	}{
		{"an open tag", "a\n {{From", Pos{2, 2}, 11320, "{{ is never closed"},
		{"an open section", "{{#L}}x", Pos{1, 1}, 11320, "{{#L}} is never closed; write {{/L}}"},
		{"an open condition", "\n{{#if L}}x{{#else}}", Pos{2, 1}, 11320, "never closed; write {{/if}}"},
		{"an end of nothing", "x{{/L}}", Pos{1, 2}, 11320, "closes or continues nothing"},
		{"another end", "{{#L}}x{{/M}}", Pos{1, 8}, 11320, "{{/M}} stands where {{#L}} is still open"},
		{"two elses", "{{#if L}}{{#else}}{{#else}}{{/if}}", Pos{1, 19}, 11320, "after {{#else}}"},
		{"no name", "{{ }}", Pos{1, 1}, 11310, "names nothing"},
		{"no name at all", "{{a b}}", Pos{1, 1}, 11310, "no name of a parameter"},
		{"three brackets", "{{{L}}}", Pos{1, 1}, 11310, "no name of a parameter"},
		{"a condition", "{{#if A > B}}{{/if}}", Pos{1, 1}, 11310, "cannot be read"},
		{"a second condition", "{{#if A}}{{#elseif}}{{/if}}", Pos{1, 10}, 11310, "cannot be read"},
		{"no such secret", "{{#secret}}other{{/secret}}", Pos{1, 1}, 11310, `no secret "other"`},
		{"a long result", "<a>\n{{Long}}", Pos{2, 1}, 11750, "more than 256 KB"},
		{"lists that print nothing", strings.Repeat("{{#L}}", 9) + strings.Repeat("{{/L}}", 9), Pos{1, 49}, 11310, "repeats too often"},
		{"sections without end", strings.Repeat("{{#L}}", 40), Pos{1, 193}, 11320, "more than 32 sections"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Render([]byte(tt.template), vars, secrets)
			e, ok := err.(*Error)
			if !ok {
				t.Fatalf("error %v", err)
			}
			if e.Pos != tt.pos || e.Code != tt.code || !strings.Contains(e.Error(), tt.msg) {
				t.Errorf("got %v %d %v, want %v %d %s", e.Pos, e.Code, e, tt.pos, tt.code, tt.msg)
			}
		})
	}
	if _, err := Render([]byte("{{#secret}}key{{/secret}}"), nil, nil); err == nil {
		t.Error("a secret without a store")
	}
}
