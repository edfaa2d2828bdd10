package flows

import (
	"fmt"
	"strings"

	"github.com/hookswitch/hookswitch/texml"
)

// Route says what answers the calls whose To and From match its patterns:
// exactly one of VoiceURL, Flow and Playbook.
//
// A pattern is a number or a SIP user ("+4930123", "alice"), its beginning
// ("+4930*"), or either of them at a host ("alice@pbx.example.com",
// "*@pbx.example.com"). "*" and "" match everyone. Numbers match with and
// without their +; users match by case, as RFC 3261 §19.1.4 has it, hosts do
// not.
type Route struct {
	To, From             string // patterns
	VoiceURL             string // of a webhook
	Flow                 string // see [Files.Add]
	Playbook             string
	Method               string // of the first request; "" is POST
	FallbackURL          string // asked when the first request fails
	FallbackMethod       string
	StatusCallback       string // URL
	StatusCallbackMethod string
	StatusCallbackEvents []string // initiated, ringing, answered, completed; none is completed
	Transfers            bool     // who is dialled may move the call elsewhere (REFER)
	Account              string   // SID; "" is the default account
	Dialect              texml.Dialect
	HasDialect           bool // false: the account's dialect
}

// Error is one slip of a route.
type Error struct {
	Index int    // of the route, from 0
	Field string // to, from, or voice_url when it is about what answers
	Msg   string
	Fix   string
}

// Error gives `routes[1].to: "+49*30" has its * in the middle; …`.
func (e *Error) Error() string {
	return fmt.Sprintf("routes[%d].%s: %s; %s", e.Index, e.Field, e.Msg, e.Fix)
}

// Errors are the slips of a list of routes, in its order.
type Errors []*Error

// Error gives one slip per line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Table finds the route of a call. It does not change, and may be used from any
// goroutine.
type Table struct{ rows []row }

type row struct {
	to, from pattern
	route    Route
}

// NewTable reads the patterns of routes. An error is of type [Errors] and names
// every slip.
func NewTable(routes []Route) (*Table, error) {
	var t Table
	var slips Errors
	for i, r := range routes {
		read := func(field, written string) pattern {
			p, msg, fix := parsePattern(written)
			if msg != "" {
				slips = append(slips, &Error{i, field, msg, fix})
			}
			return p
		}
		t.rows = append(t.rows, row{read("to", r.To), read("from", r.From), r})
		switch given := count(r.VoiceURL, r.Flow, r.Playbook); given {
		case 1:
		case 0:
			slips = append(slips, &Error{i, "voice_url", "nothing answers this route", "set voice_url, flow or playbook"})
		default:
			slips = append(slips, &Error{i, "voice_url", fmt.Sprintf("%d things answer this route", given),
				"set only one of voice_url, flow and playbook"})
		}
	}
	if slips != nil {
		return nil, slips
	}
	return &t, nil
}

// Find returns the first route that matches. To and from are numbers, SIP users,
// user@host, or SIP and tel URIs.
func (t *Table) Find(to, from string) (Route, bool) {
	called, caller := parseParty(to), parseParty(from)
	for _, r := range t.rows {
		if r.to.matches(called) && r.from.matches(caller) {
			return r.route, true
		}
	}
	return Route{}, false
}

func count(values ...string) (n int) {
	for _, v := range values {
		if v != "" {
			n++
		}
	}
	return n
}
