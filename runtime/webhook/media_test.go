package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMediaCache(t *testing.T) {
	for _, row := range []struct {
		name      string
		header    map[string]string
		requests  int    // of three fetches
		condition string // header of the second request
		value     string
	}{
		{"max-age", map[string]string{"Cache-Control": "public, max-age=600"}, 1, "", ""},
		{"max-age that is over", map[string]string{"Cache-Control": "max-age=60", "Age": "60"}, 3, "", ""},
		{"max-age 0 with ETag", map[string]string{"Cache-Control": "max-age=0", "ETag": `"1"`}, 3, "If-None-Match", `"1"`},
		{"ETag", map[string]string{"ETag": `"1"`}, 3, "If-None-Match", `"1"`},
		{"Last-Modified", map[string]string{"Last-Modified": "Tue, 24 Nov 2026 15:04:17 GMT"}, 3, "If-Modified-Since", "Tue, 24 Nov 2026 15:04:17 GMT"},
		{"no-cache", map[string]string{"Cache-Control": "no-cache, max-age=600", "ETag": `"1"`}, 3, "If-None-Match", `"1"`},
		{"no-store", map[string]string{"Cache-Control": "no-store, max-age=600", "ETag": `"1"`}, 3, "", ""},
		{"nothing said", nil, 3, "", ""},
	} {
		for _, dir := range []string{"", t.TempDir()} {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				for name, value := range row.header {
					w.Header().Set(name, value)
				}
				w.Header().Set("Content-Type", "audio/wav")
				if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				w.Write([]byte("sound"))
			})
			c := client(t, Config{CacheDir: dir})
			for range 3 {
				got, err := c.Media(t.Context(), s.URL+"/hello.wav#rc=0")
				if err != nil || string(got.Body) != "sound" || got.ContentType != "audio/wav" || got.Status != 200 || got.URL != s.URL+"/hello.wav" {
					t.Errorf("%s: got %+v, %v", row.name, got, err)
				}
			}
			if n := len(s.asked()); n != row.requests {
				t.Errorf("%s: %d requests, want %d", row.name, n, row.requests)
			}
			if row.condition != "" && s.asked()[1].header.Get(row.condition) != row.value {
				t.Errorf("%s: the second request has %v", row.name, s.asked()[1].header)
			}
		}
	}
}

