//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// TestE2E calls the built program over loopback with the phones of others:
// sipp and baresip.
func TestE2E(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls for a minute")
	}
	program := buildProgram(t)
	t.Run("sipp", func(t *testing.T) { testSipp(t, program) })
	t.Run("baresip", func(t *testing.T) { testBaresip(t, program) })
	t.Run("nothing is left behind", func(t *testing.T) { testLeftovers(t, program) })
}

// need skips the test without the phone, or fails it where it must be there.
func need(t *testing.T, phone string) {
	t.Helper()
	if _, err := exec.LookPath(phone); err == nil {
		return
	}
	if os.Getenv("HOOKSWITCH_E2E") == "1" {
		t.Fatalf("%s is missing and HOOKSWITCH_E2E=1 wants it", phone)
	}
	t.Skipf("%s is not installed; make test installs it", phone)
}

func serveFor(t *testing.T, program, flow string) *benchServer {
	t.Helper()
	s, err := startServer(t.Context(), program, flow, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("hookswitch serve: %v\n%s", err, s.said)
		}
		if t.Failed() {
			t.Logf("hookswitch serve said\n%s", s.said)
		}
	})
	return s
}

// The tones of the flow: before a key, and after it.
const (
	menuTone = 1000
	doneTone = 600
)

// A menu is a webhook: it greets, plays a tone until a key comes, then another
// tone, and hangs up.
type menu struct {
	*httptest.Server
	keys  chan string   // the Digits of each POST
	tones chan struct{} // one for each time the menu's tone is fetched
}

func newMenu(t *testing.T) *menu {
	t.Helper()
	m := &menu{keys: make(chan string, 16), tones: make(chan struct{}, 16)}
	tone := func(hz float64, d time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Write(wav.Encode(pcm.Tone(8000, d, 0.5, hz))) }
	}
	document := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, "<Response>%s</Response>", body)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/voice", func(w http.ResponseWriter, _ *http.Request) {
		document(w, `<Say>Good morning.</Say><Gather numDigits="1" timeout="20" action="/key"><Play loop="0">/menu.wav</Play></Gather>`)
	})
	mux.HandleFunc("/key", func(w http.ResponseWriter, r *http.Request) {
		m.keys <- r.FormValue("Digits")
		document(w, `<Play>/done.wav</Play><Hangup/>`)
	})
	mux.HandleFunc("/menu.wav", func(w http.ResponseWriter, r *http.Request) {
		select {
		case m.tones <- struct{}{}:
		default: // nobody waits for so many
		}
		tone(menuTone, 2*time.Second)(w, r)
	})
	mux.Handle("/done.wav", tone(doneTone, time.Second))
	m.Server = httptest.NewServer(mux)
	t.Cleanup(m.Close)
	return m
}

func (m *menu) wantKey(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-m.keys:
		if got != want {
			t.Errorf("the webhook got Digits=%q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("no key reached the webhook, want %q", want)
	}
}

// sipp runs one of our scenarios against the server, and returns when all its
// calls are over.
func sipp(t *testing.T, s *benchServer, scenario, transport string, sound uint16, args ...string) {
	t.Helper()
	dir, errors := t.TempDir(), "errors.log"
	file, err := filepath.Abs(filepath.Join("..", "..", "testdata", "sip", "e2e", scenario+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{
		"-sf", file, "-i", "127.0.0.1", "-t", transport, "-key", "sound", strconv.Itoa(int(sound)),
		"-nostdin", "-timeout", "90s", "-timeout_error", "-trace_err", "-error_file", errors, s.addr.String(),
	}, args...)
	cmd := exec.CommandContext(t.Context(), "sipp", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=dumb")
	if said, err := cmd.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, errors))
		t.Errorf("sipp %s: %v\n%s\n%s", scenario, err, tail(said), tail(log))
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-3000):] }

