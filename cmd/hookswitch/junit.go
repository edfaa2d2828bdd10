package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// The report that CI systems read: one suite, a case for each script.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"` // seconds
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		ClassName string        `xml:"classname,attr"`
		Name      string        `xml:"name,attr"`
		Time      string        `xml:"time,attr"`
		Failure   *junitProblem `xml:"failure"`
		Error     *junitProblem `xml:"error"`
		Skipped   *junitProblem `xml:"skipped"`
		Out       string        `xml:"system-out,omitempty"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes the report of scripts that are done.
func writeJUnit(w io.Writer, scripts []*script, took time.Duration) error {
	suite := junitSuite{Name: "hookswitch test", Tests: len(scripts), Time: seconds(took)}
	for _, s := range scripts {
		dir, name := filepath.Split(s.path)
		c := junitCase{ClassName: filepath.ToSlash(filepath.Clean(dir)), Name: name, Time: seconds(s.took), Out: s.trace}
		switch {
		case s.fault != "":
			c.Error = &junitProblem{"the script could not be played", s.fault}
			suite.Errors++
		case s.failed():
			c.Failure = &junitProblem{"the trace is not the one wanted", s.diff}
			suite.Failures++
		case !s.read.HasWant && !s.update:
			c.Skipped = &junitProblem{Message: "the script wants nothing yet"}
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Suites: []junitSuite{suite}}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
