package texml

import (
	"strconv"
	"strings"
	"time"
)

// mark is an SSML element: what it may have and hold (the sets of Twilio's
// builders; Telnyx hands SSML to the voice as it is).
type mark struct {
	attrs  map[string]func(value string) bool
	inside []string // the marks it may hold
}

var (
	inline = []string{"break", "emphasis", "lang", "phoneme", "prosody", "say-as", "sub", "w"}
	blocks = append([]string{"p", "s"}, inline...)
	marks  = map[string]*mark{
		"Say":   {inside: blocks},
		"break": {attrs: map[string]func(string) bool{"strength": one("none", "x-weak", "weak", "medium", "strong", "x-strong"), "time": isTime}},
		"emphasis": {
			attrs:  map[string]func(string) bool{"level": one("strong", "moderate", "reduced")},
			inside: inline,
		},
		"lang":    {attrs: map[string]func(string) bool{"xml:lang": isLanguage}, inside: blocks},
		"p":       {inside: append([]string{"s"}, inline...)},
		"s":       {inside: inline},
		"phoneme": {attrs: map[string]func(string) bool{"alphabet": one("ipa", "x-sampa", "x-amazon-jyutping", "x-amazon-pinyin", "x-amazon-pron-kana", "x-amazon-yomigana"), "ph": anything}},
		"prosody": {
			attrs: map[string]func(string) bool{
				"volume": func(v string) bool {
					return one("default", "silent", "x-soft", "soft", "medium", "loud", "x-loud")(v) || isSigned(v, "dB")
				},
				"rate": func(v string) bool {
					return one("x-slow", "slow", "medium", "fast", "x-fast", "default")(v) || isSigned(v, "%")
				},
				"pitch": func(v string) bool {
					return one("default", "x-low", "low", "medium", "high", "x-high")(v) || isSigned(v, "%")
				},
			},
			inside: blocks,
		},
		"say-as": {attrs: map[string]func(string) bool{
			"interpret-as": one("characters", "spell-out", "cardinal", "number", "ordinal", "digits", "fraction", "unit", "date", "time", "address", "expletive", "telephone"),
			"format":       one("mdy", "dmy", "ymd", "md", "dm", "ym", "my", "d", "m", "y", "yyyymmdd"),
		}},
		"sub": {attrs: map[string]func(string) bool{"alias": anything}},
		"w":   {attrs: map[string]func(string) bool{"role": anything}, inside: []string{"break", "emphasis", "phoneme", "prosody", "say-as", "sub"}},
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

func one(values ...string) func(string) bool {
	return func(v string) bool {
		for _, x := range values {
			if v == x {
				return true
			}
		}
		return false
	}
}

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

func isSigned(v, unit string) bool {
	number, ok := strings.CutSuffix(v, unit)
	_, err := strconv.ParseFloat(number, 64)
	return ok && err == nil
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
