package webhook

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

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
			w.Header().Set("ETag", `"1"`)
			xml(w, r)
		}
	})
	host := strings.TrimPrefix(s.URL, "http://")
	var log lines
	dir := t.TempDir()
	c := client(t, Config{Timeout: time.Second, Log: log.logger(), CacheDir: dir})
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
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		if b, _ := os.ReadFile(file); strings.Contains(string(b), canary) {
			t.Errorf("the cache has a secret: %s", b)
		}
	}
	if len(files) == 0 {
		t.Error("nothing was cached to be looked at")
	}
}
