package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const helloScript = `0s call /voice
-- POST /voice --
<Response><Say>Hello there.</Say></Response>
`

const helloTrace = `0s     POST /voice
0s     answer
0s     say "Hello there."
800ms  hangup
`

// scriptDir makes a folder with files of these names and contents.
func scriptDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runTest runs the command and returns its output without times and dir.
func runTest(dir string, args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = testCommand(args, &o, &e)
	clean := func(s string) string {
		s = strings.ReplaceAll(s, dir+string(filepath.Separator), "")
		s = regexp.MustCompile(` \([0-9.]+[µm]?s\)`).ReplaceAllString(s, "")
		return regexp.MustCompile(`in [0-9.]+[µm]?s\n`).ReplaceAllString(s, "in T\n")
	}
	return code, clean(o.String()), clean(e.String())
}

func TestScriptsOfAFolder(t *testing.T) {
	wanting := helloScript + "-- want --\n"
	dir := scriptDir(t, map[string]string{
		"bad.txtar":                "0s jump\n",
		"changed.txtar":            wanting + strings.Replace(helloTrace, "800ms", "400ms", 1),
		"good.txtar":               wanting + helloTrace,
		"new.txtar":                helloScript,
		"node_modules/x.txtar":     "0s jump\n",
		"notes.txt":                "nothing to run",
		"below/file.txtar":         "0s call flow/menu.xml\n-- want --\n0s POST flow/menu.xml\n0s answer\n0s GET flow/next.xml\n0s hangup\n",
		"below/flow/menu.xml":      "<Response><Pause length=\"1\"/><Redirect method=\"GET\">next.xml</Redirect></Response>",
		"below/flow/next.xml":      "<Response/>",
		"below/outside.txtar":      "0s call flow/out.xml\n",
		"below/flow/out.xml":       "<Response><Redirect>../../secret.xml</Redirect></Response>",
		"secret.xml":               "<Response><Say>Secret.</Say></Response>",
		"below/nothing/gone.txtar": "0s call gone.xml\n",
	})
	code, out, errOut := runTest(dir, dir)
	if code != 1 || errOut != "" {
		t.Errorf("exit %d, %q; want 1", code, errOut)
	}
	for _, want := range []string{
		"FAIL  bad.txtar\n      bad.txtar:1: a leg cannot \"jump\"",
		"FAIL  changed.txtar: - is wanted, + is what happened\n        ...\n        0s     answer\n        0s     say \"Hello there.\"\n      - 400ms  hangup\n      + 800ms  hangup\n",
		"ok    good.txtar\n",
		"new   new.txtar: it wants nothing yet; to keep this trace: hookswitch test -update new.txtar\n      0s     POST /voice\n      0s     answer\n",
		"      - 0s     GET flow/next.xml\n      - 0s     hangup\n      + 1s     GET flow/next.xml\n      + 1s     hangup\n",
		"outside the folders of the flows",
		"FAIL  below/nothing/gone.txtar\n",
		"7 scripts, 4 failed, in T\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "Secret") || strings.Contains(out, "node_modules") {
		t.Errorf("too much was read:\n%s", out)
	}
}

func TestUpdateWritesWhatIsWanted(t *testing.T) {
	dir := scriptDir(t, map[string]string{"new.txtar": helloScript, "old.txtar": helloScript + "-- want --\n0s hangup\n"})
	if code, out, _ := runTest(dir, "-update", dir); code != 0 {
		t.Errorf("exit %d:\n%s", code, out)
	}
	for _, name := range []string{"new.txtar", "old.txtar"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if want := helloScript + "-- want --\n" + helloTrace; err != nil || string(got) != want {
			t.Errorf("%s is\n%s%v\nwant\n%s", name, got, err, want)
		}
	}
	if code, out, _ := runTest(dir, dir); code != 0 || !strings.Contains(out, "2 scripts, 0 failed") {
		t.Errorf("afterwards exit %d:\n%s", code, out)
	}
}

func TestFlagsOfTest(t *testing.T) {
	dir := scriptDir(t, map[string]string{"a.txtar": helloScript + "-- want --\n" + helloTrace, "b.txtar": "0s jump\n"})
	a := filepath.Join(dir, "a.txtar")
	for _, test := range []struct {
		name string
		args []string
		code int
		out  string // whole, or part of it when it begins with …
		err  string // part
	}{
		{"-run chooses", []string{"-run", `/a\.`, dir}, 0, "ok    a.txtar\n1 script, 0 failed, in T\n", ""},
		{"-q is silent on success", []string{"-q", a, a}, 0, "", ""},
		{"-v prints the trace", []string{"-v", a}, 0, "ok    a.txtar\n" + indent(helloTrace) + "1 script, 0 failed, in T\n", ""},
		{"--help teaches", []string{"--help"}, 0, "…server http://127.0.0.1:3000", ""},
		{"no script", nil, 2, "", "no script named; write: hookswitch test FILE|DIR... (--help says more)"},
		{"a file that is not there", []string{filepath.Join(dir, "c.txtar")}, 2, "", "c.txtar"},
		{"nothing matches", []string{"-run", "zzz", dir}, 2, "", `matches "zzz"`},
		{"a wrong regexp", []string{"-run", "(", dir}, 2, "", "-run: error parsing regexp"},
		{"a wrong server", []string{"-server", "localhost:3000", a}, 2, "", `"localhost:3000" is not a server; write http://127.0.0.1:3000`},
		{"an unknown flag", []string{"-x"}, 2, "", "flag provided but not defined: -x"},
		{"a report that cannot be written", []string{"-junit", filepath.Join(dir, "no", "x.xml"), a}, 2, "…ok    a.txtar", "x.xml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errOut := runTest(dir, test.args...)
			part, isPart := strings.CutPrefix(test.out, "…")
			if code != test.code || !isPart && out != test.out || isPart && !strings.Contains(out, part) || !strings.Contains(errOut, test.err) {
				t.Errorf("exit %d\n%s%s\nwant %d\n%s%s", code, out, errOut, test.code, test.out, test.err)
			}
		})
	}
}

