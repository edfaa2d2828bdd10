package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/url"
	"strings"
	"syscall"
)

// Twilio's codes for what goes wrong with a request.
const (
	codeURL          = 11100
	codeStatus       = 11200 // an answer of the 400s or 500s
	codeConnectTime  = 11201
	codeRefused      = 11202
	codeTotalTime    = 11203
	codeConnection   = 11205
	codeProtocol     = 11206
	codeHostName     = 11210
	codeRedirects    = 11215
	codeLocation     = 11216
	codeOddStatus    = 11217 // neither success, redirect nor error
	codeTLS          = 11220
	codeCertHost     = 11235
	codeCertExpired  = 11236
	codeCertPath     = 11237
	codeRetryPolicy  = 11243
	codeTooLarge     = 11750
	codeMediaTooBig  = 11751
	codeEmptyChunked = 11770
	codeContentType  = 12300
)

// Error is a request that failed. Its text has no query, user or password; the
// field URL has the query as it was written.
type Error struct {
	Code   int    // Twilio's, 11200 and others
	URL    string // that failed, after redirects; without user and fragment
	Status int    // of the answer, 0 when there was none
	Err    error  // what happened and what to do

	failure failure
}

// failure is the kind of an Error, as retry policies tell them apart.
type failure int

const (
	permanent    failure = iota // another try would end the same
	noConnection                // nothing was sent
	noAnswer                    // the answer stopped coming
	clientStatus                // 400s
	serverStatus                // 500s
	brokenAnswer                // the connection broke, or what came is not HTTP
)

func (e *Error) Error() string {
	return fmt.Sprintf("webhook %s: %v (%d)", Redact(e.URL), e.Err, e.Code)
}

func (e *Error) Unwrap() error { return e.Err }

// The causes with which a request's context ends.
var (
	errTotal  = errors.New("no complete answer in time")
	errRead   = errors.New("the server stopped sending")
	errClosed = errors.New("the webhook client is closed")
	errLeft   = errors.New("nobody waits for this file any more")
)

// safeURL is u without what must not be shown: user, password, fragment.
func safeURL(u *url.URL) string {
	shown := *u
	shown.User, shown.Fragment, shown.RawFragment = nil, "", ""
	return shown.String()
}

// Redact shortens a URL, well formed or not, to what a log may show: no
// user, no password, and no query, which may hold digits or a token.
func Redact(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || strings.ContainsAny(scheme, "@#?/") {
		return "…"
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, path := rest[:end], rest[end:]
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	// A password with a raw /, ? or # in it runs into what looks like the path.
	if _, port := cutPort(authority); strings.Trim(port, "0123456789") != "" {
		authority = "…"
	}
	path, _, _ = strings.Cut(path, "#")
	path, query, _ := strings.Cut(path, "?")
	if strings.Contains(path, "@") {
		path = "/…"
	}
	if query != "" {
		path += "?…"
	}
	return scheme + "://" + authority + path
}

// badURL is a URL that cannot be requested.
func badURL(raw, text string) *Error {
	return &Error{Code: codeURL, URL: Redact(raw), Err: errors.New(text)}
}

// broken says what an error of the transport means. connected tells whether
// there was a connection to send on.
func broken(err error, connected bool) *Error {
	var (
		refused  *refusal
		dns      *net.DNSError
		shake    *handshakeError
		netErr   net.Error
		opErr    *net.OpError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		unknown  x509.UnknownAuthorityError
	)
	switch {
	case errors.As(err, &refused):
		return &Error{Code: codeConnection, Err: refused}
	case errors.As(err, &dns):
		return &Error{Code: codeHostName, failure: noConnection,
			Err: fmt.Errorf("no address for host %q; check the name and this machine's DNS: %s", dns.Name, dns.Err)}
	case errors.As(err, &shake):
		switch {
		case errors.As(err, &hostname):
			return &Error{Code: codeCertHost,
				Err: fmt.Errorf("the certificate is not for this host: %w; install one that names %s", hostname, hostname.Host)}
		case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
			return &Error{Code: codeCertExpired, Err: fmt.Errorf("the certificate is out of date: %w; renew it, or set this machine's clock", invalid)}
		case errors.As(err, &unknown), errors.As(err, &invalid):
			return &Error{Code: codeCertPath,
				Err: errors.New("no trusted authority signed the certificate; install the full chain, or add your own authority to this machine's")}
		case isTimeout(shake.err):
			return &Error{Code: codeTLS, failure: noConnection, Err: errors.New("the TLS handshake took too long")}
		}
		var record tls.RecordHeaderError
		if errors.As(err, &record) {
			return &Error{Code: codeTLS, Err: errors.New("the server does not speak TLS on this port; write http:// or the right port")}
		}
		return &Error{Code: codeTLS, failure: noConnection, Err: fmt.Errorf("the TLS handshake failed: %w", shake.err)}
	case !connected && isTimeout(err):
		return &Error{Code: codeConnectTime, failure: noConnection,
			Err: errors.New("the connection was not accepted in time; is the server up, and does a firewall drop packets?")}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Code: codeRefused, failure: noConnection, Err: errors.New("connection refused; is the server running on this port?")}
	case !connected:
		return &Error{Code: codeConnection, failure: noConnection, Err: fmt.Errorf("no connection: %w", err)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &opErr), errors.As(err, &netErr):
		return &Error{Code: codeConnection, failure: brokenAnswer, Err: errors.New("the server closed the connection before the end of its answer")}
	}
	if strings.Contains(err.Error(), "headers exceeded") {
		return &Error{Code: codeProtocol, Err: fmt.Errorf("the headers of the answer are larger than %d KB", headerBytes>>10)}
	}
	// What net/http says quotes the answer, which is not ours to print.
	return &Error{Code: codeProtocol, failure: brokenAnswer, Err: errors.New("the answer is not valid HTTP")}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// Document returns nil when the answer may be a document, a sound or text to
// be spoken, and an *Error for an empty chunked answer (11770) or another
// content type (12300). An empty answer with a length is a document without
// verbs, and a status callback's answer is not looked at, so Do does not ask.
func (r *Response) Document() error {
	if len(r.Body) == 0 {
		if r.Chunked {
			return &Error{Code: codeEmptyChunked, URL: r.URL, Status: r.Status,
				Err: errors.New("a chunked answer without content; send the document, or <Response/>")}
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.ContentType)
	switch {
	case r.ContentType == "":
		err = errors.New("the answer has no Content-Type; send text/xml")
	case kind == "text/xml", kind == "application/xml", kind == "text/html", kind == "text/plain", strings.HasPrefix(kind, "audio/"):
		return nil
	case err != nil:
		err = errors.New("the Content-Type cannot be read; send text/xml")
	default:
		err = fmt.Errorf("the Content-Type is %s; send text/xml", kind)
	}
	return &Error{Code: codeContentType, URL: r.URL, Status: r.Status, Err: err}
}
