package texml

import (
	"encoding/xml"
	"errors"
	"io"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/beevik/etree"
)

// parse is one reading of one document.
type parse struct {
	source  string
	dialect Dialect
	src     string // in UTF-8, without a byte order mark
	slips   Errors
	untold  int                   // slips beyond maxSlips
	worst   Level                 // among the untold
	failed  bool                  // some slip is Fatal
	asked   []string              // attributes that the elements being read have asked for
	lines   []int                 // offsets of line starts, made when first needed
	room    *[MaxElements]element // of which count are used
	count   int
	trees   []etree.Element // room for the tree to come
	texts   []etree.CharData
	tokens  []etree.Token // for elements that hold one thing, as most do
	attrs   []etree.Attr
	bareAt  int // the & that broke the XML off; -1: none

	// Of a template that is read as filled in: the template, which places are
	// of, and where its parts have come to.
	template string
	moved    []move
}

// element is an element of the document as verbs read it: the etree element,
// its place, and what has been asked of it.
type element struct {
	*etree.Element
	p           *parse
	name        string // with its prefix
	pos         Pos
	start, end  int // of the start tag in p.src
	text        int // where its first text that is not blank starts; -1: none
	first, last *element
	next        *element // sibling
	parent      *element
	words       bool   // blank text inside means something
	read        uint64 // attributes that have been asked for, by index
}

// open makes a document ready for reading. It has failed if it is too long.
func open(source string, body []byte, d Dialect) *parse {
	p := newParse(source, d)
	if len(body) > MaxBytes {
		p.fatal(0, 11750, "the document has "+strconv.Itoa(len(body))+" bytes; at most 65536 are read",
			"split it and go on with <Redirect>")
		return p
	}
	var bom bool
	p.src, bom = decode(body)
	p.start(bom)
	return p
}

func newParse(source string, d Dialect) *parse {
	return &parse{source: source, dialect: d, bareAt: -1}
}

// start reports what stands before the first tag.
func (p *parse) start(bom bool) {
	level := by(p.dialect, Note, Warning)
	if bom {
		p.slip(0, level, 12100, "the document starts with a byte order mark", "save it as UTF-8 without one", "Twilio refuses it with error 12100")
	}
	if blank := len(p.src) - len(strings.TrimLeft(p.src, " \t\r\n")); blank > 0 && strings.HasPrefix(p.src[blank:], "<?xml") {
		p.slip(0, level, 12100, "blanks stand before <?xml", "start the document with <?xml", "Twilio refuses it with error 12100")
	}
}

// rooms keeps the elements of readings that are over, whose trees live on.
var rooms = sync.Pool{New: func() any { return new([MaxElements]element) }}

// over ends a reading: nobody has an element of it any more.
func (p *parse) over() {
	if p.room != nil {
		clear(p.room[:p.count])
		rooms.Put(p.room)
		p.room = nil
	}
}

// tree reads the document in one pass over the tokens of encoding/xml. It gives
// nil if the XML is broken or over a limit.
func (p *parse) tree() *element {
	dec := xml.NewDecoder(strings.NewReader(p.src))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // decoded already
	var root, cur *element
	p.room = rooms.Get().(*[MaxElements]element)
	depth := 0
	for {
		off := int(dec.InputOffset())
		line, col := dec.InputPos()
		token, err := dec.RawToken()
		if err != nil {
			switch {
			case !errors.Is(err, io.EOF):
				p.broken(err, off, int(dec.InputOffset()))
			case cur != nil:
				p.fatal(cur.start, 12100, "<"+cur.name+"> is never closed", "add </"+cur.name+">")
			case root == nil && !p.failed:
				p.fatal(0, 12100, "the document is empty", "answer with <Response/> if nothing is to be done")
			}
			if p.failed {
				return nil
			}
			return root
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; !p.within(off, depth, len(t.Attr)) {
				return nil
			}
			if cur == nil && root != nil {
				p.fatal(off, 12100, "a second root: <"+t.Name.Local+"> stands after </"+root.name+">", "put everything inside one <Response>")
				return nil
			}
			e := p.element(cur, &t)
			e.pos, e.start, e.end = Pos{line, col}, off, int(dec.InputOffset())
			if p.moved != nil {
				e.pos = p.at(off)
			}
			p.uniqueAttrs(e)
			if cur == nil {
				if root = e; root.name != "Response" {
					p.wrongRoot(root)
					return nil
				}
			}
			cur = e
		case xml.EndElement:
			if cur == nil || !same(cur, t.Name) {
				p.misnested(cur, t.Name, off)
				return nil
			}
			cur, depth = cur.parent, depth-1
		case xml.CharData:
			p.chars(cur, t, off, int(dec.InputOffset()))
		case xml.Directive:
			if len(t) >= 12 && equalFold(string(t[:12]), "doctype html") {
				p.fatal(off, 12102, anHTMLPage, answerWithXML)
				return nil
			}
			p.fatal(off, 12100, "<!"+firstWord(string(t))+"> is not allowed: document types and entities of your own are never read", "remove it")
		}
	}
}

