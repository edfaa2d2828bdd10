package webhook

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// seen is a request as a test server got it.
type seen struct {
	method, uri, body string
	header            http.Header
}

// server answers with answer and keeps what it was asked.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

func serve(t *testing.T, answer http.HandlerFunc) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, seen{r.Method, r.RequestURI, string(body), r.Header.Clone()})
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) asked() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func client(t *testing.T, c Config) *Client {
	if c.AllowHosts == nil {
		c.AllowHosts = []string{"127.0.0.1"}
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	made := New(c)
	t.Cleanup(func() { made.Close() })
	return made
}

// code is the Code of err, 0 for none.
func code(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func xml(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	io.WriteString(w, "<Response/>")
}

func TestDoSends(t *testing.T) {
	form := url.Values{"Digits": {"1 2&3"}, "From": {"+1415"}}
	for _, row := range []struct {
		name, path, method string
		form               url.Values
		wantMethod         string
		wantURI, wantBody  string
	}{
		{"POST has the form as its body", "/voice?lang=en", "POST", form, "POST", "/voice?lang=en", "Digits=1+2%263&From=%2B1415"},
		{"GET has the form behind its own query", "/voice?lang=en", "GET", form, "GET", "/voice?lang=en&Digits=1+2%263&From=%2B1415", ""},
		{"GET without a query", "/voice", "get", form, "GET", "/voice?Digits=1+2%263&From=%2B1415", ""},
		{"no method is POST", "/voice", "", form, "POST", "/voice", "Digits=1+2%263&From=%2B1415"},
		{"another method is POST", "/voice", "PUT", nil, "POST", "/voice", ""},
		{"no path is /", "", "GET", nil, "GET", "/", ""},
		{"a fragment stays here", "/voice?a=1#rc=0", "GET", nil, "GET", "/voice?a=1", ""},
		{"what a request line cannot hold is encoded", "/a b?x=ü y", "GET", nil, "GET", "/a%20b?x=%C3%BC%20y", ""},
		{"what is encoded stays so", "/a%2Fb?x=%27'+%20", "GET", nil, "GET", "/a%2Fb?x=%27'+%20", ""},
	} {
		s := serve(t, xml)
		response, err := client(t, Config{}).Do(t.Context(), Request{URL: s.URL + row.path, Method: row.method, Form: row.form})
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		got := s.asked()[0]
		if got.method != row.wantMethod || got.uri != row.wantURI || got.body != row.wantBody {
			t.Errorf("%s: got %s %s %q", row.name, got.method, got.uri, got.body)
		}
		if response.Status != 200 || response.ContentType != "text/xml" || string(response.Body) != "<Response/>" {
			t.Errorf("%s: answer %+v", row.name, response)
		}
		contentType := ""
		if row.wantMethod == "POST" {
			contentType = "application/x-www-form-urlencoded; charset=UTF-8"
		}
		for name, want := range map[string]string{"Content-Type": contentType, "User-Agent": "hookswitch/1", "Idempotency-Key": ""} {
			if got := got.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", row.name, name, got, want)
			}
		}
	}
}

func TestDoSignsWhatItSends(t *testing.T) {
	s := serve(t, xml)
	c := client(t, Config{})
	form := url.Values{"Digits": {"1"}}
	host := strings.TrimPrefix(s.URL, "http://")
	for _, method := range []string{"GET", "POST"} {
		raw := "http://bob:pass@" + host + "/voice?a=1#ct=1000"
		if _, err := c.Do(t.Context(), Request{URL: raw, Method: method, Form: form, Sign: Twilio(testToken)}); err != nil {
			t.Fatal(err)
		}
		got := s.asked()[len(s.asked())-1]
		findings := Verify(Received{URL: "http://bob:pass@" + host + got.uri, Method: got.method, Header: got.header, Body: []byte(got.body), Token: testToken})
		if !findings[0].OK {
			t.Errorf("%s, Twilio: %+v", method, findings)
		}
		if _, err := c.Do(t.Context(), Request{URL: raw, Method: method, Form: form, Sign: Telnyx(telnyxKey())}); err != nil {
			t.Fatal(err)
		}
		got = s.asked()[len(s.asked())-1]
		findings = Verify(Received{URL: s.URL + got.uri, Header: got.header, Body: []byte(got.body), Key: telnyxKey().Public().(ed25519.PublicKey), Now: time.Now()})
		if !findings[0].OK {
			t.Errorf("%s, Telnyx: %+v", method, findings)
		}
		if user, pass, _ := (&http.Request{Header: got.header}).BasicAuth(); user != "bob" || pass != "pass" {
			t.Errorf("%s: Basic authentication is %q %q", method, user, pass)
		}
	}
}

func TestDoKeepsCookies(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("call"); err != nil {
			http.SetCookie(w, &http.Cookie{Name: "call", Value: "7"})
			http.Redirect(w, r, "/next", http.StatusSeeOther)
			return
		}
		xml(w, r)
	})
	jar, _ := cookiejar.New(nil)
	if _, err := client(t, Config{}).Do(t.Context(), Request{URL: s.URL, Jar: jar}); err != nil {
		t.Fatal(err)
	}
	if got := s.asked()[1].header.Get("Cookie"); got != "call=7" {
		t.Errorf("the redirected request has cookies %q", got)
	}
}

