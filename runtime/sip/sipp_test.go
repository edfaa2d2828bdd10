package sip

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSIPP lets a caller that is not ours place real calls over loopback.
func TestSIPP(t *testing.T) {
	program, err := exec.LookPath("sipp")
	if err != nil {
		t.Skip("sipp is not installed (Debian: sip-tester)")
	}
	for _, c := range []struct {
		name  string
		args  string
		calls int
	}{
		{"plain over UDP", "-sn uac -d 50 -r 100", 200},
		{"plain over one TCP line", "-sn uac -d 50 -r 100 -t t1", 200},
		{"hold, resume and a key over UDP", "-sf ../../testdata/sip/hold.xml -r 50", 50},
		{"hold, resume and a key over TCP", "-sf ../../testdata/sip/hold.xml -r 50 -t t1", 50},
		{"sends us elsewhere over UDP", "-sf ../../testdata/sip/transfers.xml -r 50", 50},
		{"sends us elsewhere over TCP", "-sf ../../testdata/sip/transfers.xml -r 50 -t t1", 50},
		{"is sent elsewhere over UDP", "-sf ../../testdata/sip/transferred.xml -r 50", 50},
		{"is sent elsewhere over TCP", "-sf ../../testdata/sip/transferred.xml -r 50 -t t1", 50},
		{"gives up over UDP", "-sf ../../testdata/sip/cancel.xml -r 50", 50},
		{"gives up over TCP", "-sf ../../testdata/sip/cancel.xml -r 50 -t t1", 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := listenTest(t, func(cfg *Config) {
				cfg.Answer = func(ctx context.Context, l *Leg) {
					l.Ring(ctx)
					l.OnRefer(func(_ string, notify func(int)) bool {
						notify(180)
						notify(200)
						return true
					})
					if l.Invite().RequestURI.User == "ring" || l.Answer(ctx) != nil {
						<-l.Done()
						return
					}
					if l.Invite().RequestURI.User == "transferred" {
						told, last := 0, 0
						status, statuses, err := l.Refer(ctx, "sip:bob@example.com?Replaces=1@h;to-tag=a", nil)
						for last = range statuses {
							told++
						}
						if status != 202 || told != 2 || last != 200 || err != nil {
							t.Errorf("transfer: %d, told %d times, at last %d, %v", status, told, last, err)
						}
					}
					<-l.Done()
				}
			})
			addr := strings.TrimPrefix(s.Addrs()[0], "udp://")
			if strings.Contains(c.args, "t1") {
				addr = strings.TrimPrefix(s.Addrs()[1], "tcp://")
			}
			dir := t.TempDir()
			args := append(strings.Fields(c.args), addr, "-i", "127.0.0.1", "-p", freePort(t), "-m", strconv.Itoa(c.calls),
				"-nostdin", "-timeout", "60s", "-timeout_error", "-trace_err", "-error_file", filepath.Join(dir, "errors"),
				"-trace_rtt", "-rtt_freq", "1")
			if i := slices.Index(args, "-sf"); i >= 0 {
				abs, err := filepath.Abs(args[i+1])
				if err != nil {
					t.Fatal(err)
				}
				args[i+1] = abs
			}
			cmd := exec.Command(program, args...)
			cmd.Dir = dir
			start := time.Now()
			out, err := cmd.CombinedOutput()
			took := time.Since(start)
			if err != nil {
				errs, _ := os.ReadFile(filepath.Join(dir, "errors"))
				t.Fatalf("%v\n%s\n%s", err, last(string(out), 3000), last(string(errs), 2000))
			}
			t.Logf("%d calls in %v; INVITE to 200: %s", c.calls, took.Round(time.Millisecond), latencies(dir))
			for deadline := time.Now().Add(5 * time.Second); s.Calls() > 0; runtime.Gosched() {
				if time.Now().After(deadline) {
					t.Fatalf("%d calls are left", s.Calls())
				}
			}
		})
	}
}

// freePort is a free UDP port; sipp would take 5060.
func freePort(t *testing.T) string {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	return port
}

func last(s string, n int) string { return s[max(0, len(s)-n):] }

// latencies reads what sipp measured, where its scenario measures.
func latencies(dir string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "*_rtt.csv"))
	if len(files) == 0 {
		return "not measured"
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		return err.Error()
	}
	var ms []float64
	for l := range strings.Lines(string(b)) {
		if cells := strings.Split(l, ";"); len(cells) > 1 {
			if v, err := strconv.ParseFloat(cells[1], 64); err == nil {
				ms = append(ms, v)
			}
		}
	}
	if len(ms) == 0 {
		return "not measured"
	}
	slices.Sort(ms)
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms, worst %.2f ms", ms[len(ms)/2], ms[len(ms)*99/100], ms[len(ms)-1])
}
