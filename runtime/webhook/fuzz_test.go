package webhook

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzURL holds that what parses can be sent and signed as it is, and that no
// text for people has the password.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{
		"http://u:secret@h.example/a b?x=ü y#rc=2", "https://[::1]:8443", "http://u:sec/ret@h/", "http://u:1234@h/p@q?a@b", "http://h?x=\"<>", "//h", "http:h", "http://u@:80",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parseURL(raw)
		shown := Redact(raw)
		if err != nil {
			if strings.ContainsAny(shown, "?#@") && !strings.HasSuffix(shown, "?…") {
				t.Errorf("%q is shown as %q", raw, shown)
			}
			return
		}
		if password, ok := u.User.Password(); ok && len(password) > 3 && !strings.Contains(u.Host+u.Path+"https://…", password) {
			if strings.Contains(shown, password) || strings.Contains(safeURL(u), password) && !strings.Contains(u.RawQuery+u.EscapedPath(), password) {
				t.Errorf("%q is shown as %q and %q", raw, shown, safeURL(u))
			}
		}
		u.User, u.Fragment, u.RawFragment = nil, "", ""
		line := u.RequestURI()
		if strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("%q makes the request line %q", raw, line)
		}
		if !strings.HasSuffix(u.String(), line) {
			t.Errorf("%q: signed %q, sent %q", raw, u.String(), line)
		}
		again, err := parseURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("%q becomes %q and then %v, %v", raw, u, again, err)
		}
	})
}

func FuzzOverrides(f *testing.F) {
	f.Add("rc=2&rp=all&ct=2000&rt=15000&tt=100&sni=y&e=ashburn")
	f.Add("rc=%32&rp=4xx%2C5xx")
	f.Fuzz(func(t *testing.T, fragment string) {
		o, _, err := parseOverrides(fragment, overrides{connect: time.Second, read: time.Second, total: time.Second, retries: 1})
		if err != nil {
			return
		}
		if o.connect < 100*time.Millisecond || o.connect > 10*time.Second || o.read < 100*time.Millisecond || o.read > 15*time.Second ||
			o.total < 100*time.Millisecond || o.total > 15*time.Second || o.retries < 0 || o.retries > 5 {
			t.Errorf("%q: %+v", fragment, o)
		}
	})
}

// FuzzSignedURL holds that signing takes nothing but the port from a URL.
func FuzzSignedURL(f *testing.F) {
	f.Add("https://u:p@h.example:443/a?b#c")
	f.Add("http://[::1]:80")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parseURL(raw)
		if err != nil {
			return
		}
		got, err := url.Parse(signedURL(u.String()))
		if err != nil || got.Hostname() != u.Hostname() || got.RequestURI() != u.RequestURI() || got.User.String() != u.User.String() {
			t.Errorf("%q is signed as %q, %v", u, got, err)
		}
	})
}
