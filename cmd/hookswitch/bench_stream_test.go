//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestBenchStreamEcho(t *testing.T) {
	t.Parallel()
	hook, stop, err := benchWebhook()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx := t.Context()
	at := strings.Replace(hook, "http:", "ws:", 1) + "/echo?every="
	if _, _, err := websocket.Dial(ctx, at+"0", nil); err == nil {
		t.Error("every 0th frame is taken")
	}
	conn, _, err := websocket.Dial(ctx, at+"2", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	for _, text := range []string{`{"event":"start"}`, `{"event":"media","media":{"payload":"AAAA"}}`, `{"event":"media","media":{"track":"inbound","payload":"BBBB"}}`} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	_, got, err := conn.Read(ctx)
	if want := `{"event":"media","media":{"payload":"BBBB"}}`; err != nil || string(got) != want {
		t.Errorf("%s, %v came back, want %s", got, err, want)
	}
}

func TestBenchVoices(t *testing.T) {
	t.Parallel()
	hook, stop, err := benchWebhook()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	config := AIConfig{TTS: map[string]Provider{"bench": {Provider: "openai", BaseURL: hook + "/v1", APIKey: "none", Voice: "nova", Timeout: time.Second}}, Defaults: AIDefaults{TTS: []string{"bench"}}}
	rows, err := voiceRows(t.Context(), "provider", "", config, 3)
	if err != nil || len(rows) != 2 || len(rows[0].figures) != 2 {
		t.Fatalf("rows %v, %v; want two with two figures", rows, err)
	}
	if fresh, kept := rows[0].figures[0].value, rows[1].figures[0].value; kept/1000 >= fresh || kept == 0 {
		t.Errorf("the first frame came after %.3f ms, and after %.3f µs of a text spoken before", fresh, kept)
	}
}

func TestBenchStreamFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, args, want string }{
		{"no calls", "--streams 0", "--streams 0: each number is 1 to 5000"},
		{"another's server", "--streams 5 --target sip:127.0.0.1", "go without --target"},
		{"nobody to dial", "--speech --record", "--transcode and --record go with"},
	} {
		var said bytes.Buffer
		if code := bench(strings.Fields(tt.args), &said, &said); code != 2 || !strings.Contains(said.String(), tt.want) {
			t.Errorf("%s: exit %d, %q; want 2 and %q", tt.name, code, said.String(), tt.want)
		}
	}
}
