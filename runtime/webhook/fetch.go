package webhook

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

// purpose is what differs between documents and media.
type purpose struct {
	total    time.Duration
	bytes    int64
	tooLarge int // code of a larger body
	accept   string
	cached   http.Header // conditions: with them, a 304 is an answer
}

// fetch makes the request, and makes it again as its overrides say.
func (c *Client) fetch(ctx context.Context, r Request, p purpose) (*Response, error) {
	target, err := parseURL(r.URL)
	if err != nil {
		return nil, err
	}
	o, ignored, err := parseOverrides(target.Fragment, overrides{
		connect: c.connect,
		read:    max(c.total, defaultTotal),
		total:   p.total,
		retries: 1,
		retry:   map[failure]bool{noConnection: true},
	})
	if r.Once {
		o.retry = map[failure]bool{noConnection: true}
	}
	target.Fragment, target.RawFragment = "", ""
	if err != nil {
		return nil, &Error{Code: codeRetryPolicy, URL: safeURL(target), Err: err}
	}
	if ignored != nil {
		c.log.Warn("connection overrides that cannot be used", "url", Redact(r.URL), "ignored", ignored)
	}
	if r.Method = strings.ToUpper(r.Method); r.Method != http.MethodGet {
		r.Method = http.MethodPost
	}
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	const token = "I-Twilio-Idempotency-Token"
	if r.Header.Get(token) == "" && !r.Own {
		r.Header.Set(token, rand.Text())
	}

	limited, cancel := context.WithTimeoutCause(ctx, o.total, errTotal)
	defer cancel()
	for try := 0; ; try++ {
		began := time.Now()
		response, err := c.follow(limited, target, r, p, o)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err == nil {
			c.log.Debug("webhook", "method", r.Method, "url", Redact(response.URL), "status", response.Status, "took", time.Since(began))
			return response, nil
		}
		c.log.Debug("webhook failed", "method", r.Method, "err", err, "took", time.Since(began), "try", try+1)
		var failed *Error
		if !errors.As(err, &failed) || !o.retry[failed.failure] || try >= o.retries || limited.Err() != nil {
			return nil, err
		}
	}
}

// parseURL reads a URL as people write it into one that can be sent and signed
// byte for byte.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil: // its text would quote the URL, password included
		return nil, badURL(raw, "not a URL; percent-encode what is not a letter, digit or one of -._~ in names, passwords and values")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, badURL(raw, "a webhook starts with http:// or https://")
	case u.Hostname() == "":
		return nil, badURL(raw, "the URL names no host")
	case strings.ContainsFunc(u.Host, func(r rune) bool { return r >= 0x80 }):
		return nil, badURL(raw, "write the host name in its ASCII form (xn--…)")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	return u, nil
}

