package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${NAME} and ${NAME:-default} in a value, and $$ by $. The
// default counts when the variable is not set or empty. Errors name the
// variable and what to do, never a value.
func expand(s string, env func(string) (string, bool)) (string, error) {
	var out strings.Builder
	var slips []error
	for {
		before, rest, found := strings.Cut(s, "$")
		out.WriteString(before)
		if !found {
			return out.String(), errors.Join(slips...)
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			s = rest[1:]
			continue
		case !strings.HasPrefix(rest, "{"):
			out.WriteByte('$')
			s = rest
			continue
		}
		inside, after, closed := strings.Cut(rest[1:], "}")
		if !closed {
			slips = append(slips, errors.New("has a ${ without its }; close it, or write $${ for the characters themselves"))
			return "", errors.Join(slips...)
		}
		s = after
		name, otherwise, hasDefault := strings.Cut(inside, ":-")
		if !variable.MatchString(name) {
			slips = append(slips, fmt.Errorf("has ${%s}, which names no variable; write ${NAME} or ${NAME:-default}", inside))
			continue
		}
		value, set := env(name)
		switch {
		case value != "" || set && !hasDefault:
			out.WriteString(value)
		case hasDefault:
			out.WriteString(otherwise)
		default:
			slips = append(slips, fmt.Errorf("needs the environment variable %s, which is not set; set it, or write ${%s:-default}", name, name))
		}
	}
}
