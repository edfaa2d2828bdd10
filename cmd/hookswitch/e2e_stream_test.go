//go:build linux

package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// TestE2EStream connects calls to an application that is written for Twilio
// Media Streams: on ws and twilio of npm, over TLS, with signatures checked.
func TestE2EStream(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls for half a minute")
	}
	program := buildProgram(t)
	app := newStreamApp(t)
	t.Run("a conversation", func(t *testing.T) { testStreamEcho(t, program, app) })
	t.Run("baresip, which hangs up", func(t *testing.T) { testStreamHangUp(t, program, app) })
	t.Run("both tracks beside a document", func(t *testing.T) { testStreamFork(t, program, app) })
}

// A streamApp is testdata/mediastream, and the server's configuration for it.
type streamApp struct {
	url    string
	config string // file
	events chan streamEvent
	early  []streamEvent // that came before the one that was waited for
}

// A streamEvent is a line that the application prints.
type streamEvent struct {
	Event string
	At    int64 // Unix ms

	// Of messages of the wire, as they came.
	Protocol, Version string
	Name              string // of a mark
	DTMF              struct{ Track, Digit string }
	Start             struct {
		StreamSID, AccountSID, CallSID string
		Tracks                         []string
		CustomParameters               map[string]string
		MediaFormat                    struct {
			Encoding             string
			SampleRate, Channels int
		}
	}
	Same              bool // the streamSid beside start is that in it
	Stop              struct{ AccountSID, CallSID string }
	Chunks            map[string]int // of each track, when it stopped
	Inbound, Outbound string         // sound of a fork

	StreamEvent, StreamSID, StreamName, CallSID string // of statusCallback
	Code                                        int    // of a close
	line                                        string
}

func (e streamEvent) time() time.Time { return time.UnixMilli(e.At) }

const (
	streamAccount = "AC0123456789abcdef0123456789abcdef"
	streamToken   = "a token that only these two know"
)

func newStreamApp(t *testing.T) *streamApp {
	t.Helper()
	const folder = "../../testdata/mediastream"
	need(t, "node")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "ws")); err != nil {
		if os.Getenv("HOOKSWITCH_E2E") == "1" {
			t.Fatal("ws is missing and HOOKSWITCH_E2E=1 wants it")
		}
		t.Skip("ws is not installed; run: cd testdata/mediastream && npm ci")
	}
	key, cert := certificate(t)
	t.Setenv("SSL_CERT_FILE", cert) // whom the program trusts
	cmd := exec.Command("node", "app.js", key, cert)
	cmd.Dir, cmd.Stderr, cmd.Env = folder, os.Stderr, append(os.Environ(), "AUTH_TOKEN="+streamToken)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := &streamApp{events: make(chan streamEvent, 256), config: filepath.Join(t.TempDir(), "stream.yaml")}
	lines := bufio.NewReaderSize(out, 1<<20)
	port, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal("the application told no port: ", err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(a.events)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			e := streamEvent{line: string(line[:min(len(line), 400)])}
			if json.Unmarshal(line, &e) != nil {
				e.Event = "wrong"
			}
			a.events <- e
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		for range a.events {
		}
		<-read
		cmd.Wait()
	})
	a.url = "https://127.0.0.1:" + strings.TrimSpace(port)
	config := fmt.Sprintf("accounts: [{sid: %s, auth_tokens: [%s], dialect: twilio}]\nmedia: {codecs: [g722, pcmu]}\n", streamAccount, streamToken)
	if err := os.WriteFile(a.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// certificate writes a key and a certificate of 127.0.0.1 that signs itself.
func certificate(t *testing.T) (keyFile, certFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"key.pem": {Type: "PRIVATE KEY", Bytes: secret}, "cert.pem": {Type: "CERTIFICATE", Bytes: cert}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
}

// want waits for an event of that name, with keys between its quotes, if any:
// `"StreamEvent":"stream-started"`.
func (a *streamApp) want(t *testing.T, name, with string) streamEvent {
	t.Helper()
	is := func(e streamEvent) bool { return e.Event == name && strings.Contains(e.line, with) }
	if i := slices.IndexFunc(a.early, is); i >= 0 {
		e := a.early[i]
		a.early = slices.Delete(a.early, i, i+1)
		return e
	}
	late := time.After(10 * time.Second)
	for {
		select {
		case e, ok := <-a.events:
			switch {
			case !ok:
				t.Fatalf("the application ended before %s %s", name, with)
			case e.Event == "wrong", e.Event == "refused":
				t.Errorf("the application says %s", e.line)
			case is(e):
				return e
			default:
				a.early = append(a.early, e)
			}
		case <-late:
			t.Fatalf("the application was told no %s %s, but %v", name, with, a.early)
		}
	}
}

// serve starts a server whose calls get a document of the application.
func (a *streamApp) serve(t *testing.T, program, document string) *benchServer {
	t.Helper()
	a.early = nil
	s, err := startServer(t.Context(), program, a.url+document, t.TempDir(), "--config", a.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil || t.Failed() {
			t.Logf("hookswitch serve: %v\n%s", err, s.said)
		}
	})
	return s
}

