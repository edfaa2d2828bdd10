package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A document's own request has its own body and headers, which no other host
// sees, and takes an answer of any status.
func TestOwnRequest(t *testing.T) {
	var seen []*http.Request
	var bodies []string
	take := func(r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen, bodies = append(seen, r), append(bodies, string(b))
	}
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		take(r)
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, `{"a":1}`)
	}))
	defer away.Close()
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		take(r)
		http.Redirect(w, r, away.URL+"/there", http.StatusTemporaryRedirect)
	}))
	defer home.Close()
	c := New(Config{AllowHosts: []string{"127.0.0.1"}})
	defer c.Close()

	resp, err := c.Do(t.Context(), Request{URL: home.URL, Method: "POST", Own: true, Body: []byte(`{"x":2}`),
		Header: http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {"secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != http.StatusTeapot || string(resp.Body) != `{"a":1}` {
		t.Errorf("got %d %q", resp.Status, resp.Body)
	}
	if len(seen) != 2 || bodies[0] != `{"x":2}` || bodies[1] != `{"x":2}` {
		t.Fatalf("got %d requests with %q", len(seen), bodies)
	}
	if got := seen[0].Header; got.Get("X-Api-Key") != "secret" || got.Get("Content-Type") != "application/json" || got.Get("I-Twilio-Idempotency-Token") != "" {
		t.Errorf("at home: %v", got)
	}
	if got := seen[1].Header.Get("X-Api-Key"); got != "" {
		t.Errorf("the other host was sent the key %q", got)
	}
}
