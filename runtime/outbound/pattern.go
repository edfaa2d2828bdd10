package outbound

import (
	"errors"
	"strings"
)

// pattern matches numbers, or addresses when it has a host.
type pattern struct {
	user          string // digits of a number, without its +
	exact         bool   // user is all of it, not its beginning
	number        bool
	international bool   // a number with country code
	host          string // "" matches numbers
	below         bool   // hosts below host, not itself
	port          int    // 0 is any
}

var errEverything = errors.New(`would allow every call there is; write "+*" for all numbers, or "*@example.com" for a host`)

// everything reports whether p is a lone star.
func (p pattern) everything() bool { return p == pattern{} }

func parsePattern(s string) (p pattern, err error) {
	s = strings.TrimSpace(s)
	if s == "*" {
		return p, nil
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, "sip:"), "tel:")
	user, host, hasHost := strings.Cut(s, "@")
	if hasHost {
		if rest, ok := strings.CutPrefix(host, "*."); ok {
			host, p.below = rest, true
		}
		if p.host, p.port, err = splitHost(host); err != nil {
			return p, errors.New(`has no host after its @; write "*@pbx.example.com" or "alice@192.0.2.1"`)
		}
	}
	beginning, after, star := strings.Cut(user, "*")
	switch {
	case user == "":
		return p, errors.New(`names nobody; write a number as "+4930*", or an address as "*@example.com"`)
	case after != "" || strings.Contains(after, "*"):
		return p, errors.New(`has its * in the middle; * can only stand at the end, as in "+4930*"`)
	}
	p.exact = !star
	switch n, ok := parseNumber(beginning); {
	case beginning == "" || beginning == "+":
		p.number, p.international = beginning == "+", beginning == "+"
	case ok && n.international && !strings.HasPrefix(beginning, "+"):
		return p, errors.New(`begins with a prefix for calls abroad; write + instead of it`)
	case ok:
		p.user, p.number, p.international = n.digits, true, n.international
	case !hasHost:
		return p, errors.New(`is neither a number nor an address; write a number as "+4930*", a host as "*@pbx.example.com"`)
	default:
		if p.user, err = unescapeUser(beginning); err != nil {
			return p, errors.New(`has a user that no SIP address has; write "alice@pbx.example.com"`)
		}
	}
	return p, nil
}

// matchesNumber reports whether p matches a number that is called over a trunk.
func (p pattern) matchesNumber(n number) bool {
	return p.everything() || p.host == "" && p.number && p.matchesDigits(n)
}

func (p pattern) matchesDigits(n number) bool {
	return p.international == n.international && (p.user == n.digits || !p.exact && strings.HasPrefix(n.digits, p.user))
}

// matches reports whether p matches an address. A pattern of numbers matches
// those at any host.
func (p pattern) matches(u uri) bool {
	if p.everything() {
		return true
	}
	n, isNumber := parseNumber(u.user)
	if p.host == "" {
		return isNumber && p.matchesDigits(n)
	}
	switch {
	case p.below && !strings.HasSuffix(u.host, "."+p.host), !p.below && u.host != p.host:
		return false
	case p.port != 0 && !samePort(p.port, u.port):
		return false
	case p.number:
		return isNumber && p.matchesDigits(n)
	}
	return p.user == u.user || !p.exact && strings.HasPrefix(u.user, p.user)
}
