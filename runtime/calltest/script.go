// Package calltest plays call scripts: the caller's side of a call with times,
// the documents a web server would answer with, and the trace that is wanted.
//
// A script runs in virtual time (testing/synctest) through the interpreter,
// the webhook client and the media stream that serve real calls; only the two
// ends are in memory, the caller's telephone and the web server. A call of five
// minutes takes milliseconds. docs/call-scripts.md is the format's manual.
package calltest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/hookswitch/hookswitch/texml"
)

// Script is a call script as it is written.
type Script struct {
	Name    string // file name, for messages
	Want    string // the trace wanted, "" when the script has no want section
	HasWant bool

	archive *txtar.Archive
	dir     string // of the file; what "call file.xml" starts from

	dialect  texml.Dialect
	from, to string // of the caller A
	method   string
	fallback string
	status   string   // URL of status callbacks
	events   []string // asked of it
	server   string   // real server of paths without a section, "" is none
	token    string   // signs requests in the Twilio dialect
	show     []string // parameters of requests to show; "*" is all
	voice    speaking
	ears     hearing
	limit    time.Duration // longest call
	moves    bool          // those who are dialled may transfer the call

	words   vocabulary // that are spoken
	phrases []*phrase
	legs    map[string]*party // by letter, those that the script names
	sockets map[string]*place // by path
	actions []action
	answers map[string][]answer // by "GET /path"
}

// Bounds of a script, so that a slip of the pen does not fill the memory.
const (
	longestScript = 24 * time.Hour
	longestSound  = 10 * time.Minute
)

// ReadFile reads the script in a file.
func ReadFile(path string) (*Script, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	s.dir = filepath.Dir(abs)
	return s, nil
}

// Parse reads a script. The error has a line for every line that is wrong,
// each with the place and the remedy.
func Parse(name string, data []byte) (*Script, error) {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	s := &Script{
		Name: name, archive: txtar.Parse(data),
		from: "+15550100", to: "+15550199", token: "12345", ears: hearing{fail: -1}, limit: 4 * time.Hour,
		legs: map[string]*party{}, sockets: map[string]*place{}, answers: map[string][]answer{},
	}
	var errs []error
	fail := func(line int, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", name, line, err))
		}
	}
	var last time.Duration
	for i, line := range strings.Split(string(s.archive.Comment), "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if c := f[0][0]; c == '+' || c == '-' || c >= '0' && c <= '9' {
			fail(i+1, s.action(f, &last))
		} else {
			fail(i+1, s.setting(f, i+1))
		}
	}
	for _, slip := range s.contradictions() {
		fail(slip.line, slip.err)
	}
	if len(s.actions) == 0 && len(errs) == 0 {
		fail(1, errors.New("nothing happens in this script; begin with: 0s call /voice"))
	}
	at := 1 + bytes.Count(s.archive.Comment, []byte("\n"))
	for _, file := range s.archive.Files {
		fail(at, s.section(file))
		at += 1 + bytes.Count(file.Data, []byte("\n"))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s, nil
}

// Server reads the base of a real web server: scheme and host, without a path.
func Server(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is not a server; write http://127.0.0.1:3000, without a path", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

// WithWant is the script's text with got as the trace wanted.
func (s *Script) WithWant(got string) []byte {
	a := &txtar.Archive{Comment: s.archive.Comment}
	for _, f := range s.archive.Files {
		if f.Name != "want" {
			a.Files = append(a.Files, f)
		}
	}
	a.Files = append(a.Files, txtar.File{Name: "want", Data: []byte(got)})
	return txtar.Format(a)
}