// escapeQuery percent-encodes what may not stand in a request line. The rest
// stays as written, since it is signed.
func escapeQuery(q string) string {
	var b strings.Builder
	for i := range len(q) {
		if c := q[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// follow makes one try: the request and the redirects it is answered with.
func (c *Client) follow(ctx context.Context, target *url.URL, r Request, p purpose, o overrides) (*Response, error) {
	method, form, own := r.Method, r.Form, true
	for hops := 0; ; hops++ {
		response, location, err := c.send(ctx, target, method, form, own, r, p, o)
		if err != nil || location == "" {
			return response, err
		}
		fail := func(code int, text string) error {
			return &Error{Code: code, URL: safeURL(target), Status: response.Status, Err: errors.New(text)}
		}
		if hops == redirectLimit {
			return nil, fail(codeRedirects, fmt.Sprintf("more than %d redirects; does the server redirect in a circle?", redirectLimit))
		}
		relative, err := url.Parse(location)
		if err != nil {
			return nil, fail(codeLocation, "the Location header of the redirect is not a URL")
		}
		next, err := parseURL(target.ResolveReference(relative).String())
		if err != nil {
			return nil, fail(codeLocation, "the Location header of the redirect is not a web address; it needs http:// or https:// and a host")
		}
		next.Fragment, next.RawFragment = "", ""
		// Once away, what is secret stays at home, even if the way leads back:
		// the other host chose the URL.
		own = own && sameHost(target, next)
		if own && next.User == nil {
			next.User = target.User
		}
		if response.Status < http.StatusTemporaryRedirect {
			method, form = http.MethodGet, nil
		} else if method == http.MethodGet {
			form = nil // Location is the whole query
		}
		target = next
	}
}

// sameHost tells whether credentials for a may be sent to b: the same host and
// port, or the step from http to https on their usual ports.
func sameHost(a, b *url.URL) bool {
	if !strings.EqualFold(a.Hostname(), b.Hostname()) {
		return false
	}
	return a.Scheme == b.Scheme && port(a) == port(b) || a.Scheme == "http" && port(a) == "80" && port(b) == "443"
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// send makes one HTTP exchange. own tells whether the host is the one that the
// request was made for, which may see its signature and credentials. location
// is not "" when the answer is a redirect.
func (c *Client) send(ctx context.Context, target *url.URL, method string, form url.Values, own bool, r Request, p purpose, o overrides) (_ *Response, location string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(o.read, func() { cancel(errRead) })
	silence.Stop() // until there is a connection
	defer silence.Stop()
	connected := false

	fail := func(err error) error {
		failed, ok := err.(*Error)
		if cause := context.Cause(ctx); cause != nil {
			failed, ok = interrupted(cause, connected), true
			if failed == nil {
				return cause
			}
		}
		if !ok {
			failed = broken(err, connected)
		}
		failed.URL = safeURL(target)
		return failed
	}

	request := c.request(target, method, form, own, r, p)
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		connected = true
		silence.Reset(o.read)
	}})
	traced = context.WithValue(traced, dialingKey{}, dialing{ctx, o.connect})
	answer, err := c.transport.RoundTrip(request.WithContext(traced))
	if err != nil {
		return nil, "", fail(err)
	}
	defer answer.Body.Close()
	if r.Jar != nil {
		if cookies := answer.Cookies(); len(cookies) > 0 {
			r.Jar.SetCookies(target, cookies)
		}
	}

	status := answer.StatusCode
	response := &Response{URL: target.String(), Status: status, header: answer.Header}
	switch {
	case status >= 200 && status <= 299, status == http.StatusNotModified && p.cached != nil, r.Own && (status <= 299 || status >= 400):
	case r.Once && status <= 399:
		return nil, "", fail(&Error{Code: codeOddStatus, Status: status, Err: fmt.Errorf("status %d, and this request goes nowhere else; write the URL that answers by itself", status)})
	case status >= 301 && status <= 303, status == 307, status == 308:
		if location = answer.Header.Get("Location"); location == "" {
			return nil, "", fail(&Error{Code: codeLocation, Status: status, Err: fmt.Errorf("status %d without a Location header", status)})
		}
		return response, location, nil
	default:
		return nil, "", fail(badStatus(status))
	}
	body, err := readBody(answer, p, func() { silence.Reset(o.read) })
	if err != nil {
		return nil, "", fail(err)
	}
	response.ContentType = answer.Header.Get("Content-Type")
	response.Body = body
	response.Chunked = len(answer.TransferEncoding) > 0
	return response, "", nil
}

// request is the HTTP request of one exchange, signed.
func (c *Client) request(target *url.URL, method string, form url.Values, own bool, r Request, p purpose) *http.Request {
	u := *target
	var body []byte
	if method == http.MethodGet {
		if len(form) > 0 {
			if u.RawQuery != "" {
				u.RawQuery += "&"
			}
			u.RawQuery += form.Encode()
		}
		form = nil
	} else {
		body = []byte(form.Encode())
		if r.Own {
			body = r.Body
		}
	}
	signed := u.String()
	user := u.User
	u.User = nil
	h := r.Header.Clone()
	if !own {
		h.Del("Authorization")
		h.Del("Cookie")
		if r.Own {
			clear(h)
		}
	}
	h.Set("User-Agent", c.userAgent)
	if h.Get("Accept") == "" || !r.Own {
		h.Set("Accept", p.accept)
	}
	h.Set("Accept-Encoding", "gzip")
	for name, values := range p.cached {
		h[name] = values
	}
	// Never sent; tells the transport that a connection which the server has
	// just closed for being idle may be replaced without asking.
	if !r.Once {
		h["Idempotency-Key"] = nil
	}

	request := &http.Request{Method: method, URL: &u, Host: u.Host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if method == http.MethodPost {
		if h.Get("Content-Type") == "" || !r.Own {
			h.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		}
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		request.Body, _ = request.GetBody()
		request.ContentLength = int64(len(body))
	}
	if user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	if r.Jar != nil {
		for _, cookie := range r.Jar.Cookies(&u) {
			request.AddCookie(cookie)
		}
	}
	if r.Sign != nil && own {
		r.Sign.Sign(h, signed, method, form, body, time.Now())
	}
	return request
}

// interrupted is the error of an exchange whose context ended for one of our
// time limits, nil for any other cause.
func interrupted(cause error, connected bool) *Error {
	switch {
	case errors.Is(cause, errTotal) && connected:
		return &Error{Code: codeTotalTime, failure: noAnswer, Err: fmt.Errorf("%w; answer first and work afterwards", cause)}
	case errors.Is(cause, errTotal):
		return &Error{Code: codeTotalTime, failure: noConnection,
			Err: fmt.Errorf("no connection in time: the server does not answer, or %d requests to it are under way", perHost)}
	case errors.Is(cause, errRead):
		return &Error{Code: codeConnection, failure: noAnswer, Err: fmt.Errorf("%w before its answer was complete", cause)}
	}
	return nil
}

func badStatus(status int) *Error {
	e := &Error{Code: codeStatus, Status: status, failure: clientStatus, Err: fmt.Errorf("the server answered %d %s", status, http.StatusText(status))}
	switch {
	case status >= 500:
		e.failure = serverStatus
	case status < 400:
		e.Code, e.failure = codeOddStatus, permanent
		e.Err = fmt.Errorf("status %d is neither a document, a redirect nor an error; answer 200", status)
	}
	return e
}

// readBody reads and decompresses the whole body. It calls alive for each
// piece that arrives.
func readBody(answer *http.Response, p purpose, alive func()) ([]byte, error) {
	tooLarge := &Error{Code: p.tooLarge, Status: answer.StatusCode, Err: fmt.Errorf("the answer is larger than %d KB", p.bytes>>10)}
	if answer.ContentLength > p.bytes {
		return nil, tooLarge
	}
	raw := &source{r: answer.Body, alive: alive}
	var in io.Reader = raw
	switch encoding := strings.ToLower(answer.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		unzipped, err := gzip.NewReader(raw)
		switch {
		case err == io.EOF: // an empty body, as a 204 has
			return nil, nil
		case raw.err != nil && raw.err != io.EOF:
			return nil, raw.err
		case err != nil:
			return nil, notGzip(answer)
		}
		in = unzipped
	default:
		return nil, &Error{Code: codeProtocol, Status: answer.StatusCode, Err: errors.New("the answer is compressed in a way that was not asked for; send gzip or plain text")}
	}
	body, err := io.ReadAll(io.LimitReader(in, p.bytes+1))
	switch {
	case int64(len(body)) > p.bytes:
		return nil, tooLarge
	case raw.err != nil && raw.err != io.EOF:
		return nil, raw.err
	case err != nil:
		return nil, notGzip(answer)
	}
	return body, nil
}

func notGzip(answer *http.Response) *Error {
	return &Error{Code: codeProtocol, Status: answer.StatusCode, Err: errors.New("the answer says gzip and is not")}
}

// source remembers how reading ended, below whatever decompresses it.
type source struct {
	r     io.Reader
	alive func()
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if n > 0 {
		s.alive()
	}
	s.err = err
	return n, err
}
