package deepgram

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wiretest"
	"github.com/hookswitch/hookswitch/media/pcm"
)

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ear   *wiretest.Ear
		kind  ai.Kind
		msg   string // a part of it
		after time.Duration
	}{
		{"a wrong key", &wiretest.Ear{Status: 401, Refusal: `{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."}`}, ai.Auth, "answered 401 (INVALID_AUTH); set ai.asr.deepgram.apiKey", 0},
		{"a key without the right", &wiretest.Ear{Status: 403}, ai.Auth, "apiKey", 0},
		{"nothing left to spend", &wiretest.Ear{Status: 402, Refusal: `{"err_code":"ASR_PAYMENT_REQUIRED"}`}, ai.RateLimit, "ASR_PAYMENT_REQUIRED", 0},
		{"too many at once", &wiretest.Ear{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, ai.RateLimit, "429", 7 * time.Second},
		{"no such model", &wiretest.Ear{Status: 400, Refusal: `{"err_code":"Bad Request","err_msg":"No such model/language/tier combination found."}`}, ai.Unsupported, "answered 400; check the model", 0},
		{"a fault of its own", &wiretest.Ear{Status: 503}, ai.Unavailable, "503", 0},
		{"no WebSocket", &wiretest.Ear{Status: 200, Refusal: "<html>"}, ai.Protocol, "200", 0},
		{"no sound for 10 s", &wiretest.Ear{Lines: []wiretest.Line{{Close: 1011, Reason: "NET-0001: Deepgram did not receive audio data or a text message within the timeout window."}}}, ai.Timeout, "NET-0001", 0},
		{"its own network", &wiretest.Ear{Lines: []wiretest.Line{{Close: 1011, Reason: "NET-0000"}}}, ai.Unavailable, "1011 (NET-0000)", 0},
		{"sound that is none", &wiretest.Ear{Lines: []wiretest.Line{{Close: 1008, Reason: "DATA-0000: the payload cannot be decoded"}}}, ai.Content, "DATA-0000", 0},
		{"an end in mid-hearing", &wiretest.Ear{Lines: []wiretest.Line{{Bytes: 3200, Close: 1000}}}, ai.Unavailable, "1000", 0},
		{"a broken connection", &wiretest.Ear{Lines: []wiretest.Line{{Bytes: 3200, Cut: true}}}, ai.Unavailable, "broke", 0},
		{"an error message", &wiretest.Ear{Lines: []wiretest.Line{{Tell: `{"type":"Error","description":"what the caller said","message":"x"}`}}}, ai.Unavailable, "error", 0},
		{"no JSON", &wiretest.Ear{Lines: []wiretest.Line{{Tell: `hello`}}}, ai.Protocol, "/v1/listen", 0},
		{"JSON of another wire", &wiretest.Ear{Lines: []wiretest.Line{{Tell: `{"text":"x"}`}}}, ai.Protocol, "/v1/listen", 0},
		{"results that are none", &wiretest.Ear{Lines: []wiretest.Line{{Tell: `{"type":"Results","channel":7}`}}}, ai.Protocol, "channel", 0},
		{"a transcript that is too long", &wiretest.Ear{Lines: []wiretest.Line{{Tell: results(strings.Repeat("a", 33<<10), 0, 1, true, true)}}}, ai.Protocol, "32768", 0},
		{"a message that is too long", &wiretest.Ear{Lines: []wiretest.Line{{Tell: strings.Repeat(" ", 1<<20+1)}}}, ai.Protocol, "1048576", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				_, err := hear(ctx, tt.ear, ai.Hearing{Rate: 8000}, endless(ctx))
				var e *ai.Error
				if !errors.As(err, &e) {
					t.Fatalf("got %v, want an *ai.Error", err)
				}
				if e.Kind != tt.kind || e.After != tt.after || e.Provider != "deepgram" || e.Fix == "" {
					t.Errorf("got %q after %v of %s, fix %q; want %q after %v", e.Kind, e.After, e.Provider, e.Fix, tt.kind, tt.after)
				}
				if !strings.Contains(e.Error(), tt.msg) {
					t.Errorf("%q does not have %q", e, tt.msg)
				}
				if all := fmt.Sprintf("%v %#v", e, e); strings.Contains(all, key) || strings.Contains(all, "caller said") {
					t.Errorf("%s tells too much", all)
				}
			})
		})
	}
}

func TestSilentEngine(t *testing.T) {
	for _, tt := range []struct {
		name string
		ear  *wiretest.Ear
		n    int // frames of sound; 0: without end
		want time.Duration
	}{
		{"in mid-utterance", &wiretest.Ear{Lines: []wiretest.Line{{Bytes: 320, Tell: results("One", 0, 1, false, false)}}}, 0, 10 * time.Second},
		{"from the begin", &wiretest.Ear{}, 0, 10 * time.Second},
		{"at the end", &wiretest.Ear{Mute: true}, 10, 10*time.Second + 200*time.Millisecond},
		{"at the handshake", &wiretest.Ear{Delay: time.Minute}, 0, 10 * time.Second},
		{"that takes nothing", &wiretest.Ear{Deaf: true}, 0, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				sound := endless(ctx)
				if tt.n > 0 {
					sound = speech(ctx, tt.n)
				}
				client, stop := wiretest.Serve(tt.ear)
				defer stop()
				a := NewASR(Config{BaseURL: "http://deepgram.test/v1", HTTP: client})
				began := time.Now()
				var err error
				for _, err = range a.Hear(ctx, ai.Hearing{Rate: 8000}, sound) {
				}
				took := time.Since(began)
				tt.ear.Wait()
				var e *ai.Error
				if !errors.As(err, &e) || e.Kind != ai.Timeout {
					t.Fatalf("got %v, want a timeout", err)
				}
				if took < tt.want || took > tt.want+500*time.Millisecond {
					t.Errorf("after %v, want %v", took, tt.want)
				}
			})
		})
	}
}

func TestSlowConsumerIsNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ear := &wiretest.Ear{}
		for i := range 50 {
			ear.Lines = append(ear.Lines, wiretest.Line{Bytes: 320 * 50 * i, Tell: results("One", 0, 1, false, false)})
		}
		client, stop := wiretest.Serve(ear)
		defer stop()
		a := NewASR(Config{BaseURL: "http://deepgram.test", HTTP: client})
		n := 0
		for _, err := range a.Hear(t.Context(), ai.Hearing{Rate: 8000, Interim: true}, speech(t.Context(), 2500)) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 5 {
				time.Sleep(12 * time.Second)
			}
		}
		if n != 50 {
			t.Errorf("%d results, want 50", n)
		}
	})
}

func TestSilentLineIsNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ear := &wiretest.Ear{Lines: []wiretest.Line{{Bytes: 320, Tell: results("One", 0, 1, false, false)}}}
		sound := make(chan pcm.Frame)
		began := time.Now()
		go func() {
			sound <- make(pcm.Frame, 160)
			time.Sleep(58 * time.Second) // on hold
			close(sound)
		}()
		if _, err := hear(t.Context(), ear, ai.Hearing{Rate: 8000}, sound); err != nil {
			t.Error(err)
		}
		came := ear.Came()
		if n := len(came.Texts); n != 15 {
			t.Fatalf("%d messages came, want 14 KeepAlives and an end: %v", n, came.Texts)
		}
		if at := came.Times[0].Sub(began); came.Texts[0] != `{"type":"KeepAlive"}` || at != 4*time.Second {
			t.Errorf("first came %s after %v", came.Texts[0], at)
		}
	})
}
