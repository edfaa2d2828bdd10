package main

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/hookswitch/hookswitch/texml"
)

// decoder reads a tree of YAML into a Config by its types and tags. It goes on
// after a slip, so that all of them are found.
type decoder struct {
	source string
	lines  []string // of the file, to count bytes where yaml counts characters
	dir    string   // relative paths start here
	env    func(string) (string, bool)
	slips  texml.Errors
	places map[string]texml.Pos // of each key that is written, by its path
}

// value reads node n into v, a field with a tag, or a part of one. Path is its
// name for people: "sip.trunks[0].server".
func (d *decoder) value(path string, n *yaml.Node, v reflect.Value, tag reflect.StructTag) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // a key without value is as good as none
	}
	d.places[path] = d.pos(n)
	switch {
	case isScalar(v.Type()):
		if n.Kind != yaml.ScalarNode {
			d.slip(n, path+" is "+kindOf(n)+", and should be "+wanted(v.Type()), "write one value after the colon")
			return
		}
		d.scalar(path, n, v, tag)
	case v.Kind() == reflect.Struct && n.Kind == yaml.ScalarNode && shortOf(v.Type()) != nil:
		f := shortOf(v.Type())
		d.scalar(path, n, v.FieldByIndex(f.Index), f.Tag)
	case v.Kind() == reflect.Struct:
		d.mapping(path, n, v)
	case v.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.slip(n, path+" is "+kindOf(n)+", and should be a list", "write [a, b], or each on a line of its own after a -")
			return
		}
		list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		for i, each := range n.Content {
			setDefaults(list.Index(i))
			d.value(fmt.Sprintf("%s[%d]", path, i), each, list.Index(i), tag)
		}
		v.Set(list)
	case v.Kind() == reflect.Map:
		m := reflect.MakeMap(v.Type())
		d.pairs(path, n, func(key, value *yaml.Node) {
			each := reflect.New(v.Type().Elem()).Elem()
			setDefaults(each)
			d.value(keyPath(path, key.Value), value, each, "")
			m.SetMapIndex(reflect.ValueOf(key.Value), each)
		})
		v.Set(m)
	}
}

// mapping reads the keys of a struct.
func (d *decoder) mapping(path string, n *yaml.Node, v reflect.Value) {
	written := make(map[string]bool)
	if !d.pairs(path, n, func(key, value *yaml.Node) {
		f, ok := fieldOf(v.Type(), key.Value)
		if !ok {
			d.unknown(path, key, v.Type())
			return
		}
		empty := value.Kind == yaml.ScalarNode && value.Tag == "!!null"
		written[key.Value] = !empty
		at := keyPath(path, key.Value)
		if f.Tag.Get("later") != "" && !empty {
			d.add(d.pos(key), texml.Note, at+" is not used yet by this version", "")
		}
		d.value(at, value, v.FieldByIndex(f.Index), f.Tag)
	}) {
		return
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if name := f.Tag.Get("yaml"); f.Tag.Get("need") != "" && !written[name] {
			d.slip(n, keyPath(path, name)+" is missing", "write "+name+": …")
		}
	}
}

// pairs gives each key of a mapping once, with its value. It reports whether n
// is a mapping.
func (d *decoder) pairs(path string, n *yaml.Node, each func(key, value *yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		if path == "" {
			path = "the file"
		}
		d.slip(n, path+" is "+kindOf(n)+", and should have keys", "write each as key: value on a line of its own")
		return false
	}
	first := make(map[string]texml.Pos)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch at, twice := first[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.slip(key, "a key is "+kindOf(key), "write a name")
		case key.Tag == "!!merge":
			d.slip(key, "the merge key << is not read", "write the keys out")
		case twice:
			d.slip(key, keyPath(path, key.Value)+" is written twice", fmt.Sprintf("remove one; the first is in line %d", at.Line))
		default:
			first[key.Value] = d.pos(key)
			each(key, n.Content[i+1])
		}
	}
	return true
}

// unknown reports a key that type t has not got.
func (d *decoder) unknown(path string, key *yaml.Node, t reflect.Type) {
	names := keysOf(t)
	fix := "remove it"
	if meant := texml.Nearest(key.Value, names); meant != "" {
		fix = "did you mean " + meant + "?"
	} else if len(names) <= 12 {
		fix = "it has " + strings.Join(names, ", ")
	}
	if path == "" {
		path = "the file"
	}
	d.slip(key, fmt.Sprintf("%s has no key %q", path, shortened(key.Value)), fix)
}

// scalar reads one value: variables first, then its type, then its rule.
func (d *decoder) scalar(path string, n *yaml.Node, v reflect.Value, tag reflect.StructTag) {
	text, err := expand(n.Value, d.env)
	if err != nil {
		d.wrong(path, n, v, err)
		return
	}
	if choices := tag.Get("oneof"); choices != "" && v.Kind() == reflect.String {
		if text, err = oneOf(text, strings.Fields(choices)); err != nil {
			d.wrong(path, n, v, err)
			return
		}
	}
	if tag.Get("path") != "" && text != "" && !filepath.IsAbs(text) && !strings.HasPrefix(text, "embed:") {
		text = filepath.Join(d.dir, text)
	}
	if err := parseScalar(text, v, tag); err != nil {
		d.wrong(path, n, v, err)
		return
	}
	if check := ruleOf(tag.Get("is")); check != nil && text != "" {
		err := check(text)
		if unused := notYet(""); errors.As(err, &unused) {
			d.add(d.pos(n), texml.Note, path+": "+string(unused)+" is not used yet by this version", "")
		} else if err != nil {
			d.wrong(path, n, v, err)
		}
	}
}

