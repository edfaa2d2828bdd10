package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// uri is a sip: URI (RFC 3261 §19.1) of the strict kind: nothing in it can be
// read in two ways, and nothing sends it elsewhere than to its host.
type uri struct {
	user   string // unescaped
	host   string // in lower case; IPv6 in brackets
	port   int    // 0: not written
	phone  bool   // ;user=phone
	params []string
}

const (
	maxURI  = 1024
	inUser  = "-_.!~*'()&=+$," // beside letters and digits, in a user
	inParam = "-_.!~*'()[]/:&+$%"
)

// barred parameters name another way or another request than the URI's own.
var barred = map[string]bool{
	"maddr": true, "method": true, "lr": true, "ttl": true, "comp": true, "received": true, "rport": true,
	"route": true, "fs_path": true, "fs-path": true, "alias": true, "sigcomp-id": true, "secure": true,
}

// parseURI reads what stands after sip:.
func parseURI(s string) (u uri, err error) {
	if len(s) > maxURI {
		return u, errors.New("the SIP address is over 1024 bytes")
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"\\^`{|}#", c) >= 0 {
			return u, errors.New("the SIP address has a character that must be escaped")
		}
	}
	rest := s
	if strings.Contains(s, "?") {
		return u, errors.New("the SIP address has headers in it")
	}
	if user, after, ok := strings.Cut(s, "@"); ok {
		rest = after
		if u.user, err = unescapeUser(user); err != nil {
			return u, err
		}
	}
	host, params, hasParams := strings.Cut(rest, ";")
	if u.host, u.port, err = splitHost(host); err != nil {
		return u, fmt.Errorf("the host of the SIP address %s", brief(err))
	}
	if !hasParams {
		return u, nil
	}
	for param := range strings.SplitSeq(params, ";") {
		if err := u.param(param); err != nil {
			return u, err
		}
	}
	return u, nil
}

// param takes in one parameter.
func (u *uri) param(s string) error {
	name, value, _ := strings.Cut(s, "=")
	name = strings.ToLower(name)
	if name == "" || !only(name, inUser) || !only(value, inParam) {
		return errors.New("a parameter of the SIP address is malformed")
	}
	for _, p := range u.params {
		if old, _, _ := strings.Cut(p, "="); old == name {
			return errors.New("a parameter of the SIP address is there twice")
		}
	}
	switch {
	case barred[name]:
		return errors.New("the SIP address has the parameter " + name + ", which is not followed")
	case name == "user" && strings.EqualFold(value, "phone"):
		u.phone = true
	case name == "transport":
		if value = strings.ToLower(value); value != "udp" && value != "tcp" {
			return errors.New("the SIP address asks for a transport other than udp and tcp")
		}
		s = "transport=" + value
	default:
		s = name + s[len(name):]
	}
	u.params = append(u.params, s)
	return nil
}

// String puts u together, with all escaped that can be.
func (u uri) String() string {
	var b strings.Builder
	b.WriteString("sip:")
	if u.user != "" {
		for i := range len(u.user) {
			if c := u.user[i]; isAlnum(c) || strings.IndexByte(inUser, c) >= 0 {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		b.WriteByte('@')
	}
	b.WriteString(u.host)
	if u.port != 0 {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(u.port))
	}
	for _, p := range u.params {
		b.WriteByte(';')
		b.WriteString(p)
	}
	return b.String()
}

// unescapeUser reads a user. A password, parameters and whatever a careless
// reader could take for the end of the user are refused.
func unescapeUser(s string) (string, error) {
	if s == "" {
		return "", errors.New("the SIP address has no user before its @")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			if i+2 >= len(s) {
				return "", errors.New("an escape of the SIP address is cut off")
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil || n < 0x20 || n == 0x7f {
				return "", errors.New("an escape of the SIP address is wrong")
			}
			b.WriteByte(byte(n))
			i += 2
		case c == ':':
			return "", errors.New("the SIP address has a password in it")
		case isAlnum(c) || strings.IndexByte(inUser, c) >= 0:
			b.WriteByte(c)
		default:
			return "", errors.New("the user of the SIP address has a character that must be escaped")
		}
	}
	return b.String(), nil
}

// splitHost reads host[:port]. The host comes back in lower case and, if it is
// an address, in its usual form.
func splitHost(s string) (host string, port int, err error) {
	const remedy = "; write sip.example.com, 192.0.2.1 or [2001:db8::1], with :port where needed"
	host = s
	end := strings.LastIndexByte(s, ':')
	if strings.HasPrefix(s, "[") && end < strings.IndexByte(s, ']') {
		end = -1
	}
	if end >= 0 {
		digits := s[end+1:]
		host = s[:end]
		port, err = strconv.Atoi(digits)
		if err != nil || port < 1 || port > 65535 || digits[0] < '1' || digits[0] > '9' {
			return "", 0, errors.New("has no port from 1 to 65535" + remedy)
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !ok || err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", 0, errors.New("is no IPv6 address" + remedy)
		}
		if ip.Is4In6() {
			return ip.Unmap().String(), port, nil
		}
		return "[" + ip.String() + "]", port, nil
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return ip.String(), port, nil
	}
	if !isName(host) {
		return "", 0, errors.New("is no host" + remedy)
	}
	return host, port, nil
}

// isName reports whether s is a host name (RFC 1123 §2.1, and _ as many have
// it) that nobody reads as an address: its last label is no number, decimal or
// otherwise.
func isName(s string) bool {
	if len(s) > 253 {
		return false
	}
	label := ""
	for label = range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || !only(label, "-_") {
			return false
		}
	}
	_, err := strconv.ParseUint(label, 0, 64)
	return err != nil && !strings.HasPrefix(label, "0x") && strings.Trim(label, "0123456789") != ""
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// samePort reports whether two ports are the same one, 5060 when not written.
func samePort(a, b int) bool {
	if a == 0 {
		a = 5060
	}
	if b == 0 {
		b = 5060
	}
	return a == b
}

// brief is an error without its remedy.
func brief(err error) string {
	msg, _, _ := strings.Cut(err.Error(), ";")
	return msg
}

func only(s, marks string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte(marks, s[i]) < 0 {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool { return '0' <= c && c <= '9' || isLetter(c) }
