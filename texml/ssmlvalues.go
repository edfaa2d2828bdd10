package texml

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// How long a voice without SSML pauses. SSML names strengths only (W3C SSML 1.1
// section 3.2.3); these lengths are ours.
const (
	afterSentence  = 600 * time.Millisecond
	afterParagraph = 1000 * time.Millisecond
	longestBreak   = 10 * time.Second // as Polly
)

// breakTime gives the length of a <break>, at most 10 s.
func breakTime(e *element) time.Duration {
	if d, ok := spokenTime(e.SelectAttrValue("time", "")); ok {
		return min(d, longestBreak)
	}
	switch e.SelectAttrValue("strength", "") {
	case "none", "x-weak":
		return 0
	case "weak":
		return 200 * time.Millisecond
	case "strong":
		return afterSentence
	case "x-strong":
		return afterParagraph
	}
	return 400 * time.Millisecond
}

// rate gives the factor of a rate of <prosody>.
func rate(v string) float64 {
	switch v {
	case "x-slow":
		return 0.5
	case "slow":
		return 0.75
	case "fast":
		return 1.25
	case "x-fast":
		return 1.5
	}
	f, relative, ok := percent(v)
	if !ok {
		return 1
	}
	if relative {
		f += 100
	}
	return max(0.2, min(f/100, 4))
}

// percent reads "90%", and "+10%", which is relative to the current value.
func percent(v string) (f float64, relative, ok bool) {
	number, ok := strings.CutSuffix(v, "%")
	f, err := strconv.ParseFloat(number, 64)
	return f, strings.HasPrefix(v, "+") || strings.HasPrefix(v, "-"), ok && err == nil && f == f
}

// volume gives the loudness of a volume of <prosody> in dB. SSML names levels
// only (section 3.2.4); these figures are ours. Above the usual there is little
// room before speech is distorted.
func volume(now float64, v string) float64 {
	switch v {
	case "silent":
		return math.Inf(-1)
	case "x-soft":
		return -12
	case "soft":
		return -6
	case "medium", "default":
		return 0
	case "loud":
		return 3
	case "x-loud":
		return 6
	}
	number, ok := strings.CutSuffix(v, "dB")
	f, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || f != f {
		return now
	}
	return min(now+f, loudest)
}

const loudest = 10 // dB

// pitch gives the height of a pitch of <prosody> in percent above the voice's.
func pitch(now float64, v string) float64 {
	switch v {
	case "x-low":
		return -20
	case "low":
		return -10
	case "medium", "default":
		return 0
	case "high":
		return 10
	case "x-high":
		return 20
	}
	f, relative, ok := percent(v)
	if !ok {
		return now
	}
	if !relative {
		f -= 100
	}
	return max(-50, min(now+f, 100))
}

// interpret spells text as a <say-as> wants it: signs one by one, so that any
// voice reads them so.
func interpret(text, as, format string) string {
	switch as {
	case "date":
		if len(text) == 8 && format == "yyyymmdd" && strings.Trim(text, "0123456789") == "" {
			return text[:4] + "-" + text[4:6] + "-" + text[6:] // not twenty million
		}
		return text
	case "characters", "spell-out", "digits", "telephone":
	case "expletive":
		return "beep"
	default:
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteString(" " + string(r))
		case r == '+' && as == "telephone":
			b.WriteString(" plus")
		case as == "characters" || as == "spell-out":
			b.WriteString(" " + string(r))
		case !strings.HasSuffix(b.String(), ","):
			b.WriteString(",") // groups of a number are told apart
		}
	}
	return strings.Trim(b.String(), " ,")
}
