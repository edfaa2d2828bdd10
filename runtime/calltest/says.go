package calltest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// phrase is what somebody says at a time, and what the ears make of it.
type phrase struct {
	words      []string
	partials   bool // results come with each word
	confidence float64
	over       time.Duration // how long it takes
	as         []string      // what is understood instead; nil: what is said
}

// begins reports whether said is what p begins with, or all of it.
func (p *phrase) begins(said []spoken) bool {
	return len(said) <= len(p.words) && slices.EqualFunc(said, p.words[:len(said)],
		func(s spoken, w string) bool { return strings.EqualFold(s.text, w) })
}

// heard are the words that the ears understand.
func (p *phrase) heard() []string {
	if p.as != nil {
		return p.as
	}
	return p.words
}

// each is how long one word takes, with its gap.
func (p *phrase) each() time.Duration {
	return (p.over / time.Duration(len(p.words))).Truncate(pcm.FrameTime)
}

// readPhrase reads what follows "says".
func readPhrase(text string) (*phrase, error) {
	quoted, rest, err := cutQuoted(text)
	if err != nil {
		return nil, err
	}
	p := &phrase{words: strings.Fields(quoted), confidence: sure}
	if n := len(p.words); n == 0 || n > 64 {
		return nil, errors.New("1 to 64 words can be said at a time")
	}
	p.over = time.Duration(len(p.words)) * perWord
	for rest != "" {
		var name, value string
		name, rest, _ = strings.Cut(rest, " ")
		switch name {
		case "partials":
			p.partials = true
			continue
		case "as":
			if quoted, rest, err = cutQuoted(rest); err != nil {
				return nil, err
			}
			if p.as = strings.Fields(quoted); len(p.as) == 0 {
				return nil, errors.New(`something is understood; write: says "two" as "too", or ears off`)
			}
			continue
		}
		value, rest, _ = strings.Cut(rest, " ")
		switch name {
		case "confidence":
			if p.confidence, err = strconv.ParseFloat(value, 64); err != nil || !(p.confidence > 0 && p.confidence <= 1) {
				return nil, fmt.Errorf("%q is not a confidence; write 0.01 to 1", value)
			}
		case "over":
			if p.over, err = length(value); err != nil {
				return nil, err
			}
			if p.each() < quickest {
				return nil, fmt.Errorf("a word takes %v or more; write: over %v", quickest, time.Duration(len(p.words))*quickest)
			}
		default:
			return nil, fmt.Errorf(`%q is nothing that can follow the words; write: says "two five" partials confidence 0.8 over 3s as "to five"`, name)
		}
	}
	return p, nil
}

// cutQuoted takes the text in double quotes from the beginning.
func cutQuoted(text string) (quoted, rest string, err error) {
	inside, ok := strings.CutPrefix(text, `"`)
	quoted, rest, closed := strings.Cut(inside, `"`)
	if !ok || !closed || rest != "" && rest[0] != ' ' {
		return "", "", errors.New(`words stand in double quotes; write: says "two five"`)
	}
	return quoted, strings.TrimSpace(rest), nil
}

// phrase adds a phrase, in whatever way it is spoken.
func (s *Script) phrase(p *phrase) error {
	for _, other := range s.phrases {
		same := func(a, b []string) bool { return slices.EqualFunc(a, b, strings.EqualFold) }
		if same(p.words, other.words) && (p.partials != other.partials || p.confidence != other.confidence || !slices.Equal(p.as, other.as)) {
			return errors.New("the same words have other partials, confidence or as above; the ears tell phrases apart by their words")
		}
	}
	s.phrases = append(s.phrases, p)
	return s.words.learn(p.words)
}
