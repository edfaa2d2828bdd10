//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestE2EStreamTelnyx connects a call in wideband to an application of Telnyx
// media streaming that sends back what it hears, as it came: G.722.
func TestE2EStreamTelnyx(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls")
	}
	need(t, "baresip")
	const wide = 5000 // Hz, above what a telephone of old has
	type message struct {
		Event    string
		Number   string `json:"sequence_number"`
		StreamID string `json:"stream_id"`
		Start    struct {
			CallControlID string            `json:"call_control_id"`
			Parameters    map[string]string `json:"custom_parameters"`
			Format        struct {
				Encoding   string
				SampleRate int `json:"sample_rate"`
			} `json:"media_format"`
		}
		Media struct {
			Payload string `json:"payload"`
		}
		DTMF struct{ Digit string }
		Mark struct{ Name string }
	}
	told := make(chan message, 64) // all but media
	mux := http.NewServeMux()
	mux.HandleFunc("/media", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("room") != "5" || r.Header.Get("telnyx-signature-ed25519") == "" {
			t.Errorf("the socket is asked for with %q and %v, want the query and a signature", r.URL.RawQuery, r.Header)
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer close(told)
		defer conn.CloseNow()
		send := func(event, key string, value any) {
			b, err := json.Marshal(map[string]any{"event": event, key: value})
			if err == nil {
				err = conn.Write(r.Context(), websocket.MessageText, b)
			}
			if err != nil {
				t.Errorf("send %s: %v", event, err)
			}
		}
		for echo := true; ; {
			_, text, err := conn.Read(r.Context())
			if err != nil {
				if code := websocket.CloseStatus(err); code != websocket.StatusNormalClosure {
					t.Errorf("the socket ends with %v, want code 1000", err)
				}
				return
			}
			var m message
			if err := json.Unmarshal(text, &m); err != nil {
				t.Error(err)
			}
			switch m.Event {
			case "media":
				if echo {
					send("media", "media", m.Media)
				}
				continue
			case "dtmf":
				echo = false
				send("mark", "mark", map[string]string{"name": "silent from here"})
			}
			told <- m
		}
	})
	mux.HandleFunc("/voice", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, `<Response><Connect><Stream url="ws://%s/media?room=5" codec="default" bidirectionalMode="rtp" bidirectionalCodec="G722"><Parameter name="lang" value="nl"/></Stream></Connect></Response>`, r.Host)
	})
	web := httptest.NewServer(mux)
	defer web.Close()
	s := speechServer(t, buildProgram(t), web.URL+"/voice", "")
	want := func(event string) message {
		t.Helper()
		select {
		case m, ok := <-told:
			if !ok || m.Event != event {
				t.Fatalf("%q, %t came, want %s", m.Event, ok, event)
			}
			return m
		case <-time.After(10 * time.Second):
			t.Fatalf("no %s", event)
			return message{}
		}
	}

	b := newBaresipIn(t, "G722", 16000, wide)
	b.command("dial", s.uri)
	b.wantEvent("CALL_ESTABLISHED")
	want("connected")
	start := want("start")
	if f := start.Start.Format; f.Encoding != "G722" || start.Number != "1" || start.StreamID == "" || !strings.HasPrefix(start.Start.CallControlID, "CA") || start.Start.Parameters["lang"] != "nl" {
		t.Errorf("start says %+v", start)
	}
	<-time.After(2 * time.Second)
	b.command("sndcode", "5")
	if m := want("dtmf"); m.DTMF.Digit != "5" || m.StreamID != start.StreamID {
		t.Errorf("the key came as %+v", m)
	}
	if m := want("mark"); m.Mark.Name != "silent from here" {
		t.Errorf("the mark came as %+v", m)
	}
	<-time.After(time.Second)
	b.command("hangup", "")
	b.wantEvent("CALL_CLOSED")
	want("stop")
	if m, ok := <-told; ok {
		t.Errorf("%s came after stop", m.Event)
	}
	if got := heardSeconds(b.quit(), wide); got < 1.6 || got > 2.6 {
		t.Errorf("baresip heard %.2f s of its tone, which came back for two seconds", got)
	}
}
