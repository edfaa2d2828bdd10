package texml

import (
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// speech is the text of a <Say> on its way to parts and SSML.
type speech struct {
	parts    []Part
	text     []byte // of the part being read, white space as written
	ssml     strings.Builder
	marked   strings.Builder // the part being read, with the marks in open
	open     []*element      // marks around it that are left to the voice
	some     bool            // there are marks in marked
	language string
	rate     float64
	volume   float64
	pitch    float64
	gap      time.Duration // before the next text, if there is one
}

// spoken reads the text of a <Say> and the marks in it. A mark that does not
// exist or cannot stand where it is, is reported and left out; its text is
// spoken.
func spoken(e *element) ([]Part, string) {
	s := speech{rate: 1}
	if e.first == nil {
		if text := collapse(e.content()); text != "" {
			return []Part{{Text: text, Rate: 1}}, ""
		}
		return nil, ""
	}
	s.parts, s.text = make([]Part, 0, len(e.Child)), make([]byte, 0, 128)
	s.ssml.Grow(128)
	s.inside(e)
	s.flush()
	e.first, e.text = nil, -1
	return s.parts, strings.TrimSpace(s.ssml.String())
}

// inside reads the texts and marks inside e.
func (s *speech) inside(e *element) {
	child := e.first
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.CharData:
			s.text = append(s.text, t.Data...)
			s.ssml.WriteString(xmlText.Replace(t.Data))
			s.marked.WriteString(xmlText.Replace(t.Data))
		case *etree.Element:
			s.mark(child)
			child = child.next
		}
	}
}

// mark reads one mark and what is in it.
func (s *speech) mark(e *element) {
	if e.Space == "amazon" {
		s.wrapped(e)
		return
	}
	m := markOf(e.name)
	if m == nil || !s.fits(e) {
		if m == nil {
			e.unknownMark()
		}
		s.text = append(s.text, ' ')
		s.marked.WriteByte(' ')
		s.inside(e)
		s.text = append(s.text, ' ')
		s.marked.WriteByte(' ')
		return
	}
	m.check(e)
	switch e.name {
	case "break":
		s.pause(breakTime(e))
		s.wrapped(e)
	case "p":
		s.block(e, afterParagraph)
	case "s":
		s.block(e, afterSentence)
	case "lang":
		s.run(e, func() { s.language = e.SelectAttrValue("xml:lang", s.language) })
	case "prosody":
		s.run(e, func() {
			s.rate = max(0.2, min(s.rate*rate(e.SelectAttrValue("rate", "")), 4))
			s.volume = volume(s.volume, e.SelectAttrValue("volume", ""))
			s.pitch = pitch(s.pitch, e.SelectAttrValue("pitch", ""))
		})
	case "sub":
		s.instead(e, func(text string) string { return orDefault(e.SelectAttrValue("alias", ""), text) })
	case "say-as":
		s.instead(e, func(text string) string {
			return interpret(text, e.SelectAttrValue("interpret-as", ""), e.SelectAttrValue("format", ""))
		})
	default:
		s.wrapped(e)
	}
}

// fits reports whether the mark may stand in the mark around it.
func (s *speech) fits(e *element) bool {
	around := marks[e.parent.name]
	if around == nil {
		return true // reported already
	}
	for _, name := range around.inside {
		if name == e.name {
			return true
		}
	}
	fix := "only text can"
	if len(around.inside) > 0 {
		fix = "only " + andList(around.inside) + " can"
	}
	e.slip(Warning, 12200, "<"+e.name+"> cannot be inside <"+e.parent.name+">; its text is spoken without it", fix, ignored)
	return false
}

func (e *element) unknownMark() {
	if !e.p.tells(Warning) {
		return
	}
	msg := "<" + e.name + "> is no mark of speech; its text is spoken without it"
	fix := suggest(e.name, markNames)
	switch {
	case e.name == "Pause" || e.name == "pause":
		fix = `write <break time="1s"/>, or move it after </Say>`
	case fix != "":
	case home(e.name) != "":
		fix = "move it after </Say>"
	default:
		fix = "the marks are " + andList(markNames)
	}
	e.slip(Warning, 12200, msg, fix, ignored)
}

