package wire

import (
	"strings"
	"time"
)

// Seconds is a place in sound that came as a number of seconds. Nonsense is 0.
func Seconds(s float64) time.Duration {
	if !(s > 0 && s < 24*60*60) {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

// Confidence is what came as one, 0 to 1. Nonsense is 0: not known.
func Confidence(c float64) float64 {
	if !(c > 0 && c <= 1) {
		return 0
	}
	return c
}

// Hints are the hints that an engine can take: 100 in all, of up to 100 bytes
// each. The classes of Google and Twilio ($OOV_CLASS_DIGIT_SEQUENCE) mean
// nothing to others and are left out.
func Hints(lists ...[]string) []string {
	var hints []string
	for _, list := range lists {
		for _, h := range list {
			h = strings.TrimSpace(h)
			if h != "" && len(h) <= 100 && !strings.HasPrefix(h, "$") && len(hints) < 100 {
				hints = append(hints, h)
			}
		}
	}
	return hints
}