func TestDoStatus(t *testing.T) {
	for _, row := range []struct {
		status, code int
	}{{200, 0}, {204, 0}, {299, 0}, {300, 11217}, {304, 11217}, {305, 11217}, {400, 11200}, {404, 11200}, {500, 11200}, {503, 11200}} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(row.status) })
		_, err := client(t, Config{}).Do(t.Context(), Request{URL: s.URL})
		if code(err) != row.code {
			t.Errorf("%d: got %v, want code %d", row.status, err, row.code)
		}
		var e *Error
		if errors.As(err, &e) && (e.Status != row.status || e.URL != s.URL+"/") {
			t.Errorf("%d: got %+v", row.status, e)
		}
		if n := len(s.asked()); n != 1 {
			t.Errorf("%d: %d requests, want 1", row.status, n)
		}
	}
}

func TestDoURL(t *testing.T) {
	for _, row := range []struct {
		name, url string
		code      int
	}{
		{"no scheme", "example.com/voice", 11100},
		{"nothing", "", 11100},
		{"another scheme", "ftp://example.com/", 11100},
		{"a file", "file:///etc/passwd", 11100},
		{"no host", "http:///voice", 11100},
		{"a bad port", "http://example.com:x/", 11100},
		{"a bad escape", "http://example.com/%zz", 11100},
		{"a name that is not ASCII", "http://exämple.com/", 11100},
		{"a space in the name", "http://exam ple.com/", 11100},
		{"a control character", "http://example.com/\x00", 11100},
		{"a retry policy that does not exist", "http://example.com/#rc=1&rp=sometimes", 11243},
	} {
		_, err := client(t, Config{}).Do(t.Context(), Request{URL: row.url})
		if code(err) != row.code {
			t.Errorf("%s: got %v, want code %d", row.name, err, row.code)
		}
	}
}

func TestRedirects(t *testing.T) {
	for _, row := range []struct {
		name                 string
		status               int
		method               string
		wantMethod, wantBody string
	}{
		{"301 becomes GET", 301, "POST", "GET", ""},
		{"302 becomes GET", 302, "POST", "GET", ""},
		{"303 becomes GET", 303, "POST", "GET", ""},
		{"307 stays POST", 307, "POST", "POST", "Digits=1"},
		{"308 stays POST", 308, "POST", "POST", "Digits=1"},
		{"GET stays without parameters", 302, "GET", "GET", ""},
		{"GET by 307 too", 307, "GET", "GET", ""},
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/a/voice" {
				w.Header().Set("Location", "../b/next?x=1#frag")
				w.WriteHeader(row.status)
				return
			}
			xml(w, r)
		})
		response, err := client(t, Config{}).Do(t.Context(), Request{URL: s.URL + "/a/voice", Method: row.method, Form: url.Values{"Digits": {"1"}}, Sign: Twilio(testToken)})
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		got := s.asked()[1]
		if got.method != row.wantMethod || got.body != row.wantBody || got.uri != "/b/next?x=1" {
			t.Errorf("%s: got %+v", row.name, got)
		}
		if want := s.URL + "/b/next?x=1"; response.URL != want {
			t.Errorf("%s: answered by %s, want %s", row.name, response.URL, want)
		}
		if f := Verify(Received{URL: response.URL, Method: got.method, Header: got.header, Body: []byte(got.body), Token: testToken}); !f[0].OK {
			t.Errorf("%s: signature: %+v", row.name, f)
		}
	}
}

