package webhook

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// open answers with a WebSocket that talk speaks on.
func open(t *testing.T, talk func(ctx context.Context, c *websocket.Conn)) *server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		talk(r.Context(), c)
	})
}

func ws(httpURL string) string { return "ws" + strings.TrimPrefix(httpURL, "http") }

func TestSocketSpeaks(t *testing.T) {
	s := open(t, func(ctx context.Context, c *websocket.Conn) {
		c.SetReadLimit(messageBytes)
		for {
			kind, msg, err := c.Read(ctx)
			if err != nil {
				return
			}
			if string(msg) == "bye" {
				c.Close(websocket.StatusNormalClosure, "")
				return
			}
			c.Write(ctx, kind, append([]byte("re: "), msg...))
		}
	})
	socket, err := client(t, Config{}).Socket(t.Context(), Request{URL: ws(s.URL) + "/media"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close(1000, "")
	for _, msg := range []string{"hello", strings.Repeat("long ", 100_000)} {
		if err := socket.Write(t.Context(), []byte(msg)); err != nil {
			t.Fatal(err)
		}
		if got, err := socket.Read(t.Context()); string(got) != "re: "+msg || err != nil {
			t.Fatalf("%d bytes, %v, want %d", len(got), err, len(msg)+4)
		}
	}
	socket.Write(t.Context(), []byte("bye"))
	if _, err := socket.Read(t.Context()); err != io.EOF {
		t.Errorf("after a goodbye: %v, want EOF", err)
	}
}

func TestSocketAnswersPings(t *testing.T) {
	pong := make(chan error, 1)
	s := open(t, func(ctx context.Context, c *websocket.Conn) {
		pong <- c.Ping(c.CloseRead(ctx))
		c.Close(websocket.StatusNormalClosure, "")
	})
	socket, err := client(t, Config{}).Socket(t.Context(), Request{URL: ws(s.URL)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close(1000, "")
	if _, err := socket.Read(t.Context()); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
	if err := <-pong; err != nil {
		t.Errorf("no pong: %v", err)
	}
}

func TestSocketIsSignedAndLogsIn(t *testing.T) {
	s := open(t, func(context.Context, *websocket.Conn) {})
	jar, _ := cookiejar.New(nil)
	at, _ := url.Parse(s.URL)
	jar.SetCookies(at, []*http.Cookie{{Name: "k", Value: "v"}})
	host := strings.TrimPrefix(s.URL, "http://")
	token := "12345"
	socket, err := client(t, Config{}).Socket(t.Context(), Request{
		URL: "ws://joe:secret@" + host + "/media?a=b#rc=2", Sign: Twilio(token), Jar: jar, Header: http.Header{"X-More": {"yes"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	socket.Close(1000, "")
	got := s.asked()[0]
	if got.method != "GET" || got.uri != "/media?a=b" {
		t.Errorf("asked %s %s", got.method, got.uri)
	}
	want := base64.StdEncoding.EncodeToString(twilioSum(token, "ws://joe:secret@"+host+"/media?a=b", nil))
	for name, want := range map[string]string{
		twilioSignature: want, "Cookie": "k=v", "X-More": "yes", "User-Agent": "hookswitch/1",
		"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("joe:secret")), "Accept": "",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestSocketFails(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = nil
	t.Cleanup(secure.Close)
	cuts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, _, _ := w.(http.Hijacker).Hijack()
		c.Close()
	})
	refuses := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	leads := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://127.0.0.1/", 302) })
	lies := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Accept", "secret-looking")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	for _, tt := range []struct {
		name, url    string
		code, status int
	}{
		{"nobody there", "ws://" + closed.Addr().String() + "/m", 31902, 0},
		{"no answer", "ws://" + silent.Addr().String() + "/m", 31901, 0},
		{"no name", "ws://nobody.invalid/m", 31904, 0},
		{"a private address", "ws://127.0.0.2:9/m", 31904, 0},
		{"a certificate of nobody's", "wss" + strings.TrimPrefix(secure.URL, "https"), 31910, 0},
		{"no TLS", "wss" + strings.TrimPrefix(refuses.URL, "http"), 31910, 0},
		{"cut off", ws(cuts.URL), 31903, 0},
		{"not 101", ws(refuses.URL), 31920, 403},
		{"led elsewhere", ws(leads.URL), 31920, 302},
		{"a handshake that is none", ws(lies.URL), 31924, 101},
		{"another scheme", refuses.URL, 31922, 0},
		{"no scheme", "example.com/media", 31922, 0},
		{"no host", "wss:///media", 31923, 0},
		{"no URL", "wss://a b/", 31923, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t, Config{Timeout: time.Second, ConnectTimeout: 300 * time.Millisecond})
			c.guard.resolver = nameServer(nil)
			_, err := c.Socket(t.Context(), Request{URL: tt.url})
			var failed *Error
			if !errors.As(err, &failed) {
				t.Fatalf("%v is no *Error", err)
			}
			if failed.Code != tt.code || failed.Status != tt.status {
				t.Errorf("code %d and status %d, want %d and %d: %v", failed.Code, failed.Status, tt.code, tt.status, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%v quotes the server", err)
			}
		})
	}
}

func TestSocketOverTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			c.Close(websocket.StatusGoingAway, "")
		}
	}))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	socket, err := client(t, Config{RootCAs: roots}).Socket(t.Context(), Request{URL: "wss" + strings.TrimPrefix(s.URL, "https")})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close(1000, "")
	if _, err := socket.Read(t.Context()); err != io.EOF {
		t.Errorf("after the server went away: %v, want EOF", err)
	}
}

func TestSocketEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		talk func(ctx context.Context, c *websocket.Conn)
		code int // 0: EOF
	}{
		{"in good order", func(_ context.Context, c *websocket.Conn) { c.Close(websocket.StatusNormalClosure, "") }, 0},
		{"without a code", func(_ context.Context, c *websocket.Conn) { c.Close(websocket.StatusNoStatusRcvd, "") }, 0},
		{"with a fault of the server's", func(_ context.Context, c *websocket.Conn) { c.Close(websocket.StatusInternalError, "secret") }, 31921},
		{"without a goodbye", func(_ context.Context, c *websocket.Conn) { c.CloseNow() }, 31921},
		{"with too long a message", func(ctx context.Context, c *websocket.Conn) {
			c.Write(ctx, websocket.MessageText, make([]byte, messageBytes+1))
			c.Read(ctx)
		}, 31924},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, tt.talk)
			socket, err := client(t, Config{}).Socket(t.Context(), Request{URL: ws(s.URL)})
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close(1000, "")
			_, err = socket.Read(t.Context())
			var failed *Error
			switch {
			case tt.code == 0 && err != io.EOF:
				t.Errorf("%v, want EOF", err)
			case tt.code != 0 && (!errors.As(err, &failed) || failed.Code != tt.code || strings.Contains(err.Error(), "secret")):
				t.Errorf("%v, want code %d", err, tt.code)
			}
		})
	}
}

func TestSocketEndsWithItsContext(t *testing.T) {
	s := open(t, func(ctx context.Context, c *websocket.Conn) { c.Read(ctx) })
	c := client(t, Config{})
	socket, err := c.Socket(t.Context(), Request{URL: ws(s.URL)})
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("the call is over")
	ctx, end := context.WithCancelCause(t.Context())
	end(why)
	if _, err := socket.Read(ctx); err != why {
		t.Errorf("read: %v, want the cause", err)
	}
	if _, err := c.Socket(ctx, Request{URL: ws(s.URL)}); err != why {
		t.Errorf("open: %v, want the cause", err)
	}
}

// More sockets than a host may have requests stay open at a time.
func TestSocketsAreNotCounted(t *testing.T) {
	s := open(t, func(ctx context.Context, c *websocket.Conn) { c.Read(ctx) })
	c := client(t, Config{Timeout: 2 * time.Second})
	for i := range perHost + 8 {
		socket, err := c.Socket(t.Context(), Request{URL: ws(s.URL)})
		if err != nil {
			t.Fatalf("socket %d: %v", i, err)
		}
		defer socket.Close(1000, "")
	}
}
