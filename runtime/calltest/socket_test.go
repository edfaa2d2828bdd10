package calltest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// connects takes the call of A and opens a socket to /media, to be used by do.
func connects(t *testing.T, do func(ctx context.Context, s webhook.Socket)) func(context.Context, *stage, *phone) {
	return func(ctx context.Context, st *stage, p *phone) {
		p.Answer(ctx)
		s, err := staged{stage: st}.Socket(ctx, webhook.Request{URL: "wss://h/media", Sign: webhook.Twilio("12345")})
		if err != nil {
			t.Error(err)
			return
		}
		do(ctx, s)
		p.Hangup(ctx)
	}
}

// The messages of a stream as the platforms document them.
const (
	connectedT = `{"event":"connected","protocol":"Call","version":"1.0.0"}`
	startT     = `{"event":"start","sequenceNumber":"1","start":{"streamSid":"MZ1","tracks":["inbound"],"customParameters":{"b":"2","a":"1"},"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}},"streamSid":"MZ1"}`
	mediaT     = `{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d","timestamp":"%d","payload":"/////w=="},"streamSid":"MZ1"}`
	connectedX = `{"event":"connected","version":"1.0.0"}`
	startX     = `{"event":"start","sequence_number":"1","start":{"from":"+1","to":"+2","media_format":{"encoding":"PCMA","sample_rate":8000,"channels":1}},"stream_id":"32de"}`
)