func testSipp(t *testing.T, program string) {
	need(t, "sipp")
	m := newMenu(t)
	s := serveFor(t, program, m.URL+"/voice")
	for _, tt := range []struct {
		name, transport, scenario string
		press                     byte   // in RTP, once the tone is heard
		key                       string // what reaches the webhook; "": nothing
	}{
		{"UDP, a key in RTP, the server hangs up", "u1", "server_hangs_up", '5', "5"},
		{"TCP, a key in RTP, the server hangs up", "t1", "server_hangs_up", '*', "*"},
		{"UDP, a key in INFO, dtmf-relay", "u1", "info_relay", 0, "6"},
		{"TCP, a key in INFO, dtmf", "t1", "info_dtmf", 0, "6"},
		{"UDP, the caller hangs up", "u1", "caller_hangs_up", 0, ""},
		{"TCP, the caller hangs up", "t1", "caller_hangs_up", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sockets := udpSockets(t, s)
			e := newEar(t)
			over := make(chan struct{})
			go func() {
				defer close(over)
				sipp(t, s, tt.scenario, tt.transport, e.port(), "-m", "1", "-d", "2500")
			}()
			defer func() { <-over }()
			if !e.hears(menuTone) {
				t.Errorf("the menu's tone is not heard")
			}
			if tt.press != 0 {
				e.press(tt.press)
			}
			if tt.key != "" {
				m.wantKey(t, tt.key)
				if !e.hears(doneTone) {
					t.Errorf("the tone after the key is not heard")
				}
			}
			<-over
			settle(t, "UDP sockets", sockets, func() int { return udpSockets(t, s) })
			if len(m.keys) > 0 {
				t.Errorf("the webhook got one more key: Digits=%q", <-m.keys)
			}
		})
	}
}