func TestRedirectsEnd(t *testing.T) {
	for _, row := range []struct {
		name, location string
		code           int
	}{
		{"in a circle", "/voice", 11215},
		{"to no URL", "http://[", 11216},
		{"to another scheme", "file:///etc/passwd", 11216},
		{"to a script", "javascript:alert(1)", 11216},
		{"to nowhere", "", 11216},
		{"to a private address", "http://169.254.169.254/latest/meta-data/", 11205},
		{"to a mapped address", "http://[::ffff:10.0.0.1]/", 11205},
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if row.location != "" {
				w.Header().Set("Location", row.location)
			}
			w.WriteHeader(http.StatusFound)
		})
		_, err := client(t, Config{}).Do(t.Context(), Request{URL: s.URL + "/voice"})
		if code(err) != row.code {
			t.Errorf("%s: got %v, want code %d", row.name, err, row.code)
		}
		if row.code == 11215 && len(s.asked()) != 11 {
			t.Errorf("%s: %d requests, want 11", row.name, len(s.asked()))
		}
	}

	ten := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := len(r.URL.Path)
		if n > 10 {
			xml(w, r)
			return
		}
		http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
	})
	if _, err := client(t, Config{}).Do(t.Context(), Request{URL: ten.URL}); err != nil {
		t.Errorf("ten redirects: %v", err)
	}
}

func TestCredentialsStayHome(t *testing.T) {
	var home, away *server
	away = serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, home.URL+"/back", http.StatusTemporaryRedirect)
	})
	home = serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/same", http.StatusTemporaryRedirect)
		case "/same":
			http.Redirect(w, r, away.URL, http.StatusTemporaryRedirect)
		default:
			xml(w, r)
		}
	})
	_, err := client(t, Config{}).Do(t.Context(), Request{
		URL:    strings.Replace(home.URL, "://", "://bob:pass@", 1),
		Header: http.Header{"X-Plain": {"1"}, "Cookie": {"a=1"}},
		Sign:   Twilio(testToken),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		got    seen
		secret bool
	}{
		{"home", home.asked()[0], true},
		{"home, redirected", home.asked()[1], true},
		{"away", away.asked()[0], false},
		{"sent home by another", home.asked()[2], false},
	} {
		for _, name := range []string{"Authorization", "X-Twilio-Signature", "Cookie"} {
			if got := row.got.header.Get(name) != ""; got != row.secret {
				t.Errorf("%s: %s sent: %v, want %v", row.name, name, got, row.secret)
			}
		}
		if row.got.header.Get("X-Plain") != "1" {
			t.Errorf("%s: X-Plain is gone", row.name)
		}
	}
}

func TestRetries(t *testing.T) {
	for _, row := range []struct {
		name, fragment string
		statuses       []int // of the answers, the last for all that follow
		requests, code int
	}{
		{"a status is not retried", "", []int{500, 200}, 1, 11200},
		{"5xx when asked", "#rp=5xx", []int{500, 200}, 2, 0},
		{"not 4xx with 5xx", "#rp=5xx", []int{404, 200}, 1, 11200},
		{"4xx when asked", "#rp=4xx", []int{404, 200}, 2, 0},
		{"all", "#rp=all&rc=3", []int{500, 404, 500, 200}, 4, 0},
		{"several", "#rp=ct,4xx,5xx&rc=2", []int{500, 404, 200}, 3, 0},
		{"as often as asked", "#rp=5xx&rc=5", []int{500}, 6, 11200},
		{"never", "#rp=5xx&rc=0", []int{500}, 1, 11200},
		{"more than five is not heard", "#rp=5xx&rc=6", []int{500}, 2, 11200},
		{"another fragment is none", "#top", []int{500}, 1, 11200},
	} {
		var n atomic.Int32
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			i := int(n.Add(1)) - 1
			w.WriteHeader(row.statuses[min(i, len(row.statuses)-1)])
		})
		_, err := client(t, Config{}).Do(t.Context(), Request{URL: s.URL + row.fragment})
		if code(err) != row.code || len(s.asked()) != row.requests {
			t.Errorf("%s: %d requests, %v; want %d, code %d", row.name, len(s.asked()), err, row.requests, row.code)
		}
		first := s.asked()[0].header.Get("I-Twilio-Idempotency-Token")
		for _, got := range s.asked() {
			if token := got.header.Get("I-Twilio-Idempotency-Token"); token == "" || token != first {
				t.Errorf("%s: idempotency tokens %q and %q", row.name, first, token)
			}
		}
	}
}

