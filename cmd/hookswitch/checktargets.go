package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/flows"
	"github.com/hookswitch/hookswitch/runtime/calltest"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// checkTarget checks what one argument names. An error means that it names
// nothing that can be checked.
func checkTarget(target, method string, d texml.Dialect) ([]checked, error) {
	if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") {
		c, err := checkURL(target, method, d)
		return []checked{c}, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return checkFolder(target, d)
	}
	if found := checkFile(target, d); found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("%s: only .xml, .texml, .twiml, .txtar, .yaml, .yml and .md files can be checked", target)
}

// checkFile checks a file by the end of its name; nil if that says nothing.
func checkFile(path string, d texml.Dialect) []checked {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".xml", ".texml", ".twiml":
		return []checked{checkDocument(path, d)}
	case ".txtar":
		return []checked{checkScript(path)}
	case ".yaml", ".yml":
		return checkConfig(path, d)
	case ".md":
		return []checked{checkPlaybook(path)}
	}
	return nil
}

// response finds the root of a call document, however it is written: other XML
// files of a folder are none of our business.
var response = regexp.MustCompile(`(?i)<([a-z]+:)?response[\s/>]`)

func checkFolder(dir string, d texml.Dialect) ([]checked, error) {
	var found []checked
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != dir && (strings.HasPrefix(name, ".") || name == "node_modules") {
			return filepath.SkipDir
		}
		ext := strings.ToLower(filepath.Ext(name))
		if !entry.Type().IsRegular() || (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(name, "hookswitch") {
			return nil
		}
		for _, c := range checkFile(path, d) {
			switch {
			case ext == ".xml" && !response.Match(c.body):
			case ext == ".md" && !bytes.HasPrefix(c.body, []byte("---")): // no playbook
			default:
				found = append(found, c)
			}
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s: no call document, call script, playbook or hookswitch*.yaml in it", dir)
	}
	return found, err
}

func checkDocument(path string, d texml.Dialect) checked {
	body, err := readUpTo(path, texml.MaxBytes+1) // one more, so that Check sees that it is too much
	if err != nil {
		return checked{source: path, slips: unreadable(path, 0, err)}
	}
	return checkedDocument(path, body, d)
}

// checkedDocument checks a document that has been read. What is right, and this
// version does not run, is noted.
func checkedDocument(source string, body []byte, d texml.Dialect) checked {
	slips := texml.Check(source, body, d)
	doc, err := texml.Parse(source, body, d)
	if err != nil {
		return checked{source: source, body: body, slips: slips}
	}
	for _, n := range doc.Verbs {
		if !verbs.Supported(n) && !slices.ContainsFunc(slips, func(s *texml.Error) bool { return s.Pos == n.At() && s.Level > texml.Note }) {
			slips = append(slips, note(source, n.At(), "this version does not run <"+n.Name()+"> yet; on a call it is skipped"))
		}
		slips = append(slips, limits(source, n)...)
	}
	inOrder(slips)
	return checked{source: source, body: body, slips: slips}
}

// limits are what n asks for and a call warns of.
func limits(source string, n texml.Node) (slips texml.Errors) {
	for _, l := range verbs.Limits(n) {
		slip := note(source, l.Node.At(), l.Msg)
		slip.Code = l.Code
		slips = append(slips, slip)
	}
	switch n := n.(type) {
	case *texml.Gather:
		for _, prompt := range n.Prompts {
			slips = append(slips, limits(source, prompt)...)
		}
	case *texml.Dial:
		for _, noun := range n.Nouns {
			if c, ok := noun.(*texml.Client); ok {
				slips = append(slips, note(source, c.At(), notRegistered(c.Identity).Error()))
			}
		}
	}
	return slips
}

func inOrder(slips texml.Errors) {
	slices.SortStableFunc(slips, func(a, b *texml.Error) int {
		return cmp.Or(a.Pos.Line-b.Pos.Line, a.Pos.Col-b.Pos.Col)
	})
}

func note(source string, at texml.Pos, msg string) *texml.Error {
	return &texml.Error{Source: source, Pos: at, Level: texml.Note, Msg: msg}
}

var top = texml.Pos{Line: 1, Col: 1}

// checkScript reports what is wrong with a call script, which is not played.
func checkScript(path string) checked {
	body, err := readUpTo(path, maxConfig)
	if err != nil {
		return checked{source: path, slips: unreadable(path, 0, err)}
	}
	c := checked{source: path, body: body}
	if _, err := calltest.ReadFile(path); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			c.slips = append(c.slips, scriptSlip(path, line))
		}
	}
	return c
}

// scriptSlip reads "menu.txtar:3: what is wrong; what to write".
func scriptSlip(path, text string) *texml.Error {
	s := &texml.Error{Source: path, Pos: top, Level: texml.Fatal, Msg: text}
	rest, ok := strings.CutPrefix(text, path+":")
	number, msg, _ := strings.Cut(rest, ": ")
	if line, err := strconv.Atoi(number); ok && err == nil {
		s.Pos.Line = line
		s.Msg, s.Fix, _ = strings.Cut(msg, "; ")
	}
	return s
}

func checkPlaybook(path string) checked {
	body, err := readUpTo(path, maxConfig)
	if err != nil {
		return checked{source: path, slips: unreadable(path, 0, err)}
	}
	return checked{source: path, body: body, slips: texml.Errors{note(path, top, "playbooks come with a later version; this one was not checked")}}
}

