//go:build linux

package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/sdp"
)

// A testSRS is a session recording server of the tests: it takes one session on
// UDP and has an ear for each stream.
type testSRS struct {
	conn *net.UDPConn
	ears []*ear
	uri  string
}

func newTestSRS(t *testing.T) *testSRS {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &testSRS{conn: conn, ears: []*ear{newEar(t), newEar(t)}, uri: "sip:srs@" + conn.LocalAddr().String()}
}

// next is the next request of that method; repetitions of others are passed
// over.
func (s *testSRS) next(t *testing.T, method string) (m string, from netip.AddrPort) {
	t.Helper()
	s.conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	buf := make([]byte, 64<<10)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatalf("no %s came: %v", method, err)
		}
		if m := string(buf[:n]); strings.HasPrefix(m, method+" ") {
			return m, from
		}
	}
}

func (s *testSRS) send(t *testing.T, to netip.AddrPort, lines []string, body string) {
	t.Helper()
	text := strings.Join(lines, "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if _, err := s.conn.WriteToUDPAddrPort([]byte(text), to); err != nil {
		t.Fatal(err)
	}
}

// answer answers a request of the server.
func (s *testSRS) answer(t *testing.T, req string, to netip.AddrPort, status, body string) {
	t.Helper()
	lines := []string{"SIP/2.0 " + status}
	for _, name := range []string{"Via", "From", "Call-ID", "CSeq"} {
		lines = append(lines, name+": "+sipHeader(req, name))
	}
	tagged := sipHeader(req, "To")
	if !strings.Contains(tagged, ";tag=") {
		tagged += ";tag=srs"
	}
	lines = append(lines, "To: "+tagged, "Contact: <"+s.uri+">")
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	s.send(t, to, lines, body)
}

// description takes both streams, each at its ear.
func (s *testSRS) description() string {
	d := "v=0\r\no=srs 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
	for i, e := range s.ears {
		d += fmt.Sprintf("m=audio %d RTP/AVP 0\r\na=recvonly\r\na=label:%d\r\n", e.port(), i+1)
	}
	return d
}

// sipHeader is the first value of a header, "" for none.
func sipHeader(m, name string) string {
	head, _, _ := strings.Cut(m, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return v
		}
	}
	return ""
}

// recordingBodies are the two parts of the INVITE of a recording session.
func recordingBodies(t *testing.T, inv string) (description, metadata []byte) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(sipHeader(inv, "Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatalf("Content-Type: %q", sipHeader(inv, "Content-Type"))
	}
	_, body, _ := strings.Cut(inv, "\r\n\r\n")
	for parts := multipart.NewReader(strings.NewReader(body), params["boundary"]); ; {
		p, err := parts.NextPart()
		if err == io.EOF {
			return description, metadata
		}
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(p)
		switch p.Header.Get("Content-Type") {
		case "application/sdp":
			description = b
		case "application/rs-metadata+xml":
			metadata = b
		}
	}
}

const (
	callerTone = 400
	playedTone = 1000
)