// TestConnectionIsTriedTwice holds the default: one more try when there was no
// connection.
func TestConnectionIsTriedTwice(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close() // nobody listens there now

	for fragment, want := range map[string]int{"": 2, "#rc=0": 1, "#rc=3": 4} {
		var log lines
		_, err = client(t, Config{Log: log.logger()}).Do(t.Context(), Request{URL: "http://" + addr + "/" + fragment})
		if code(err) != 11202 {
			t.Errorf("got %v, want code 11202", err)
		}
		if tries := log.count("webhook failed"); tries != want {
			t.Errorf("%q: %d tries, want %d", fragment, tries, want)
		}
	}
}

func TestTimeLimits(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/drip":
			for {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		case "/half":
			io.WriteString(w, "<Resp")
			w.(http.Flusher).Flush()
		}
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	for _, row := range []struct {
		name, path string
		requests   int
		code       int
		atMost     time.Duration
	}{
		{"no answer", "/", 1, 11203, 2 * time.Second},
		{"a drip", "/drip", 1, 11203, 2 * time.Second},
		{"half an answer", "/half", 1, 11203, 2 * time.Second},
		{"whole time by fragment", "/#tt=100", 1, 11203, 2 * time.Second},
		{"no answer by fragment", "/#rt=100", 1, 11205, 2 * time.Second},
		{"half an answer by fragment", "/half#rt=100", 1, 11205, 2 * time.Second},
		{"tried again when asked", "/#rt=100&rp=rt", 2, 11205, 2 * time.Second},
	} {
		c := client(t, Config{Timeout: 300 * time.Millisecond})
		before, began := len(s.asked()), time.Now()
		_, err := c.Do(t.Context(), Request{URL: s.URL + row.path})
		if code(err) != row.code {
			t.Errorf("%s: got %v, want code %d", row.name, err, row.code)
		}
		if n := len(s.asked()) - before; n != row.requests {
			t.Errorf("%s: %d requests, want %d", row.name, n, row.requests)
		}
		if took := time.Since(began); took > row.atMost {
			t.Errorf("%s: took %s", row.name, took)
		}
	}
}

// TestHandshakeTime uses a listener from which nobody accepts: the system
// connects, and the handshake gets no answer.
func TestHandshakeTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = client(t, Config{ConnectTimeout: 100 * time.Millisecond}).Do(t.Context(), Request{URL: "https://" + l.Addr().String() + "/#rc=0"})
	if code(err) != 11220 {
		t.Errorf("got %v, want code 11220", err)
	}
}

