//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/wav"
)

// TestE2ERecordingURL leaves a message with the built program and fetches it
// from where the webhook was told that it is, then hears it in a call.
func TestE2ERecordingURL(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls for some seconds")
	}
	program := buildProgram(t)
	for _, dialect := range []string{"telnyx", "twilio"} {
		t.Run(dialect, func(t *testing.T) {
			d := newDesk(t, map[string]string{"message": `<Record action="/left" maxLength="2" playBeep="false" format="wav"/>`})
			data := t.TempDir()
			s, err := startServer(t.Context(), program, d.URL+"/message", data, "--http", "127.0.0.1:0", "--dialect", dialect)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Stop(); err != nil {
					t.Errorf("hookswitch serve: %v\n%s", err, s.said)
				}
			})
			account, err := readAccount(data + "/account.json")
			if err != nil {
				t.Fatal(err)
			}

			e := newEar(t)
			e.sing(800)
			calling(t, s, e)
			told := d.wantTold(t, "left").Get("RecordingUrl")
			plain, query, signed := strings.Cut(told, "?")
			if signed != (dialect == "telnyx") || !strings.Contains(plain, "/2010-04-01/Accounts/"+account.SID+"/Recordings/RE") {
				t.Fatalf("the recording is told to be at %s", told)
			}

			for _, tt := range []struct {
				name, url, token string
				want             int
			}{
				{"as it was told", told, "", map[bool]int{true: 200, false: 401}[signed]},
				{"with the token", plain, account.AuthTokens[0], 200},
				{"with its extension", plain + ".wav", account.AuthTokens[0], 200},
				{"with a wrong token", plain, "wrong", 401},
				{"with neither", plain, "", 401},
				{"of another account", strings.Replace(plain, account.SID, "AC"+strings.Repeat("0", 32), 1), account.AuthTokens[0], 404},
				{"with the beginning of the query", plain + "?" + query[:len(query)/2], "", 401},
			} {
				status, body := get(t, tt.url, account.SID, tt.token)
				if status != tt.want {
					t.Errorf("%s: status %d, want %d", tt.name, status, tt.want)
				}
				if status != 200 {
					continue
				}
				clip, err := wav.Decode(body)
				if err != nil {
					t.Fatalf("%s: %v", tt.name, err)
				}
				if heard := heardSeconds(clip, 800); heard < 1.5 || heard > 2.5 {
					t.Errorf("%s: %.2f s of the caller's tone, want about 2", tt.name, heard)
				}
			}

			d.set("message", `<Play>`+strings.ReplaceAll(told, "&", "&amp;")+`</Play>`)
			listener := newEar(t)
			calling(t, s, listener)
			if !listener.hears(800) {
				t.Error("a document that plays the recording is silent")
			}
		})
	}
}

// TestATakenHTTPPortIsToldWithItsRemedy: so is one that is no port.
func TestATakenHTTPPortIsToldWithItsRemedy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct {
		name, http string
		exit       int
		says       string
	}{
		{"taken", l.Addr().String(), 1, "address already in use; is another program on that port? --http 127.0.0.1:8081 takes another one, --http off none\n"},
		{"no port", "8080", 2, "--http 8080 is no address; write host:port, as in 127.0.0.1:8080, or off\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			exit := serve([]string{"--http", tt.http, "--sip", "127.0.0.1:0", "--data", t.TempDir()}, &out, &errOut)
			if exit != tt.exit || !strings.HasSuffix(errOut.String(), tt.says) {
				t.Errorf("exit status %d and %q, want %d and %q", exit, errOut.String(), tt.exit, tt.says)
			}
		})
	}
}

// calling places a call with the ear's sound, for as long as the test is long.
func calling(t *testing.T, s *benchServer, e *ear) {
	t.Helper()
	u, err := newUAC(s.uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	rtp := e.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	c, err := u.Call(t.Context(), unmapped(rtp))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
		defer cancel()
		c.Hangup(ctx) // it may be over
	})
}

func get(t *testing.T, url, user, password string) (status int, body []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		r.SetBasicAuth(user, password)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, body
}
