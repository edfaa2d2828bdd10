package texml

import (
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// ignored says what the platforms do with a part they do not know.
const ignored = "Telnyx drops it and says nothing; Twilio skips it with warning 12200"

func (e *element) slip(level Level, code int, msg, fix, platforms string) {
	e.p.slip(e.start, level, code, msg, fix, platforms)
}

func (e *element) base() base { return base{e.pos, e.name} }

// is gives the value of the dialect.
func is[T any](e *element, telnyx, twilio T) T { return by(e.p.dialect, telnyx, twilio) }

// only notes that one markup alone has this element.
func (e *element) only(d Dialect) {
	if have := e.p.dialect; have != d {
		e.slip(Note, 0, have.markup()+" has no <"+e.name+">; "+d.markup()+" has it, and it is understood here", "",
			is(e, "Telnyx drops it and says nothing", "Twilio skips it with warning 12200"))
	}
}

// unsupported reports an element that is read and then not run.
func (e *element) unsupported(code int, instead string) {
	e.slip(Warning, code, "<"+e.name+"> is not supported by hookswitch and is skipped", instead, "")
}

// content gives the text inside e without blanks around it, and marks that text
// may stand here. Comments inside do not split it.
func (e *element) content() string {
	if e.text < 0 {
		return ""
	}
	e.text = -1
	return strings.TrimSpace(e.chars())
}

// chars gives the text inside e as written.
func (e *element) chars() string {
	var whole strings.Builder
	for _, t := range e.Child {
		c, ok := t.(*etree.CharData)
		if ok && len(e.Child) == 1 {
			return c.Data
		}
		if ok {
			whole.WriteString(c.Data)
		}
	}
	return whole.String()
}

// noText reports text where none can stand.
func (e *element) noText(fix string) {
	if e.text < 0 {
		return
	}
	at := e.text
	if text := e.content(); !templated(text) {
		e.p.slip(at, Warning, 12200, "text inside <"+e.name+"> means nothing: "+quoted(text), fix, ignored)
	}
}

// nodes reads the children with the allowed names, and reports the others with
// Twilio's code of a wrong child.
func (e *element) nodes(code int, allowed ...string) []Node {
	found := make([]Node, 0, len(e.Child))
	for c := e.kids(); c != nil; c = c.next {
		if !c.allowed(code, allowed...) {
			continue
		}
		read := c.noun
		if slices.Contains(verbNames, c.name) {
			read = c.verb
		}
		if n := read(); n != nil {
			found = append(found, n)
		}
	}
	return found
}

// kids gives the first child, and marks that children may stand here.
func (e *element) kids() *element {
	c := e.first
	e.first = nil
	return c
}

// allowed reports whether e may stand inside its parent, and if not, says what may.
func (e *element) allowed(code int, names ...string) bool {
	if slices.Contains(names, e.name) {
		return true
	}
	e.misplaced(code, names)
	return false
}

// misplaced reports an element that cannot stand inside its parent.
func (e *element) misplaced(code int, names []string) {
	if !e.p.tells(Warning) {
		return
	}
	parent := e.parent.name
	msg := "<" + e.name + "> cannot be inside <" + parent + ">"
	known := knownElement(e.name)
	var fix string
	switch {
	case !known && len(names) > 0:
		if fix = suggest(e.name, names); fix != "" {
			break
		}
		fix = "only " + andList(names) + " can"
	case !known:
		fix = "nothing can; remove it"
	case slices.Contains(verbNames, e.name) && len(names) > 0:
		fix = "only " + andList(names) + " can, so move it after </" + parent + ">"
	case slices.Contains(verbNames, e.name):
		fix = "nothing can, so move it after </" + parent + ">"
	case len(names) > 0:
		fix = "only " + andList(names) + " can; " + home(e.name)
	default:
		fix = "nothing can; " + home(e.name)
	}
	if code == 0 {
		code = 12200
	}
	e.slip(Warning, code, msg, fix, "Telnyx drops it and says nothing; Twilio skips it with warning "+strconv.Itoa(code))
}

// textNames are attributes that people write for what is the text of a verb.
var textNames = []string{"url", "src", "href", "file", "text", "number", "to"}

// done reports the attributes, the text and the children that the element's
// reader has not asked for. The names asked for start at mark.
func (e *element) done(mark int) {
	known := e.p.asked[mark:]
	for i, a := range e.Attr {
		if e.read&(1<<i) != 0 || a.Space != "" || a.Key == "xmlns" {
			continue
		}
		if !e.p.tells(Warning) {
			continue
		}
		fix := suggest(a.Key, known)
		switch {
		case fix != "":
		case (e.name == "Say" || e.name == "Play" || e.name == "Redirect" || e.name == "Dial") && slices.Contains(textNames, a.Key):
			fix = "what it would say stands between the tags, as in <" + e.name + ">…</" + e.name + ">"
		case len(known) == 0:
			fix = "it has none; remove it"
		case len(known) <= 8:
			fix = "it has " + andList(slices.Compact(slices.Sorted(slices.Values(known))))
		default:
			fix = "remove it"
		}
		e.p.slip(e.p.attrAt(e, i), Warning, 12200, "<"+e.name+"> has no attribute "+quoted(a.Key), fix, ignored)
	}
	for c := e.kids(); c != nil; c = c.next {
		c.misplaced(0, nil)
	}
	e.noText("remove it")
	e.p.asked = e.p.asked[:mark]
}

// with reads a part of a verb and reports what is left over of it.
func (e *element) with(read func(e *element)) {
	mark := len(e.p.asked)
	read(e)
	e.done(mark)
}

// Parameter is a name and a value that go with a verb or noun to whoever
// serves it.
type Parameter struct{ Name, Value string }

// pair reads the attributes name and value.
func (e *element) pair() (p Parameter) {
	e.with(func(e *element) { p = Parameter{e.attr("name", 0).need(), e.attr("value", 0).text()} })
	return p
}

// parameters reads children that are all <Parameter>.
func (e *element) parameters() []Parameter {
	var found []Parameter
	for c := e.kids(); c != nil; c = c.next {
		if c.allowed(0, "Parameter") {
			found = append(found, c.pair())
		}
	}
	return found
}
