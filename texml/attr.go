package texml

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// attr is an attribute as a verb asks for it. Its methods give the value in the
// type that the verb needs, or the default after reporting what is wrong.
type attr struct {
	e     *element
	name  string
	code  int // of a bad value
	value string
	index int // among the element's attributes; -1: not written
}

// attr looks an attribute up and remembers that it is one that e has. Code is
// Twilio's code of a bad value.
func (e *element) attr(name string, code int) attr {
	e.p.asked = append(e.p.asked, name)
	for i := range e.Attr {
		if a := &e.Attr[i]; a.Key == name && a.Space == "" {
			e.read |= 1 << i
			return attr{e, name, code, a.Value, i}
		}
	}
	return attr{e, name, code, "", -1}
}

// on notes that only the markup of dialect d has the attribute. The value
// counts all the same.
func (a attr) on(d Dialect) attr {
	if a.index >= 0 && a.e.p.dialect != d {
		other := a.e.p.dialect
		a.slip(Note, 0, other.markup()+" has no attribute "+a.name+" on <"+a.e.name+">; "+d.markup()+" has it, and it is understood here",
			"", other.markup()+" ignores it")
	}
	return a
}

func (a attr) written() bool { return a.index >= 0 }

// quiet reports whether nothing is said about a bad value.
func (a attr) quiet() bool { return templated(a.value) || !a.e.p.tells(Warning) }

// bad reports a value that is not used as written.
func (a attr) bad(why, fix string) {
	if a.quiet() {
		return
	}
	code := "a warning"
	if a.code != 0 {
		code = "warning " + strconv.Itoa(a.code)
	}
	a.slip(Warning, a.code, a.name+"="+quoted(a.value)+" of <"+a.e.name+"> "+why, fix,
		"Telnyx uses its default and says nothing; Twilio logs "+code)
}

func (a attr) slip(level Level, code int, msg, fix, platforms string) {
	if !a.e.p.tells(level) {
		return
	}
	a.e.p.slip(a.e.p.attrAt(a.e, a.index), level, code, msg, fix, platforms)
}

// text gives the value as written.
func (a attr) text() string { return a.value }

// or gives the value as written, or def if the attribute is absent.
func (a attr) or(def string) string {
	if a.index < 0 {
		return def
	}
	return a.value
}

// need gives the value and reports its absence.
func (a attr) need() string {
	if strings.TrimSpace(a.value) == "" {
		a.e.slip(Warning, a.code, "<"+a.e.name+"> needs the attribute "+a.name, "write "+a.name+`="…"`, "")
	}
	return strings.TrimSpace(a.value)
}

// url gives a URL, absolute or relative, without blanks around it. What cannot
// be one is reported and comes back empty.
func (a attr) url() string {
	u := a.address()
	if offWeb(u) && !a.quiet() {
		a.slip(Warning, 11100, a.name+"="+quoted(a.value)+" of <"+a.e.name+"> is not on the web, and the request fails", howToURL, "Twilio ends with error 11100")
	}
	return u
}

// address gives a URL of any scheme.
func (a attr) address() string {
	if a.index < 0 {
		return ""
	}
	u := strings.TrimSpace(a.value)
	if why := badURL(u); why != "" {
		if a.code == 0 {
			a.code = 11100
		}
		a.bad(why+" and is ignored", howToURL)
		return ""
	}
	return u
}

const howToURL = "write it as in https://example.com/next?x=a%20b"

// offWeb reports whether nothing can be fetched from u. A relative URL and a
// template may be fetched.
func offWeb(u string) bool {
	scheme, _, ok := strings.Cut(u, ":")
	if !ok || strings.ContainsAny(scheme, "/?#") || templated(u) {
		return false
	}
	for _, known := range []string{"http", "https", "file", "embed"} {
		if equalFold(scheme, known) {
			return false
		}
	}
	return true
}

// badURL says why u cannot be a URL; "" if it can, or is a template of one.
func badURL(u string) string {
	if templated(u) {
		return ""
	}
	for i := 0; i < len(u); i++ {
		if u[i] <= ' ' || u[i] == 0x7f {
			return "has a blank inside"
		}
	}
	if scheme, rest, ok := strings.Cut(u, "://"); ok && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		if rest == "" || rest[0] == '/' && scheme != "file" && scheme != "embed" {
			return "has no host"
		}
	}
	return ""
}