// wrong reports what is wrong with a value. The value is shown as written, with
// its variables unread, unless it may hold a secret.
func (d *decoder) wrong(path string, n *yaml.Node, v reflect.Value, err error) {
	for why := range strings.Lines(err.Error()) {
		msg, fix, _ := strings.Cut(strings.TrimSpace(why), "; ")
		_, key := v.Interface().(SigningKey)
		switch {
		case strings.HasPrefix(msg, `"`): // it shows the value by itself
			msg = path + ": " + msg
		case key || n.Value == "" || strings.ContainsAny(n.Value, "@\n") || strings.HasPrefix(msg, "needs ") || strings.Contains(msg, "${"):
			msg = path + " " + msg
		default:
			msg = path + ": " + strconv.Quote(shortened(n.Value)) + " " + msg
		}
		d.slip(n, msg, fix)
	}
}

func (d *decoder) slip(n *yaml.Node, msg, fix string) { d.add(d.pos(n), texml.Fatal, msg, fix) }

func (d *decoder) add(at texml.Pos, level texml.Level, msg, fix string) {
	d.slips = append(d.slips, &texml.Error{Source: d.source, Pos: at, Level: level, Msg: msg, Fix: fix})
}

// pos is where a node begins; yaml counts columns in characters, we in bytes.
func (d *decoder) pos(n *yaml.Node) texml.Pos {
	p := texml.Pos{Line: max(n.Line, 1), Col: max(n.Column, 1)}
	if p.Line > len(d.lines) {
		return p
	}
	line, bytes := d.lines[p.Line-1], 0
	for range p.Col - 1 {
		_, size := utf8.DecodeRuneInString(line[bytes:])
		bytes += size
	}
	return texml.Pos{Line: p.Line, Col: bytes + 1}
}

// parseScalar sets v to what text says.
func parseScalar(text string, v reflect.Value, tag reflect.StructTag) error {
	switch target := v.Addr().Interface().(type) {
	case *string:
		*target = text
	case *bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return errors.New("is neither true nor false; write true or false")
		}
		*target = b
	case *time.Duration:
		t, err := time.ParseDuration(text)
		if _, bare := strconv.ParseFloat(text, 64); bare == nil && err != nil {
			return fmt.Errorf("has no unit; write %ss, or ms, m or h", text)
		}
		if err != nil || t < 0 || t == 0 && tag.Get("zero") == "" {
			return errors.New("is no duration; write it as 500ms, 15s, 2m or 4h")
		}
		*target = t
	case *int:
		lo, hi := bounds(tag.Get("range"))
		i, err := strconv.Atoi(text)
		if err != nil || i < lo || i > hi {
			return fmt.Errorf("is no whole number from %d to %d; write one", lo, hi)
		}
		*target = i
	case *netip.Addr:
		a, err := netip.ParseAddr(text)
		if err != nil || a.IsUnspecified() {
			return errors.New("is no address that others can reach; write it as 203.0.113.7")
		}
		*target = a.Unmap()
	case *netip.Prefix:
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			*target = netip.PrefixFrom(a, a.BitLen())
			return nil
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return errors.New("is no range of addresses; write it as 192.0.2.0/24 or 2001:db8::/32")
		}
		*target = p.Masked()
	case encoding.TextUnmarshaler:
		return target.UnmarshalText([]byte(text))
	}
	return nil
}

// oneOf is the choice that was meant, by whatever case.
func oneOf(text string, choices []string) (string, error) {
	for _, c := range choices {
		if strings.EqualFold(text, c) {
			return c, nil
		}
	}
	fix := "write " + strings.Join(choices, " or ")
	if meant := texml.Nearest(text, choices); meant != "" {
		fix = "did you mean " + meant + "?"
	}
	return "", fmt.Errorf("is not one of %s; %s", strings.Join(choices, ", "), fix)
}

func bounds(tag string) (lo, hi int) {
	a, b, _ := strings.Cut(tag, " ")
	lo, _ = strconv.Atoi(a)
	hi, _ = strconv.Atoi(b)
	return lo, hi
}

// setDefaults gives v and what is below it the values of their default tags.
func setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct || isScalar(v.Type()) {
		return
	}
	for i := range v.NumField() {
		f, tag := v.Field(i), v.Type().Field(i).Tag
		setDefaults(f)
		def := tag.Get("default")
		switch {
		case def == "":
		case isScalar(f.Type()):
			parseScalar(def, f, tag) // a test parses every default
		case f.Kind() == reflect.Slice:
			parts := strings.Split(def, ",")
			f.Set(reflect.MakeSlice(f.Type(), len(parts), len(parts)))
			for i, part := range parts {
				parseScalar(part, f.Index(i), tag)
			}
		}
	}
}

// isScalar reports whether values of type t are written as one scalar.
func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
		return true
	}
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("yaml") == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// shortOf is the key that a single value in place of all keys stands for, nil
// for none.
func shortOf(t reflect.Type) *reflect.StructField {
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("short") != "" {
			return &f
		}
	}
	return nil
}

func keysOf(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("yaml"))
	}
	return names
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a set of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func wanted(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[bool]():
		return "true or false"
	case reflect.TypeFor[int]():
		return "a number"
	case reflect.TypeFor[time.Duration]():
		return "a duration"
	}
	return "a single value"
}

func keyPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// shortened is what a message shows of s.
func shortened(s string) string {
	if len(s) <= 60 {
		return s
	}
	return strings.ToValidUTF8(s[:60], "") + "…"
}
