package calltest

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// trace collects what happens in the calls of a script. Lines of one time keep
// the order in which things were made to happen; what one thing led to is
// grouped by leg, the one whose doing it was first, since legs have goroutines
// of their own. Lines of the callback queue, which runs beside the calls, come
// after those.
type trace struct {
	script *Script
	start  time.Time
	names  *strings.Replacer // takes off what a path or file is relative to

	mu      sync.Mutex
	lines   []line
	letters map[string]string // of legs, by SID
	moments int               // things made to happen
	actor   string            // whose doing the last of them was: a SID or a letter
	acted   time.Duration     // when
}

type line struct {
	at      time.Duration
	who     string // SID or letter of the leg; "" is nobody's, another SID a room's
	moment  int
	actor   string // whose doing it was; "" when time alone did it
	beside  bool
	text    string
	request string // "POST http://…" without a query, until the rest is known
}

func newTrace(s *Script, base string) *trace {
	return &trace{script: s, start: time.Now(),
		letters: map[string]string{},
		names:   strings.NewReplacer(base+"/", "/", fileURL(s.dir)+"/", "")}
}

// now is the time since the start.
func (tr *trace) now() time.Duration { return time.Since(tr.start) }

// name tells which leg the call sid is.
func (tr *trace) name(sid, letter string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.letters[sid] = letter
}

// moment begins something that who, a SID or a letter, makes happen.
func (tr *trace) moment(who string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.moments++
	tr.actor, tr.acted = who, tr.now()
}

func (tr *trace) add(l line) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	l.at, l.moment = tr.now(), tr.moments
	if l.at == tr.acted {
		l.actor = tr.actor
	}
	tr.lines = append(tr.lines, l)
}

// note adds a line of a leg's side, or of nobody's.
func (tr *trace) note(letter, text string) { tr.add(line{who: letter, text: text}) }

// saw is the server's observer.
func (tr *trace) saw(sid string, e runtime.Event) {
	l := line{who: cmp.Or(sid, "a room"), text: e.Kind}
	switch e.Kind {
	case "callback":
		l.beside = true
		form, _ := url.ParseQuery(e.Private)
		l.text += " " + e.Text + tr.params(form, func(name string) bool { return slices.Contains(callbackShows, name) || tr.shows(name) })
	case "warning", "error":
		// A callback that was not taken, a recording that was not transcribed.
		l.beside = e.Code == 15003 || e.Code == 16011 || e.Code == 13617 || e.Code == 13620
		l.text += " " + e.Text
		if code := fmt.Sprintf(" (%d)", e.Code); e.Code != 0 && !strings.HasSuffix(l.text, code) {
			l.text += code
		}
	case "GET", "POST":
		l.request, _, _ = strings.Cut(e.Kind+" "+e.Text, "?")
		fallthrough
	default:
		l.beside = e.Kind == "transcribed"
		l.text = strings.TrimRight(l.text+" "+e.Text, " ")
		l.text = strings.TrimRight(l.text+" "+e.Private, " ")
	}
	l.text = tr.names.Replace(l.text)
	tr.add(l)
}

// requested completes the line of a request that is about to be made: with the
// query of its URL, which timelines leave out, and with the parameters that the
// script wants to see. The line has the verb's own already.
func (tr *trace) requested(r webhook.Request) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return // and the client will say so
	}
	query := u.RawQuery
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for i := len(tr.lines) - 1; i >= 0; i-- {
		l := &tr.lines[i]
		if l.request != r.Method+" "+u.String() || l.who != r.Form.Get("CallSid") {
			continue
		}
		l.request = ""
		if query != "" {
			l.text = strings.Replace(l.text, "?…", "?"+query, 1)
		}
		l.text += tr.params(r.Form, func(name string) bool { return !strings.Contains(l.text, " "+name+"=") && tr.shows(name) })
		return
	}
}

// callbackShows are the parameters of a status callback that tell one from
// another; the rest is the same on every request.
var callbackShows = []string{"CallStatus", "SequenceNumber", "CallDuration", "Duration", "HangupCause", "HangupSource", "ErrorCode"}

// shows reports whether the script asks for a parameter.
func (tr *trace) shows(name string) bool {
	return slices.Contains(tr.script.show, name) || slices.Contains(tr.script.show, "*")
}

// params are those parameters of form that which chooses, sorted.
func (tr *trace) params(form url.Values, which func(name string) bool) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if which(name) {
			fmt.Fprintf(&b, " %s=%s", name, strings.Join(form[name], ","))
		}
	}
	return b.String()
}

// leg is the letter of who, "" for what has none.
func (tr *trace) leg(who string) string {
	if isLetter(who) || isSocket(who) {
		return who
	}
	return tr.letters[who]
}

// String is the trace as a script's want section has it.
func (tr *trace) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	lines := slices.Clone(tr.lines)
	rank := func(l line) string {
		switch leg := tr.leg(l.who); {
		case leg == "" && l.who != "":
			return "a room comes after all legs"
		case leg == "" || leg == tr.leg(l.actor):
			return ""
		case isSocket(leg):
			return "a socket comes after those: " + leg
		default:
			return leg
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		beside := 0
		switch {
		case a.beside && !b.beside:
			beside = 1
		case b.beside && !a.beside:
			beside = -1
		}
		return cmp.Or(cmp.Compare(a.at, b.at), beside, cmp.Compare(a.moment, b.moment), cmp.Compare(rank(a), rank(b)))
	})
	var b strings.Builder
	for _, l := range lines {
		text := strings.ReplaceAll(strings.TrimSpace(l.text), "\n", "\n       ")
		if leg := tr.leg(l.who); leg != "" && leg != "A" {
			text = leg + " " + text
		}
		fmt.Fprintf(&b, "%-6s %s\n", l.at.Truncate(time.Millisecond), text)
	}
	return b.String()
}
