package sip

import (
	"fmt"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"
)

// Destination says whom to call, and how.
type Destination struct {
	// URI is the SIP URI of the called one, without headers of its own (?X-…).
	URI string

	// Proxy is where to send instead of where URI says: host[:port], with
	// ;transport=tcp for a line. Hosts are found as RFC 3263 has it: an address
	// as it is, a name with a port by A and AAAA, one without by SRV first.
	Proxy string

	From    string // user part of From; "" is anonymous
	Display string // display name of From

	// Headers are further ones of the INVITE.
	Headers map[string][]string

	// Username and Password answer 401 and 407. They are used with the hosts
	// that URI and Proxy name and no others.
	Username, Password string

	// Redirect tells whether a 3xx may lead to a URI; nil is never.
	Redirect func(uri string) bool

	Codecs []string // as Config.Codecs; nil are the server's
}

// Check reports what is wrong with d, as Dial would.
func (d Destination) Check() error {
	_, _, err := d.check()
	return err
}

// check returns the URI and where to send it. Nothing in d may end a line.
func (d *Destination) check() (uri, at sipgo.Uri, err error) {
	fields := []struct{ name, value string }{{"URI", d.URI}, {"Proxy", d.Proxy}, {"From", d.From}, {"Display", d.Display}}
	for _, f := range fields {
		if len(f.value) > maxValue {
			return uri, at, fmt.Errorf("%s is longer than %d bytes", f.name, maxValue)
		}
		if strings.ContainsAny(f.value, "\r\n\x00") {
			return uri, at, fmt.Errorf("%s has a line end or a zero byte", f.name)
		}
	}
	if _, err := furtherHeaders(d.Headers); err != nil {
		return uri, at, err
	}
	if uri, err = parseURI(d.URI); err != nil {
		return uri, at, fmt.Errorf("URI: %w", err)
	}
	at = uri
	if d.Proxy != "" {
		if at, err = parseURI("sip:" + d.Proxy); err != nil {
			return uri, at, fmt.Errorf("Proxy: %w", err)
		}
	}
	return uri, at, nil
}

// parseURI reads the URI of somebody to call.
func parseURI(text string) (uri sipgo.Uri, err error) {
	switch err := sipgo.ParseUri(text, &uri); {
	case err != nil, uri.Host == "", strings.ContainsAny(text, " \t\r\n\x00<>\""), uri.Port < 0 || uri.Port > 65535, strings.ContainsAny(uri.Host, "@,/"):
		return uri, fmt.Errorf("%q is not a SIP URI", text)
	case uri.Scheme == "sips":
		return uri, fmt.Errorf("%q needs TLS, which is not spoken; use sip:", text)
	case uri.Scheme != "sip":
		return uri, fmt.Errorf("%q is not a SIP URI", text)
	case len(uri.Headers) > 0:
		return uri, fmt.Errorf("%q has headers; give them apart", text)
	}
	if t := uri.UriParams.GetOr("transport", "udp"); !strings.EqualFold(t, "udp") && !strings.EqualFold(t, "tcp") {
		return uri, fmt.Errorf("%q: the transport must be udp or tcp", text)
	}
	return uri, nil
}

// toURI is the To of a call to u, which has no port and no parameters that say
// how to get there (RFC 3261 §19.1.1).
func toURI(u sipgo.Uri) string {
	to := sipgo.Uri{Scheme: u.Scheme, User: u.User, Host: u.Host}
	return to.String()
}

// escaped writes the user part of a URI (RFC 3261 §25.1).
func escaped(user string) string {
	var b strings.Builder
	for i := range len(user) {
		c := user[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.!~*'()&=+$", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
