//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestE2ECall places calls with the built program, to sipp.
func TestE2ECall(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls for half a minute")
	}
	need(t, "sipp")
	program := buildProgram(t)
	d := newDesk(t, map[string]string{
		"tone":  `<Play>/tone/600</Play>`,
		"long":  `<Play loop="0">/tone/600</Play>`,
		"wrong": `<Play>/tone/600`,
		"dials": `<Dial>+4930123456</Dial><Dial><Sip>sip:x@example.com</Sip></Dial>`,
	})
	data := t.TempDir() // one account for all

	for _, tt := range []struct {
		name, scenario, flow string
		args                 []string
		exit                 int
		says                 []string // in this order
	}{
		{"answered", "answers", "tone", nil, 0, []string{"calling sip:bob@", "it rings", "answered", "ask ", "play ", "hanging up", "over, after "}},
		{"busy", "busy", "tone", nil, 3, []string{"calling ", "busy"}},
		{"declined", "declines", "tone", nil, 1, []string{"calling ", "warning: the call was refused: 403 Forbidden", "failed\n"}},
		{"nobody answers", "rings", "tone", []string{"--timeout", "1s"}, 4, []string{"it rings", "no answer"}},
		{"the flow is wrong", "answers", "wrong", nil, 1, []string{"answered", "error: ", ":1:"}},
		{"the flow dials whom it may not", "answers", "dials", nil, 0, []string{
			"warning: ", "there is no trunk to call numbers with; write its server and credentials under sip.trunks",
			"the host example.com may not be called; add \"x@example.com\" to dial.allow in hookswitch.yaml, or \"*@example.com\" for all of that host", "over"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCallee(t, tt.scenario, newEar(t).port())
			exit, said := runCall(t, program, append([]string{c.uri, d.URL + "/" + tt.flow, "--data", data}, tt.args...)...)
			if exit != tt.exit {
				t.Errorf("exit status %d, want %d", exit, tt.exit)
			}
			wantInOrder(t, said, tt.says)
			if strings.Contains(said, "CA") {
				t.Errorf("people do not want to read SIDs:\n%s", said)
			}
			c.over(t)
		})
	}

	t.Run("Ctrl-C while it rings", func(t *testing.T) {
		c := newCallee(t, "rings", 9)
		exit, said := runCallUntil(t, program, "it rings", c.uri, d.URL+"/tone", "--data", data)
		if exit != 5 {
			t.Errorf("exit status %d, want 5", exit)
		}
		wantInOrder(t, said, []string{"it rings", "given up"})
		c.over(t)
	})
	t.Run("Ctrl-C in the call", func(t *testing.T) {
		c := newCallee(t, "answers", newEar(t).port())
		exit, said := runCallUntil(t, program, "play ", c.uri, d.URL+"/long", "--data", data)
		if exit != 0 {
			t.Errorf("exit status %d, want 0", exit)
		}
		wantInOrder(t, said, []string{"answered", "hanging up", "over"})
		c.over(t)
	})
	t.Run("a fax answers", func(t *testing.T) {
		e := newEar(t)
		e.sing(2100)
		c := newCallee(t, "answers", e.port())
		exit, said := runCall(t, program, c.uri, d.URL+"/tone", "--data", data, "--amd", "detect")
		if exit != 0 {
			t.Errorf("exit status %d, want 0:\n%s", exit, said)
		}
		wantInOrder(t, said, []string{"answered\n", "answered by fax after", "a fax tone of 2", "AnsweredBy=fax MachineDetectionDuration=", "hanging up"})
		c.over(t)
	})
	t.Run("who calls, headers, and a recording", func(t *testing.T) {
		need(t, "sox")
		e := newEar(t)
		e.sing(400)
		c := newCallee(t, "answers", e.port())
		file := filepath.Join(t.TempDir(), "call.wav")
		exit, said := runCall(t, program, c.uri, d.URL+"/tone", "--data", data, "--from", "+4989654321", "--header", "X-Order: 42", "--record", file)
		if exit != 0 {
			t.Errorf("exit status %d, want 0:\n%s", exit, said)
		}
		c.over(t)
		wantInOrder(t, c.heard(t), []string{"INVITE sip:bob@", "From: <sip:+4989654321@", "X-Order: 42"})
		left, right := channels(t, file)
		if s := heardSeconds(left, 400); s < 0.5 {
			t.Errorf("%.2f s of their tone on the left", s)
		}
		if s := heardSeconds(right, 600); s < 0.8 {
			t.Errorf("%.2f s of our tone on the right", s)
		}
		if l, r := heardSeconds(left, 600), heardSeconds(right, 400); l > 0 || r > 0 {
			t.Errorf("%.2f s of ours on the left, %.2f s of theirs on the right", l, r)
		}
	})
	for _, tt := range []struct {
		name, password, to string
		exit               int
		says               []string
	}{
		{"a number over a trunk", "secret", "+4930123456", 0, []string{"calling +4930123456", "answered", "over"}},
		{"a trunk that does not know the password", "sesame", "+4930123456", 1, []string{"calling +4930123456", "403 Forbidden", "failed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCallee(t, "trunk", newEar(t).port())
			config := filepath.Join(t.TempDir(), "hookswitch.yaml")
			text := fmt.Sprintf("sip:\n  trunks:\n    - name: main\n      server: %s\n      credentials: {username: user, password: %s}\ndial: {countries: [DE]}\n",
				strings.TrimPrefix(c.uri, "sip:bob@"), tt.password)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			exit, said := runCall(t, program, "+43123456789", d.URL+"/tone", "--data", data, "--config", config)
			if exit != 1 {
				t.Errorf("Austria: exit status %d, want 1", exit)
			}
			wantInOrder(t, said, []string{"numbers of AT (+43) may not be called", "dial.countries", "failed"})
			exit, said = runCall(t, program, tt.to, d.URL+"/tone", "--data", data, "--config", config)
			if exit != tt.exit {
				t.Errorf("exit status %d, want %d", exit, tt.exit)
			}
			wantInOrder(t, said, tt.says)
			if strings.Contains(said, tt.password) {
				t.Errorf("the password is shown:\n%s", said)
			}
			c.over(t)
			wantInOrder(t, c.heard(t), []string{"INVITE sip:+4930123456@", "401 ", "INVITE sip:+4930123456@", `Authorization: Digest username="user"`})
		})
	}
	t.Run("nobody may be called", func(t *testing.T) {
		exit, said := runCall(t, program, "+4930123456", d.URL+"/tone", "--data", data)
		if exit != 1 {
			t.Errorf("exit status %d, want 1", exit)
		}
		wantInOrder(t, said, []string{"calling +4930123456", "there is no trunk to call numbers with", "failed"})
	})
}

