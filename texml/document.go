package texml

import (
	"slices"
	"strconv"

	"github.com/beevik/etree"
)

// Limits of a document. Twilio documents 64 KB (11750); the others are ours.
const (
	MaxBytes    = 64 << 10 // as received, before decoding
	MaxDepth    = 32       // elements inside each other, <Response> included
	MaxElements = 1000
	maxAttrs    = 64  // of one element
	maxSlips    = 100 // that are told one by one
)

// Node is a verb or a noun of a document: one of the exported types of this
// package.
type Node interface {
	At() Pos      // where its start tag is
	Name() string // the name of its element
	node()
}

// base is what every node has.
type base struct {
	pos  Pos
	name string
}

func (b base) At() Pos      { return b.pos }
func (b base) Name() string { return b.name }
func (base) node()          {}

// Document is a call document that can be run. It is shared between calls:
// nobody changes it after Parse.
type Document struct {
	Source  string // as given to Parse
	Dialect Dialect
	Root    *etree.Element // <Response>; without comments, and without blank text where text means nothing
	Verbs   []Node         // in document order; what cannot run is left out
	Slips   Errors         // warnings and notes, in document order
}

// Parse reads a document by the rules and defaults of a dialect. Source is the
// name that slips carry.
//
// The encoding is the one that the document declares; a charset in a
// Content-Type header is not seen.
//
// The error is of type [Errors] and means that nothing of the document can
// run: it is not well-formed XML, its root is not <Response>, or it is over a
// limit. Every lesser slip is in Document.Slips: an unknown verb is skipped,
// and a bad value is replaced by the default or the nearest legal one. Of more
// than 100 slips, the last says how many more there are.
func Parse(source string, body []byte, d Dialect) (*Document, error) {
	p := open(source, body, d)
	defer p.over()
	if !p.failed {
		if root := p.tree(); root != nil {
			verbs := response(root)
			return &Document{Source: source, Dialect: d, Root: root.Element, Verbs: verbs, Slips: p.told()}, nil
		}
	}
	return nil, p.told()
}

// told gives the slips in the order of their places, and how many are left out.
func (p *parse) told() Errors {
	slices.SortStableFunc(p.slips, func(a, b *Error) int {
		switch {
		case a.Pos.before(b.Pos):
			return -1
		case b.Pos.before(a.Pos):
			return 1
		}
		return 0
	})
	if p.untold > 0 {
		s := *p.slips[len(p.slips)-1]
		s.Level, s.Code, s.Msg, s.Fix, s.Platforms = p.worst, 0, "and "+strconv.Itoa(p.untold)+" more slips", "mend these first", ""
		p.slips = append(p.slips, &s)
	}
	return p.slips
}

// response reads the verbs of the root.
func response(e *element) []Node {
	e.p.asked = make([]string, 0, 64)
	verbs := make([]Node, 0, len(e.Child))
	for c := e.first; c != nil; c = c.next {
		if n := c.verb(); n != nil {
			verbs = append(verbs, n)
		}
	}
	e.first = nil
	e.noText("only verbs can stand here; put words into <Say>")
	e.done(0)
	return verbs
}
