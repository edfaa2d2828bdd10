package sip

import (
	"fmt"
	"strconv"
	"strings"
)

// fragment is the body that tells how a transfer goes: the start line of an
// answer (RFC 3420, RFC 3515 §2.4.5).
func fragment(status int) []byte {
	return fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", status, phrase(status))
}

// fragmentStatus reads the status of the answer that a body of message/sipfrag
// begins with.
func fragmentStatus(body []byte) (status int, ok bool) {
	line, _, _ := strings.Cut(strings.TrimLeft(string(body), "\r\n"), "\n")
	digits, ok := strings.CutPrefix(line, "SIP/2.0 ")
	if !ok || len(digits) < 3 || len(digits) > 3 && digits[3] != ' ' && digits[3] != '\r' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits[:3], 10, 16)
	return int(n), err == nil && 100 <= n && n <= 699
}

// referEvent reads an Event header (RFC 6665 §8.4): whether it is of a REFER,
// and of which (RFC 3515 §2.4.6: the id is its CSeq; 0 is the first one's, which
// may leave it out).
func referEvent(v string) (id uint32, ok bool) {
	name, _, _ := strings.Cut(v, ";")
	if !strings.EqualFold(strings.TrimSpace(name), "refer") {
		return 0, false
	}
	text := trimmedParameter(v, "id")
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && n > 0
}

// terminated tells whether a Subscription-State header ends the subscription.
func terminated(v string) bool {
	state, _, _ := strings.Cut(v, ";")
	return strings.EqualFold(strings.TrimSpace(state), "terminated")
}

// trimmedParameter is parameter for a value that tidy has not seen.
func trimmedParameter(v, name string) string {
	for p := range strings.SplitSeq(v, ";") {
		if k, text, ok := strings.Cut(p, "="); ok && strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(text)
		}
	}
	return ""
}
