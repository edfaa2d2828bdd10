package calltest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// party is what the settings of a script say of one leg.
type party struct {
	line     int                 // of its first setting
	from, to string              // of a caller; "" is the usual
	is       string              // what is dialled to get it; "" is whatever comes
	headers  map[string][]string // of a caller's INVITE, or of a dialled leg's final answer
	plan     []action            // what becomes of it when it is dialled, counted from then
	silent   bool                // nothing comes of it
	denied   int                 // the platforms' code for why it may not be called, 0 when it may
	referred []said              // what it answers to a REFER of ours; nil is usualReferred
}

// said is a status that the other side tells, after some time.
type said struct {
	status int
	after  time.Duration // since the one before
}

// usualReferred is what a phone says to a REFER unless the script knows better:
// accepted, being tried, and reached.
var usualReferred = []said{{202, 0}, {100, 0}, {200, 0}}

// party is what the settings say of a leg, from line on when it is new.
func (s *Script) party(letter string, line int) *party {
	p := s.legs[letter]
	if p == nil {
		p = &party{line: line, headers: map[string][]string{}}
		s.legs[letter] = p
	}
	return p
}

// known is what the settings say of a leg, which may be nothing.
func (s *Script) known(letter string) *party {
	if p := s.legs[letter]; p != nil {
		return p
	}
	return &party{}
}

// partySetting reads the setting of one leg.
func (s *Script) partySetting(p *party, letter string, f []string) error {
	const all = "is, answers, rings, early, busy, rejects, silent, denied, referred, from, to and header"
	if len(f) == 0 {
		return fmt.Errorf("%s needs something after it; there are %s", letter, all)
	}
	name, rest := f[0], strings.Join(f[1:], " ")
	for verb, setting := range outcomes {
		if name == setting {
			return p.outcome(verb, f)
		}
	}
	var err error
	switch name {
	case "silent":
		if rest != "" {
			return errors.New("silent takes nothing after it (a comment has a line of its own)")
		}
		p.silent = true
		return nil
	case "denied":
		p.denied = 13225
		if rest != "" {
			if p.denied, err = strconv.Atoi(rest); err != nil || p.denied < 10000 || p.denied > 99999 {
				return fmt.Errorf("%q is not an error code of five digits; write: %s denied 13225", rest, letter)
			}
		}
		return nil
	}
	if rest == "" {
		return fmt.Errorf("%q needs a value after it", letter+" "+name)
	}
	switch name {
	case "is":
		p.is = rest
	case "from":
		p.from = rest
	case "to":
		p.to = rest
	case "header":
		return p.header(rest)
	case "referred":
		p.referred, err = readReferred(rest)
	default:
		return fmt.Errorf("unknown setting %q of leg %s; there are %s", name, letter, all)
	}
	return err
}

// header reads a header, "X-Name: value".
func (p *party) header(text string) error {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return errors.New("write: header X-Name: value")
	}
	name = strings.TrimSpace(name)
	p.headers[name] = append(p.headers[name], strings.TrimSpace(value))
	return nil
}

// outcome reads a setting such as "answers after 3s".
func (p *party) outcome(verb string, f []string) error {
	args, after, err := cutAfter(f[1:])
	if err != nil {
		return err
	}
	if want := legVerbs[verb].most; len(args) != want {
		return fmt.Errorf("%s takes %s, and may have: after 3s", f[0], howMany(want, want))
	}
	if err := checkWords(verb, args); err != nil {
		return err
	}
	p.plan = append(p.plan, action{at: after, verb: verb, args: args})
	slices.SortStableFunc(p.plan, func(a, b action) int { return int(a.at - b.at) })
	return nil
}

// cutAfter takes "after 3s" from the end of words; without it after is 0.
func cutAfter(words []string) (rest []string, after time.Duration, err error) {
	i := slices.Index(words, "after")
	if i < 0 {
		return words, 0, nil
	}
	if i != len(words)-2 {
		return nil, 0, errors.New("after comes last and takes one word after it, such as: after 3s")
	}
	after, err = time.ParseDuration(words[i+1])
	if err != nil || after < 0 || after > longestScript {
		return nil, 0, fmt.Errorf("%q is not a time; write: after 3s", words[i+1])
	}
	return words[:i], after, nil
}

// readReferred reads "202, 100, 200 after 2s": the answer to a REFER, and the
// statuses that are notified after one of 2xx.
func readReferred(text string) ([]said, error) {
	var list []said
	for item := range strings.SplitSeq(text, ",") {
		words, after, err := cutAfter(strings.Fields(item))
		if err != nil {
			return nil, err
		}
		if len(words) != 1 {
			return nil, fmt.Errorf("%q is not one status; write: referred 202, 100, 200 after 2s", strings.TrimSpace(item))
		}
		least := 100
		if len(list) == 0 {
			least = 200
		}
		n, err := status(words[0], least, 699)
		if err != nil {
			return nil, err
		}
		switch last := len(list) - 1; {
		case last == 0 && list[0].status >= 300:
			return nil, fmt.Errorf("nothing is notified after a REFER that was refused with %d", list[0].status)
		case last > 0 && list[last].status >= 200:
			return nil, fmt.Errorf("nothing is notified after %d, which is final", list[last].status)
		}
		list = append(list, said{n, after})
	}
	return list, nil
}

// slip is something wrong with a line.
type slip struct {
	line int
	err  error
}

// contradictions are what is wrong with the settings of legs taken together.
func (s *Script) contradictions() (slips []slip) {
	for _, letter := range slices.Sorted(maps.Keys(s.legs)) {
		p := s.legs[letter]
		finals := 0
		for _, a := range p.plan {
			if final(a.verb) {
				finals++
			}
		}
		dialled := p.is != "" || p.plan != nil || p.silent || p.denied != 0
		var err error
		switch {
		case letter == "A" && dialled:
			err = errors.New("A is the caller; what is dialled are the legs B to Z")
		case dialled && s.calls(letter):
			err = fmt.Errorf("%s calls, so it is not dialled; give another leg its settings", letter)
		case letter != "A" && (p.from != "" || p.to != "") && !s.calls(letter):
			err = fmt.Errorf("%s does not call, so it has no from and to; write, say: 5s %s call /voice", letter, letter)
		case finals > 1:
			err = fmt.Errorf("%s ends in more than one way; keep one of answers, busy and rejects", letter)
		case p.silent && p.plan != nil:
			err = fmt.Errorf("%s is silent, so nothing else can come of it", letter)
		}
		if err != nil {
			slips = append(slips, slip{p.line, err})
		}
	}
	return slips
}

// planOf is what becomes of a leg when it is dialled: what the script says, or
// an answer at once when it says nothing.
func (s *Script) planOf(letter string) []action {
	p := s.known(letter)
	told := slices.ContainsFunc(s.actions, func(a action) bool {
		_, ok := outcomes[a.verb]
		return ok && a.leg == letter
	})
	if p.plan == nil && !p.silent && !told {
		return []action{{verb: "answer"}}
	}
	return p.plan
}

// letterFor is the leg that somebody who is dialled as to becomes: the first
// that is named so, else the first that is not named, does not call and is not
// taken; "" when there is none.
func (s *Script) letterFor(to string, taken func(letter string) bool) string {
	free := ""
	for c := byte('B'); c <= 'Z'; c++ {
		letter := string(c)
		if taken(letter) || s.calls(letter) {
			continue
		}
		switch is := s.known(letter).is; {
		case is == to:
			return letter
		case is == "" && free == "":
			free = letter
		}
	}
	return free
}
