package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/flows"
	"github.com/hookswitch/hookswitch/runtime/calltest"
)

// childCommand is the hidden command of the processes that play scripts.
// Virtual time is had from package testing only, which ends in os.Exit, and a
// script that deadlocks or panics takes its process with it: so scripts are
// played in children of this program, and one of them is all that it costs.
const childCommand = "test-child"

// childJob is what a child is asked, childResult its answer: a line of JSON
// each, on standard input and output. What else it prints is on standard error.
type childJob struct {
	File   string
	Server string `json:",omitempty"`
}

type childResult struct {
	Trace string
	Fault string `json:",omitempty"`
}

// testChild plays the scripts that it is asked for on standard input, until
// that ends. It does not return.
func testChild() {
	jobs, results := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr          // what package testing prints is no result
	os.Args = []string{os.Args[0]} // it would read the arguments as its own
	outside := calltest.NewOutside(4)
	all := func(string, string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "scripts", F: func(t *testing.T) {
		defer outside.Close()
		for {
			var j childJob
			if err := jobs.Decode(&j); err != nil {
				return
			}
			r := childResult{Fault: "the script was given up"}
			t.Run(j.File, func(t *testing.T) { r = playFile(t, j, outside) })
			if err := results.Encode(r); err != nil {
				return
			}
		}
	}}}, nil, nil)
}

// playFile plays one script.
func playFile(t *testing.T, j childJob, outside *calltest.Outside) childResult {
	s, err := calltest.ReadFile(j.File)
	if err != nil {
		return childResult{Fault: err.Error()}
	}
	files := &flows.Files{}
	defer files.Close()
	if file := s.File(); file != "" {
		if _, err := files.Add(file); err != nil {
			return childResult{Fault: err.Error()}
		}
	}
	env := calltest.Env{Outside: outside, Server: j.Server, Files: readFlow(files)}
	return childResult{Trace: calltest.Play(t, s, env)}
}

// player plays scripts, one after the other, in a child process that it starts
// when there is none. It is used by one goroutine.
type player struct {
	timeout time.Duration // of one script, in real time

	child *exec.Cmd
	in    io.WriteCloser
	jobs  *json.Encoder
	out   *json.Decoder
	said  *stderrHead
}

// play plays one script. A child that ends over it is told of in the result.
func (p *player) play(j childJob) childResult {
	if err := p.start(); err != nil {
		return childResult{Fault: err.Error()}
	}
	child := p.child.Process
	late := time.AfterFunc(p.timeout, func() { child.Kill() })
	var r childResult
	err := p.jobs.Encode(j)
	if err == nil {
		err = p.out.Decode(&r)
	}
	inTime := late.Stop()
	if err == nil {
		if !inTime { // answered and killed in the same moment
			p.stop()
		}
		return r
	}
	said := p.said
	ended := p.stop()
	if !inTime {
		return childResult{Fault: fmt.Sprintf("the call had not ended after %s of real time, however short it is in virtual time; "+
			"does something go round in circles? -timeout gives it more", p.timeout)}
	}
	return childResult{Fault: fmt.Sprintf("the script took its process with it (%v); this is a fault of hookswitch, please report it:\n%s", ended, said)}
}

// start starts a child if there is none.
func (p *player) start() error {
	if p.child != nil {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self, childCommand)
	said := &stderrHead{}
	child.Stderr = said
	// A call is one thing after another, which one processor does best.
	child.Env = append(os.Environ(), "GOMAXPROCS=1")
	in, err := child.StdinPipe()
	if err != nil {
		return err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return fmt.Errorf("start a process for scripts: %w", err)
	}
	p.child, p.in, p.jobs, p.out, p.said = child, in, json.NewEncoder(in), json.NewDecoder(out), said
	return nil
}

// stop ends the child, if there is one, and returns how it ended.
func (p *player) stop() error {
	if p.child == nil {
		return nil
	}
	p.in.Close()
	err := p.child.Wait()
	p.child = nil
	return err
}

// stderrHead keeps the beginning of what is written to it: the reason of a crash.
type stderrHead struct{ kept bytes.Buffer }

func (h *stderrHead) Write(b []byte) (int, error) {
	const most = 4 << 10
	h.kept.Write(b[:min(len(b), max(0, most-h.kept.Len()))])
	return len(b), nil
}

func (h *stderrHead) String() string { return strings.TrimSpace(h.kept.String()) }
