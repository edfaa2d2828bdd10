package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"

	"github.com/hookswitch/hookswitch/texml"
)

const checkUsage = `hookswitch check FILE|DIR|URL...

Finds every slip in call documents (TeXML, TwiML), call scripts and
configurations: where it is, what is wrong, what to write instead, and what
Telnyx and Twilio would do with it. Nothing is called or changed.

  FILE   a document (.xml, .texml, .twiml), a call script (.txtar), or a
         configuration (.yaml, .yml) with the documents that its routes lead to
  DIR    all documents, call scripts and hookswitch*.yaml in it and below
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
	secret bool // the body is not shown
	routed bool // as a configuration uses it: with its dialect, and what it needs
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
			switch i := slices.IndexFunc(all, func(have checked) bool { return have.source == c.source }); {
			case i < 0:
				all = append(all, c)
			case c.routed && !all[i].routed:
				all[i] = c
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
