package texml

import (
	"fmt"
	"strings"
)

// most fatal slips that one check goes on after.
const mostRepairs = 20

// Check reports everything that Parse does, and what Parse need not know to run
// a document: verbs that never run, and templates that cannot be filled in. It
// goes on after a bare &, so that each is reported.
func Check(source string, body []byte, d Dialect) Errors {
	p, root := scan(source, body, d)
	var found Errors
	for len(found) < mostRepairs && p.bareAt >= 0 {
		found = append(found, p.slips...)
		src := p.src[:p.bareAt] + "+" + p.src[p.bareAt+1:] // same length: places stay right
		p = newParse(source, d)
		p.src = src
		root = p.tree()
	}
	doc, err := p.document(root)
	if err != nil {
		p.slips, _ = err.(Errors)
	} else {
		p.slips = doc.Slips
		p.reach(doc.Verbs)
	}
	p.slips = append(found, p.slips...)
	if templated(p.src) {
		if _, err := parseTemplate(p.src); err != nil {
			err.Source = source
			p.slips = append(p.slips, err)
		}
	}
	p.sort()
	return p.slips
}

// reach reports the first verb that never runs, or not after an action.
func (p *parse) reach(verbs []Node) {
	for i := 0; i < len(verbs)-1; i++ {
		n, next := verbs[i], verbs[i+1]
		why, level := p.leaves(n)
		if why == "" || otherBranch(p.src[p.offset(n.At()):p.offset(next.At())]) {
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
