package texml

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wanted is what a document says about one of its lines:
//
//	<!-- ERROR "regexp" -->          a slip that makes a check fail, in both dialects
//	<!-- twilio NOTE "regexp" -->    a note, in one dialect
type wanted struct {
	line    int
	note    bool
	dialect string // "": both
	msg     *regexp.Regexp
}

var wantedMark = regexp.MustCompile(`<!-- (?:(telnyx|twilio) )?(ERROR|NOTE) ("(?:[^"\\]|\\.)*") -->`)

func wantedSlips(t *testing.T, body []byte) []wanted {
	var all []wanted
	for i, line := range strings.Split(string(body), "\n") {
		for _, m := range wantedMark.FindAllStringSubmatch(line, -1) {
			// Only \" is undone: the rest is the regexp's.
			expr := strings.ReplaceAll(m[3][1:len(m[3])-1], `\"`, `"`)
			msg, err := regexp.Compile(expr)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, wanted{i + 1, m[2] == "NOTE", m[1], msg})
		}
	}
	if got := strings.Count(string(body), "<!--"); got != len(all) {
		t.Fatalf("%d comments, but %d of them are marks", got, len(all))
	}
	return all
}

// TestDocuments checks the documents of testdata/texml. One called
// NAME.telnyx.xml or NAME.twilio.xml is for that dialect, others are for both.
func TestDocuments(t *testing.T) {
	files, err := filepath.Glob("../testdata/texml/*.xml")
	if err != nil || len(files) < 50 {
		t.Fatal("no documents", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []Dialect{Telnyx, Twilio} {
			name := filepath.Base(file)
			if other := by(d, Twilio, Telnyx); strings.Contains(name, "."+other.String()+".") {
				continue
			}
			t.Run(name+"/"+d.String(), func(t *testing.T) {
				want := slices.DeleteFunc(wantedSlips(t, body), func(w wanted) bool { return w.dialect != "" && w.dialect != d.String() })
				clean := len(want) == 0
				for _, slip := range Check(name, body, d) {
					i := slices.IndexFunc(want, func(w wanted) bool {
						return w.line == slip.Pos.Line && w.note == (slip.Level == Note) && w.msg.MatchString(slip.Error())
					})
					if i < 0 {
						t.Errorf("unwanted %s: %s", slip.Level, slip)
						continue
					}
					want = slices.Delete(want, i, i+1)
				}
				for _, w := range want {
					t.Errorf("line %d: no slip matches %q", w.line, w.msg)
				}
				if clean {
					allRead(t, name, body, d)
				}
			})
		}
	}
}

// allRead fails if a document without slips does not run as a whole.
func allRead(t *testing.T, name string, body []byte, d Dialect) {
	doc, err := Parse(name, body, d)
	if err != nil {
		t.Fatal(err)
	}
	children := doc.Root.ChildElements()
	if len(doc.Verbs) != len(children) {
		t.Fatalf("%d of %d verbs are read", len(doc.Verbs), len(children))
	}
	for i, n := range doc.Verbs {
		if got, want := n.Name(), children[i].Tag; got != want {
			t.Errorf("verb %d is %s, want %s", i, got, want)
		}
	}
}

// TestEveryVerbHasDocuments holds that each verb has a right and a wrong document.
func TestEveryVerbHasDocuments(t *testing.T) {
	files, _ := filepath.Glob("../testdata/texml/*.xml")
	var right, wrong strings.Builder
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".wrong.xml") {
			wrong.Write(body)
		} else {
			right.Write(body)
		}
	}
	for _, verb := range verbNames {
		if verb != "Sms" && !strings.Contains(right.String(), "<"+verb) {
			t.Errorf("no right document has %s", verb)
		}
		if verb != "Agent" && !strings.Contains(wrong.String(), "<"+verb) {
			t.Errorf("no wrong document has %s", verb)
		}
	}
}

// TestVerbNames holds that the list of verbs and the switch agree.
func TestVerbNames(t *testing.T) {
	for _, verb := range verbNames {
		_, slips := parseSlips(t, "<"+verb+">x</"+verb+">", Telnyx)
		if strings.Contains(slips.Error(), "there is no verb") {
			t.Errorf("%s is in the list of verbs, and is not read", verb)
		}
	}
}

// parseSlips parses verbs.
func parseSlips(t *testing.T, verbs string, d Dialect) ([]Node, Errors) {
	t.Helper()
	doc, err := Parse("", []byte("<Response>"+verbs+"</Response>"), d)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Verbs, doc.Slips
}

func parseOne[T Node](t *testing.T, verb string, d Dialect) T {
	t.Helper()
	nodes, slips := parseSlips(t, verb, d)
	if len(nodes) != 1 {
		t.Fatalf("%d verbs: %v", len(nodes), slips)
	}
	n, ok := nodes[0].(T)
	if !ok {
		t.Fatalf("%s is %T", strconv.Quote(verb), nodes[0])
	}
	return n
}

// TestEveryAttributeCounts blanks out each attribute of the right documents, and
// holds that the verbs are then not the same.
func TestEveryAttributeCounts(t *testing.T) {
	files, _ := filepath.Glob("../testdata/texml/*.xml")
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasSuffix(name, ".wrong.xml") || name == "template.xml" {
			continue
		}
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := Telnyx
		if strings.Contains(name, ".twilio.") {
			d = Twilio
		}
		doc, err := Parse(name, body, d)
		if err != nil {
			t.Fatal(err)
		}
		p := open(name, body, d)
		attributes(p, p.tree(), func(e *element, key string, from, to int) {
			without := slices.Clone(body)
			for i := from; i < to; i++ {
				without[i] = ' '
			}
			other, err := Parse(name, without, d)
			if err != nil {
				t.Fatal(err)
			}
			if reflect.DeepEqual(doc.Verbs, other.Verbs) {
				t.Errorf("%s: %s of <%s> changes nothing", name, key, e.name)
			}
		})
	}
}

// attributes calls f with each attribute inside e and its extent.
func attributes(p *parse, e *element, f func(e *element, key string, from, to int)) {
	for i, a := range e.Attr {
		from := p.attrAt(e, i)
		quote := from + strings.IndexAny(p.src[from:], `"'`)
		to := quote + 1 + strings.IndexByte(p.src[quote+1:], p.src[quote]) + 1
		f(e, a.Key, from, to)
	}
	for c := e.first; c != nil; c = c.next {
		attributes(p, c, f)
	}
}
