package webhook

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// TestOnceIsOnce holds that a request which must not be made twice is not, neither
// for an answer nor for the want of one, nor at another place.
func TestOnceIsOnce(t *testing.T) {
	cut := func(w http.ResponseWriter, r *http.Request) {
		c, _, _ := http.NewResponseController(w).Hijack()
		c.Close()
	}
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		code   int
	}{
		{"an answer that fails is one", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, 0},
		{"a redirect is not followed", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", 307) }, 11217},
		{"a lost connection is not tried again", cut, 11205},
		{"nor is a slow answer", func(w http.ResponseWriter, r *http.Request) { time.Sleep(500 * time.Millisecond) }, 11205},
	} {
		t.Run(row.name, func(t *testing.T) {
			var n atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/warm" {
					return
				}
				n.Add(1)
				row.answer(w, r)
			}))
			defer s.Close()
			c := client(t, Config{AllowHosts: []string{"127.0.0.1"}})
			// A connection that was used before is where a transport tries again by itself.
			if _, err := c.Do(t.Context(), Request{URL: s.URL + "/warm", Own: true}); err != nil {
				t.Fatal(err)
			}
			_, err := c.Do(t.Context(), Request{URL: s.URL + "/#rp=all&rc=3&rt=200", Own: true, Once: true, Body: []byte("{}")})
			if code(err) != row.code || n.Load() != 1 {
				t.Errorf("%d requests and %v, want one and code %d", n.Load(), err, row.code)
			}
		})
	}
}
