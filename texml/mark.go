package texml

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// mark is an SSML element: what it may have and hold (the sets of Twilio's
// builders; Telnyx hands SSML to the voice as it is).
type mark struct {
	attrs  map[string]values
	inside []string // the marks it may hold
}

// values are what an attribute of a mark may have: one of the words, or what
// also takes, which form describes.
type values struct {
	words []string
	also  func(value string) bool
	form  string
}

func (v values) has(value string) bool {
	return slices.Contains(v.words, value) || v.also != nil && v.also(value)
}

// fix says what to write instead of value.
func (v values) fix(value string) string {
	if s := suggest(value, v.words); s != "" {
		return s
	}
	if v.form == "" {
		return "write " + orList(v.words)
	}
	return "write " + orList(append(slices.Clone(v.words), v.form))
}

var (
	inline = []string{"break", "emphasis", "lang", "phoneme", "prosody", "say-as", "sub", "w"}
	blocks = append([]string{"p", "s"}, inline...)
	marks  = map[string]*mark{
		"Say":   {inside: blocks},
		"break": {attrs: map[string]values{"strength": {words: []string{"none", "x-weak", "weak", "medium", "strong", "x-strong"}}, "time": {also: isTime, form: "a time such as 500ms or 2s"}}},
		"emphasis": {
			attrs:  map[string]values{"level": {words: []string{"strong", "moderate", "reduced"}}},
			inside: inline,
		},
		"lang":    {attrs: map[string]values{"xml:lang": {also: isLanguage, form: "a language such as en-US"}}, inside: blocks},
		"p":       {inside: append([]string{"s"}, inline...)},
		"s":       {inside: inline},
		"phoneme": {attrs: map[string]values{"alphabet": {words: []string{"ipa", "x-sampa", "x-amazon-jyutping", "x-amazon-pinyin", "x-amazon-pron-kana", "x-amazon-yomigana"}}, "ph": {also: anything}}},
		"prosody": {
			attrs: map[string]values{
				"volume": {words: []string{"default", "silent", "x-soft", "soft", "medium", "loud", "x-loud"}, also: signed("dB"), form: "a number such as +6dB"},
				"rate":   {words: []string{"x-slow", "slow", "medium", "fast", "x-fast", "default"}, also: signed("%"), form: "a number such as 90%"},
				"pitch":  {words: []string{"default", "x-low", "low", "medium", "high", "x-high"}, also: signed("%"), form: "a number such as 90%"},
			},
			inside: blocks,
		},
		"say-as": {attrs: map[string]values{
			"interpret-as": {words: []string{"characters", "spell-out", "cardinal", "number", "ordinal", "digits", "fraction", "unit", "date", "time", "address", "expletive", "telephone"}},
			"format":       {words: []string{"mdy", "dmy", "ymd", "md", "dm", "ym", "my", "d", "m", "y", "yyyymmdd"}},
		}},
		"sub": {attrs: map[string]values{"alias": {also: anything}}},
		"w":   {attrs: map[string]values{"role": {also: anything}}, inside: []string{"break", "emphasis", "phoneme", "prosody", "say-as", "sub"}},
	}
	markNames = append([]string{"p", "s"}, inline...)
)

// markOf gives the mark of a name; nil if there is none, or it is not SSML.
func markOf(name string) *mark {
	if name == "Say" {
		return nil
	}
	return marks[name]
}

func anything(string) bool { return true }

func isTime(v string) bool {
	_, ok := spokenTime(v)
	return ok
}

// spokenTime reads "500ms" or "1.5s".
func spokenTime(v string) (time.Duration, bool) {
	unit := time.Second
	number, ok := strings.CutSuffix(v, "ms")
	if ok {
		unit = time.Millisecond
	} else if number, ok = strings.CutSuffix(v, "s"); !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.TrimPrefix(number, "+"), 64)
	if err != nil || !(f >= 0 && f <= 1e6) {
		return 0, false
	}
	return time.Duration(f * float64(unit)), true
}

// signed takes numbers that end in a unit.
func signed(unit string) func(string) bool {
	return func(v string) bool {
		number, ok := strings.CutSuffix(v, unit)
		_, err := strconv.ParseFloat(number, 64)
		return ok && err == nil
	}
}

// isLanguage takes anything that looks like a BCP 47 tag.
func isLanguage(v string) bool {
	if len(v) < 2 || len(v) > 35 {
		return false
	}
	for _, r := range v {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
			return false
		}
	}
	return true
}