// checkConfig checks a configuration, the documents that its routes lead to, and
// whether it has what they need.
func checkConfig(path string, d texml.Dialect) []checked {
	config, slips := loadConfig(path, os.LookupEnv)
	body, _ := readUpTo(path, maxConfig) // slips say so if it cannot be read
	found := []checked{{source: path, body: body, slips: slips, secret: true}}
	if config == nil {
		return found
	}
	dialects := make(map[string]string)
	for _, a := range config.Accounts {
		dialects[a.SID] = a.Dialect
	}
	for _, r := range config.FlowRoutes() {
		if r.Flow == "" {
			continue
		}
		dialect := d
		if len(config.Accounts) > 0 {
			account := r.Account
			if account == "" {
				account = config.Accounts[0].SID
			}
			if of, err := texml.ParseDialect(dialects[account]); err == nil {
				dialect = of
			}
		}
		if r.HasDialect {
			dialect = r.Dialect
		}
		for _, c := range checkFlow(r.Flow, dialect) {
			c.slips, c.routed = append(c.slips, missing(c, dialect, config)...), true
			inOrder(c.slips)
			if !slices.ContainsFunc(found, func(have checked) bool { return have.source == c.source }) {
				found = append(found, c)
			}
		}
	}
	return found
}

// checkFlow checks a static document and those that it leads to.
func checkFlow(flow string, d texml.Dialect) []checked {
	var files flows.Files
	defer files.Close()
	first, err := files.Add(flow)
	if err != nil {
		return nil // a slip of the configuration
	}
	var found []checked
	seen := map[string]bool{first: true}
	for next := []string{first}; len(next) > 0; next = next[1:] {
		source := sourceOf(next[0])
		body, kind, err := files.Read(next[0])
		if err != nil {
			found = append(found, checked{source: source, slips: unreadable(source, 0, err)})
			continue
		}
		if !strings.Contains(kind, "xml") {
			continue // sound, or text that is spoken
		}
		c := checkedDocument(source, body, d)
		base, err := url.Parse(next[0])
		doc, bad := texml.Parse(source, body, d)
		if err == nil && bad == nil {
			for _, n := range doc.Verbs {
				ref, err := url.Parse(leadsTo(n))
				if err != nil || ref.Path == "" || strings.Contains(ref.Path, "{{") {
					continue
				}
				u := base.ResolveReference(ref)
				u.RawQuery, u.Fragment = "", ""
				if (u.Scheme != "file" && u.Scheme != "embed") || seen[u.String()] {
					continue
				}
				if _, _, err := files.Read(u.String()); err != nil {
					c.slips = append(c.slips, &texml.Error{Source: source, Pos: n.At(), Level: texml.Warning,
						Msg: fmt.Sprintf("<%s> leads to %s, which cannot be read", n.Name(), ref.Path), Fix: "compare it with the name of the file"})
					continue
				}
				seen[u.String()] = true
				next = append(next, u.String())
			}
		}
		inOrder(c.slips)
		found = append(found, c)
	}
	return found
}

// leadsTo gives the URL of the document that may run after a verb.
func leadsTo(n texml.Node) string {
	switch n := n.(type) {
	case *texml.Redirect:
		return n.URL
	case *texml.Gather:
		return n.Action
	case *texml.Record:
		return n.Action
	case *texml.Dial:
		return n.Action
	case *texml.Enqueue:
		return n.Action
	case *texml.Refer:
		return n.Action
	case *texml.Connect:
		return n.Action
	case *texml.Pay:
		return n.Action
	}
	return ""
}

// sourceOf gives a file: URL as a path from here if it is below, and any other
// URL as it is.
func sourceOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "file" {
		return raw
	}
	path := filepath.FromSlash(u.Path)
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

func readUpTo(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// checkURL asks for a document as the first request of a call does. The host
// that was typed may be private; where it redirects to may not.
func checkURL(raw, method string, d texml.Dialect) (checked, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return checked{}, fmt.Errorf("%q is no URL; write it in full, as in https://example.com/voice", raw)
	}
	source := webhook.Redact(u.String())
	client := webhook.New(webhook.Config{AllowHosts: []string{u.Host}})
	defer client.Close()
	answer, err := client.Do(context.Background(), webhook.Request{URL: raw, Method: method, Form: url.Values{
		"CallSid":    {"CA00000000000000000000000000000000"},
		"AccountSid": {"AC00000000000000000000000000000000"},
		"From":       {"+15005550001"},
		"To":         {"+15005550006"},
		"Direction":  {"inbound"},
		"CallStatus": {"ringing"},
	}})
	if err != nil {
		code := 0
		if we := (*webhook.Error)(nil); errors.As(err, &we) {
			code = we.Code
		}
		return checked{source: source, slips: unreadable(source, code, err)}, nil
	}
	if kind := strings.ToLower(answer.ContentType); strings.HasPrefix(kind, "audio/") {
		return checked{source: source, slips: texml.Errors{note(source, top, "the answer is a sound ("+kind+"), which is played; there is nothing to check")}}, nil
	}
	return checkedDocument(source, answer.Body, d), nil
}

func unreadable(source string, code int, err error) texml.Errors {
	return texml.Errors{{Source: source, Pos: top, Level: texml.Fatal, Code: code,
		Msg: "there is nothing to check: " + withoutName(err)}}
}
