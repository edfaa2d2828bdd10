package sip

import (
	"errors"
	"fmt"
	"strings"
)

// transferURI checks a URI that a call is to be transferred to and returns it as
// it goes into Refer-To: what its headers may not hold is escaped, so that
// ?Replaces=id;to-tag=a;from-tag=b may be written plainly (RFC 3261 §19.1.1).
// The scheme is sip, sips or tel.
func transferURI(uri string) (string, error) {
	if hides(uri) {
		return "", errors.New("the URI has a line end in it")
	}
	address, headers, more := cutHeaders(uri)
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"\\^`{|}", c) >= 0 {
			return "", errors.New("the URI has a character that must be escaped")
		}
	}
	if requestURI(address) != nil {
		return "", errors.New("the URI must be sip:, sips: or tel: with somebody to call")
	}
	if !more {
		return address, nil
	}
	var b strings.Builder
	b.WriteString(address)
	mark := byte('?')
	for h := range strings.SplitSeq(headers, "&") {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return "", errors.New("a header of the URI must be name=value")
		}
		b.WriteByte(mark)
		escapeHeader(&b, name)
		b.WriteByte('=')
		escapeHeader(&b, value)
		mark = '&'
	}
	return b.String(), nil
}

// cutHeaders cuts a SIP URI before its headers. A question mark before the @ is
// part of the user's name (RFC 3261 §25.1, user-unreserved).
func cutHeaders(uri string) (address, headers string, ok bool) {
	host := strings.IndexByte(uri, '@') + 1
	i := strings.IndexByte(uri[host:], '?')
	if i < 0 {
		return uri, "", false
	}
	return uri[:host+i], uri[host+i+1:], true
}

// hides tells whether s has, plainly or escaped, a byte that could end a header
// line where it is written out.
func hides(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c == '%' {
			c, _ = unescape(s[i:])
		}
		if c == '\r' || c == '\n' || c == 0 {
			return true
		}
	}
	return false
}

// unescape reads %XX at the beginning of s.
func unescape(s string) (c byte, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return '%', false
	}
	for _, d := range []byte(s[1:3]) {
		switch {
		case '0' <= d && d <= '9':
			d -= '0'
		case 'a' <= d && d <= 'f':
			d -= 'a' - 10
		case 'A' <= d && d <= 'F':
			d -= 'A' - 10
		default:
			return '%', false
		}
		c = c<<4 | d
	}
	return c, true
}

// escapeHeader writes a name or value of a URI's header: hnv-unreserved,
// unreserved and what is escaped already stay (RFC 3261 §25.1).
func escapeHeader(b *strings.Builder, s string) {
	for i := range len(s) {
		c := s[i]
		_, escaped := unescape(s[i:])
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', escaped,
			strings.IndexByte("-_.!~*'()[]/?:+$", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(b, "%%%02X", c)
		}
	}
}

// referredTo reads the Refer-To of a REFER, of which there must be exactly one
// (RFC 3515 §2.4.2), and returns the URI with its headers.
func referredTo(m *message) (uri string, f *fault) {
	if n := m.count("Refer-To"); n != 1 {
		return "", badRequest("there must be one Refer-To, not %d", n)
	}
	uri, ok := nameAddr(m.get("Refer-To"))
	if !ok {
		return "", badRequest("Refer-To is not one address")
	}
	uri, err := transferURI(uri)
	if err != nil {
		return "", badRequest("Refer-To: %s", err)
	}
	address, _, _ := cutHeaders(uri)
	if method := parameter(address, "method"); method != "" && !strings.EqualFold(method, "INVITE") {
		return "", &fault{status: 603, text: "Only an INVITE can be referred to here"}
	}
	return uri, nil
}

// nameAddr returns the URI of a header value that has one address, with or
// without a name before it and parameters behind it (RFC 3261 §20.10). A URI
// that has a comma, a question mark or a semicolon must be in brackets.
func nameAddr(v string) (uri string, ok bool) {
	v = strings.TrimSpace(v)
	open := outside(v, "<")
	if open < 0 {
		uri, params, _ := strings.Cut(v, ";")
		uri = strings.TrimRight(uri, " \t")
		return uri, uri != "" && !strings.ContainsAny(uri, "?,") && outside(params, ",") < 0
	}
	uri, rest, closed := strings.Cut(v[open+1:], ">")
	rest = strings.TrimLeft(rest, " \t")
	return uri, closed && uri != "" && outside(v[:open], ",;") < 0 && (rest == "" || rest[0] == ';' && outside(rest, ",<") < 0)
}

// outside is the index of the first of marks in s outside of quotes, -1 when
// there is none.
func outside(s, marks string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(marks, c) >= 0:
			return i
		}
	}
	return -1
}