// check reports attributes that the mark does not have, or not with this value.
func (m *mark) check(e *element) {
	for i, a := range e.Attr {
		name := a.FullKey()
		valid, ok := m.attrs[name]
		switch {
		case !ok:
			if !e.p.tells(Warning) {
				continue
			}
			var known []string
			for k := range m.attrs {
				known = append(known, k)
			}
			slices.Sort(known)
			fix := orDefault(suggest(name, known), "remove it")
			if name == "lang" && e.name == "lang" {
				fix = "write xml:lang"
			}
			e.p.slip(e.p.attrAt(e, i), Warning, 12200, "<"+e.name+"> has no attribute "+quoted(name), fix, ignored)
		case ok && !valid.has(a.Value) && !templated(a.Value) && e.p.tells(Warning):
			e.p.slip(e.p.attrAt(e, i), Warning, 12200, name+"="+quoted(a.Value)+" of <"+e.name+"> is no value it has, and has no effect", valid.fix(a.Value), ignored)
		}
	}
}

// wrapped copies the mark to the SSML and reads its inside.
func (s *speech) wrapped(e *element) {
	start, end := startTag(e), "</"+e.name+">"
	voices := !inParts(e)
	if voices {
		s.some = true
	}
	if len(e.Child) == 0 {
		s.ssml.WriteString(strings.TrimSuffix(start, ">") + "/>")
		if voices {
			s.marked.WriteString(strings.TrimSuffix(start, ">") + "/>")
		}
		return
	}
	s.ssml.WriteString(start)
	if voices {
		s.marked.WriteString(start)
		s.open = append(s.open, e)
	}
	s.inside(e)
	if voices {
		s.open = s.open[:len(s.open)-1]
		s.marked.WriteString(end)
	}
	s.ssml.WriteString(end)
}

// inParts reports whether parts say what the mark does.
func inParts(e *element) bool {
	switch e.name {
	case "break", "p", "s", "lang", "prosody":
		return e.Space == ""
	}
	return false
}

func startTag(e *element) string {
	tag := "<" + e.name
	for _, a := range e.Attr {
		tag += " " + a.FullKey() + `="` + xmlText.Replace(a.Value) + `"`
	}
	return tag + ">"
}

// run reads the inside of e in a part of its own, changed by set.
func (s *speech) run(e *element, set func()) {
	s.flush()
	language, rate, volume, pitch := s.language, s.rate, s.volume, s.pitch
	set()
	s.wrapped(e)
	s.flush()
	s.language, s.rate, s.volume, s.pitch = language, rate, volume, pitch
}

// block reads the inside of e with pauses around it.
func (s *speech) block(e *element, d time.Duration) {
	s.flush()
	s.gap = max(s.gap, d)
	s.wrapped(e)
	s.flush()
	s.gap = max(s.gap, d)
}

// instead speaks another text than the inside of e.
func (s *speech) instead(e *element, other func(string) string) {
	around := len(s.text)
	s.wrapped(e)
	around = min(around, len(s.text)) // a pause inside has taken the text before it
	inner := string(s.text[around:])
	s.text = append(s.text[:around], other(collapse(inner))...)
}

// flush makes a part of the text read so far. Marks that are open go on in the
// next one.
func (s *speech) flush() {
	text, marked := collapse(string(s.text)), ""
	if s.some {
		for _, e := range slices.Backward(s.open) {
			s.marked.WriteString("</" + e.name + ">")
		}
		marked = collapse(s.marked.String())
	}
	s.text, s.some = s.text[:0], len(s.open) > 0
	s.marked.Reset()
	for _, e := range s.open {
		s.marked.WriteString(startTag(e))
	}
	if text == "" {
		return
	}
	if n := len(s.parts); n > 0 {
		s.parts[n-1].Pause = max(s.parts[n-1].Pause, s.gap)
	}
	s.gap = 0
	s.parts = append(s.parts, Part{Text: text, SSML: marked, Language: s.language, Rate: s.rate, Volume: s.volume, Pitch: s.pitch})
}

// pause adds silence here.
func (s *speech) pause(d time.Duration) {
	s.flush()
	if d == 0 {
		return
	}
	if n := len(s.parts); n > 0 {
		s.parts[n-1].Pause += d
	} else {
		s.parts = append(s.parts, Part{Pause: d, Language: s.language, Rate: s.rate})
	}
}

// collapse makes one blank of each run of white space, and none at the ends.
func collapse(s string) string {
	space := true // the byte before is a blank, or there is none
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 || c < ' ' || c == ' ' && space {
			return strings.Join(strings.Fields(s), " ")
		}
		space = c == ' '
	}
	return strings.TrimSuffix(s, " ")
}

// xmlText writes text and values of attributes into XML.
var xmlText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")