// began wants the first messages of a stream, and the callback for it.
func (a *streamApp) began(t *testing.T, tracks ...string) streamEvent {
	t.Helper()
	if e := a.want(t, "connected", ""); e.Protocol != "Call" || e.Version != "1.0.0" {
		t.Errorf("connected: protocol %q version %q, want Call and 1.0.0", e.Protocol, e.Version)
	}
	e := a.want(t, "start", "")
	s, f := e.Start, e.Start.MediaFormat
	if !e.Same || !strings.HasPrefix(s.StreamSID, "MZ") || !strings.HasPrefix(s.CallSID, "CA") || s.AccountSID != streamAccount || !slices.Equal(s.Tracks, tracks) {
		t.Errorf("start says %s", e.line)
	}
	if f.Encoding != "audio/x-mulaw" || f.SampleRate != 8000 || f.Channels != 1 {
		t.Errorf("media format %+v, want audio/x-mulaw at 8000 in one channel", f)
	}
	if told := a.want(t, "status", "stream-started"); told.StreamSID != s.StreamSID || told.CallSID != s.CallSID {
		t.Errorf("the callback names stream %s of call %s, want %s of %s", told.StreamSID, told.CallSID, s.StreamSID, s.CallSID)
	}
	return e
}

func testStreamEcho(t *testing.T, program string, app *streamApp) {
	s := app.serve(t, program, "/echo")
	p := s.call(t, "voice", 0)
	start := app.began(t, "inbound")
	if got, want := start.Start.CustomParameters["greeting"], `Grüße & "more"`; got != want {
		t.Errorf("the parameter came as %q, want %q", got, want)
	}

	p.sing(1000)
	if !p.hears(1000) {
		t.Fatal("the caller does not hear the own tone come back")
	}
	p.sing(0)

	p.press('1')
	if key := app.want(t, "dtmf", "").DTMF; key.Digit != "1" || key.Track != "inbound_track" {
		t.Errorf("the key came as %+v", key)
	}
	sent := app.want(t, "sent", "two seconds")
	mark := app.want(t, "mark", "two seconds")
	if took := mark.time().Sub(sent.time()); took < 1950*time.Millisecond || took > 3500*time.Millisecond {
		t.Errorf("the mark behind two seconds of sound came after %s", took)
	}
	if got := p.heardOf(600); got < 1.9 || got > 2.1 {
		t.Errorf("%.2f s of two seconds were heard when the mark came", got)
	}

	p.press('2')
	app.want(t, "sent", "twenty seconds")
	if !p.hears(1300) {
		t.Fatal("the caller does not hear the long tone")
	}
	p.press('3')
	cleared := app.want(t, "cleared", "")
	app.want(t, "mark", "twenty seconds")
	p.wantSilence(t)
	if took := time.Since(cleared.time()); took > 300*time.Millisecond {
		t.Errorf("silence %s after clear", took)
	} else {
		t.Logf("silence %s after clear, with 20 ms of it heard", took.Round(time.Millisecond))
	}

	p.press('4')
	app.want(t, "dtmf", `"4"`)
	p.sing(800)
	if !p.hears(800) {
		t.Error("after clear nothing is played any more")
	}
	p.sing(0)

	p.press('9')
	app.want(t, "closed", "")
	if !p.hears(1600) {
		t.Error("the verb after <Connect> does not run once the application has closed the socket")
	}
	if told := app.want(t, "status", "stream-stopped"); told.StreamSID != start.Start.StreamSID {
		t.Errorf("stream %s has stopped, want %s", told.StreamSID, start.Start.StreamSID)
	}
	p.hangUp(t)
}

