package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/texml"
)

// written makes files below a new folder and goes there.
func written(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// checking runs the command as a shell would.
func checking(args ...string) (code int, out, errOut string) {
	var o, e strings.Builder
	code = check(args, &o, &e)
	return code, o.String(), e.String()
}

var slips = map[string]string{
	"good.xml":            `<Response><Say>Hello.</Say></Response>`,
	"menu.xml":            "<Response>\n  <Gather numDigit=\"1\"><Say>One.</Say></Gather>\n</Response>",
	"broken.xml":          "<Response>\n  <Say>Hello.\n</Response>",
	"sub/deep.texml":      `<Response><Sya>Hello.</Sya></Response>`,
	"pom.xml":             `<project><modelVersion/></project>`,
	"node_modules/x.xml":  `<Response><Sya/></Response>`,
	".git/x.xml":          `<Response><Sya/></Response>`,
	"hookswitch.yaml":     "sip:\n  listn: []\n",
	"hookswitch.dev.yaml": "media: {srtp: required}\n",
	"compose.yaml":        "services: {}\n",
	"notes.txt":           "<Response/>",
}

func TestCheckFindsEverySlipOfAFolder(t *testing.T) {
	written(t, slips)
	code, out, errOut := checking(".")
	if code != 1 || errOut != "" {
		t.Errorf("got exit %d and %q", code, errOut)
	}
	for _, want := range []string{
		"menu.xml:2:11: warning: <Gather> has no attribute \"numDigit\"; did you mean numDigits?",
		"broken.xml:3:", "error: ",
		"sub/deep.texml:1:11: warning: ", "did you mean Say?",
		"hookswitch.yaml:2:3: error: sip has no key \"listn\"; did you mean listen?\n",
		"hookswitch.dev.yaml:1:9: note: media.srtp is not used yet by this version\n",
		"[12200]\n    2 |   <Gather numDigit=\"1\"><Say>One.</Say></Gather>\n      |           ^\n    Telnyx ", // the code, the line, and what the platforms do
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	for _, never := range []string{"pom.xml", "node_modules", ".git", "compose.yaml", "notes.txt", "good.xml"} {
		if strings.Contains(out, never) {
			t.Errorf("%s is in\n%s", never, out)
		}
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if got, want := lines[len(lines)-1], "6 files, 2 errors, 2 warnings, 1 note"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExitOfCheck(t *testing.T) {
	written(t, slips)
	for _, c := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"nothing wrong", []string{"good.xml"}, 0, "1 file, nothing wrong\n"},
		{"a note", []string{"hookswitch.dev.yaml"}, 0, "1 file, 1 note\n"},
		{"a warning", []string{"menu.xml"}, 1, "1 file, 1 warning\n"},
		{"an error", []string{"broken.xml"}, 1, "1 file, 1 error\n"},
		{"one of two", []string{"good.xml", "menu.xml"}, 1, "2 files, 1 warning\n"},
		{"the same twice", []string{"menu.xml", "menu.xml"}, 1, "1 file, 1 warning\n"},
		{"an option behind a file", []string{"good.xml", "--dialect", "twilio"}, 0, "1 file, nothing wrong\n"},
		{"help", []string{"--help"}, 0, "hookswitch check FILE|DIR|URL..."},
		{"nothing to check", nil, 2, "name a file, a folder or a URL"},
		{"an unknown option", []string{"--fromat", "json", "."}, 2, "-fromat"},
		{"an unknown format", []string{"--format", "xml", "."}, 2, `no format is called "xml"; write text, json or sarif`},
		{"an unknown dialect", []string{"--dialect", "vonage", "."}, 2, `no dialect is called "vonage"`},
		{"an unknown method", []string{"--method", "PUT", "."}, 2, `no method is called "PUT"`},
		{"no such file", []string{"none.xml"}, 2, "none.xml"},
		{"a file that is neither", []string{"notes.txt"}, 2, "only .xml, .texml, .twiml, .txtar, .yaml, .yml and .md"},
	} {
		code, out, errOut := checking(c.args...)
		if code != c.want || !strings.Contains(out+errOut, c.says) {
			t.Errorf("%s: got exit %d, %q and %q; want %d and %q", c.name, code, out, errOut, c.want, c.says)
		}
		if code == 2 && out != "" {
			t.Errorf("%s: a wrong command line wrote %q to the output", c.name, out)
		}
	}
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := checking("empty"); code != 2 || !strings.Contains(errOut, "no call document") {
		t.Errorf("an empty folder: got exit %d and %q", code, errOut)
	}
}

func TestTheDialectCounts(t *testing.T) {
	written(t, map[string]string{"a.xml": `<Response><Gather action="/x" method="GET"><Say>Hi.</Say></Gather></Response>`})
	_, telnyx, _ := checking("a.xml")
	_, twilio, _ := checking("--dialect", "twilio", "a.xml")
	if !strings.Contains(telnyx, "TeXML has no attribute method") || strings.Contains(twilio, "TeXML has no") {
		t.Errorf("telnyx: %s\ntwilio: %s", telnyx, twilio)
	}
}

// TestCheckTellsWhatACallOnlyWarnsOf holds that nothing comes as a surprise in a
// call, and that no note says of a thing that it is done when it is not.
func TestCheckTellsWhatACallOnlyWarnsOf(t *testing.T) {
	written(t, map[string]string{"a.xml": `<Response>
<Dial callReason="a"><Number machineDetection="Enable" detectionMode="Premium">+15550101</Number></Dial>
<Dial><Client>joe</Client></Dial>
<Gather><Play mediaStorage="true">hello</Play></Gather>
<Record transcribe="true" recordingConfigurationId="r"/>
</Response>`})
	code, out, _ := checking("a.xml")
	if code != 0 {
		t.Errorf("exit %d, want 0: these are notes", code)
	}
	for _, want := range []string{
		"a.xml:2:1: note: callReason is not supported by this version of hookswitch and is ignored\n",
		"a.xml:2:22: note: detectionMode Premium runs the detector of Regular\n",
		"a.xml:3:7: note: TeXML has no <Client>; TwiML has it, and it is understood here",
		"a.xml:3:7: note: client:joe is not registered; phones cannot register with this version of hookswitch\n",
		"a.xml:4:9: note: <Play> cannot have a stored sound",
		"a.xml:5:1: note: recordingConfigurationId is not supported by this version of hookswitch and is ignored\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	for _, untrue := range []string{"it is run here", "it is used here"} {
		if strings.Contains(out, untrue) {
			t.Errorf("%q is in\n%s", untrue, out)
		}
	}
}

func TestTheJSONOfCheck(t *testing.T) {
	written(t, slips)
	_, out, _ := checking("--format", "json", "menu.xml", "hookswitch.dev.yaml")
	const want = `{
  "files": 2,
  "errors": 0,
  "warnings": 1,
  "notes": 1,
  "findings": [
    {
      "file": "menu.xml",
      "line": 2,
      "column": 11,
      "level": "warning",
      "code": 12200,
      "message": "<Gather> has no attribute \"numDigit\"",
      "fix": "did you mean numDigits?",
      "platforms": `
	if !strings.HasPrefix(out, want) {
		t.Errorf("got\n%s\nwant\n%s…", out, want)
	}
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Findings) != 2 {
		t.Errorf("got %d findings, %v", len(r.Findings), err)
	}
	_, none, _ := checking("--format", "json", "good.xml")
	if !strings.Contains(none, `"findings": []`) {
		t.Errorf("got %s, want an empty list", none)
	}
}

func TestTheSARIFOfCheck(t *testing.T) {
	written(t, map[string]string{
		"a b/ü.xml":       "<Response>\n  <Say>ö</Say><Sya/>\n</Response>",
		"hookswitch.yaml": "data: [ü]\n",
	})
	code, out, _ := checking("--format", "sarif", ".")
	if code != 1 {
		t.Errorf("got exit %d, want 1", code)
	}
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			ColumnKind string
			Tool       struct {
				Driver struct {
					Name  string
					Rules []struct{ ID string }
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif") || len(log.Runs) != 1 {
		t.Fatalf("got version %q, schema %q, %d runs", log.Version, log.Schema, len(log.Runs))
	}
	run := log.Runs[0]
	if run.Tool.Driver.Name != "hookswitch" || run.ColumnKind != "unicodeCodePoints" || len(run.Results) != 2 {
		t.Fatalf("got %+v", run)
	}
	for i, want := range []struct {
		rule, level, uri string
		line, column     int
	}{{"12200", "warning", "a%20b/%C3%BC.xml", 2, 15}, {"configuration", "error", "hookswitch.yaml", 1, 7}} {
		r := run.Results[i]
		if r.Message.Text == "" || len(r.Locations) != 1 || run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Fatalf("result %d is incomplete: %+v", i, r)
		}
		at := r.Locations[0].PhysicalLocation
		if r.RuleID != want.rule || r.Level != want.level || at.ArtifactLocation.URI != want.uri ||
			at.Region.StartLine != want.line || at.Region.StartColumn != want.column {
			t.Errorf("got %+v, want %+v", r, want)
		}
	}
	_, none, _ := checking("--format", "sarif", "hookswitch.yaml", "--dialect=twilio")
	if !strings.Contains(none, `"uri": "hookswitch.yaml"`) || strings.Contains(none, "null") {
		t.Errorf("got %s", none)
	}
}

func TestCheckAsksAWebServer(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path+" "+r.FormValue("CallStatus"))
		switch r.URL.Path {
		case "/voice":
			w.Header().Set("Content-Type", "text/xml")
			io.WriteString(w, "<Response>\n<Sya>Hello.</Sya></Response>")
		case "/sound":
			w.Header().Set("Content-Type", "audio/wav")
			io.WriteString(w, "RIFF")
		default:
			http.Error(w, "no", http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	base := strings.Replace(server.URL, "http://", "http://user:s3cret@", 1)
	for _, c := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"a document with a slip", []string{base + "/voice"}, 1, "/voice:2:1: warning: "},
		{"by GET", []string{"--method", "GET", base + "/voice"}, 1, "did you mean Say?"},
		{"a sound", []string{base + "/sound"}, 0, "note: the answer is a sound (audio/wav)"},
		{"an error of the server", []string{base + "/broken"}, 1, "[11200]"},
		{"no host", []string{"https:///voice"}, 2, "is no URL"},
	} {
		code, out, errOut := checking(c.args...)
		if code != c.want || !strings.Contains(out+errOut, c.says) {
			t.Errorf("%s: got exit %d, %q and %q; want %d and %q", c.name, code, out, errOut, c.want, c.says)
		}
		if strings.Contains(out+errOut, "s3cret") {
			t.Errorf("%s: the password is shown: %q %q", c.name, out, errOut)
		}
	}
	if got := strings.Join(asked[:2], ", "); got != "POST /voice ringing, GET /voice ringing" {
		t.Errorf("the server was asked %s", got)
	}
}

func TestCheckDoesNotFollowToAnotherPrivateServer(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Error("the other server was asked")
	}))
	defer other.Close()
	named := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer named.Close()
	if code, out, _ := checking(named.URL); code != 1 || !strings.Contains(out, "error: ") {
		t.Errorf("got exit %d and %q", code, out)
	}
}

func TestColumnsInCharacters(t *testing.T) {
	for _, c := range []struct {
		name, body string
		at         texml.Pos
		want       int
	}{
		{"the beginning", "abc", texml.Pos{Line: 1, Col: 1}, 1},
		{"behind two bytes of one character", "üb", texml.Pos{Line: 1, Col: 3}, 2},
		{"in another line", "ü\nüb", texml.Pos{Line: 2, Col: 3}, 2},
		{"behind a byte order mark", "\ufeffab", texml.Pos{Line: 1, Col: 2}, 2},
		{"behind the end", "ü", texml.Pos{Line: 1, Col: 9}, 9},
		{"in a line that is not there", "ü", texml.Pos{Line: 4, Col: 2}, 2},
	} {
		if got := characters([]byte(c.body), c.at); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}
