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
	"strconv"
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
	from, to string
	method   string
	fallback string
	status   string   // URL of status callbacks
	events   []string // asked of it
	server   string   // real server of paths without a section, "" is none
	token    string   // signs requests in the Twilio dialect
	headers  map[string][]string
	show     []string // parameters of requests to show; "*" is all
	voice    bool
	limit    time.Duration // longest call

	actions []action
	answers map[string][]answer // by "GET /path"
}

// action is one thing the caller does.
type action struct {
	at   time.Duration // since the start of the script
	verb string
	args []string
	line int
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
		from: "+15550100", to: "+15550199", token: "12345", voice: true, limit: 4 * time.Hour,
		headers: map[string][]string{},
		answers: map[string][]answer{},
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
			fail(i+1, s.action(f, i+1, &last))
		} else {
			fail(i+1, s.setting(f))
		}
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

// callerVerbs are what a caller can do, with the number of words that follow.
var callerVerbs = map[string]struct{ least, most int }{
	"call": {1, 2}, "press": {1, 1}, "info": {1, 1}, "say": {1, 64}, "tone": {2, 2}, "silence": {1, 1},
	"hold": {0, 0}, "resume": {0, 0}, "listen": {0, 0}, "wait": {0, 0}, "hangup": {0, 0},
}

// action reads a line that begins with a time. last is when the line above it
// happens.
func (s *Script) action(f []string, line int, last *time.Duration) error {
	at, err := time.ParseDuration(strings.TrimPrefix(f[0], "+"))
	if err != nil {
		return fmt.Errorf("%q is not a time; write 200ms, 3s, 1m30s, or +1s for one second after the line above", f[0])
	}
	if strings.HasPrefix(f[0], "+") {
		at += *last
	}
	switch {
	case at < *last:
		return fmt.Errorf("%s comes before the line above it; write the lines in order of time", f[0])
	case at > longestScript:
		return fmt.Errorf("%s is too late; a script lasts at most %s", f[0], longestScript)
	}
	*last = at
	f = f[1:]
	if len(f) > 0 && len(f[0]) == 1 && f[0] >= "A" && f[0] <= "Z" {
		if f[0] != "A" {
			return fmt.Errorf("there is no leg %s in this call; the caller is A", f[0])
		}
		f = f[1:]
	}
	if len(f) == 0 {
		return errors.New("nothing after the time; write what the caller does, such as: press 1")
	}
	verb, args := f[0], f[1:]
	words, ok := callerVerbs[verb]
	if !ok {
		return fmt.Errorf("a caller cannot %q; what it can do: call, press, info, say, tone, silence, hold, resume, listen, wait, hangup", verb)
	}
	if n := len(args); n < words.least || n > words.most {
		return fmt.Errorf("%s takes %s (a comment has a line of its own)", verb, howMany(words.least, words.most))
	}
	switch first := len(s.actions) == 0; {
	case first && verb != "call":
		return errors.New("the first thing a caller does is to call, such as: 0s call /voice")
	case !first && verb == "call":
		return errors.New("the caller has called already; another call is another script")
	}
	if err := checkWords(verb, args); err != nil {
		return err
	}
	s.actions = append(s.actions, action{at, verb, args, line})
	return nil
}

// checkWords checks what follows a caller's verb.
func checkWords(verb string, args []string) error {
	switch verb {
	case "call":
		if len(args) == 2 && args[0] != "GET" && args[0] != "POST" {
			return fmt.Errorf("%q is not a method; write: call GET /voice, or call POST /voice", args[0])
		}
		if ref := args[len(args)-1]; strings.Contains(ref, "://") {
			if _, err := url.Parse(ref); err != nil {
				return fmt.Errorf("%q is not a URL", ref)
			}
		}
	case "press", "info":
		if keys := args[0]; strings.Trim(keys, "0123456789ABCD*#wW") != "" || len(keys) > 64 {
			return fmt.Errorf("%q is not up to 64 of the keys 0-9 A-D * # and the pauses w (0.5s) and W (1s)", keys)
		}
	case "tone":
		if _, err := pitch(args[0]); err != nil {
			return err
		}
		_, err := length(args[1])
		return err
	case "silence":
		_, err := length(args[0])
		return err
	}
	return nil
}

// pitch reads 440Hz.
func pitch(text string) (float64, error) {
	hz, err := strconv.ParseFloat(strings.TrimSuffix(text, "Hz"), 64)
	if err != nil || !(hz >= 50 && hz <= 3500) {
		return 0, fmt.Errorf("%q is not a pitch that a telephone carries; write 50Hz to 3500Hz", text)
	}
	return hz, nil
}

// length reads how long a sound lasts.
func length(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > longestSound {
		return 0, fmt.Errorf("%q is not a length; write 20ms to %s", text, longestSound)
	}
	return d, nil
}

func howMany(least, most int) string {
	switch {
	case most == 0:
		return "nothing after it"
	case least == most && most == 1:
		return "one word after it"
	case least == most:
		return strconv.Itoa(least) + " words after it"
	}
	return fmt.Sprintf("%d to %d words after it", least, most)
}

// setting reads a line that begins with a word: what holds for the whole call.
func (s *Script) setting(f []string) error {
	name, rest := f[0], strings.Join(f[1:], " ")
	if rest == "" {
		return fmt.Errorf("%q needs a value after it", name)
	}
	var err error
	switch name {
	case "dialect":
		s.dialect, err = texml.ParseDialect(rest)
	case "from":
		s.from = rest
	case "to":
		s.to = rest
	case "method":
		if rest != "GET" && rest != "POST" {
			return fmt.Errorf("%q is not a method; write GET or POST", rest)
		}
		s.method = rest
	case "fallback":
		s.fallback = rest
	case "status":
		s.status, s.events = f[1], f[2:]
	case "server":
		s.server, err = Server(rest)
	case "token":
		s.token = rest
	case "show":
		s.show = f[1:]
	case "voice":
		if rest != "none" {
			return errors.New("the one value is: voice none; without it a scripted voice speaks")
		}
		s.voice = false
	case "limit":
		if s.limit, err = time.ParseDuration(rest); err != nil || s.limit <= 0 || s.limit > longestScript {
			return fmt.Errorf("%q is not a length; write 30s or 10m", rest)
		}
	case "header":
		name, value, ok := strings.Cut(rest, ":")
		if !ok {
			return errors.New("write: header X-Name: value")
		}
		name = strings.TrimSpace(name)
		s.headers[name] = append(s.headers[name], strings.TrimSpace(value))
	default:
		return fmt.Errorf("unknown setting %q; there are dialect, from, to, method, fallback, status, server, token, show, voice, limit and header", name)
	}
	return err
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