func TestJUnit(t *testing.T) {
	dir := scriptDir(t, map[string]string{
		"a.txtar": helloScript + "-- want --\n" + helloTrace, "b.txtar": "0s jump\n",
		"c.txtar": helloScript, "d.txtar": helloScript + "-- want --\n0s answer & <hang up>\n",
	})
	file := filepath.Join(dir, "report.xml")
	if code, out, errOut := runTest(dir, "-q", "-junit", file, dir); code != 1 {
		t.Errorf("exit %d:\n%s%s", code, out, errOut)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got junitSuites
	if err := xml.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	s := got.Suites[0]
	if s.Tests != 4 || s.Failures != 1 || s.Errors != 1 || s.Skipped != 1 || len(s.Cases) != 4 {
		t.Fatalf("the counts are wrong:\n%s", data)
	}
	if c := s.Cases[0]; c.Name != "a.txtar" || c.Failure != nil || c.Error != nil || c.Out != helloTrace {
		t.Errorf("a: %+v", c)
	}
	if c := s.Cases[1]; c.Error == nil || !strings.Contains(c.Error.Text, "jump") {
		t.Errorf("b: %+v", c)
	}
	if c := s.Cases[3]; c.Failure == nil || !strings.Contains(c.Failure.Text, "- 0s     answer & <hang up>\n") {
		t.Errorf("d: %+v", c)
	}
}

// A script whose process ends or hangs costs itself and nothing else.
func TestALostChild(t *testing.T) {
	dir := scriptDir(t, map[string]string{"a.txtar": helloScript})
	ask := childJob{File: filepath.Join(dir, "a.txtar")}
	p := player{timeout: time.Minute}
	defer p.stop()
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	if err := p.child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if r := p.play(ask); !strings.Contains(r.Fault, "took its process with it") {
		t.Errorf("from a killed child came %+v", r)
	}
	if r := p.play(ask); r.Fault != "" || r.Trace != helloTrace {
		t.Errorf("after that came %+v", r)
	}
}

// realServer answers calls as a web application does.
func realServer(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /voice", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "caller", Value: "known"})
		fmt.Fprint(w, `<Response><Gather numDigits="1" timeout="60" action="/menu"/></Response>`)
	})
	mux.HandleFunc("POST /menu", func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("caller")
		if err != nil {
			cookie = &http.Cookie{}
		}
		fmt.Fprintf(w, `<Response><Say>Key %s, %s.</Say></Response>`, r.FormValue("Digits"), cookie.Value)
	})
	mux.HandleFunc("POST /hangs", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm() // only then does the server notice that the client has gone
		<-r.Context().Done()
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestRealWebhooks(t *testing.T) {
	s := realServer(t)
	trace := "-- want --\n0s POST /voice\n0s answer\n50s POST /menu Digits=7\n50s say \"Key 7, known.\"\n51.2s hangup\n"
	dir := scriptDir(t, map[string]string{
		"flag.txtar":    "0s call /voice\n50s press 7\n" + trace,
		"setting.txtar": "server " + s.URL + "\n0s call /voice\n50s press 7\n" + trace,
		"url.txtar":     "0s call " + s.URL + "/voice\n50s press 7\n" + strings.ReplaceAll(trace, " /", " "+s.URL+"/"),
		"stub.txtar": "0s call /voice\n50s press 7\n-- POST /menu --\n<Response><Say>Stub.</Say></Response>\n" +
			strings.Replace(strings.Replace(trace, "Key 7, known.", "Stub.", 1), "51.2s", "50.4s", 1),
	})
	for _, args := range [][]string{{"-server", s.URL, "-run", "flag|stub", dir}, {"-run", "setting|url", dir}} {
		if code, out, errOut := runTest(dir, args...); code != 0 || !strings.Contains(out, "2 scripts, 0 failed") {
			t.Errorf("exit %d:\n%s%s", code, out, errOut)
		}
	}
}

// A server that never answers is given up in real time by -timeout, and the
// scripts after it are played.
func TestAServerThatHangs(t *testing.T) {
	t.Parallel() // it waits in real time
	s := realServer(t)
	dir := scriptDir(t, map[string]string{
		"a.txtar": "0s call /hangs\n", "b.txtar": "0s call http://127.0.0.1:1/nobody\n",
		"c.txtar": helloScript + "-- want --\n" + helloTrace,
		"d.txtar": "0s call " + s.URL + "/hangs#tt=300\n",
	})
	code, out, _ := runTest(dir, "-server", s.URL, "-timeout", "5s", dir)
	if code != 1 || !strings.Contains(out, "FAIL  a.txtar\n      the call had not ended after 5s of real time") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if !strings.Contains(out, "connection refused") || !strings.Contains(out, "ok    c.txtar\n") ||
		!strings.Contains(out, "300ms  error webhook /hangs: no complete answer in time") || !strings.Contains(out, "4 scripts, 1 failed") {
		t.Errorf("the others:\n%s", out)
	}
}

// TestShippedCallScripts plays our own scripts as a user would: with the
// program's file reader, which go test ./runtime does without.
func TestShippedCallScripts(t *testing.T) {
	var out, errOut strings.Builder
	if code := testCommand([]string{"-q", filepath.Join("..", "..", "testdata", "calls")}, &out, &errOut); code != 0 {
		t.Errorf("exit %d\n%s%s", code, out.String(), errOut.String())
	}
}
