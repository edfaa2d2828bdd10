package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExpress plays scripts against a web application in another language,
// over real HTTP, while the time of the calls is virtual.
func TestExpress(t *testing.T) {
	const app = "../../testdata/express"
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed; make test installs it where it may")
	}
	if _, err := os.Stat(filepath.Join(app, "node_modules", "express")); err != nil {
		t.Skip("express is not installed; run: cd testdata/express && npm ci")
	}
	cmd := exec.Command(node, "app.js", "0")
	cmd.Dir, cmd.Stderr = app, os.Stderr
	server := startApp(t, cmd)
	began := time.Now()
	code, text, errOut := runTest(app, "-server", server, app)
	if code != 0 || !strings.Contains(text, "3 scripts, 0 failed") {
		t.Errorf("exit %d:\n%s%s", code, text, errOut)
	}
	t.Logf("over three minutes of calls took %s", time.Since(began).Round(time.Millisecond))
}
