package texml

import (
	"encoding/xml"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse holds that Parse never panics, gives a document or an error, calls
// nothing well-formed that encoding/xml does not, and says the same each time;
// and that each slip has a place inside the document.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("../testdata/texml/*.xml")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, true)
		f.Add(body, false)
	}
	f.Add([]byte("\xff\xfe<\x00R\x00e\x00/\x00>\x00"), true)
	f.Add([]byte("<?xml version='1.0' encoding='latin1'?><Response><Say>\xe4</Say></Response>"), true)
	f.Add([]byte("{{#if A == 1}}<Response><Sya/>{{#elseif B}}<Response>\n<Redirect>/a?b&c</Redirect><Say>{{B}}{{/if}}</Say></Response>"), false)
	f.Fuzz(func(t *testing.T, body []byte, twilio bool) {
		d := Telnyx
		if twilio {
			d = Twilio
		}
		doc, err := Parse("f.xml", body, d)
		if (doc == nil) != (err != nil) {
			t.Fatalf("document %v, error %v", doc, err)
		}
		var slips Errors
		if err != nil {
			slips = err.(Errors)
			if len(slips) == 0 {
				t.Fatal("an error without slips")
			}
		} else {
			slips = doc.Slips
			wellFormed(t, body)
		}
		src, _ := decode(body)
		lines := strings.Split(src, "\n")
		checked := Check("f.xml", body, d)
		for _, s := range append(checked, slips...) {
			tooLong := s.Code == 11750
			if p := s.Pos; !tooLong && (p.Line < 1 || p.Line > len(lines) || p.Col < 1 || p.Col > len(lines[p.Line-1])+1) {
				t.Fatalf("%v is outside of the document: %v", p, s)
			}
			if s.Msg == "" || !utf8.ValidString(s.Error()) {
				t.Fatalf("message %q", s.Error())
			}
		}
		for i := 1; i < len(checked); i++ {
			if checked[i].Pos.before(checked[i-1].Pos) {
				t.Fatalf("%v stands before %v", checked[i-1], checked[i])
			}
		}
		again, err2 := Parse("f.xml", body, d)
		if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() || doc != nil && doc.Slips.Error() != again.Slips.Error() {
			t.Fatal("two readings differ")
		}
	})
}

func wellFormed(t *testing.T, body []byte) {
	src, _ := decode(body)
	dec := xml.NewDecoder(strings.NewReader(src))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		if _, err := dec.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("Parse takes what is not well-formed: %v", err)
		}
	}
}

// FuzzRender holds that Render never panics, keeps its limit, and lets no value
// out of its place: a template that is XML stays XML, whatever the values.
func FuzzRender(f *testing.F) {
	for _, template := range []string{
		"<Response><Say>{{Name}}</Say></Response>",
		`<Response>{{#if A == "b"}}<Say>{{A}}</Say>{{#elseif B}}<Hangup/>{{#else}}<Pause/>{{/if}}</Response>`,
		"<a>{{#List}}<b c=\"{{.}}\"/>{{/List}}{{^List}}none{{/List}}</a>",
		"<a>{{#url_encode}}{{A}}&{{/url_encode}}{{#secret}}key{{/secret}}{{! no }}</a>",
		"{{#a}}{{/b}}", "{{", "{{}}", "{{#if}}{{/if}}", "{{#if a}}{{else}}{{/if}}",
	} {
		f.Add(template, "A", "x&<>\"'{{B}}\x00")
		f.Add(template, "List[]", "1")
	}
	f.Fuzz(func(t *testing.T, template, name, value string) {
		vars := url.Values{name: {value, "2"}}
		secret := func(name string) (string, bool) { return value, name == "key" }
		out, err := Render([]byte(template), vars, secret)
		if err != nil {
			e := err.(*Error)
			lines := strings.Split(template, "\n")
			if e.Pos.Line < 1 || e.Pos.Line > len(lines) || e.Pos.Col < 1 || e.Pos.Col > len(lines[e.Pos.Line-1])+1 {
				t.Fatalf("%v is outside of the template", e)
			}
			return
		}
		if len(out) > maxRendered && strings.Contains(template, "{{") {
			t.Fatalf("%d bytes", len(out))
		}
		inert, err := Render([]byte(template), url.Values{name: {"x", "2"}}, func(name string) (string, bool) { return "x", name == "key" })
		if err == nil && value != "" && !strings.Contains(template, "#if") && !strings.Contains(template, "secret") && parses(string(inert)) && !parses(string(out)) {
			t.Fatalf("the value %q breaks %q: %q", value, inert, out)
		}
	})
}

func parses(src string) bool {
	dec := xml.NewDecoder(strings.NewReader(src))
	for {
		if _, err := dec.Token(); err != nil {
			return err == io.EOF
		}
	}
}