// within reports whether the counts are inside the limits.
func (p *parse) within(off, depth, attrs int) bool {
	switch {
	case depth > MaxDepth:
		p.fatal(off, 12100, "more than 32 elements inside each other", "close what should be closed")
	case p.count == MaxElements:
		p.fatal(off, 12100, "more than 1000 elements", "split the document and go on with <Redirect>")
	case attrs > maxAttrs:
		p.fatal(off, 12100, "an element with more than 64 attributes", "remove those that no verb has")
	default:
		return true
	}
	return false
}

// element adds a child to cur.
func (p *parse) element(cur *element, t *xml.StartElement) *element {
	if len(p.trees) == 0 {
		p.trees, p.tokens = make([]etree.Element, p.left()), make([]etree.Token, p.left())
	}
	e := &p.room[p.count]
	p.count++
	e.p, e.parent, e.text, e.Element = p, cur, -1, &p.trees[0]
	e.Tag, e.Child = t.Name.Local, p.tokens[:0:1]
	p.trees, p.tokens = p.trees[1:], p.tokens[1:]
	if cur != nil {
		cur.AddChild(e.Element)
		e.words = cur.words
		if cur.last == nil {
			cur.first = e
		} else {
			cur.last.next = e
		}
		cur.last = e
	}
	e.name = t.Name.Local
	if t.Name.Space != "" {
		e.Space, e.name = t.Name.Space, t.Name.Space+":"+t.Name.Local
	}
	if e.name == "Say" || e.name == "Agent" {
		e.words = true
	}
	if n := len(t.Attr); n > 0 {
		if len(p.attrs) < n {
			p.attrs = make([]etree.Attr, max(n, 32))
		}
		e.Attr, p.attrs = p.attrs[:n:n], p.attrs[n:]
		for i, a := range t.Attr {
			e.Attr[i] = etree.Attr{Space: a.Name.Space, Key: a.Name.Local, Value: a.Value}
		}
	}
	return e
}

// left gives the room to make for elements: about as many as there are tags.
func (p *parse) left() int {
	return max(1, min(strings.Count(p.src, "<")-strings.Count(p.src, "</"), MaxElements))
}

func same(e *element, n xml.Name) bool { return e.Tag == n.Local && e.Space == n.Space }

// uniqueAttrs reports attributes written twice, which XML forbids.
func (p *parse) uniqueAttrs(e *element) {
	for i := range e.Attr {
		if a := &e.Attr[i]; writtenBefore(e.Attr[:i], a) {
			p.failed = true
			if p.tells(Fatal) {
				p.fatal(p.attrAt(e, i), 12100, "attribute "+a.Key+" of <"+e.name+"> is written twice", "remove one of them")
			}
		}
	}
}

func writtenBefore(attrs []etree.Attr, a *etree.Attr) bool {
	for i := range attrs {
		if b := &attrs[i]; a.Key == b.Key && a.Space == b.Space {
			return true
		}
	}
	return false
}