// wantInOrder wants each of these in a text, one behind the other.
func wantInOrder(t *testing.T, text string, want []string) {
	t.Helper()
	rest := text
	for _, w := range want {
		_, after, ok := strings.Cut(rest, w)
		if !ok {
			t.Errorf("%q is missing, or not in this place:\n%s", w, text)
			return
		}
		rest = after
	}
}

// runCall runs hookswitch call and returns its exit status and what it said.
func runCall(t *testing.T, program string, args ...string) (exit int, said string) {
	t.Helper()
	return runCallUntil(t, program, "", args...)
}

// runCallUntil interrupts it when it has said until, unless that is "".
func runCallUntil(t *testing.T, program, until string, args ...string) (exit int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"call"}, args...)...)
	out := &expecting{want: until, cut: func() { cmd.Process.Signal(os.Interrupt) }}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && failed.Exited() {
		return failed.ExitCode(), out.said.String()
	}
	if err != nil {
		t.Fatalf("hookswitch call: %v\n%s", err, out.said.String())
	}
	return 0, out.said.String()
}

// expecting collects what is written, and does something at a certain word.
type expecting struct {
	said bytes.Buffer
	want string
	cut  func()
}

func (e *expecting) Write(b []byte) (int, error) {
	e.said.Write(b)
	if e.want != "" && strings.Contains(e.said.String(), e.want) {
		e.want = ""
		e.cut()
	}
	return len(b), nil
}

// A callee is a sipp that is called.
type callee struct {
	uri  string
	dir  string
	done chan error
	said lastWords
}

// newCallee runs one of our scenarios for the calls that come to it (args:
// -m and others), whose sound goes to a port of 127.0.0.1.
func newCallee(t *testing.T, scenario string, sound uint16, args ...string) *callee {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("..", "..", "testdata", "sip", "e2e", scenario+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(freeUDP(t))
	if len(args) == 0 {
		args = []string{"-m", "1", "-trace_msg", "-message_file", "messages.log"}
	}
	c := &callee{uri: "sip:bob@127.0.0.1:" + port, dir: t.TempDir(), done: make(chan error, 1)}
	cmd := exec.CommandContext(t.Context(), "sipp", append([]string{"-sf", file, "-i", "127.0.0.1", "-p", port, "-key", "sound", strconv.Itoa(int(sound)),
		"-nostdin", "-timeout", "60s", "-timeout_error", "-trace_err", "-error_file", "errors.log"}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &c.said, &c.said, c.dir
	cmd.Env = append(os.Environ(), "TERM=dumb")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); c.done <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	listening(t, cmd.Process.Pid, port)
	return c
}

// listening waits until somebody listens on a UDP port of 127.0.0.1.
func listening(t *testing.T, pid int, port string) {
	t.Helper()
	n, _ := strconv.Atoi(port)
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for range 500 {
		b, err := os.ReadFile("/proc/net/udp")
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, fmt.Appendf(nil, ": 0100007F:%04X ", n)) {
			return
		}
		<-ticks.C
	}
	t.Fatalf("process %d does not listen on port %s", pid, port)
}

// over wants the scenario to have come to its end.
func (c *callee) over(t *testing.T) {
	t.Helper()
	select {
	case err := <-c.done:
		if err != nil {
			log, _ := os.ReadFile(filepath.Join(c.dir, "errors.log"))
			t.Errorf("sipp, who was called: %v\n%s\n%s\n%s", err, &c.said, tail(log), tail([]byte(c.heard(t))))
		}
	case <-time.After(10 * time.Second):
		t.Errorf("sipp, who was called, waits for more\n%s", tail([]byte(c.heard(t))))
	}
}

// heard is all messages of the call.
func (c *callee) heard(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, "messages.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func freeUDP(t *testing.T) int {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port
}