// TestE2ESiprec has a call recorded by a session recording server: the caller's
// tone on label 1, ours on label 2.
func TestE2ESiprec(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls for ten seconds")
	}
	need(t, "sipp")
	program := buildProgram(t)
	const siprec = `<Start><Siprec name="all" connectorName="recorder" track="both_tracks" statusCallback="/siprec">` +
		`<Parameter name="Agent" value="7"/></Siprec></Start><Play loop="0">/tone/1000</Play>`
	for _, tt := range []struct {
		name string
		over func(t *testing.T, s *testSRS, inv string, from netip.AddrPort)
		told []string
	}{
		{"the caller hangs up", func(t *testing.T, s *testSRS, _ string, _ netip.AddrPort) {
			bye, from := s.next(t, "BYE")
			s.answer(t, bye, from, "200 OK", "")
		}, []string{"siprec-started", "siprec-stopped"}},
		{"the recorder hangs up", func(t *testing.T, s *testSRS, inv string, from netip.AddrPort) {
			s.send(t, from, []string{"BYE sip:hookswitch@" + from.String() + " SIP/2.0",
				"Via: SIP/2.0/UDP " + s.conn.LocalAddr().String() + ";branch=z9hG4bKbye", "Max-Forwards: 70", "CSeq: 1 BYE",
				"From: " + sipHeader(inv, "To") + ";tag=srs", "To: " + sipHeader(inv, "From"), "Call-ID: " + sipHeader(inv, "Call-ID")}, "")
			s.next(t, "SIP/2.0 200")
		}, []string{"siprec-started", "siprec-stopped"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srs := newTestSRS(t)
			d := newDesk(t, map[string]string{"menu": siprec})
			s := serveRecorded(t, program, d.URL+"/voice", srs.uri)
			sockets := udpSockets(t, s)
			caller := newEar(t)
			caller.sing(callerTone)
			called := make(chan struct{})
			go func() {
				defer close(called)
				sipp(t, s, "caller_hangs_up", "u1", caller.port(), "-m", "1", "-d", "5000")
			}()
			defer func() { <-called }()

			inv, from := srs.next(t, "INVITE")
			if got := sipHeader(inv, "Require") + ", " + sipHeader(inv, "X-Agent"); got != "siprec, 7" {
				t.Errorf("Require, X-Agent: %s", got)
			}
			description, metadata := recordingBodies(t, inv)
			offer, err := sdp.Parse(description)
			if err != nil || len(offer.Media) != 2 || offer.Media[0].Direction != "sendonly" {
				t.Fatalf("offer %s: %v", description, err)
			}
			if err := xml.Unmarshal(metadata, new(struct{})); err != nil || bytes.Count(metadata, []byte("<participant ")) != 2 {
				t.Errorf("metadata %s: %v", metadata, err)
			}
			srs.answer(t, inv, from, "200 OK", srs.description())
			srs.next(t, "ACK")
			if !srs.ears[0].hears(callerTone) {
				t.Error("the caller is not heard on label 1")
			}
			if !srs.ears[1].hears(playedTone) {
				t.Error("what is played is not heard on label 2")
			}
			tt.over(t, srs, inv, from)
			for _, want := range tt.told {
				f := d.wantTold(t, "siprec")
				if got := f.Get("SiprecEvent"); got != want || f.Get("SiprecName") != "all" || !strings.HasPrefix(f.Get("SiprecSid"), "SR") {
					t.Errorf("told %v, want %s", f, want)
				}
			}
			<-called
			settle(t, "UDP sockets", sockets, func() int { return udpSockets(t, s) })
		})
	}

	t.Run("the recorder refuses", func(t *testing.T) {
		srs := newTestSRS(t)
		d := newDesk(t, map[string]string{"menu": siprec})
		s := serveRecorded(t, program, d.URL+"/voice", srs.uri)
		sockets := udpSockets(t, s)
		caller := newEar(t)
		called := make(chan struct{})
		go func() {
			defer close(called)
			sipp(t, s, "caller_hangs_up", "u1", caller.port(), "-m", "1", "-d", "1500")
		}()
		defer func() { <-called }()
		inv, from := srs.next(t, "INVITE")
		srs.answer(t, inv, from, "488 Not Acceptable Here", "")
		f := d.wantTold(t, "siprec")
		if f.Get("SiprecEvent") != "siprec-failed" || f.Get("SiprecErrorCode") != "488" || !strings.Contains(f.Get("SiprecError"), "Not Acceptable Here") {
			t.Errorf("told %v", f)
		}
		if !caller.hears(playedTone) {
			t.Error("the call does not go on")
		}
		<-called
		settle(t, "UDP sockets", sockets, func() int { return udpSockets(t, s) })
	})
}

// serveRecorded is serveFor with a connector to a recorder.
func serveRecorded(t *testing.T, program, flow, uri string) *benchServer {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "recorded.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "connectors: {recorder: {kind: siprec, url: %q}}\n", uri), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := startServer(t.Context(), program, flow, dir, "--config", config)
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
