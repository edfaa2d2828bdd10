package deepgram

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wiretest"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// ramp is n samples 0, 1, 2, ... as bytes.
func ramp(n int) []byte {
	frame := make(pcm.Frame, n)
	for i := range frame {
		frame[i] = int16(i)
	}
	return pcm.AppendBytes(nil, frame)
}

func TestSpeakOnLoopback(t *testing.T) {
	b := ramp(1000)
	voice := &wiretest.Voice{Pieces: [][]byte{b[:1], b[1:4], b[4:7], b[7:]}}
	server := httptest.NewServer(voice)
	defer server.Close()
	v := NewTTS(Config{BaseURL: server.URL + "/v1/", APIKey: key})
	defer v.Close()
	if err := v.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got pcm.Frame
	for frame, err := range v.Speak(t.Context(), ai.Speech{Text: "Hello there.", Rate: 2}, 8000) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, frame...)
	}
	if len(got) != 1000 || got[999] != 999 {
		t.Errorf("%d samples, or the wrong ones", len(got))
	}
	came := voice.Came()
	if got, want := came.Path+"?"+came.Query.Encode(), "/v1/speak?container=none&encoding=linear16&model=aura-2-thalia-en&sample_rate=8000&speed=1.50"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if got, want := came.Bodies[len(came.Bodies)-1], `{"text":"Hello there."}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	if got := came.Header.Get("Authorization"); got != "Token "+key {
		t.Errorf("authorization %q", got)
	}
}

func TestLongTextIsVoicedInParts(t *testing.T) {
	voice := &wiretest.Voice{Pieces: [][]byte{ramp(101)}}
	server := httptest.NewServer(voice)
	defer server.Close()
	v := NewTTS(Config{BaseURL: server.URL})
	n := 0
	for frame, err := range v.Speak(t.Context(), ai.Speech{Text: strings.Repeat("This is a sentence. ", 225)}, 22050) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(frame)
	}
	bodies := voice.Came().Bodies
	if len(bodies) != 3 {
		t.Fatalf("%d requests, want 3", len(bodies))
	}
	for _, b := range bodies {
		if !strings.HasSuffix(b, `sentence."}`) {
			t.Errorf("cut at %q", b[len(b)-20:])
		}
	}
	// 303 samples at 24 kHz, as one stream.
	if want := (303*22050 + 23999) / 24000; n != want || voice.Came().Query.Get("sample_rate") != "24000" {
		t.Errorf("%d samples, want %d", n, want)
	}
}

func TestSpeechInVirtualTime(t *testing.T) {
	hungUp := errors.New("hung up")
	wrong := func(kind ai.Kind) error { return &ai.Error{Kind: kind} }
	for _, tt := range []struct {
		name   string
		voice  *wiretest.Voice
		cancel time.Duration // 0: never
		want   error         // nil, the cause, or an *ai.Error of its kind
		first  time.Duration // of the first frame; 0: there is none
		total  time.Duration
	}{
		{"each piece at once", &wiretest.Voice{Delay: 90 * time.Millisecond, Pieces: [][]byte{ramp(80), ramp(80), ramp(80)}, Gap: 50 * time.Millisecond}, 0, nil, 90 * time.Millisecond, 190 * time.Millisecond},
		{"cancelled in mid-speech", &wiretest.Voice{Pieces: [][]byte{ramp(80)}, Hang: true}, time.Second, hungUp, 1, time.Second},
		{"cancelled before it speaks", &wiretest.Voice{Delay: time.Minute}, 70 * time.Millisecond, hungUp, 0, 70 * time.Millisecond},
		{"silent in mid-speech", &wiretest.Voice{Delay: time.Second, Pieces: [][]byte{ramp(80)}, Hang: true}, 0, wrong(ai.Timeout), time.Second, 11 * time.Second},
		{"silent from the begin", &wiretest.Voice{Delay: time.Minute}, 0, wrong(ai.Timeout), 0, 10 * time.Second},
		{"broken", &wiretest.Voice{Pieces: [][]byte{ramp(80)}, Cut: true}, 0, wrong(ai.Unavailable), 1, 0},
		{"a page", &wiretest.Voice{Type: "text/html; charset=utf-8", Pieces: [][]byte{[]byte("<html>")}}, 0, wrong(ai.Protocol), 0, 0},
		{"a wrong key", &wiretest.Voice{Status: 401, Refusal: `{"err_code":"INVALID_AUTH"}`}, 0, wrong(ai.Auth), 0, 0},
		{"no such voice", &wiretest.Voice{Status: 400}, 0, wrong(ai.Unsupported), 0, 0},
		{"a text too long", &wiretest.Voice{Status: 413}, 0, wrong(ai.Content), 0, 0},
		{"a fault of its own", &wiretest.Voice{Status: 500}, 0, wrong(ai.Unavailable), 0, 0},
		{"without end", &wiretest.Voice{Pieces: [][]byte{make([]byte, 10*60*16000+2)}}, 0, wrong(ai.Protocol), 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, stop := wiretest.Serve(tt.voice)
				defer stop()
				v := NewTTS(Config{Name: "dg", BaseURL: "http://deepgram.test", APIKey: key, HTTP: client})
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				began := time.Now()
				if tt.cancel > 0 {
					time.AfterFunc(tt.cancel, func() { cancel(hungUp) })
				}
				first, seen := time.Duration(0), false
				var err error
				for frame, e := range v.Speak(ctx, ai.Speech{Text: "Hello."}, 8000) {
					if err = e; e == nil && !seen && len(frame) > 0 {
						first, seen = time.Since(began), true
					}
				}
				total := time.Since(began)
				if seen != (tt.first > 0) || seen && tt.first > 1 && first != tt.first {
					t.Errorf("the first frame came after %v (%v), want %v", first, seen, tt.first)
				}
				if total != tt.total {
					t.Errorf("it was over after %v, want %v", total, tt.total)
				}
				var want, got *ai.Error
				switch {
				case !errors.As(tt.want, &want):
					if err != tt.want {
						t.Errorf("got %v, want %v", err, tt.want)
					}
				case !errors.As(err, &got) || got.Kind != want.Kind:
					t.Errorf("got %v, want the kind %q", err, want.Kind)
				case got.Provider != "dg" || strings.Contains(fmt.Sprintf("%#v %v", got, got.Err), key):
					t.Errorf("%#v", got)
				}
			})
		})
	}
}

func TestConsumerThatStopsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		voice := &wiretest.Voice{Pieces: [][]byte{ramp(80)}, Hang: true}
		client, stop := wiretest.Serve(voice)
		defer stop()
		v := NewTTS(Config{BaseURL: "http://deepgram.test", HTTP: client})
		for range v.Speak(t.Context(), ai.Speech{Text: "Hello."}, 8000) {
			break
		}
		synctest.Wait()
		if !voice.Came().Gone {
			t.Error("the request goes on")
		}
	})
}