// TestWrongWire: the server of a script finds what is wrong with a stream.
func TestWrongWire(t *testing.T) {
	media := func(sequence, chunk, at int) string { return fmt.Sprintf(mediaT, sequence, chunk, at) }
	for _, test := range []struct {
		name, dialect string
		send          []string
		want          string
	}{
		{"as it should be", "twilio", []string{connectedT, startT, media(2, 1, 0), media(3, 2, 20)}, "start inbound audio/x-mulaw 8000 a=1 b=2; counts inbound 2, chunk 2 at 20ms"},
		{"Telnyx", "telnyx", []string{connectedX, startX}, "start from +1 to +2 PCMA 8000; counts no media"},
		{"no start", "twilio", []string{connectedT, media(1, 1, 0)}, `wrong: media comes before start; wrong: media has streamSid "MZ1"; wrong: media has no payload that can be read; counts inbound 1, chunk 1 at 0ms`},
		{"no connected", "twilio", []string{startT}, "wrong: start comes before connected; start inbound audio/x-mulaw 8000 a=1 b=2; counts no media"},
		{"another protocol", "twilio", []string{connectedX}, `wrong: connected has version "1.0.0" and protocol ""; counts no media`},
		{"a gap", "twilio", []string{connectedT, startT, media(2, 1, 0), media(4, 3, 40)}, "start inbound audio/x-mulaw 8000 a=1 b=2; counts inbound 2, chunk 3 at 40ms; broken: sequence 4 after 2, inbound chunk 3 after 1"},
		{"back in time", "twilio", []string{connectedT, startT, media(2, 1, 20), media(3, 2, 0)}, "start inbound audio/x-mulaw 8000 a=1 b=2; counts inbound 2, chunk 2 at 0ms; broken: inbound timestamp 0 after 20"},
		{"a number that is one", "twilio", []string{connectedT, startT, strings.Replace(media(2, 1, 0), `"2"`, "2", 1)}, "start inbound audio/x-mulaw 8000 a=1 b=2; wrong: media has sequenceNumber 2, which is no number in a string; counts inbound 1, chunk 1 at 0ms"},
		{"another stream", "twilio", []string{connectedT, startT, strings.Replace(media(2, 1, 0), "MZ1", "MZ2", 1)}, `start inbound audio/x-mulaw 8000 a=1 b=2; wrong: media has streamSid "MZ2"; counts inbound 1, chunk 1 at 0ms`},
		{"after the end", "twilio", []string{connectedT, startT, `{"event":"stop","sequenceNumber":"2","streamSid":"MZ1"}`, `{"event":"mark","sequenceNumber":"3","streamSid":"MZ1","mark":{"name":"x"}}`},
			"start inbound audio/x-mulaw 8000 a=1 b=2; stop; wrong: mark comes after stop; mark x; counts no media"},
		{"no JSON", "twilio", []string{"x"}, "wrong: a message is not JSON: invalid character 'x' looking for beginning of value; counts no media"},
		{"an unknown event", "twilio", []string{connectedT, startT, `{"event":"jump","sequenceNumber":"2","streamSid":"MZ1"}`}, "start inbound audio/x-mulaw 8000 a=1 b=2; wrong: nobody knows the event jump; counts no media"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := perform(t, "dialect "+test.dialect+"\n0s call /a\n1s /media counts\n", connects(t, func(ctx context.Context, s webhook.Socket) {
				for _, msg := range test.send {
					if err := s.Write(ctx, []byte(msg)); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(2 * time.Second)
			}))
			var lines []string
			for line := range strings.Lines(got) {
				_, text, _ := strings.Cut(line, "/media ")
				if !strings.HasPrefix(text, "connected GET ") {
					lines = append(lines, strings.TrimSpace(text))
				}
			}
			if got := strings.Join(lines, "; "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestServerSends: what a server does comes in order, in the dialect of the stream.
func TestServerSends(t *testing.T) {
	const script = "0s call /a\n1s /media mark done\n1s /media clear\n1s /media sends {\"event\": 1}\n1s /media tone 440Hz 40ms burst\n2s /media close 1011\n"
	for _, test := range []struct{ name, connected, start, want string }{
		{"Twilio", connectedT, startT, `{"event":"mark","mark":{"name":"done"},"streamSid":"MZ1"} {"event":"clear","streamSid":"MZ1"} {"event": 1} media media`},
		{"Telnyx", connectedX, startX, `{"event":"mark","mark":{"name":"done"}} {"event":"clear"} {"event": 1} media media`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := perform(t, script, connects(t, func(ctx context.Context, s webhook.Socket) {
				s.Write(ctx, []byte(test.connected))
				s.Write(ctx, []byte(test.start))
				var came []string
				for {
					msg, err := s.Read(ctx)
					if err != nil {
						e, ok := errors.AsType[*webhook.Error](err)
						if !ok || e.Code != 31921 {
							t.Errorf("ended with %v, want a code of 31921", err)
						}
						break
					}
					if strings.Contains(string(msg), `"payload"`) {
						msg = []byte("media")
					}
					came = append(came, string(msg))
				}
				if got := strings.Join(came, " "); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
				s.Close(1000, "") // which is too late
			}))
			if !strings.HasSuffix(got, "2s     /media closes 1011\n") {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

// TestSlowServer: a server that does not read takes 64 KB, and then no more until
// it reads.
func TestSlowServer(t *testing.T) {
	var took, blocked time.Duration
	got := perform(t, "/media slow\n0s call /a\n5s /media reads\n6s /media wait\n", connects(t, func(ctx context.Context, s webhook.Socket) {
		began := time.Now()
		big := []byte(`{"event":"connected","version":"1.0.0","x":"` + strings.Repeat("x", 40<<10) + `"}`)
		s.Write(ctx, big)
		took = time.Since(began)
		s.Write(ctx, big)
		blocked = time.Since(began)
		s.Close(1000, "bye")
		if err := s.Write(ctx, big); err != io.EOF {
			t.Errorf("a write to a closed socket ends with %v", err)
		}
	}))
	if took != 0 || blocked != 5*time.Second {
		t.Errorf("writes took until %v and %v, want 0s and 5s", took, blocked)
	}
	if want := "5s     /media wrong: connected comes again\n5s     /media closed 1000 bye\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%swant at its end\n%s", got, want)
	}
}

func TestSignature(t *testing.T) {
	const at = "wss://h/media"
	for _, test := range []struct {
		name, token string
		by          webhook.Signer
		want        string
	}{
		{"by the account", "12345", webhook.Twilio("12345"), "signature ok"},
		{"by another", "12345", webhook.Twilio("54321"), "signature wrong"},
		{"by nobody", "12345", nil, "not signed"},
	} {
		if got := signature(test.by, at, test.token); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
