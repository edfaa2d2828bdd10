package calltest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// setting reads a line that begins with a word: what holds for the whole call.
func (s *Script) setting(f []string, line int) error {
	if isLetter(f[0]) {
		return s.partySetting(s.party(f[0], line), f[0], f[1:])
	}
	if isSocket(f[0]) {
		return s.place(f[0]).setting(f[1:])
	}
	name, rest := f[0], strings.Join(f[1:], " ")
	if rest == "" {
		return fmt.Errorf("%q needs a value after it", name)
	}
	var err error
	switch name {
	case "dialect":
		s.dialect, err = texml.ParseDialect(rest)
	case "from":
		s.from = rest
	case "to":
		s.to = rest
	case "method":
		if rest != "GET" && rest != "POST" {
			return fmt.Errorf("%q is not a method; write GET or POST", rest)
		}
		s.method = rest
	case "fallback":
		s.fallback = rest
	case "status":
		s.status, s.events = f[1], f[2:]
	case "server":
		s.server, err = Server(rest)
	case "token":
		s.token = rest
	case "show":
		s.show = f[1:]
	case "voice":
		err = s.voice.setting(f[1:])
	case "ears":
		err = s.ears.setting(f[1:])
	case "transfers":
		if rest != "allowed" {
			return errors.New("the one value is: transfers allowed; without it those who are dialled cannot transfer the call")
		}
		s.moves = true
	case "limit":
		if s.limit, err = time.ParseDuration(rest); err != nil || s.limit <= 0 || s.limit > longestScript {
			return fmt.Errorf("%q is not a length; write 30s or 10m", rest)
		}
	case "header":
		return s.party("A", line).header(rest)
	default:
		return fmt.Errorf("unknown setting %q; there are dialect, from, to, method, fallback, status, server, token, show, voice, ears, limit, transfers and header", name)
	}
	return err
}
