package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// voiceServer is a server of voices on this machine: 100 ms of sound for each
// text, and a note of it.
func voiceServer(t *testing.T) (url string, texts func() []string) {
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Input, Voice string }
		if json.NewDecoder(r.Body).Decode(&body) == nil && body.Input != "" {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, body.Voice+": "+body.Input)
			w.Header().Set("Content-Type", "audio/pcm")
			w.Write([]byte(strings.Repeat("\x10\x20", 2400)))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1", func() []string {
		mu.Lock()
		defer mu.Unlock()
		got := slices.Clone(asked)
		slices.Sort(got)
		return got
	}
}

func TestPrecache(t *testing.T) {
	url, texts := voiceServer(t)
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"hookswitch.yaml": fmt.Sprintf("ai: {tts: {main: {provider: openai, baseUrl: %q, voice: nova}}}\n", url),
		"menu.xml": `<Response>
<Say>Welcome.</Say><Say>Welcome.</Say><Say>Hello, {{name}}.</Say>
<Gather action="more.xml"><Say voice="onyx">Press one<break time="1s"/>or two.</Say></Gather>
</Response>`,
		"more.xml": `<Response><Say>Thank you.</Say></Response>`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"nova: Thank you.", "nova: Welcome.", "onyx: Press one", "onyx: or two."}
	for range 2 { // the second time from the cache, by a program that starts anew
		var out, errOut strings.Builder
		if code := run([]string{"precache", "menu.xml"}, nil, &out, &errOut); code != 0 {
			t.Fatalf("exit %d: %s%s", code, out.String(), errOut.String())
		}
		if got := texts(); !slices.Equal(got, want) {
			t.Errorf("the server was asked for %q, want %q", got, want)
		}
		for _, line := range []string{"1/4  menu.xml:2:1  0.1 s at 8000 Hz", "4 texts, 0.4 s of sound; 1 text with templates left out"} {
			if !strings.Contains(out.String(), line) {
				t.Errorf("no %q in\n%s", line, out.String())
			}
		}
	}
	if files, _ := filepath.Glob("hookswitch-data/voices/*.wav"); len(files) != 4 {
		t.Errorf("%d files, want 4", len(files))
	}
	var out, errOut strings.Builder
	if code := run([]string{"precache", "gone.xml"}, nil, &out, &errOut); code != 1 || !strings.Contains(errOut.String(), "gone.xml") {
		t.Errorf("exit %d, %s for a file that is not there", code, errOut.String())
	}
	if code := run([]string{"precache"}, nil, &out, &errOut); code != 2 {
		t.Errorf("exit %d without a flow, want 2", code)
	}
}