func testStreamHangUp(t *testing.T, program string, app *streamApp) {
	need(t, "baresip")
	s := app.serve(t, program, "/echo")
	b := newBaresipIn(t, "G722", 16000, 1000) // what comes and goes on the stream is μ-law
	b.command("dial", s.uri)
	b.wantEvent("CALL_ESTABLISHED")
	start := app.began(t, "inbound")
	b.command("sndcode", "7")
	if key := app.want(t, "dtmf", "").DTMF; key.Digit != "7" {
		t.Errorf("the key came as %+v", key)
	}
	<-time.After(3 * time.Second)
	b.command("hangup", "")
	b.wantEvent("CALL_CLOSED")
	stop := app.want(t, "stop", "")
	if stop.Stop.CallSID != start.Start.CallSID || stop.Stop.AccountSID != streamAccount {
		t.Errorf("stop says %+v", stop.Stop)
	}
	closed := app.want(t, "closed", "")
	if closed.Code != 1000 {
		t.Errorf("the socket was closed with %d, want 1000", closed.Code)
	}
	if n := stop.Chunks["inbound"]; n < 100 || stop.Chunks["outbound"] != 0 {
		t.Errorf("the tracks had %v messages, want over 100 inbound in three seconds, and no others", stop.Chunks)
	}
	app.want(t, "status", "stream-stopped")
	if got := heardSeconds(b.quit(), 1000); got < 1 { // what a busy machine holds up comes later
		t.Errorf("baresip heard %.2f s of its tone in three seconds", got)
	}
}

func testStreamFork(t *testing.T, program string, app *streamApp) {
	s := app.serve(t, program, "/fork")
	p := s.call(t, "voice", 400)
	start := app.began(t, "inbound", "outbound")
	if !p.hears(600) {
		t.Error("the document's own sound is not heard")
	}
	stop := app.want(t, "stop", "")
	told := app.want(t, "status", "stream-stopped")
	if told.StreamSID != start.Start.StreamSID || told.StreamName != "ears" {
		t.Errorf("the callback names stream %s, %q, want %s, ears", told.StreamSID, told.StreamName, start.Start.StreamSID)
	}
	for _, track := range []struct {
		name, sound string
		is, other   float64
		least       float64 // seconds
	}{
		{"inbound", stop.Inbound, 400, 600, 1.5}, // our own telephone leaves out what it had no time for
		{"outbound", stop.Outbound, 600, 400, 2.7},
	} {
		payload, err := base64.StdEncoding.DecodeString(track.sound)
		if err != nil {
			t.Fatal(err)
		}
		c := pcm.Clip{Rate: 8000, Samples: make([]int16, len(payload))}
		g711.DecodeULaw(c.Samples, payload)
		if is, other := heardSeconds(c, track.is), heardSeconds(c, track.other); is < track.least || is > 3.3 || other > 0.1 {
			t.Errorf("%s: %.2f s of %.0f Hz and %.2f s of %.0f Hz in %d messages, want 3 s and nothing", track.name, is, track.is, other, track.other, stop.Chunks[track.name])
		}
	}
	p.hangUp(t)
}

// heardOf is how much of a tone was heard so far, in seconds.
func (e *ear) heardOf(hz float64) float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return heardSeconds(pcm.Clip{Rate: 8000, Samples: slices.Clone(e.heard)}, hz)
}

// wantSilence waits until the last 20 ms were silent, at most ten seconds.
func (e *ear) wantSilence(t *testing.T) {
	t.Helper()
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for began := time.Now(); time.Since(began) < 10*time.Second; <-ticks.C {
		if last := e.last(1); last != nil && pcm.Level(last) < -50 {
			return
		}
	}
	t.Error("it does not become silent")
}
