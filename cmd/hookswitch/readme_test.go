//go:build linux

package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// TestE2EReadme does what the README says of speech and streams.
func TestE2EReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls")
	}
	need(t, "node")
	modules, err := filepath.Abs("../../testdata/mediastream/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "ws")); err != nil {
		t.Skip("ws is not installed; run: cd testdata/mediastream && npm ci")
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Speech and streams\n")
	if !ok {
		t.Fatal("the README has no section on speech and streams")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	block := func(language string) string { // the next one of that language
		_, rest, ok := strings.Cut(section, "```"+language+"\n")
		body, after, closed := strings.Cut(rest, "\n```\n")
		if !ok || !closed {
			t.Fatalf("the section has no further block of %s", language)
		}
		section = after
		return body + "\n"
	}
	config, gather, app, echo := block("yaml"), block("xml"), block("js"), block("xml")
	for _, document := range []string{gather, echo} {
		doc, err := texml.Parse("README.md", []byte(document), texml.Telnyx)
		if err != nil {
			t.Fatal(err)
		}
		for _, slip := range doc.Slips {
			if slip.Level != texml.Note { // that Twilio takes wss only
				t.Error(slip)
			}
		}
	}

	dir, port := t.TempDir(), strconv.Itoa(freeTCP(t))
	for name, body := range map[string]string{
		"echo.js":     strings.Replace(app, "3001", port, 1),
		"echo.xml":    strings.Replace(echo, "3001", port, 1),
		"readme.yaml": config,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("node", "echo.js")
	cmd.Dir, cmd.Stderr, cmd.Env = dir, os.Stderr, append(os.Environ(), "NODE_PATH="+modules)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for began := time.Now(); ; <-ticks.C {
		conn, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			conn.Close()
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("the application does not listen: ", err)
		}
	}
	s, err := startServer(t.Context(), buildProgram(t), filepath.Join(dir, "echo.xml"), dir, "--config", filepath.Join(dir, "readme.yaml"), "--dialect", "twilio")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	p := s.call(t, "echo", 900)
	if !p.hears(900) {
		t.Errorf("the echo is not heard\n%s", s.said)
	}
	p.hangUp(t)
}
