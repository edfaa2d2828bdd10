//go:build linux

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestE2ETheLastCallbacksAreToldAtExit ends the built program while three calls
// are up: the completed of each is told, once, before it is gone.
func TestE2ETheLastCallbacksAreToldAtExit(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls for some seconds")
	}
	program := buildProgram(t)
	const calls = 3
	for _, tt := range []struct {
		name   string
		signal syscall.Signal
		pause  int // seconds a call is long
	}{
		{"SIGTERM: the calls end by themselves", syscall.SIGTERM, 2},
		{"Ctrl-C: the calls are hung up", syscall.SIGINT, 60},
	} {
		t.Run(tt.name, func(t *testing.T) {
			up := make(chan struct{}, calls)
			told := make(chan string, 10*calls) // SIDs of completed calls
			all := make(chan struct{})          // closed when each was told
			var completed atomic.Int32
			mux := http.NewServeMux()
			mux.HandleFunc("/voice", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/xml")
				fmt.Fprintf(w, `<Response><Pause length="%d"/></Response>`, tt.pause)
			})
			mux.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("CallStatus") != "completed" {
					up <- struct{}{}
					return
				}
				told <- r.FormValue("CallSid")
				if completed.Add(1) == calls {
					close(all)
				}
				select { // a server that is not quick: none is taken before all have come
				case <-all:
				case <-r.Context().Done():
				}
			})
			web := httptest.NewServer(mux)
			t.Cleanup(web.Close)
			config := filepath.Join(t.TempDir(), "routes.yaml")
			routes := fmt.Sprintf("webhooks: {allow_hosts: [\"127.0.0.1\"]}\nroutes: [{to: \"*\", voice_url: \"%s/voice\", status_callback: \"%s/status\", status_callback_events: [answered, completed]}]\n", web.URL, web.URL)
			if err := os.WriteFile(config, []byte(routes), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := startServer(t.Context(), program, "", t.TempDir(), "--config", config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Stop() })
			for range calls {
				s.call(t, "anybody", 0)
			}
			for range calls {
				select {
				case <-up:
				case <-time.After(10 * time.Second):
					t.Fatalf("the calls are not up\n%s", s.said)
				}
			}
			began := time.Now()
			if err := syscall.Kill(s.pid, tt.signal); err != nil {
				t.Fatal(err)
			}
			err = <-s.waited
			s.waited <- err
			if err != nil {
				t.Errorf("hookswitch serve: %v\n%s", err, s.said)
			}
			t.Logf("it was gone %v after the signal", time.Since(began).Round(time.Millisecond))
			close(told)
			sids := map[string]int{}
			for sid := range told {
				sids[sid]++
			}
			if len(sids) != calls {
				t.Errorf("completed was told of %d calls, want %d\n%s", len(sids), calls, s.said)
			}
			for sid, n := range sids {
				if n != 1 {
					t.Errorf("completed of %s was told %d times", sid, n)
				}
			}
		})
	}
}
