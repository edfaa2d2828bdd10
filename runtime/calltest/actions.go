package calltest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// action is one thing that somebody does on a telephone.
type action struct {
	at   time.Duration // since the start of the script; of a setting since the leg is dialled
	leg  string        // its letter
	verb string
	args []string
	says *phrase // of the verb says
}

func (a action) String() string { return strings.Join(append([]string{a.verb}, a.args...), " ") }

// legVerbs are what can be done on a leg, with the number of words that follow.
var legVerbs = map[string]struct{ least, most int }{
	"call": {1, 2}, "press": {1, 1}, "info": {1, 1}, "say": {1, 64}, "says": {1, 192}, "tone": {2, 2}, "silence": {1, 1},
	"hold": {0, 1}, "resume": {0, 0}, "listen": {0, 0}, "refer": {1, 1}, "wait": {0, 0}, "hangup": {0, 0},
	"ring": {0, 0}, "early": {1, 1}, "answer": {0, 0}, "busy": {0, 0}, "reject": {1, 1},
}

// outcomes are the verbs by which a dialled leg tells what becomes of it, with
// the word that the setting of the same meaning begins with.
var outcomes = map[string]string{"ring": "rings", "early": "early", "answer": "answers", "busy": "busy", "reject": "rejects"}

// final reports whether an outcome is the last word on it.
func final(verb string) bool { return verb == "answer" || verb == "busy" || verb == "reject" }

// isLetter reports whether word is the name of a leg.
func isLetter(word string) bool { return len(word) == 1 && word >= "A" && word <= "Z" }

// action reads a line that begins with a time. last is when the line above it
// happens.
func (s *Script) action(f []string, last *time.Duration) error {
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
	switch {
	case len(f) > 0 && isSocket(f[0]) && len(s.actions) == 0:
		return errNoCall
	case len(f) > 0 && isSocket(f[0]):
		return s.socketAction(at, f)
	}
	a := action{at: at, leg: "A"}
	if len(f) > 0 && isLetter(f[0]) {
		a.leg, f = f[0], f[1:]
	}
	if len(f) == 0 {
		return errors.New("nothing after the time; write what the caller does, such as: press 1")
	}
	a.verb, a.args = f[0], f[1:]
	words, ok := legVerbs[a.verb]
	if !ok {
		return fmt.Errorf("a leg cannot %q; what it can do: call, press, info, say, says, tone, silence, hold, resume, listen, refer, wait, hangup, ring, early, answer, busy, reject", a.verb)
	}
	if n := len(a.args); n < words.least || n > words.most {
		return fmt.Errorf("%s takes %s (a comment has a line of its own)", a.verb, howMany(words.least, words.most))
	}
	if err := s.inOrder(a); err != nil {
		return err
	}
	if err := checkWords(a.verb, a.args); err != nil {
		return err
	}
	if a.verb == "says" {
		if a.says, err = readPhrase(strings.Join(a.args, " ")); err != nil {
			return err
		}
		if err := s.phrase(a.says); err != nil {
			return err
		}
	}
	s.actions = append(s.actions, a)
	return nil
}

var errNoCall = errors.New("the first thing a caller does is to call, such as: 0s call /voice")

// inOrder checks that a can be done by its leg after what the lines above do.
func (s *Script) inOrder(a action) error {
	did := func(verb string) func(action) bool {
		return func(b action) bool { return b.leg == a.leg && (verb == "" || b.verb == verb) }
	}
	called := slices.ContainsFunc(s.actions, did("call"))
	_, outcome := outcomes[a.verb]
	switch {
	case len(s.actions) == 0 && (a.verb != "call" || a.leg != "A"):
		return errNoCall
	case called && a.verb == "call":
		return errors.New("the caller has called already; another call is another leg, such as: 5s B call /voice")
	case a.verb == "call" && slices.ContainsFunc(s.actions, did("")):
		return fmt.Errorf("%s calls only after it did something; a caller's first line is its call", a.leg)
	case called && outcome:
		return fmt.Errorf("%s has called, so it cannot %s; that is for legs that are dialled", a.leg, a.verb)
	}
	return nil
}

// calls reports whether a leg is a caller and so is not dialled.
func (s *Script) calls(leg string) bool {
	return slices.ContainsFunc(s.actions, func(a action) bool { return a.leg == leg && a.verb == "call" })
}

// checkWords checks what follows a verb.
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
	case "early":
		_, err := pitch(args[0])
		return err
	case "hold":
		if len(args) == 1 && args[0] != "inactive" {
			return fmt.Errorf("%q is not a way to hold; write hold, or hold inactive", args[0])
		}
	case "refer":
		if !strings.HasPrefix(args[0], "sip:") && !strings.HasPrefix(args[0], "sips:") {
			return fmt.Errorf("%q is not a SIP address; write: refer sip:carol@example.com", args[0])
		}
	case "reject":
		_, err := status(args[0], 300, 699)
		return err
	}
	return nil
}

// status reads a SIP status within bounds.
func status(text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q is not a status; write %d to %d", text, least, most)
	}
	return n, nil
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
