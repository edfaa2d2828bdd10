package main

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/texml"
)

// A log of SARIF 2.1.0 (OASIS standard), as far as we have something to say.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)

// writeSARIF writes a log with one run. The rule of a slip is the platforms'
// code of it, or document, script or configuration.
func writeSARIF(out io.Writer, all []checked) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name:           "hookswitch",
			InformationURI: "https://github.com/hookswitch/hookswitch",
			Rules:          []sarifRule{},
		}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	for _, c := range all {
		for _, s := range c.slips {
			rule := ruleOfSlip(s)
			index := slices.IndexFunc(run.Tool.Driver.Rules, func(r sarifRule) bool { return r.ID == rule.ID })
			if index < 0 {
				index = len(run.Tool.Driver.Rules)
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule)
			}
			text := s.Msg
			if s.Fix != "" {
				text += "; " + s.Fix
			}
			if s.Platforms != "" {
				text += ". " + s.Platforms
			}
			run.Results = append(run.Results, sarifResult{
				RuleID:    rule.ID,
				RuleIndex: index,
				Level:     s.Level.String(), // error, warning and note are SARIF's words too
				Message:   sarifText{text},
				Locations: []sarifLocation{{sarifPhysical{
					ArtifactLocation: sarifArtifact{artifact(c.source)},
					Region:           sarifRegion{s.Pos.Line, characters(c.body, s.Pos)},
				}}},
			})
		}
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

func ruleOfSlip(s *texml.Error) sarifRule {
	switch ext := strings.ToLower(filepath.Ext(s.Source)); {
	case s.Code != 0:
		return sarifRule{strconv.Itoa(s.Code), sarifText{"error " + strconv.Itoa(s.Code) + " of the platforms"}}
	case ext == ".yaml" || ext == ".yml":
		return sarifRule{"configuration", sarifText{"a slip in the configuration"}}
	case ext == ".txtar":
		return sarifRule{"script", sarifText{"a slip in a call script"}}
	}
	return sarifRule{"document", sarifText{"a slip in a call document"}}
}

// artifact is a source as a URI reference: relative paths stay relative, to
// where the command ran.
func artifact(source string) string {
	if strings.Contains(source, "://") {
		return source
	}
	path := filepath.ToSlash(filepath.Clean(source))
	if filepath.IsAbs(source) {
		return (&url.URL{Scheme: "file", Path: path}).String()
	}
	return (&url.URL{Path: path}).String()
}

// characters is the column of a place in characters, from 1; places count bytes.
func characters(body []byte, at texml.Pos) int {
	line, ok := lineOf(body, at.Line)
	if !ok || at.Col-1 > len(line) {
		return at.Col
	}
	return utf8.RuneCount(line[:at.Col-1]) + 1
}