func TestCallerEnds(t *testing.T) {
	hungUp := errors.New("hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel(hungUp)
		<-r.Context().Done()
	})
	if _, err := client(t, Config{}).Do(ctx, Request{URL: s.URL + "/#rp=all&rc=5"}); err != hungUp {
		t.Errorf("got %v, want the cause", err)
	}
	if n := len(s.asked()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func TestBody(t *testing.T) {
	whole := bytes.Repeat([]byte("x"), 64<<10)
	plain := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.Write(b) }
	}
	encoded := func(encoding string, b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			w.Write(b)
		}
	}
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, answer)
			conn.Close()
		}
	}
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		size   int
		code   int
	}{
		{"64 KB", plain(whole), 64 << 10, 0},
		{"a byte more", plain(append(whole, 'x')), 0, 11750},
		{"a byte more without a length", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(append(whole, 'x'))
		}, 0, 11750},
		{"gzip", encoded("gzip", zipped(whole)), 64 << 10, 0},
		{"gzip of a byte more", encoded("gzip", zipped(append(whole, 'x'))), 0, 11750},
		{"a bomb", encoded("gzip", zipped(make([]byte, 20<<20))), 0, 11750},
		{"gzip that is none", encoded("gzip", []byte("<Response/>")), 0, 11206},
		{"half of a gzip", encoded("gzip", zipped(whole)[:40]), 0, 11206},
		{"an empty gzip", encoded("gzip", nil), 0, 0},
		{"another encoding", encoded("br", []byte("x")), 0, 11206},
		{"large headers", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 33<<10))
		}, 0, 11206},
		{"headers below the limit", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 31<<10))
		}, 0, 0},
		{"not HTTP", raw("SSH-2.0-OpenSSH_9.6\r\n"), 0, 11206},
		{"nothing", raw(""), 0, 11205},
		{"an answer cut off", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<Resp"), 0, 11205},
		{"headers cut off", raw("HTTP/1.1 200 OK\r\nContent-Le"), 0, 11206},
		{"a bad chunk", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), 0, 11206},
	} {
		s := serve(t, row.answer)
		response, err := client(t, Config{}).Do(t.Context(), Request{URL: s.URL})
		if code(err) != row.code {
			t.Errorf("%s: got %v, want code %d", row.name, err, row.code)
		}
		if err == nil && len(response.Body) != row.size {
			t.Errorf("%s: %d bytes, want %d", row.name, len(response.Body), row.size)
		}
	}
}

func TestDocument(t *testing.T) {
	for _, row := range []struct {
		contentType, body string
		chunked           bool
		code              int
	}{
		{"text/xml", "<Response/>", false, 0},
		{"Application/XML; charset=utf-8", "<Response/>", false, 0},
		{"text/html", "<Response/>", false, 0},
		{"text/plain", "Hello.", false, 0},
		{"audio/mpeg", "x", false, 0},
		{"", "<Response/>", false, 12300},
		{"application/json", "{}", false, 12300},
		{"video/mp4", "x", false, 12300},
		{"text/xml", "", false, 0},
		{"", "", false, 0},
		{"text/xml", "", true, 11770},
	} {
		r := &Response{ContentType: row.contentType, Body: []byte(row.body), Chunked: row.chunked}
		if got := code(r.Document()); got != row.code {
			t.Errorf("%q %q: code %d, want %d", row.contentType, row.body, got, row.code)
		}
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush() })
	response, err := client(t, Config{}).Do(t.Context(), Request{URL: s.URL})
	if err != nil || code(response.Document()) != 11770 {
		t.Errorf("an empty chunked answer: %+v, %v", response, err)
	}
}

// TestOneHostDoesNotHoldAnother fills one server's 32 places and asks another.
func TestOneHostDoesNotHoldAnother(t *testing.T) {
	release, arrived := make(chan struct{}), make(chan struct{}, 100)
	stuck := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		xml(w, r)
	})
	quick := serve(t, xml)
	c := client(t, Config{})
	var calls sync.WaitGroup
	for range 40 {
		calls.Go(func() {
			if _, err := c.Do(t.Context(), Request{URL: stuck.URL}); err != nil {
				t.Error(err)
			}
		})
	}
	for range perHost {
		<-arrived
	}
	if _, err := c.Do(t.Context(), Request{URL: quick.URL}); err != nil {
		t.Error(err)
	}
	if n := len(stuck.asked()); n != perHost {
		t.Errorf("%d requests at once, want %d", n, perHost)
	}
	close(release)
	calls.Wait()
}

