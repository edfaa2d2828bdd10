package texml

import (
	"net/url"
	"sort"
	"strings"
)

// most ways in which one check fills in a template.
const mostVariants = 8

// move says that the text from an offset on comes from another offset.
type move struct{ at, from int }

// origin gives the offset that an offset comes from.
func origin(moved []move, off int) int {
	if len(moved) == 0 {
		return off
	}
	i := max(1, sort.Search(len(moved), func(i int) bool { return moved[i].at > off })) - 1
	return moved[i].from + off - moved[i].at
}

// filledIn checks the template as filled in with nothing, with a value that no
// condition names, and with each value that one does: all parameters have the
// same. Tokens that print stay, so that nothing is said about their values.
func (p *parse) filledIn(parts []tmpl) *parse {
	names, values := url.Values{}, []string{"", "x"}
	conditions(parts, names, &values)
	var read []*parse
	often := map[string]int{}
	for _, value := range values {
		for name := range names {
			names.Set(name, value)
		}
		v := variant{renderer: renderer{vars: names}, value: value}
		v.write(parts)
		q := p.another(string(v.out))
		q.template, q.moved = p.src, v.moved
		q.check()
		read = append(read, q)
		for _, s := range q.slips {
			often[s.Error()]++
		}
	}
	all, told := p.another(p.src), map[string]bool{}
	for i, q := range read {
		for _, s := range q.slips {
			key := s.Error()
			if told[key] {
				continue
			}
			told[key] = true
			switch {
			case s.Level < Fatal || often[key] == len(read):
			case values[i] == "":
				s.Msg += ", when all parameters are empty"
			default:
				s.Msg += ", when parameters are " + quoted(values[i])
			}
			if all.tells(s.Level) {
				all.slips = append(all.slips, s)
			}
		}
	}
	return all
}

// conditions collects the parameters that sections depend on, and the values
// that they are compared with.
func conditions(parts []tmpl, names url.Values, values *[]string) {
	for _, t := range parts {
		if t.kind == tmplList || t.kind == tmplNone {
			names.Set(t.text, "")
		}
		conditions(t.body, names, values)
		for _, c := range t.cases {
			names.Set(c.test.left, "")
			right := strings.Trim(c.test.right, `"'`)
			if known := " " + strings.Join(*values, " ") + " "; right != "" && len(*values) < mostVariants && !strings.Contains(known, " "+right+" ") {
				*values = append(*values, right)
			}
			conditions(c.body, names, values)
		}
	}
}

// variant fills in a template and keeps track of where everything comes from.
type variant struct {
	renderer
	value string // of all parameters
	moved []move
}

func (v *variant) write(parts []tmpl) {
	for _, t := range parts {
		switch t.kind {
		case tmplText:
			v.add(t.off, t.text)
		case tmplList:
			if len(v.values(t.text)) > 0 {
				v.write(t.body)
			}
		case tmplNone:
			if len(v.values(t.text)) == 0 {
				v.write(t.body)
			}
		case tmplIf:
			for _, c := range t.cases {
				if v.holds(c.test, v.value) {
					v.write(c.body)
					break
				}
			}
		default:
			v.add(t.off, "{{"+t.text+"}}")
		}
	}
}

func (v *variant) add(off int, text string) {
	v.moved = append(v.moved, move{len(v.out), off})
	v.out = append(v.out, text...)
}
