package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A benchRow is one line of what bench found: what was measured, its figures,
// and how they came about.
type benchRow struct {
	name    string
	figures []figure
	note    string
}

type figure struct {
	name  string // "p50"
	value float64
	unit  string // "ms"; in JSON it ends the name: "p50_ms"
}

func ms(name string, d time.Duration) figure {
	return figure{name, float64(d) / float64(time.Millisecond), "ms"}
}

// MarshalJSON writes the figures under names that end in their unit.
func (r benchRow) MarshalJSON() ([]byte, error) {
	m := map[string]any{"row": r.name}
	for _, f := range r.figures {
		key := f.name
		if unit, ok := units[f.unit]; ok {
			key = strings.Trim(key+"_"+unit, "_")
		}
		m[strings.ReplaceAll(key, " ", "_")] = f.value
	}
	if r.note != "" {
		m["note"] = r.note
	}
	return json.Marshal(m)
}

// units gives each unit of a figure a name that fits into a JSON key.
var units = map[string]string{
	"ms": "ms", "µs": "us", "s": "s", "%": "percent", "MB": "mb", "KB": "kb", "/s": "per_second",
	"ms per call-second": "ms_per_call_second", "KB per call": "kb_per_call", "s per 1,000": "s_per_1000",
}

// writeTable prints the rows for people, in three columns.
func writeTable(w io.Writer, rows []benchRow) {
	cells := make([][2]string, len(rows))
	var widths [2]int
	for i, r := range rows {
		var figures []string
		for _, f := range r.figures {
			figures = append(figures, f.String())
		}
		cells[i] = [2]string{r.name, strings.Join(figures, "  ")}
		for c, s := range cells[i] {
			widths[c] = max(widths[c], utf8.RuneCountInString(s))
		}
	}
	for i, r := range rows {
		line := ""
		for c, s := range cells[i] {
			line += s + strings.Repeat(" ", widths[c]-utf8.RuneCountInString(s)+3)
		}
		fmt.Fprintln(w, strings.TrimRight(line+r.note, " "))
	}
}

func (f figure) String() string {
	digits := 0 // three significant ones
	if v := math.Abs(f.value); v < 1 {
		digits = 2
	} else if v < 100 {
		digits = 2 - int(math.Log10(v))
	}
	s := strconv.FormatFloat(f.value, 'f', digits, 64)
	if f.name != "" {
		s = f.name + " " + s
	}
	switch f.unit {
	case "":
		return s
	case "/s", "%":
		return s + f.unit
	}
	return s + " " + f.unit
}

// percentile is the smallest value that at least p (0 to 1) of all are not
// above; zero of none. It sorts all.
func percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[max(0, int(math.Ceil(p*float64(len(all))))-1)]
}
