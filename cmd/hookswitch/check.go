package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

const checkUsage = `hookswitch check FILE|DIR|URL...

Finds every slip in call documents (TeXML, TwiML) and in configuration files:
where it is, what is wrong, what to write instead, and what Telnyx and Twilio
would do with it. Nothing is called or changed.

  FILE   a document (.xml, .texml, .twiml) or a configuration (.yaml, .yml)
  DIR    all documents and hookswitch*.yaml in it and below
  URL    what a web server answers to the request of a first document

  --dialect telnyx|twilio    whose defaults and limits count (default telnyx)
  --format text|json|sarif   sarif is for code hosts and editors (default text)
  --method POST|GET          how to ask a URL (default POST)

It ends with 0 when there is nothing worse than a note, 1 when there is a
warning or an error, and 2 when the command line makes no sense.

  hookswitch check flows hookswitch.yaml
  hookswitch check --dialect twilio https://example.com/voice
  hookswitch check --format sarif . > hookswitch.sarif
`

// checked is what was found in one file or URL.
type checked struct {
	source string
	body   []byte // as far as it could be read
	slips  texml.Errors
}

// check is the command: it writes what it finds to out, and what is wrong with
// the command line to errOut.
func check(args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the message and the usage are written below
	dialectName := flags.String("dialect", "telnyx", "")
	format := flags.String("format", "text", "")
	method := flags.String("method", "POST", "")
	var targets []string
	err := flags.Parse(args)
	for err == nil && flags.NArg() > 0 { // options may stand after a target too
		targets = append(targets, flags.Arg(0))
		err = flags.Parse(flags.Args()[1:])
	}
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, checkUsage)
		return 0
	}
	refuse := func(err error) int {
		fmt.Fprintf(errOut, "hookswitch check: %v\nhookswitch check --help says more\n", err)
		return 2
	}
	write := map[string]func(io.Writer, []checked) error{"text": writeText, "json": writeJSON, "sarif": writeSARIF}[*format]
	dialect, dialectErr := texml.ParseDialect(*dialectName)
	switch {
	case err != nil:
		return refuse(err)
	case dialectErr != nil:
		return refuse(dialectErr)
	case write == nil:
		return refuse(fmt.Errorf("no format is called %q; write text, json or sarif", *format))
	case *method != "POST" && *method != "GET":
		return refuse(fmt.Errorf("no method is called %q; write POST or GET", *method))
	case len(targets) == 0:
		return refuse(errors.New("name a file, a folder or a URL"))
	}
	var all []checked
	for _, target := range targets {
		found, err := checkTarget(target, *method, dialect)
		if err != nil {
			return refuse(err)
		}
		for _, c := range found {
			if !slices.ContainsFunc(all, func(have checked) bool { return have.source == c.source }) {
				all = append(all, c)
			}
		}
	}
	if err := write(out, all); err != nil {
		fmt.Fprintf(errOut, "hookswitch check: %v\n", err)
		return 1
	}
	for _, c := range all {
		if c.slips.Failed() {
			return 1
		}
	}
	return 0
}

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
	switch strings.ToLower(filepath.Ext(target)) {
	case ".xml", ".texml", ".twiml":
		return []checked{checkDocument(target, d)}, nil
	case ".yaml", ".yml":
		return []checked{checkConfig(target)}, nil
	}
	return nil, fmt.Errorf("%s: only .xml, .texml, .twiml, .yaml and .yml files can be checked", target)
}

// response finds the root of a call document, however it is written: other XML
// files of a folder are none of our business.
var response = regexp.MustCompile(`(?i)<([a-z]+:)?response[\s/>]`)

func checkFolder(dir string, d texml.Dialect) ([]checked, error) {
	var found []checked
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch ext := strings.ToLower(filepath.Ext(name)); {
		case err != nil:
			return err
		case entry.IsDir() && path != dir && (strings.HasPrefix(name, ".") || name == "node_modules"):
			return filepath.SkipDir
		case !entry.Type().IsRegular():
		case ext == ".texml" || ext == ".twiml":
			found = append(found, checkDocument(path, d))
		case ext == ".xml":
			if c := checkDocument(path, d); response.Match(c.body) {
				found = append(found, c)
			}
		case (ext == ".yaml" || ext == ".yml") && strings.HasPrefix(name, "hookswitch"):
			found = append(found, checkConfig(path))
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s: no call document and no hookswitch*.yaml in it", dir)
	}
	return found, err
}

