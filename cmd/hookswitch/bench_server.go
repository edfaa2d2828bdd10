//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// The two tones of the bench's flow: one until a key is pressed, one after.
const (
	promptTone  = 440
	changedTone = 1600
)

// A benchServer is the hookswitch that is measured: a child process with
// nothing but loopback and a data folder of its own.
type benchServer struct {
	uri    string
	addr   netip.AddrPort
	pid    int
	stop   context.CancelFunc
	waited chan error // how the child ended
	said   *lastWords
}

// startServer starts program as a server whose calls run the document at
// flow, with further flags, and returns when it answers.
func startServer(ctx context.Context, program, flow, data string, flags ...string) (*benchServer, error) {
	addr, err := privateAddress()
	if err != nil {
		return nil, err
	}
	// How much the server could take is the question, so nothing else limits it.
	config := filepath.Join(data, "hookswitch.yaml")
	if err := os.WriteFile(config, []byte("limits: {max_calls: 100000, max_cps: 10000}\n"), 0o600); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	said := new(lastWords)
	flags = append([]string{"serve", flow, "--config", config, "--sip", addr.String(), "--http", "off", "--rtp", "10000-40000", "--data", data}, flags...)
	child := exec.CommandContext(running, program, flags...)
	child.Stdout, child.Stderr = said, said
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) } // SIGTERM would let calls finish
	child.WaitDelay = 10 * time.Second                                        // calls whose other side is gone take it five
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := child.Start(); err != nil {
		stop()
		return nil, err
	}
	s := &benchServer{uri: "sip:bench@" + addr.String(), addr: addr, pid: child.Process.Pid, stop: stop, waited: make(chan error, 1), said: said}
	go func() { s.waited <- child.Wait() }()
	if err := s.ready(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// ready waits until the server answers OPTIONS.
func (s *benchServer) ready(ctx context.Context) error {
	u, err := newUAC(s.uri)
	if err != nil {
		return err
	}
	defer u.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("no answer to OPTIONS"))
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- u.Ping(ctx) }()
	select {
	case err = <-answered:
	case err = <-s.waited:
		s.waited <- err
		cancel()
		<-answered
		err = fmt.Errorf("it ended: %w", err)
	}
	if err != nil {
		return fmt.Errorf("start hookswitch serve: %w\n%s", err, s.said)
	}
	return nil
}

// Stop ends the server, waits for it, and returns how it ended when that was
// not well.
func (s *benchServer) Stop() error {
	s.stop()
	err := <-s.waited
	s.waited <- err // whoever stops it again learns the same
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// privateAddress is an address of the loopback net that is this process's
// own, and where nobody listens.
func privateAddress() (netip.AddrPort, error) {
	pid := os.Getpid()
	for try := range 8 {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(16 + try), byte(pid / 254), byte(1 + pid%254)}), 5060)
		udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(a))
		if err != nil {
			continue
		}
		udp.Close()
		return a, nil
	}
	return netip.AddrPort{}, errors.New("no free address in 127.0.0.0/8 to serve on")
}

// benchWebhook answers the server's requests over loopback with the bench's flow
// until stop is called: at /voice a tone that a key stops, then another one; at
// /dial a call to the SIP URI callee; at /room conferences of so many members,
// one after another. The last two are recorded as record says. At /stream calls are
// connected to a socket that sends back every so many frames of what the caller
// says, and beside it there is a provider's voice that speaks at once.
func benchWebhook() (at string, stop func(), err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	xml := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, "<Response>%s</Response>", body)
	}
	document := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { xml(w, body) }
	}
	var entered atomic.Int64 // into conferences
	tone := func(hz float64) http.HandlerFunc {
		// Eight seconds: the length of the prompts that servers are compared by.
		file := wav.Encode(pcm.Tone(8000, 8*time.Second, 0.5, hz))
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "audio/wav")
			w.Header().Set("Cache-Control", "max-age=3600")
			w.Write(file)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/voice", document(`<Gather numDigits="1" timeout="60" action="/key"><Play loop="0">/prompt.wav</Play></Gather>`))
	mux.Handle("/key", document(`<Play loop="0">/changed.wav</Play>`))
	mux.HandleFunc("/dial", func(w http.ResponseWriter, r *http.Request) {
		xml(w, fmt.Sprintf(`<Dial answerOnBridge="true" record="%s"><Sip>%s</Sip></Dial>`, html.EscapeString(r.FormValue("record")), html.EscapeString(r.FormValue("callee"))))
	})
	mux.HandleFunc("/room", func(w http.ResponseWriter, r *http.Request) {
		members, err := strconv.Atoi(r.FormValue("members"))
		if err != nil || members < 1 {
			http.Error(w, "how many members?", http.StatusBadRequest)
			return
		}
		xml(w, fmt.Sprintf(`<Dial><Conference beep="false" record="%s">room-%d</Conference></Dial>`,
			html.EscapeString(r.FormValue("record")), (entered.Add(1)-1)/int64(members)))
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		xml(w, fmt.Sprintf(`<Connect><Stream url="ws://%s/echo?every=%s" bidirectionalMode="rtp"/></Connect>`, l.Addr(), url.QueryEscape(r.FormValue("every"))))
	})
	mux.HandleFunc("/echo", streamEcho)
	mux.Handle("POST /v1/audio/speech", instantVoice())
	mux.Handle("/prompt.wav", tone(promptTone))
	mux.Handle("/changed.wav", tone(changedTone))
	serving, cancel := context.WithCancel(context.Background())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return serving }}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(l) // until Close
	}()
	return "http://" + l.Addr().String(), func() { cancel(); server.Close(); <-ended }, nil
}

// cpuTime is the user and system time that the process has used so far, by
// ticks of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name before may hold anything
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("CPU time of process %d: its stat has %d fields", pid, len(f))
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

// residentKB is the process's resident memory in KB.
func residentKB(pid int) (float64, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			return strconv.ParseFloat(f[1], 64)
		}
	}
	return 0, fmt.Errorf("memory of process %d: its status has no VmRSS", pid)
}

// ownCPU is what this process, the callers, has used so far.
func ownCPU() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail with these arguments
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// lastWords keeps the end of what a child printed, to say why it failed.
type lastWords struct {
	mu  sync.Mutex
	end []byte
}

func (l *lastWords) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = append(l.end, b...)
	l.end = l.end[max(0, len(l.end)-1<<20):]
	return len(b), nil
}

func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.end[max(0, len(l.end)-2048):])
}
