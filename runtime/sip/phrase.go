package sip

// phrase is the usual reason phrase of a status (RFC 3261 §21), or what its class
// means.
func phrase(status int) string {
	if text, ok := phrases[status]; ok {
		return text
	}
	switch status / 100 {
	case 1:
		return "Progress"
	case 2:
		return "OK"
	case 3:
		return "Moved"
	}
	return "Refused"
}

var phrases = map[int]string{100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
	403: "Forbidden", 404: "Not Found", 408: "Request Timeout", 480: "Temporarily Unavailable", 486: "Busy Here", 487: "Request Terminated",
	488: "Not Acceptable Here", 500: "Server Internal Error", 503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline"}