// chars adds text, which stands from off to end, to the element around it.
func (p *parse) chars(cur *element, text xml.CharData, off, end int) {
	blank := isBlank(text)
	switch {
	case cur != nil && (!blank || cur.words):
		if len(p.texts) == 0 {
			p.texts = make([]etree.CharData, 16)
		}
		c := &p.texts[0]
		p.texts = p.texts[1:]
		if c.Data = p.src[off:end]; c.Data != string(text) { // it has entities or CDATA
			c.Data = string(text)
		}
		cur.AddChild(c)
		if !blank && cur.text < 0 {
			cur.text = p.skipBlank(off)
		}
	case cur == nil && !blank && (p.src[p.skipBlank(off)] == '{' || p.src[p.skipBlank(off)] == '[') && !templated(string(text)):
		p.fatal(p.skipBlank(off), 12100, "this is JSON, not a call document: "+quoted(strings.TrimSpace(string(text))), "let the webhook answer with <Response>")
	case cur == nil && !blank:
		p.fatal(p.skipBlank(off), 12100, "text outside the root: "+quoted(strings.TrimSpace(string(text))), "put words into <Say> inside <Response>")
	}
}

func isBlank(text []byte) bool {
	for _, c := range text {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

func (p *parse) skipBlank(off int) int {
	for off < len(p.src) && strings.IndexByte(" \n\t\r", p.src[off]) >= 0 {
		off++
	}
	return off
}

// at gives the place of an offset.
func (p *parse) at(off int) Pos {
	text := p.written()
	if p.lines == nil {
		p.lines = []int{0}
		for i := 0; i < len(text); i++ {
			if text[i] == '\n' {
				p.lines = append(p.lines, i+1)
			}
		}
	}
	off = max(0, min(origin(p.moved, off), len(text)))
	line := sort.SearchInts(p.lines, off+1)
	return Pos{line, off - p.lines[line-1] + 1}
}

// between gives the text from one place to another.
func (p *parse) between(from, to Pos) string {
	p.at(0) // finds the lines
	return p.written()[p.lines[from.Line-1]+from.Col-1 : p.lines[to.Line-1]+to.Col-1]
}

// written gives the text that places are of.
func (p *parse) written() string {
	if p.moved != nil {
		return p.template
	}
	return p.src
}

// attrAt gives the offset of attribute i in its start tag.
func (p *parse) attrAt(e *element, i int) int {
	off := e.start + 1 + len(e.name)
	for {
		off = p.skipBlank(off)
		if i == 0 || off >= e.end {
			return off
		}
		quote := off
		for quote < e.end && p.src[quote] != '"' && p.src[quote] != '\'' {
			quote++
		}
		if quote >= e.end {
			return off
		}
		length := strings.IndexByte(p.src[quote+1:e.end], p.src[quote])
		if length < 0 {
			return off
		}
		off, i = quote+1+length+1, i-1
	}
}

// tells reports whether one more slip is told. One that is not is counted, and
// needs no words.
func (p *parse) tells(level Level) bool {
	if len(p.slips) < maxSlips {
		return true
	}
	p.untold++
	p.worst = max(p.worst, level)
	return false
}

func (p *parse) slip(off int, level Level, code int, msg, fix, platforms string) {
	if p.tells(level) {
		p.slips = append(p.slips, &Error{Source: p.source, Pos: p.at(off), Level: level, Code: code, Msg: msg, Fix: fix, Platforms: platforms})
	}
}

func (p *parse) fatal(off, code int, msg, fix string) {
	p.failed = true
	if p.tells(Fatal) {
		p.slip(off, Fatal, code, msg, fix, "Twilio runs the fallback URL with error "+strconv.Itoa(code))
		p.slips[len(p.slips)-1].Context = p.context(off)
	}
}

// context gives the line around an offset, at most 200 bytes of it.
func (p *parse) context(off int) string {
	off = max(0, min(off, len(p.src)))
	from := strings.LastIndexByte(p.src[:off], '\n') + 1
	to := len(p.src)
	if n := strings.IndexByte(p.src[off:], '\n'); n >= 0 {
		to = off + n
	}
	from = max(from, off-100)
	to = min(to, from+200)
	return strings.ToValidUTF8(strings.TrimSpace(p.src[from:to]), "")
}
