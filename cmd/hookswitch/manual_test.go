package main

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/runtime/calltest"
)

const manual = "../../docs/call-scripts.md"

// examples are the code blocks of the manual in one language.
func examples(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(text, -1) {
		found = append(found, string(m[1]))
	}
	if len(found) == 0 {
		t.Fatalf("the manual has no example in %s", language)
	}
	return found
}

// TestManualExamples plays the scripts of the manual, one of them against the
// application beside it.
func TestManualExamples(t *testing.T) {
	for i, text := range examples(t, "txtar") {
		dir := scriptDir(t, map[string]string{"example.txtar": text})
		args := []string{dir}
		if strings.Contains(text, "\nserver ") {
			args = []string{"-server", manualApp(t), dir}
		}
		if code, out, errOut := runTest(dir, args...); code != 0 || !strings.Contains(out, "ok    example.txtar") {
			t.Errorf("example %d: exit %d:\n%s%s", i+1, code, out, errOut)
		}
	}
}

// manualApp starts the application of the manual on a free port and returns
// its address.
func manualApp(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed; make test installs it where it may")
	}
	modules, err := filepath.Abs("../../testdata/express/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "express")); err != nil {
		t.Skip("express is not installed; run: cd testdata/express && npm ci")
	}
	app := examples(t, "js")[0]
	free := strings.Replace(app, "app.listen(3000, '127.0.0.1')",
		"const s = app.listen(0, '127.0.0.1', () => console.log(s.address().port))", 1)
	if free == app {
		t.Fatal("the example does not listen on port 3000")
	}
	dir := scriptDir(t, map[string]string{"app.js": free})
	cmd := exec.Command(node, "app.js")
	cmd.Dir, cmd.Stderr, cmd.Env = dir, os.Stderr, append(os.Environ(), "NODE_PATH="+modules)
	return startApp(t, cmd)
}

// startApp starts a web application that prints its port, and returns its
// address. It ends with the test.
func startApp(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("the application told no port: ", err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// TestManualIsComplete: every word that a script may use is in the manual, and
// the key it names is the one that scripts sign with.
func TestManualIsComplete(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"0s jump", "jump 1"} { // the error lists what there is
		_, err := calltest.Parse("x", []byte(wrong))
		_, list, ok := strings.Cut(err.Error(), "; ")
		_, after, colon := strings.Cut(list, ": ")
		if colon {
			list = after
		}
		words := strings.FieldsFunc(strings.TrimPrefix(list, "there are "), func(r rune) bool { return r == ',' || r == ' ' })
		if !ok || len(words) < 10 {
			t.Fatalf("no list of words in %q", err)
		}
		for _, word := range words {
			if word != "and" && !regexp.MustCompile("`([0-9]+s )?"+word+"[ `]").Match(text) {
				t.Errorf("the manual does not explain %q", word)
			}
		}
	}
	public := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	if key := base64.StdEncoding.EncodeToString(public); !strings.Contains(string(text), "`"+key+"`") {
		t.Errorf("the public key of scripts is %s", key)
	}
}
