package texml

import (
	"encoding/xml"
	"errors"
	"strconv"
	"strings"
)

// broken explains an error of encoding/xml: where it is, and what to write.
// The token starts at from; reading stopped at to.
func (p *parse) broken(err error, from, to int) {
	msg := err.Error()
	if syntax := (*xml.SyntaxError)(nil); errors.As(err, &syntax) {
		msg = syntax.Msg
	}
	at, code, fix := to-1, 12100, ""
	has := func(s string) bool { return strings.HasPrefix(msg, s) }
	switch {
	case has("invalid character entity"):
		at = from + max(0, strings.LastIndexByte(p.src[from:to], '&'))
		msg, fix = entity(p.src[at:])
		p.bareAt = at
	case has("unexpected EOF"):
		at, msg, fix = p.skipBlank(from), "the document breaks off here", "close the quote, the comment or the tag, and </Response> at the end"
	case has("unescaped < inside quoted string"):
		msg, fix = "< inside the value of an attribute", "write &lt;, or close the quote before it"
	case has("unquoted or missing attribute value"):
		msg, fix = "the value of an attribute has no quotes", `write name="value"`
	case has("attribute name without ="):
		msg, fix = "an attribute has no value", `write name="value"`
	case has("expected attribute name"):
		msg, fix = "this is no name of an attribute", `write name="value", separated by blanks`
	case has("expected element name after <"):
		at = from + max(0, strings.LastIndexByte(p.src[from:to], '<'))
		msg, fix = "< begins no tag here", "write &lt; if you mean the sign"
	case has("expected /> in element"):
		msg, fix = "a / without > in a tag", "end the tag with />"
	case has("invalid characters between </"):
		msg, fix = "an end tag has more than a name", "end it with > right after the name"
	case has("unescaped ]]>"):
		msg, fix = "]]> outside of CDATA", "write ]]&gt;"
	case has("invalid sequence"):
		msg, fix = "-- inside a comment", "write a single - there"
	case has("invalid UTF-8"):
		msg, fix = "these bytes are not UTF-8", "save the document as UTF-8, or declare its encoding in <?xml version=\"1.0\" encoding=\"…\"?>"
	case has("illegal character code"):
		msg, fix = "a control character, which XML forbids ("+strings.TrimPrefix(msg, "illegal character code ")+")", "remove it"
	case has("xml: unsupported version"):
		at, code, msg, fix = from, 12101, "the document says another version of XML than 1.0", `write <?xml version="1.0"?>`
	case has("xml: encoding"), has("xml: opening charset"):
		at, msg, fix = from, "the declared encoding is unknown", "save the document as UTF-8"
	case has("invalid XML name"):
		msg, fix = "a name has signs that names cannot have", "write letters and digits, in UTF-8"
	default:
		msg, fix = strings.ToValidUTF8(msg, "?"), "compare this place with a document that works"
	}
	p.fatal(at, code, msg, fix)
}

// entity explains a & that begins nothing XML knows.
func entity(rest string) (msg, fix string) {
	name := rest[1:]
	if end := strings.IndexFunc(name, notName); end >= 0 {
		if name[end] == ';' && end > 0 {
			return "&" + name[:end] + "; is not an entity of XML", "write the character itself, or its number as in &#160;"
		}
		name = name[:end]
	}
	if name == "" {
		return "a bare &", "write &amp;, also in URLs"
	}
	return "a bare & before " + quoted(name), "write &amp;, also in URLs"
}

func notName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '#' || r == '-')
}

// misnested explains an end tag that closes nothing, or the wrong element.
func (p *parse) misnested(cur *element, end xml.Name, off int) {
	name := end.Local
	if end.Space != "" {
		name = end.Space + ":" + end.Local
	}
	if cur == nil {
		p.fatal(off, 12100, "</"+name+"> closes nothing", "remove it")
		return
	}
	msg := "</" + name + "> stands where <" + cur.name + "> of line " + strconv.Itoa(cur.pos.Line) + " is still open"
	switch {
	case equalFold(name, cur.name):
		p.fatal(off, 12100, msg, "names are case-sensitive: write </"+cur.name+">")
	case near(name, cur.name):
		p.fatal(off, 12100, msg, "did you mean </"+cur.name+">?")
	default:
		p.fatal(off, 12100, msg, "write </"+cur.name+"> before it")
	}
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t\r\n["); i >= 0 {
		s = s[:i]
	}
	return strings.ToValidUTF8(cut(s, 20), "?")
}

// An error or login page of a web server is the most common document that is
// none.
const (
	anHTMLPage    = "this is an HTML page, not a call document"
	answerWithXML = "let the webhook answer with <Response>; look at the page in a browser, it may say what went wrong"
)

func (p *parse) wrongRoot(root *element) {
	switch {
	case equalFold(root.name, "Response"):
		p.fatal(root.start, 12102, "the root is <"+root.name+">", "names are case-sensitive: write Response")
	case equalFold(root.name, "html"):
		p.fatal(root.start, 12102, anHTMLPage, answerWithXML)
	case near(root.name, "Response"):
		p.fatal(root.start, 12102, "the root is <"+root.name+">", "did you mean Response?")
	default:
		p.fatal(root.start, 12102, "the root is <"+root.name+">", "put everything inside one <Response>")
	}
}
