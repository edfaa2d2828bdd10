package webhook

import (
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
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
		response, err := c.Do(t.Context(), Request{URL: raw, Method: method, Form: form, Sign: Twilio(testToken)})
		if err != nil {
			t.Fatal(err)
		}
		if want := "http://bob:pass@" + host + "/voice?a=1"; response.URL != want {
			t.Errorf("%s: the base is %s, want %s", method, response.URL, want)
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
	response, err := client(t, Config{}).Do(t.Context(), Request{
		URL:    strings.Replace(home.URL, "://", "://bob:pass@", 1),
		Header: http.Header{"X-Plain": {"1"}, "Cookie": {"a=1"}},
		Sign:   Twilio(testToken),
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := home.URL + "/back"; response.URL != want {
		t.Errorf("the base is %s, want %s", response.URL, want)
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
