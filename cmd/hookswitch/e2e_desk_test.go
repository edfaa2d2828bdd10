//go:build linux

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// A desk is a web server with a document for each name: that of /voice is the
// one of the user who is called, any other path names its own. /tone/HZ is a
// second of a tone.
type desk struct {
	*httptest.Server

	mu        sync.Mutex
	documents map[string]string
	told      []told
	more      chan struct{} // told has grown
}

// told is a request that came to a path.
type told struct {
	path string
	form url.Values
}

func newDesk(t *testing.T, documents map[string]string) *desk {
	t.Helper()
	d := &desk{documents: documents, more: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/tone/{hz}", func(w http.ResponseWriter, r *http.Request) {
		hz, _ := strconv.ParseFloat(r.PathValue("hz"), 64)
		w.Write(wav.Encode(pcm.Tone(8000, time.Second, 0.5, hz)))
	})
	mux.HandleFunc("/{path}", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm() // of our own server
		name := r.PathValue("path")
		if name == "voice" {
			_, name, _ = strings.Cut(r.FormValue("To"), ":")
			name, _, _ = strings.Cut(name, "@")
		}
		d.mu.Lock()
		d.told = append(d.told, told{r.PathValue("path"), r.Form})
		body := d.documents[name]
		d.mu.Unlock()
		select {
		case d.more <- struct{}{}:
		default: // a look is due already
		}
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, "<Response>%s</Response>", body)
	})
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Close)
	return d
}

// set gives a name its document.
func (d *desk) set(name, document string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.documents[name] = document
}

// wantTold waits for a request to a path, and takes it.
func (d *desk) wantTold(t *testing.T, path string) url.Values {
	t.Helper()
	late := time.After(15 * time.Second)
	for {
		d.mu.Lock()
		for i, r := range d.told {
			if r.path == path {
				d.told = append(d.told[:i], d.told[i+1:]...)
				d.mu.Unlock()
				return r.form
			}
		}
		d.mu.Unlock()
		select {
		case <-d.more:
		case <-late:
			t.Fatalf("/%s was not asked", path)
		}
	}
}

// channels are the two of a file, as sox reads them.
func channels(t *testing.T, file string) (left, right pcm.Clip) {
	t.Helper()
	if n := soxi(t, "-c", file); n != "2" {
		t.Fatalf("%s has %s channels, want 2", filepath.Base(file), n)
	}
	return channel(t, file, 1), channel(t, file, 2)
}

// channel is one channel of a file, from 1 on, as sox reads it.
func channel(t *testing.T, file string, n int) pcm.Clip {
	t.Helper()
	one := filepath.Join(t.TempDir(), "one.wav")
	if said, err := exec.Command("sox", file, one, "remix", strconv.Itoa(n)).CombinedOutput(); err != nil || len(said) > 0 {
		t.Fatalf("sox: %v %s", err, said)
	}
	b, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	c, err := wav.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// soxi is what sox says of a file.
func soxi(t *testing.T, option, file string) string {
	t.Helper()
	said, err := exec.Command("soxi", option, file).CombinedOutput()
	if err != nil {
		t.Fatalf("soxi %s: %v %s", option, err, said)
	}
	return strings.TrimSpace(string(said))
}
