package webhook

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

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
		total      time.Duration // a minute never comes
	}{
		{"no answer", "/", 1, 11203, 300 * time.Millisecond},
		{"a drip", "/drip", 1, 11203, 300 * time.Millisecond},
		{"half an answer", "/half", 1, 11203, 300 * time.Millisecond},
		{"whole time by fragment", "/#tt=300", 1, 11203, time.Minute},
		{"no answer by fragment", "/#rt=100", 1, 11205, time.Minute},
		{"half an answer by fragment", "/half#rt=100", 1, 11205, time.Minute},
		{"tried again when asked", "/#rt=100&rp=rt", 2, 11205, time.Minute},
	} {
		c := client(t, Config{Timeout: row.total})
		before, began := len(s.asked()), time.Now()
		_, err := c.Do(t.Context(), Request{URL: s.URL + row.path})
		if code(err) != row.code {
			t.Errorf("%s: got %v, want code %d", row.name, err, row.code)
		}
		if n := len(s.asked()) - before; n != row.requests {
			t.Errorf("%s: %d requests, want %d", row.name, n, row.requests)
		}
		if took := time.Since(began); took > 10*time.Second {
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