func checkDocument(path string, d texml.Dialect) checked {
	body, err := readUpTo(path, texml.MaxBytes+1) // one more, so that Check sees that it is too much
	if err != nil {
		return checked{path, nil, unreadable(path, 0, err)}
	}
	return checked{path, body, texml.Check(path, body, d)}
}

func checkConfig(path string) checked {
	_, slips := loadConfig(path, os.LookupEnv)
	body, err := readUpTo(path, maxConfig)
	if err != nil {
		return checked{path, nil, slips} // they say so
	}
	return checked{path, body, slips}
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
	source := u.Redacted()
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
		return checked{source, nil, unreadable(source, code, err)}, nil
	}
	if kind := strings.ToLower(answer.ContentType); strings.HasPrefix(kind, "audio/") {
		return checked{source, nil, texml.Errors{{Source: source, Pos: texml.Pos{Line: 1, Col: 1}, Level: texml.Note,
			Msg: "the answer is a sound (" + kind + "), which is played; there is nothing to check"}}}, nil
	}
	return checked{source, answer.Body, texml.Check(source, answer.Body, d)}, nil
}

func unreadable(source string, code int, err error) texml.Errors {
	return texml.Errors{{Source: source, Pos: texml.Pos{Line: 1, Col: 1}, Level: texml.Fatal, Code: code,
		Msg: "there is nothing to check: " + withoutName(err)}}
}

// count sorts what was found by its level.
func count(all []checked) (errs, warnings, notes int) {
	for _, c := range all {
		for _, s := range c.slips {
			switch s.Level {
			case texml.Fatal:
				errs++
			case texml.Warning:
				warnings++
			default:
				notes++
			}
		}
	}
	return errs, warnings, notes
}

// writeText writes one line per slip, what the platforms do below it, and how
// many there are at the end.
func writeText(out io.Writer, all []checked) error {
	var b strings.Builder
	for _, c := range all {
		for _, s := range c.slips {
			fmt.Fprintf(&b, "%s:%v: %v: %s", s.Source, s.Pos, s.Level, s.Msg)
			if s.Fix != "" {
				b.WriteString("; " + s.Fix)
			}
			if s.Code != 0 {
				fmt.Fprintf(&b, " [%d]", s.Code)
			}
			b.WriteByte('\n')
			if s.Platforms != "" {
				b.WriteString("    " + s.Platforms + "\n")
			}
		}
	}
	errs, warnings, notes := count(all)
	parts := []string{plural(len(all), "file")}
	for _, part := range []struct {
		n    int
		name string
	}{{errs, "error"}, {warnings, "warning"}, {notes, "note"}} {
		if part.n > 0 {
			parts = append(parts, plural(part.n, part.name))
		}
	}
	if len(parts) == 1 {
		parts = append(parts, "nothing wrong")
	}
	b.WriteString(strings.Join(parts, ", ") + "\n")
	_, err := io.WriteString(out, b.String())
	return err
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// report is the JSON of a check. Keys are only ever added to it.
type report struct {
	Files    int       `json:"files"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Notes    int       `json:"notes"`
	Findings []finding `json:"findings"`
}

type finding struct {
	File      string `json:"file"`
	Line      int    `json:"line"`   // from 1
	Column    int    `json:"column"` // from 1, in bytes
	Level     string `json:"level"`  // error, warning, note
	Code      int    `json:"code,omitempty"`
	Message   string `json:"message"`
	Fix       string `json:"fix,omitempty"`
	Platforms string `json:"platforms,omitempty"`
}

func writeJSON(out io.Writer, all []checked) error {
	r := report{Files: len(all), Findings: []finding{}}
	r.Errors, r.Warnings, r.Notes = count(all)
	for _, c := range all {
		for _, s := range c.slips {
			r.Findings = append(r.Findings, finding{s.Source, s.Pos.Line, s.Pos.Col, s.Level.String(), s.Code, s.Msg, s.Fix, s.Platforms})
		}
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
