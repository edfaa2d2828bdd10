package texml

import (
	"fmt"
	"strings"
)

// most bare & that one check goes on after.
const mostRepairs = 20

// Check reports everything that Parse does, and what Parse need not know to run
// a document: verbs that never run, and templates that cannot be filled in. It
// goes on after a bare &, so that each is reported. A template that is no XML
// as it stands is checked as filled in with several values.
func Check(source string, body []byte, d Dialect) Errors {
	p := open(source, body, d)
	if p.failed {
		return p.told()
	}
	raw := p.another(p.src)
	usable := raw.check()
	if templated(p.src) {
		parts, bad := parseTemplate(p.src)
		switch {
		case bad != nil:
			bad.Source = source
			raw.slips = append(raw.slips, bad)
		case !usable:
			raw = p.filledIn(parts)
		}
	}
	p.take(raw)
	return p.told()
}

// another makes a reading of another text of the same document.
func (p *parse) another(src string) *parse {
	q := newParse(p.source, p.dialect)
	q.src, q.template, q.moved = src, p.template, p.moved
	return q
}

// take adds the slips of another reading, each once.
func (p *parse) take(q *parse) {
	type place struct {
		pos Pos
		msg string
	}
	have := make(map[place]bool)
	if len(q.slips) > 0 {
		for _, s := range p.slips {
			have[place{s.Pos, s.Msg}] = true
		}
	}
	for _, s := range q.slips {
		if !have[place{s.Pos, s.Msg}] && p.tells(s.Level) {
			p.slips = append(p.slips, s)
		}
	}
	p.untold, p.worst = max(p.untold, q.untold), max(p.worst, q.worst)
}

// check collects the slips of a document, and reports whether any of it can run
// once each & is written right.
func (p *parse) check() bool {
	q := p.another(p.src)
	root := q.tree()
	for range mostRepairs {
		if q.bareAt < 0 {
			break
		}
		p.take(q)
		q.over()
		q = p.another(q.src[:q.bareAt] + "+" + q.src[q.bareAt+1:]) // same length: places stay right
		root = q.tree()
	}
	if root != nil {
		q.reach(response(root))
	}
	p.take(q)
	q.over()
	return root != nil
}

// reach reports the first verb that never runs, or not after an action.
func (p *parse) reach(verbs []Node) {
	for i := 0; i < len(verbs)-1; i++ {
		n, next := verbs[i], verbs[i+1]
		why, level := p.leaves(n)
		if why == "" || otherBranch(p.between(n.At(), next.At())) {
			continue
		}
		msg := fmt.Sprintf("<%s> never runs, because <%s> on line %d %s", next.Name(), n.Name(), n.At().Line, why)
		fix := "remove it, or move it before <" + n.Name() + ">"
		if level == Note {
			msg = fmt.Sprintf("<%s> runs only if <%s> on line %d %s", next.Name(), n.Name(), n.At().Line, why)
			fix = ""
		}
		p.slips = append(p.slips, &Error{Source: p.source, Pos: next.At(), Level: level, Msg: msg, Fix: fix})
		if level == Warning {
			return
		}
	}
}

// otherBranch reports whether text closes a template section that was open
// before it, or goes on with another case of one: what stands behind it may
// then run without what stands before it.
func otherBranch(text string) bool {
	depth := 0
	for {
		_, rest, ok := strings.Cut(text, "{{")
		if !ok {
			return false
		}
		tag, rest, _ := strings.Cut(rest, "}}")
		text = rest
		switch tag = strings.TrimSpace(tag); {
		case strings.HasPrefix(tag, "/"):
			depth--
		case depth == 0 && (tag == "else" || strings.HasPrefix(tag, "#else")):
			return true
		case strings.HasPrefix(tag, "#else"): // of a section inside text
		case strings.HasPrefix(tag, "#"), strings.HasPrefix(tag, "^"):
			depth++
		}
		if depth < 0 {
			return true
		}
	}
}

// leaves says why the verb below n does not run: never (Warning), or unless
// something happens (Note).
func (p *parse) leaves(n Node) (why string, level Level) {
	const answered = "has no answer from its action"
	action := ""
	switch n := n.(type) {
	case *Redirect, *Leave:
		return "always leaves this document", Warning
	case *Hangup, *Reject:
		return "ends the call", Warning
	case *Echo:
		return "lasts until hang-up", Warning
	case *Say:
		if n.Loop == 0 {
			return "repeats until hang-up", Warning
		}
	case *Play:
		if n.Loop == 0 {
			return "repeats until hang-up", Warning
		}
	case *Gather:
		if n.ActionOnEmptyResult {
			return "always goes on with its action", Warning
		}
	case *Record:
		if p.dialect == Twilio || n.Action != "" {
			return "has recorded nothing", Note
		}
	case *Dial:
		action = n.Action
	case *Enqueue:
		action = n.Action
	case *Refer:
		action = n.Action
	case *Connect:
		action = n.Action
	}
	if action != "" {
		return answered, Note
	}
	return "", Note
}
