package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
)

// shown prints what happens in a placed call and in those that it leads to, a
// line for each step, in the words of people.
type shown struct {
	out   io.Writer
	began time.Time

	mu     sync.Mutex
	first  string            // SID of the placed call
	others map[string]string // whom each other call is to, by SID
	slip   string            // the last warning or error
}

func newShown(out io.Writer) *shown {
	return &shown{out: out, began: time.Now(), others: map[string]string{}}
}

// saw prints an event of a call. Calls write from goroutines of their own.
func (s *shown) saw(sid string, e runtime.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == "" {
		s.first = sid
	}
	text := words(e)
	if e.Kind == "warning" || e.Kind == "error" {
		s.slip = e.Text
	}
	if sid != s.first {
		if e.Kind == "dial" {
			s.others[sid] = e.Text
		} else {
			text = s.others[sid] + ": " + text
		}
	}
	s.line(text)
}

func (s *shown) line(text string) {
	fmt.Fprintf(s.out, "%6.1f s  %s\n", time.Since(s.began).Seconds(), text)
}

// words is an event as people say it. Private is shown to who has placed the
// call, and kept nowhere.
func words(e runtime.Event) string {
	switch e.Kind {
	case "dial":
		return "calling " + e.Text
	case "ringing":
		return "it rings"
	case "early media":
		return "sound before the answer"
	case "answer":
		return "answered"
	case "record":
		return "recording"
	case "recorded":
		return "recorded"
	case "ringback":
		return "ringing tone " + e.Text
	case "ringback stopped":
		return "ringing tone stopped"
	case "referred":
		return "transfer: " + e.Text
	case "bridge":
		return "connected"
	case "amd":
		return "answered by " + e.Text
	case "hangup":
		return "hanging up"
	case "callback":
		return "told " + e.Text
	case "POST", "GET":
		if file, ok := strings.CutPrefix(e.Text, "file://"); ok {
			return "run " + file
		}
		return strings.TrimSpace("ask " + e.Text + " " + e.Private)
	case "warning", "error":
		return e.Kind + ": " + e.Text
	}
	text := e.Kind
	for _, more := range []string{e.Text, e.Private} {
		if more != "" {
			text += " " + more
		}
	}
	return text
}

// over prints the outcome.
func (s *shown) over(rec runtime.CallRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	took := rec.Ended.Sub(rec.Answered).Round(100 * time.Millisecond)
	switch {
	case rec.Answered.IsZero() && rec.Status == "failed" && rec.ErrorMessage != s.slip:
		s.line("failed: " + rec.ErrorMessage)
	case rec.Answered.IsZero() && rec.Status == "no-answer":
		s.line("no answer")
	case rec.Answered.IsZero() && rec.Status == "canceled":
		s.line("given up")
	case rec.Answered.IsZero():
		s.line(rec.Status)
	case rec.HangupSource == "callee":
		s.line(fmt.Sprintf("they hung up, after %s", took))
	default:
		s.line(fmt.Sprintf("over, after %s", took))
	}
}
