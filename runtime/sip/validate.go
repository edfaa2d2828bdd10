package sip

import (
	"slices"
	"strconv"
	"strings"
)

// startLine checks a request line (RFC 3261 §7.1) and returns its method. A
// method that nobody knows is answered before anything else about the message
// is judged, since nobody knows what it may look like.
func startLine(line string, f *fault) (method string, _ *fault) {
	parts := strings.Split(line, " ")
	method = parts[0]
	if len(parts) != 3 || !strings.HasPrefix(parts[2], "SIP/") {
		if !slices.Contains(methods, method) && !strings.Contains(line, "SIP/") {
			return method, &fault{text: "not SIP"}
		}
		return method, badRequest("the start line must be METHOD URI SIP/2.0")
	}
	if !token(method) {
		return method, badRequest("the method is not a word")
	}
	if parts[2] != "SIP/2.0" {
		return method, &fault{status: 505, text: "Version Not Supported"}
	}
	if !slices.Contains(methods, method) {
		return method, &fault{status: 501, text: "Not Implemented", extra: []field{{"Allow", allow}}}
	}
	if f != nil {
		return method, f
	}
	return method, requestURI(parts[1])
}

// requestURI checks the scheme, and that the URI has no headers, which would
// be ours to believe (RFC 3261 §19.1.1).
func requestURI(uri string) *fault {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || !token(scheme) || rest == "" {
		return badRequest("the request URI is not one")
	}
	switch strings.ToLower(scheme) {
	case "sip", "sips":
		host := rest[strings.LastIndexByte(rest, '@')+1:]
		if host == "" || host[0] == ':' || host[0] == ';' || strings.Contains(host, "?") {
			return badRequest("the request URI has no host, or headers")
		}
	case "tel":
	default:
		return &fault{status: 416, text: "Unsupported URI Scheme"}
	}
	return nil
}

// validate returns what a well-framed request is owed before anybody looks at
// which call it is for (RFC 3261 §8.2), nil when it may go on.
func validate(m *message, method string) *fault {
	seq, of, _ := strings.Cut(m.get("CSeq"), " ")
	if n, err := strconv.ParseUint(seq, 10, 32); err != nil || n > 1<<31-1 {
		return badRequest("CSeq is not a number under 2^31")
	}
	if of != method {
		return badRequest("CSeq names another method")
	}
	if v := m.get("Max-Forwards"); v != "" {
		if n, err := strconv.ParseUint(v, 10, 32); err != nil || n > 255 {
			return badRequest("Max-Forwards is not a number up to 255")
		}
	}
	if tagOf(m.get("From")) == "" {
		return badRequest("From has no tag")
	}
	for _, name := range []string{"From", "To", "Contact"} {
		// RFC 3261 §20: without brackets nobody could tell whose the rest is.
		if v := m.get(name); !strings.Contains(v, "<") && strings.Contains(v, "?") {
			return badRequest("the URI of %s must be in angle brackets", name)
		}
	}
	if method == "ACK" || method == "CANCEL" {
		return nil
	}
	required := slices.DeleteFunc(m.list("Require"), func(tag string) bool {
		return method == "REFER" && strings.EqualFold(tag, "norefersub") // RFC 4488
	})
	if len(required) > 0 {
		return &fault{status: 420, text: "Bad Extension", extra: []field{{"Unsupported", strings.Join(required, ", ")}}}
	}
	if method == "INVITE" || method == "UPDATE" {
		return validateSession(m, method)
	}
	return nil
}

// validateSession checks what only requests with an offer must have.
func validateSession(m *message, method string) *fault {
	switch n := m.count("Contact"); {
	case n == 0 && method == "INVITE":
		return badRequest("Contact is missing")
	case n > 1 || m.get("Contact") == "*":
		return badRequest("there must be one Contact")
	}
	if accepted := m.list("Accept"); len(accepted) > 0 && !slices.ContainsFunc(accepted, acceptsSDP) {
		return &fault{status: 406, text: "Not Acceptable", extra: []field{{"Accept", "application/sdp"}}}
	}
	if e := m.get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &fault{status: 415, text: "Unsupported Media Type", extra: []field{{"Accept-Encoding", "identity"}}}
	}
	if len(m.body) > 0 {
		if _, ok := m.part("application/sdp"); !ok {
			return &fault{status: 415, text: "Unsupported Media Type", extra: []field{{"Accept", "application/sdp"}}}
		}
	}
	return nil
}

func acceptsSDP(mediaType string) bool {
	t, _, _ := strings.Cut(mediaType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	return t == "application/sdp" || t == "application/*" || t == "*/*" || strings.HasPrefix(t, "multipart/")
}