func TestMediaChanges(t *testing.T) {
	version := "1"
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"`+version+`"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"`+version+`"`)
		w.Write([]byte("sound " + version))
	})
	dir := t.TempDir()
	for _, want := range []string{"1", "1", "2", "2"} {
		version = want
		c := client(t, Config{CacheDir: dir}) // each time as after a restart
		got, err := c.Media(t.Context(), s.URL)
		if err != nil || string(got.Body) != "sound "+want {
			t.Errorf("version %s: got %+v, %v", want, got, err)
		}
	}
	// What the folder has is not to be trusted blindly.
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	whole, _ := os.ReadFile(files[0])
	os.WriteFile(files[0], whole[:len(whole)-1], 0o600)
	os.WriteFile(filepath.Join(dir, "new-123"), []byte("half"), 0o600)
	os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("somebody's"), 0o600)
	got, err := client(t, Config{CacheDir: dir}).Media(t.Context(), s.URL)
	if err != nil || string(got.Body) != "sound 2" {
		t.Errorf("after half a file: got %+v, %v", got, err)
	}
	files, _ = filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 2 || filepath.Base(files[1]) != "notes.txt" && filepath.Base(files[0]) != "notes.txt" {
		t.Errorf("files %v; want the sound and the notes", files)
	}
}

func TestMediaShares(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		w.Write([]byte("sound"))
	})
	c := client(t, Config{})
	impatient, leave := context.WithCancelCause(t.Context())
	hungUp := errors.New("hung up")
	var calls sync.WaitGroup
	calls.Go(func() {
		if _, err := c.Media(impatient, s.URL); err != hungUp {
			t.Errorf("who left got %v", err)
		}
	})
	for range 20 {
		calls.Go(func() {
			if got, err := c.Media(t.Context(), s.URL); err != nil || string(got.Body) != "sound" {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	until(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.flights[s.URL] != nil && c.flights[s.URL].waiters == 21
	})
	leave(hungUp)
	close(release)
	calls.Wait()
	if n := len(s.asked()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// until waits for a state that other goroutines bring about.
func until(t *testing.T, done func() bool) {
	for deadline := time.Now().Add(5 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about")
		}
		<-time.After(time.Millisecond)
	}
}

func TestMediaEnds(t *testing.T) {
	ended := make(chan struct{}, 2)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		ended <- struct{}{}
	})
	c := client(t, Config{})
	hungUp := errors.New("hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := c.Media(ctx, s.URL)
		got <- err
	}()
	until(t, func() bool { return len(s.asked()) == 1 })
	cancel(hungUp)
	if err := <-got; err != hungUp {
		t.Errorf("got %v, want the cause", err)
	}
	<-ended // nobody waits, so the fetch is over

	go func() {
		_, err := c.Media(t.Context(), s.URL)
		got <- err
	}()
	until(t, func() bool { return len(s.asked()) == 2 })
	c.Close()
	if err := <-got; err != errClosed {
		t.Errorf("a fetch at the client's end: got %v", err)
	}
	<-ended
	if _, err := c.Media(t.Context(), s.URL); err != errClosed {
		t.Errorf("after the end: got %v", err)
	}
}

func TestMediaLimits(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			w.Header().Set("Content-Length", fmt.Sprint(mediaBytes+1))
			w.Write([]byte("x"))
		case "/gone":
			w.WriteHeader(404)
		case "/slow":
			<-r.Context().Done()
		default: // larger than a document may be
			w.Write(bytes.Repeat([]byte("x"), 1<<20))
		}
	})
	c := client(t, Config{Timeout: 50 * time.Millisecond})
	for path, want := range map[string]int{"/large": 11751, "/gone": 11200, "/slow": 11203} {
		if _, err := c.Media(t.Context(), s.URL+path); code(err) != want {
			t.Errorf("%s: got %v, want code %d", path, err, want)
		}
	}
	if got, err := client(t, Config{}).Media(t.Context(), s.URL+"/megabyte"); err != nil || len(got.Body) != 1<<20 {
		t.Errorf("a megabyte: %v", err)
	}
}

func TestCacheForgets(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		c := newCache(dir, 25, slog.New(slog.DiscardHandler))
		ten := bytes.Repeat([]byte("x"), 10)
		name := func(c string) string { return strings.Repeat(c, 64) }
		put := func(key string, body []byte) { c.put(name(key), kept{Size: int64(len(body)), body: body}) }
		has := func(key string) bool { _, ok := c.get(name(key)); return ok }
		put("a", ten)
		put("b", ten)
		has("a")
		put("c", ten)
		if !has("a") || has("b") || !has("c") {
			t.Errorf("in %q: the one not used for longest is not the one forgotten", dir)
		}
		put("a", ten[:1])
		put("d", ten)
		if c.size != 21 || !has("c") || !has("d") {
			t.Errorf("in %q: size %d", dir, c.size)
		}
		put("d", bytes.Repeat(ten, 3))
		if has("d") || c.size != 11 {
			t.Errorf("in %q: kept one larger than the cache; size %d", dir, c.size)
		}
		if dir != "" {
			files, _ := os.ReadDir(dir)
			if len(files) != 2 {
				t.Errorf("%d files, want 2", len(files))
			}
		}
	}
}

func TestFreshness(t *testing.T) {
	now := time.Date(2026, 11, 24, 15, 4, 17, 0, time.UTC)
	for _, row := range []struct {
		name, control, age, etag string
		want                     time.Duration
		keep                     bool
	}{
		{"max-age", "max-age=60", "", "", time.Minute, true},
		{"in quotes and capitals", `Public, Max-Age="60"`, "", "", time.Minute, true},
		{"less its age", "max-age=60", "20", "", 40 * time.Second, true},
		{"older than allowed", "max-age=60", "90", "", 0, false},
		{"no number", "max-age=soon", "", `"1"`, 0, true},
		{"a year at most", "max-age=9999999999", "", "", 365 * 24 * time.Hour, true},
		{"a number too large to be one", "max-age=99999999999999999999", "", "", 0, false},
		{"below zero", "max-age=-1", "", "", 0, false},
		{"no-store", "max-age=60, no-store", "", `"1"`, 0, false},
		{"no-cache without validator", "no-cache, max-age=60", "", "", 0, false},
		{"no-cache with one", "no-cache", "", `"1"`, 0, true},
	} {
		h := http.Header{"Cache-Control": {row.control}, "Age": {row.age}}
		if row.etag != "" {
			h.Set("ETag", row.etag)
		}
		fresh, keep := freshness(h, now)
		got := max(0, fresh.Sub(now))
		if got != row.want || keep != row.keep {
			t.Errorf("%s: got %s, %v; want %s, %v", row.name, got, keep, row.want, row.keep)
		}
	}
}

func TestHotBodiesAreBounded(t *testing.T) {
	c := newCache(t.TempDir(), 1<<30, slog.New(slog.DiscardHandler))
	body := make([]byte, hotBody)
	const n = hotBytes/hotBody + 2
	for i := range n {
		key := fmt.Sprintf("%064x", i)
		c.put(key, kept{Size: hotBody, body: body})
		if k, ok := c.get(key); !ok || len(k.body) != hotBody {
			t.Fatalf("item %d: got %d bytes, %v", i, len(k.body), ok)
		}
	}
	if c.hot > hotBytes {
		t.Errorf("%d bytes in memory, want at most %d", c.hot, hotBytes)
	}
	if k, ok := c.get(fmt.Sprintf("%064x", 0)); !ok || len(k.body) != hotBody {
		t.Errorf("one that went cold: got %d bytes, %v", len(k.body), ok)
	}
	for i := range n {
		c.drop(fmt.Sprintf("%064x", i))
	}
	if c.hot != 0 {
		t.Errorf("%d bytes are counted for an empty cache", c.hot)
	}
}
