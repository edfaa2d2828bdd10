package flows

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// pattern matches parties. The zero pattern matches everyone.
type pattern struct {
	user   string // a number without its +
	exact  bool   // user is all of it, not its beginning
	number bool   // user was written with +: only numbers match
	host   string // lower case; "" is any
}

// parsePattern reads a pattern, or says what is wrong with it and what to write.
func parsePattern(written string) (p pattern, msg, fix string) {
	s := strings.TrimSpace(written)
	quoted := strconv.Quote(written)
	if s == "" || s == "*" {
		return pattern{}, "", ""
	}
	if i := strings.IndexAny(s, " \t\r\n<>\"?;"); i >= 0 {
		return p, quoted + " has " + strconv.Quote(s[i:i+1]) + " in it", "write a number as +4930123, without blanks, or a SIP user as alice@example.com"
	}
	user, host, hasHost := cutLast(withoutScheme(s))
	if hasHost && (host == "" || strings.Contains(host, "*")) {
		return p, quoted + " has no host after its @", "write one host name, or leave out the @ to match any host"
	}
	if user == "" {
		return p, quoted + " has no user before its @", "write * before the @ to match every user of that host"
	}
	beginning, rest, star := strings.Cut(user, "*")
	switch {
	case !star:
		p.exact = true
	case rest != "":
		return p, quoted + " has its * in the middle", "* can only stand at the end, as in +4930*"
	case beginning == "+": // any number
		return pattern{number: true, host: hostOf(host)}, "", ""
	}
	p.user, p.number = userOf(beginning)
	p.number = p.number && strings.HasPrefix(beginning, "+")
	p.host = hostOf(host)
	return p, "", ""
}

func (p pattern) matches(who party) bool {
	switch {
	case p.host != "" && p.host != who.host:
		return false
	case p.number && !who.number:
		return false
	case p.exact:
		return p.user == who.user
	}
	return strings.HasPrefix(who.user, p.user)
}

// party is who calls or is called.
type party struct {
	user   string // a number without its + and its visual separators
	number bool
	host   string // lower case, without port; "" when not known
}

// parseParty reads a number, a user, user@host, or a SIP or tel URI with its
// parameters.
func parseParty(s string) party {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '<'); i >= 0 { // "Alice" <sip:alice@host>;tag=1
		s, _, _ = strings.Cut(s[i+1:], ">")
	}
	rest := withoutScheme(s)
	user, host, hasUser := cutLast(rest)
	if !hasUser && len(s) > 3 && strings.EqualFold(s[:3], "sip") && rest != s {
		user, host = "", rest // sip:example.com
	}
	host, _, _ = strings.Cut(host, "?")
	host, _, _ = strings.Cut(host, ";")
	p := party{host: hostOf(host)}
	p.user, p.number = userOf(user)
	return p
}

// userOf takes escapes and parameters off a user, and off a number its + and
// its visual separators.
func userOf(s string) (user string, number bool) {
	s, _, _ = strings.Cut(s, ";") // ;phone-context and the like
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	if !isNumber(s) {
		return s, false
	}
	return strings.NewReplacer("+", "", "-", "", ".", "", "(", "", ")", "", " ", "").Replace(s), true
}

// isNumber reports whether s is a telephone number, with or without +, perhaps
// with visual separators (RFC 3966 §5.1.1).
func isNumber(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return digits != "" && strings.Trim(digits, "0123456789-.() ") == "" && strings.ContainsAny(digits, "0123456789")
}

// withoutScheme takes sip:, sips: or tel: off a URI.
func withoutScheme(s string) string {
	for _, scheme := range []string{"sip:", "sips:", "tel:"} {
		if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			return s[len(scheme):]
		}
	}
	return s
}

// cutLast cuts user@host at its last @: a user may hold one, a host cannot.
func cutLast(s string) (user, host string, found bool) {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// hostOf is a host in lower case without its port.
func hostOf(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	return strings.ToLower(strings.Trim(s, "[]"))
}