// method gives GET or POST; def may be "".
func (a attr) method(def string) string {
	switch {
	case a.index < 0:
		return def
	case equalFold(a.value, "GET"):
		return "GET"
	case equalFold(a.value, "POST"):
		return "POST"
	}
	a.bad("is not a method; "+orDefault(def, "the application's")+" is used", "write GET or POST")
	return def
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// boolean gives true or false, in any case.
func (a attr) boolean(def bool) bool {
	switch {
	case a.index < 0:
		return def
	case equalFold(a.value, "true"):
		return true
	case equalFold(a.value, "false"):
		return false
	}
	a.bad("is neither true nor false; "+strconv.FormatBool(def)+" is used", "write true or false")
	return def
}

// whole gives a whole number from lo to hi; one outside becomes the nearest.
func (a attr) whole(def, lo, hi int) int { return a.count(def, lo, hi, "") }

// count is whole with a unit for messages, such as " of seconds".
func (a attr) count(def, lo, hi int, unit string) int {
	if a.index < 0 {
		return def
	}
	f, ok := a.parse()
	if !ok {
		used := strconv.Itoa(def) + " is used"
		if def < lo {
			used = "it counts as not written"
		}
		a.bad("is not a number; "+used, "write "+span(lo, hi, unit))
		return def
	}
	n := int(max(float64(lo), min(float64(hi), math.Round(f))))
	switch {
	case f < float64(lo) || f > float64(hi):
		a.bad("is out of range; "+strconv.Itoa(n)+" is used", "write "+span(lo, hi, unit))
	case float64(n) != f:
		a.bad("is not a whole number; "+strconv.Itoa(n)+" is used", "write "+span(lo, hi, unit))
	}
	return n
}

func (a attr) parse() (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(a.value), 64)
	return f, err == nil && !math.IsNaN(f)
}

func span(lo, hi int, unit string) string {
	s := "a whole number" + unit
	switch {
	case hi >= many && lo == 1:
		return s + ", at least 1"
	case hi >= many:
		return s + " from " + strconv.Itoa(lo) + " on"
	}
	return s + " from " + strconv.Itoa(lo) + " to " + strconv.Itoa(hi)
}

// many is the upper end where none is documented.
const many = math.MaxInt32

// seconds gives a duration written as whole seconds from lo to hi.
func (a attr) seconds(def, lo, hi int) time.Duration {
	return time.Duration(a.count(def, lo, hi, " of seconds")) * time.Second
}

// millis gives a duration written as whole milliseconds from lo to hi.
func (a attr) millis(def, lo, hi int) time.Duration {
	return time.Duration(a.count(def, lo, hi, " of milliseconds")) * time.Millisecond
}

// number gives a number from lo to hi; one outside becomes the nearest.
func (a attr) number(def, lo, hi float64) float64 {
	if a.index < 0 {
		return def
	}
	form := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	fix := "write a number from " + form(lo) + " to " + form(hi)
	f, ok := a.parse()
	if !ok {
		a.bad("is not a number; "+form(def)+" is used", fix)
		return def
	}
	n := max(lo, min(hi, f))
	if n != f {
		a.bad("is out of range; "+form(n)+" is used", fix)
	}
	return n
}

// oneOf gives one of the values. A value in the wrong case is reported, and
// read as meant.
func (a attr) oneOf(def string, values ...string) string {
	if a.index < 0 {
		return def
	}
	v := strings.TrimSpace(a.value)
	for _, x := range values {
		if v == x {
			return x
		}
	}
	for _, x := range values {
		if equalFold(v, x) {
			a.bad("has the wrong case", "values are case-sensitive: write "+x)
			return x
		}
	}
	switch {
	case a.quiet():
	case def == "":
		a.bad("is not a value it has and is ignored", choice(v, values))
	default:
		a.bad("is not a value it has; "+def+" is used", choice(v, values))
	}
	return def
}

func choice(v string, values []string) string {
	if s := suggest(v, values); s != "" {
		return s
	}
	return "write " + orList(values)
}

// words gives the blank-separated values that are written; nil if there are none.
// A value that is not one of them is reported and left out.
func (a attr) words(values ...string) []string {
	if a.index < 0 {
		return nil
	}
	found, later := make([]string, 0, len(values)), templated(a.value)
next:
	for v := range strings.FieldsSeq(strings.ReplaceAll(a.value, ",", " ")) {
		for _, x := range values {
			if v == x {
				found = append(found, x)
				continue next
			}
		}
		if later || !a.e.p.tells(Warning) {
			continue
		}
		a.bad("has "+quoted(v)+", which is not a value of it, and is left out", choice(v, values))
	}
	if len(found) == 0 && strings.TrimSpace(a.value) == "" {
		a.bad("is empty; the default is used", "write "+orList(values))
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

// list gives comma-separated texts.
func (a attr) list() []string {
	if a.index < 0 {
		return nil
	}
	var found []string
	for v := range strings.SplitSeq(a.value, ",") {
		if v = strings.TrimSpace(v); v != "" {
			found = append(found, v)
		}
	}
	return found
}

// keys gives characters of a set; others are reported and left out.
func (a attr) keys(def, set string) string {
	if a.index < 0 {
		return def
	}
	kept := strings.Map(func(r rune) rune {
		if strings.ContainsRune(set, r) {
			return r
		}
		return -1
	}, a.value)
	if kept != a.value {
		a.bad("has keys that do not exist here; "+quoted(kept)+" is used", "write some of "+set)
	}
	return kept
}

const (
	gatherKeys = "0123456789*#"
	sendKeys   = "0123456789ABCD#*wW" // w waits 0.5 s, W 1 s
)
