package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media"
)

// TestDialSIPP places real calls over loopback to a phone that is not ours, and
// looks at what is left of them.
func TestDialSIPP(t *testing.T) {
	program, err := exec.LookPath("sipp")
	if err != nil {
		t.Skip("sipp is not installed (Debian: sip-tester)")
	}
	for _, c := range []struct {
		name, transport string
		calls           int
	}{
		{"UDP", "u1", 1000},
		{"TCP", "t1", 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := listenTest(t, func(cfg *Config) {
				// A port rests for 2 s after its call; these calls do not.
				var err error
				if cfg.Ports, err = media.NewPorts(netip.MustParseAddr("127.0.0.1"), 20000, 27999); err != nil {
					t.Fatal(err)
				}
			})
			port := freePort(t)
			cmd := exec.Command(program, "-sn", "uas", "-i", "127.0.0.1", "-p", port, "-t", c.transport, "-m", strconv.Itoa(c.calls), "-nostdin",
				"-timeout", "60s", "-timeout_error", "-trace_err", "-error_file", "errors")
			cmd.Dir = t.TempDir()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			uri := "sip:bob@127.0.0.1:" + port
			if c.transport == "t1" {
				uri += ";transport=tcp"
				awaitLine(t, "127.0.0.1:"+port)
			}
			var mu sync.Mutex
			var took []time.Duration
			var calling sync.WaitGroup
			room := make(chan struct{}, 20) // more at once, and UDP packets get lost on a busy machine
			cpu, start := cpuTime(), time.Now()
			for range c.calls {
				room <- struct{}{}
				calling.Go(func() {
					defer func() { <-room }()
					start := time.Now()
					l, err := s.Dial(Destination{URI: uri})
					if err != nil {
						t.Error(err)
						return
					}
					status := 0
					for status = range l.Progress() {
					}
					mu.Lock()
					took = append(took, time.Since(start))
					mu.Unlock()
					if status != 200 {
						t.Errorf("%d, %v", status, l.Err())
					}
					if err := l.Hangup(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
			calling.Wait()
			all := time.Since(start)
			slices.Sort(took)
			t.Logf("%d calls in %v, %.2f ms of CPU each; Dial to 200: p50 %v, p99 %v", c.calls, all.Round(time.Millisecond),
				float64(cpuTime()-cpu)/float64(time.Millisecond)/float64(c.calls), took[len(took)/2], took[len(took)*99/100])
			if err := cmd.Wait(); err != nil {
				errs, _ := os.ReadFile(filepath.Join(cmd.Dir, "errors"))
				t.Errorf("sipp: %v\n%s", err, last(string(errs), 2000))
			}
			for deadline := time.Now().Add(5 * time.Second); s.Calls() > 0; runtime.Gosched() {
				if time.Now().After(deadline) {
					t.Fatalf("%d calls are left", s.Calls())
				}
			}
			if n := s.cfg.Pacer.Stats().Streams; n > 2 { // those of the last tick
				t.Logf("%d streams are still paced", n)
			}
			s.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			if left := fmt.Sprint(len(s.dialogs), len(s.legs), len(s.requests), len(s.attempts), len(s.lines)); left != "0 0 0 0 0" {
				t.Errorf("left behind: dialogs, legs, requests, INVITEs, lines: %s", left)
			}
		})
	}
}

// awaitLine returns when addr takes TCP lines.
func awaitLine(t *testing.T, addr string) {
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) || !strings.Contains(err.Error(), "refused") {
			t.Fatal(err)
		}
	}
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