// testLeftovers compares a server after two hundred calls with itself before
// them and with one after ten.
func testLeftovers(t *testing.T, program string) {
	need(t, "sipp")
	m := newMenu(t)
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	sound := uint16(sink.LocalAddr().(*net.UDPAddr).Port)
	goroutines := map[int]int{} // by calls
	for _, calls := range []int{10, 200} {
		s, err := startServer(t.Context(), program, m.URL+"/voice", t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		sipp(t, s, "caller_hangs_up", "u1", sound, "-m", "5", "-l", "1", "-r", "100", "-d", "40")
		settle(t, "UDP sockets after the first calls", 1, func() int { return udpSockets(t, s) })
		files, memory := openFiles(t, s), resident(t, s)
		sipp(t, s, "caller_hangs_up", "u1", sound, "-m", strconv.Itoa(calls-5), "-l", "1", "-r", "100", "-d", "40")
		settle(t, fmt.Sprintf("UDP sockets after %d calls", calls), 1, func() int { return udpSockets(t, s) })
		settle(t, fmt.Sprintf("open files after %d calls", calls), files, func() int { return openFiles(t, s) })
		if grown := resident(t, s) - memory; grown > 16<<10 {
			t.Errorf("memory grew by %.0f KB in %d calls", grown, calls)
		} else {
			t.Logf("%d calls: memory grew by %.0f KB, %d open files", calls, grown, files)
		}
		goroutines[calls] = countGoroutines(t, s)
	}
	if goroutines[200] > goroutines[10]+2 {
		t.Errorf("goroutines: %d after 10 calls, %d after 200", goroutines[10], goroutines[200])
	}
	t.Logf("goroutines: %d after 10 calls, %d after 200", goroutines[10], goroutines[200])
}

// settle waits until a count of the server's is what it was.
func settle(t *testing.T, what string, want int, count func() int) {
	t.Helper()
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	got := count()
	for began := time.Now(); got > want && time.Since(began) < 10*time.Second; got = count() {
		<-ticks.C
	}
	if got > want {
		t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// udpSockets counts the sockets bound to the server's own address.
func udpSockets(t *testing.T, s *benchServer) int {
	t.Helper()
	b, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	a := s.addr.Addr().As4()
	return bytes.Count(b, fmt.Appendf(nil, ": %02X%02X%02X%02X:", a[3], a[2], a[1], a[0])) // bytes of a little-endian word
}

func openFiles(t *testing.T, s *benchServer) int {
	t.Helper()
	f, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(f)
}

func resident(t *testing.T, s *benchServer) float64 {
	t.Helper()
	kb, err := residentKB(s.pid)
	if err != nil {
		t.Fatal(err)
	}
	return kb
}

// countGoroutines ends the server with SIGQUIT, which makes every Go program
// print all its goroutines.
func countGoroutines(t *testing.T, s *benchServer) int {
	t.Helper()
	if err := syscall.Kill(s.pid, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := s.Stop(); !errors.As(err, &exit) {
		t.Fatalf("after SIGQUIT: %v", err)
	}
	s.said.mu.Lock()
	defer s.said.mu.Unlock()
	n := bytes.Count(s.said.end, []byte("\ngoroutine "))
	if n == 0 {
		t.Fatalf("no goroutines in\n%s", tail(s.said.end))
	}
	return n
}

// hasVoice tells whether <Say> can be heard here.
func hasVoice() bool {
	for _, engine := range []string{"flite", "espeak-ng"} {
		if _, err := exec.LookPath(engine); err == nil {
			return true
		}
	}
	return false
}

func testBaresip(t *testing.T, program string) {
	need(t, "baresip")
	m := newMenu(t)
	s := serveFor(t, program, m.URL+"/voice")
	sockets := udpSockets(t, s)

	t.Run("a key, and the server hangs up", func(t *testing.T) {
		b := newBaresip(t, 0)
		b.command("dial", s.uri)
		b.wantEvent("CALL_ESTABLISHED")
		select {
		case <-m.tones:
		case <-time.After(10 * time.Second):
			t.Fatal("the menu's tone was not fetched")
		}
		<-time.After(3 * time.Second) // the greeting, if it was fetched ahead of it, and some of the tone
		b.command("sndcode", "7")
		m.wantKey(t, "7")
		b.wantEvent("CALL_CLOSED")
		heard := b.quit()
		if len(heard.Samples) == 0 {
			t.Fatal("baresip recorded nothing")
		}
		menu, done := heardSeconds(heard, menuTone), heardSeconds(heard, doneTone)
		if menu < 0.5 || done < 0.7 || done > 1.2 {
			t.Errorf("heard %.2f s of the menu's tone and %.2f s of the other, want over 0.5 and about 1", menu, done)
		}
		if voice := heardSeconds(heard, 0) - menu - done; hasVoice() && voice < 0.3 {
			t.Errorf("heard %.2f s of the greeting, want more than 0.3", voice)
		}
		settle(t, "UDP sockets", sockets, func() int { return udpSockets(t, s) })
	})
	t.Run("the caller hangs up", func(t *testing.T) {
		b := newBaresip(t, 0)
		b.command("dial", s.uri)
		b.wantEvent("CALL_ESTABLISHED")
		<-time.After(time.Second)
		b.command("hangup", "")
		b.wantEvent("CALL_CLOSED")
		if heard := heardSeconds(b.quit(), 0); heard < 0.1 {
			t.Errorf("heard %.2f s in a second of call", heard)
		}
		settle(t, "UDP sockets", sockets, func() int { return udpSockets(t, s) })
	})
}

// heardSeconds is how much of a recording is a tone, or with hz 0 how much is not
// silence.
func heardSeconds(c pcm.Clip, hz float64) float64 {
	n := 0
	frame := pcm.FrameLen(c.Rate)
	for s := c.Samples; len(s) >= frame; s = s[frame:] {
		if pcm.Level(s[:frame]) > -40 && (hz == 0 || pcm.Share(s[:frame], c.Rate, hz) > 0.7) {
			n++
		}
	}
	return float64(n) * pcm.FrameTime.Seconds()
}