func TestOverrides(t *testing.T) {
	start := overrides{connect: 5 * time.Second, read: 15 * time.Second, total: 15 * time.Second, retries: 1, retry: map[failure]bool{noConnection: true}}
	for _, row := range []struct {
		name, fragment string
		want           overrides
		ignored        string
	}{
		{"none", "", start, "[]"},
		{"a fragment of a page", "section", start, "[]"},
		{"all of them", "ct=2000&rt=3000&tt=4000&rc=2", overrides{connect: 2 * time.Second, read: 3 * time.Second, total: 4 * time.Second, retries: 2}, "[]"},
		{"least", "ct=100&rt=100&tt=100&rc=0", overrides{connect: 100 * time.Millisecond, read: 100 * time.Millisecond, total: 100 * time.Millisecond}, "[]"},
		{"most", "ct=10000&rt=15000&tt=15000&rc=5", overrides{connect: 10 * time.Second, read: 15 * time.Second, total: 15 * time.Second, retries: 5}, "[]"},
		{"too little", "ct=99&rt=99&tt=99&rc=-1", start, "[ct rt tt rc]"},
		{"too much", "ct=10001&rt=15001&tt=15001&rc=6", start, "[ct rt tt rc]"},
		{"not numbers", "ct=2s&rc=", start, "[ct rc]"},
		{"without effect here", "e=ashburn&sni=y&r=us1", start, "[]"},
		{"unknown", "rc=1&retry=2", start, "[retry]"},
	} {
		got, ignored, err := parseOverrides(row.fragment, start)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if got.connect != row.want.connect || got.read != row.want.read || got.total != row.want.total || got.retries != row.want.retries {
			t.Errorf("%s: got %+v", row.name, got)
		}
		if fmt.Sprint(ignored) != row.ignored {
			t.Errorf("%s: ignored %v, want %s", row.name, ignored, row.ignored)
		}
	}
}

// lines collects log messages.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func (l *lines) count(msg string) int { return strings.Count(l.String(), `"msg":"`+msg+`"`) }

// TestSecrets sends canaries in every place a secret may stand, along every
// way a request may end, and looks for them in errors and logs.
func TestSecrets(t *testing.T) {
	const canary = "cAnArY"
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/status":
			http.Error(w, canary, 500)
		case "/redirect":
			http.Redirect(w, r, "http://u:"+canary+"@10.0.0.1/?q="+canary, 302)
		case "/location":
			w.Header().Set("Location", "http://u:"+canary+"@[/")
			w.WriteHeader(302)
		case "/garbage":
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, canary+"\r\n\r\n")
			conn.Close()
		case "/circle":
			http.Redirect(w, r, "?q="+canary, 307)
		case "/slow":
			<-r.Context().Done()
		default:
			xml(w, r)
		}
	})
	host := strings.TrimPrefix(s.URL, "http://")
	var log lines
	c := client(t, Config{Timeout: time.Second, Log: log.logger()})
	c.guard.resolver = nameServer(map[string][]string{})
	for _, raw := range []string{
		"http://u:" + canary + "@" + host + "/ok?token=" + canary,
		"http://" + canary + "@" + host + "/status?token=" + canary,
		"http://u:" + canary + "@" + host + "/redirect?token=" + canary,
		"http://u:" + canary + "@" + host + "/location",
		"http://u:" + canary + "@" + host + "/garbage?token=" + canary,
		"http://u:" + canary + "@" + host + "/circle",
		"http://u:" + canary + "@" + host + "/slow?token=" + canary + "#tt=100",
		"http://u:" + canary + "@" + host + "/ok#rp=" + canary,
		"http://u:" + canary + "@" + host + "/ok#rc=" + canary,
		"http://u:" + canary + "@10.0.0.1/",
		"http://u:" + canary + "@no-such-host.invalid/",
		"https://u:" + canary + "@" + host + "/",
		"http://u:" + canary + "%zz@" + host + "/",
		"http://u:" + canary + "/x@" + host + "/",
		"http://u:" + canary + "?x@" + host + "/",
		"http://u:" + canary + "#x@" + host + "/",
		"ftp://u:" + canary + "@" + host + "/",
		"u:" + canary + "@" + host,
	} {
		for _, method := range []string{"GET", "POST"} {
			_, err := c.Do(t.Context(), Request{
				URL: raw, Method: method, Sign: Twilio(canary),
				Form:   url.Values{"Digits": {canary}, "SpeechResult": {canary}},
				Header: http.Header{"Authorization": {canary}, "Cookie": {canary}},
			})
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%s: the error has a secret: %v", raw, err)
			}
		}
		if _, err := c.Media(t.Context(), raw); err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error has a secret: %v", raw, err)
		}
	}
	if log.count("webhook failed") < 20 || log.count("webhook") < 2 {
		t.Fatalf("too few messages to be looked at:\n%s", log.String())
	}
	for line := range strings.SplitSeq(log.String(), "\n") {
		if strings.Contains(line, canary) {
			t.Errorf("the log has a secret: %s", line)
		}
	}
}
