package stream

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

var twilio = Start{
	StreamSID: "MZ00000000000000000000000000000001", AccountSID: "AC00000000000000000000000000000001",
	CallSID: "CA00000000000000000000000000000001", Tracks: []Track{Inbound},
	Parameters: []Parameter{{"lang", "nl"}}, Format: Format{"PCMU", 8000},
}

var telnyx = Start{
	Telnyx: true, StreamSID: "32de0dea-53cb-4b21-89a4-9e1819c043bc", AccountSID: "3e6f995f-85f7-4705-9741-53b116d28237",
	CallSID: "v3:abc", SessionSID: "ff55a038-6f5d-11ef-9692-02420aeffb1f",
	From: "+13122010094", To: "+13122123456", Tracks: []Track{Inbound}, Format: Format{"PCMU", 8000},
}

// The samples are those of the platforms' documentation.
func TestMessagesAreThoseOfThePlatforms(t *testing.T) {
	pressed := time.Date(2025, 6, 5, 8, 54, 19, 698408000, time.UTC)
	sound := []byte{0xff, 0xff, 0xff, 0xff}
	for _, tt := range []struct {
		name  string
		start Start
		write func(w *Wire) []byte
		want  string
	}{
		{"Twilio connected", twilio, (*Wire).Connected, `{"event":"connected","protocol":"Call","version":"1.0.0"}`},
		{"Twilio start", twilio, (*Wire).Start,
			`{"event":"start","sequenceNumber":"1","start":{"streamSid":"MZ00000000000000000000000000000001","accountSid":"AC00000000000000000000000000000001","callSid":"CA00000000000000000000000000000001","tracks":["inbound"],"customParameters":{"lang":"nl"},"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}},"streamSid":"MZ00000000000000000000000000000001"}`},
		{"Twilio media", twilio, func(w *Wire) []byte { w.Start(); return w.Media(nil, Inbound, 20*time.Millisecond, sound) },
			`{"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","timestamp":"20","payload":"/////w=="},"streamSid":"MZ00000000000000000000000000000001"}`},
		{"Twilio dtmf", twilio, func(w *Wire) []byte { return w.DTMF('5', pressed) },
			`{"event":"dtmf","streamSid":"MZ00000000000000000000000000000001","sequenceNumber":"1","dtmf":{"track":"inbound_track","digit":"5"}}`},
		{"Twilio mark", twilio, func(w *Wire) []byte { return w.Mark("done") },
			`{"event":"mark","sequenceNumber":"1","streamSid":"MZ00000000000000000000000000000001","mark":{"name":"done"}}`},
		{"Twilio stop", twilio, (*Wire).Stop,
			`{"event":"stop","sequenceNumber":"1","stop":{"accountSid":"AC00000000000000000000000000000001","callSid":"CA00000000000000000000000000000001"},"streamSid":"MZ00000000000000000000000000000001"}`},
		{"Telnyx connected", telnyx, (*Wire).Connected, `{"event":"connected","version":"1.0.0"}`},
		{"Telnyx start", telnyx, (*Wire).Start,
			`{"event":"start","sequence_number":"1","start":{"user_id":"3e6f995f-85f7-4705-9741-53b116d28237","call_control_id":"v3:abc","call_session_id":"ff55a038-6f5d-11ef-9692-02420aeffb1f","from":"+13122010094","to":"+13122123456","tags":[],"client_state":"","media_format":{"encoding":"PCMU","sample_rate":8000,"channels":1}},"stream_id":"32de0dea-53cb-4b21-89a4-9e1819c043bc"}`},
		{"Telnyx media", telnyx, func(w *Wire) []byte { return w.Media(nil, Outbound, time.Second, sound) },
			`{"event":"media","sequence_number":"1","media":{"track":"outbound","chunk":"1","timestamp":"1000","payload":"/////w=="},"stream_id":"32de0dea-53cb-4b21-89a4-9e1819c043bc"}`},
		{"Telnyx dtmf", telnyx, func(w *Wire) []byte { return w.DTMF('#', pressed) },
			`{"event":"dtmf","stream_id":"32de0dea-53cb-4b21-89a4-9e1819c043bc","occurred_at":"2025-06-05T08:54:19.698408Z","sequence_number":"1","dtmf":{"digit":"#"}}`},
		{"Telnyx mark", telnyx, func(w *Wire) []byte { return w.Mark("a\"b") },
			`{"event":"mark","stream_id":"32de0dea-53cb-4b21-89a4-9e1819c043bc","sequence_number":"1","mark":{"name":"a\"b"}}`},
		{"Telnyx error", telnyx, func(w *Wire) []byte { return w.Error(BadMedia(true, "the payload is not base64")) },
			`{"event":"error","stream_id":"32de0dea-53cb-4b21-89a4-9e1819c043bc","payload":{"code":100004,"title":"invalid_media","detail":"the payload is not base64"}}`},
		{"Telnyx stop", telnyx, (*Wire).Stop,
			`{"event":"stop","sequence_number":"1","stream_id":"32de0dea-53cb-4b21-89a4-9e1819c043bc","stop":{"user_id":"3e6f995f-85f7-4705-9741-53b116d28237","call_control_id":"v3:abc"}}`},
	} {
		if got := string(tt.write(New(tt.start))); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestParametersOfTelnyxAreTold(t *testing.T) {
	s := telnyx
	s.Parameters = []Parameter{{"lang", "nl"}}
	var m struct {
		Start struct{ Custom_parameters map[string]string }
	}
	if err := json.Unmarshal(New(s).Start(), &m); err != nil {
		t.Fatal(err)
	}
	if got := m.Start.Custom_parameters["lang"]; got != "nl" {
		t.Errorf("lang is %q, want nl", got)
	}
}

// Whatever is sent in whatever order, the numbers of messages rise by one, so do
// the chunks of each track, and the time never goes back.
func TestNumbersHaveNoGaps(t *testing.T) {
	for _, s := range []Start{twilio, telnyx} {
		r := rand.New(rand.NewPCG(1, 2))
		w := New(s)
		if w.Connected(); w.number != 0 {
			t.Fatal("connected has a number")
		}
		number, chunks, at := 0, map[string]int{}, time.Duration(0)
		sent := w.Start()
		for range 5000 {
			var m map[string]any
			if err := json.Unmarshal(sent, &m); err != nil {
				t.Fatalf("%s: %v", sent, err)
			}
			key := "sequenceNumber"
			if s.Telnyx {
				key = "sequence_number"
			}
			number++
			if got := m[key]; got != strconv.Itoa(number) {
				t.Fatalf("%s: number %v, want %d", sent, got, number)
			}
			if media, ok := m["media"].(map[string]any); ok {
				track := media["track"].(string)
				chunks[track]++
				if got := media["chunk"]; got != strconv.Itoa(chunks[track]) {
					t.Fatalf("%s: chunk %v, want %d", sent, got, chunks[track])
				}
				if got := media["timestamp"]; got != strconv.FormatInt(at.Milliseconds(), 10) {
					t.Fatalf("%s: timestamp %v, want %v", sent, got, at)
				}
			}
			switch r.IntN(5) {
			case 0:
				sent = w.Mark("m")
			case 1:
				sent = w.DTMF('1', time.Time{})
			case 2:
				at += time.Duration(1+r.IntN(50)) * 20 * time.Millisecond // some was lost
				sent = w.Media(nil, Inbound, at, []byte{1})
			case 3:
				sent = w.Media(nil, Outbound, at, []byte{1})
			case 4:
				w.Error(RateLimit()) // has none
				sent = w.Media(nil, Inbound, at, []byte{1})
			}
		}
	}
}

func TestRead(t *testing.T) {
	const sid = `"streamSid":"MZ1"`
	for _, tt := range []struct {
		name   string
		telnyx bool
		msg    string
		want   Message
		code   int
	}{
		{"sound", false, `{"event":"media",` + sid + `,"media":{"payload":"AQI="}}`, Message{Event: "media", Payload: []byte{1, 2}}, 0},
		{"keys that nobody knows", false, `{"event":"media","x":[1],` + sid + `,"media":{"payload":"AQI=","track":"outbound"}}`, Message{Event: "media", Payload: []byte{1, 2}}, 0},
		{"a mark", false, `{"event":"mark",` + sid + `,"mark":{"name":"done"}}`, Message{Event: "mark", Mark: "done"}, 0},
		{"a mark without letters", false, `{"event":"mark",` + sid + `,"mark":{"name":""}}`, Message{Event: "mark"}, 0},
		{"a clear", false, `{"event":"clear",` + sid + `}`, Message{Event: "clear"}, 0},
		{"no JSON", false, `hello`, Message{}, 31950},
		{"half of it", false, `{"event":"media"`, Message{}, 31950},
		{"no UTF-8", false, "{\"event\":\"\xff\"}", Message{}, 31950},
		{"no object", false, `[1]`, Message{}, 31951},
		{"null", false, `null`, Message{}, 31951},
		{"no event", false, `{` + sid + `}`, Message{}, 31951},
		{"an event that nobody knows", false, `{"event":"play",` + sid + `}`, Message{}, 31951},
		{"no stream", false, `{"event":"clear"}`, Message{}, 31951},
		{"another stream", false, `{"event":"clear","streamSid":"MZ2"}`, Message{}, 31951},
		{"no payload", false, `{"event":"media",` + sid + `,"media":{}}`, Message{}, 31951},
		{"an empty payload", false, `{"event":"media",` + sid + `,"media":{"payload":""}}`, Message{}, 31951},
		{"a payload of line ends", false, `{"event":"media",` + sid + `,"media":{"payload":"\n"}}`, Message{}, 31951},
		{"no base64", false, `{"event":"media",` + sid + `,"media":{"payload":"***"}}`, Message{}, 31951},
		{"a mark without a name", false, `{"event":"mark",` + sid + `}`, Message{}, 31951},
		{"a mark with a number", false, `{"event":"mark",` + sid + `,"mark":{"name":1}}`, Message{}, 31951},
		{"Telnyx names no stream", true, `{"event":"media","media":{"payload":"AQI="}}`, Message{Event: "media", Payload: []byte{1, 2}}, 0},
		{"Telnyx: no JSON", true, `hello`, Message{}, 100003},
		{"Telnyx: an event that nobody knows", true, `{"event":"play"}`, Message{}, 100003},
		{"Telnyx: no base64", true, `{"event":"media","media":{"payload":"***"}}`, Message{}, 100004},
	} {
		got, err := Read(tt.telnyx, "MZ1", []byte(tt.msg))
		code := 0
		if f, ok := err.(*Fault); ok {
			code = f.Code
		}
		if code != tt.code || got.Event != tt.want.Event || got.Mark != tt.want.Mark || string(got.Payload) != string(tt.want.Payload) {
			t.Errorf("%s: %+v with code %d, want %+v with %d", tt.name, got, code, tt.want, tt.code)
		}
	}
	long := make([]byte, nameBytes+1)
	for i := range long {
		long[i] = 'a'
	}
	if _, err := Read(true, "", []byte(`{"event":"mark","mark":{"name":"`+string(long)+`"}}`)); err == nil {
		t.Error("a mark's name of more than 1 KB is taken")
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`{"event":"media","streamSid":"MZ1","media":{"payload":"AQI="}}`, `{"event":"mark","mark":{"name":"x"},"streamSid":"MZ1"}`,
		`{"event":"clear"}`, `[]`, `{"event":null}`, `{"media":5}`, "{\"event\":\"\xff\"}",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, msg string, telnyx bool) {
		m, err := Read(telnyx, "MZ1", []byte(msg))
		if err != nil {
			if _, ok := err.(*Fault); !ok {
				t.Fatalf("%v is no Fault", err)
			}
			return
		}
		switch m.Event {
		case "media":
			if len(m.Payload) == 0 {
				t.Fatal("no sound in it")
			}
		case "mark":
			if len(m.Mark) > nameBytes || !json.Valid(New(twilio).Mark(m.Mark)) {
				t.Fatalf("the mark %q cannot be echoed", m.Mark)
			}
		case "clear":
		default:
			t.Fatalf("event %q", m.Event)
		}
	})
}

func TestMediaDoesNotAllocate(t *testing.T) {
	w, e := New(twilio), mustEncoder(t, Format{"PCMU", 8000}, 8000)
	frame := make([]int16, 160)
	var payload, msg []byte
	got := testing.AllocsPerRun(100, func() {
		payload, _ = e.Encode(payload, frame)
		msg = w.Media(msg[:0], Inbound, 0, payload)
	})
	if got != 0 {
		t.Errorf("%v allocations for 20 ms, want 0", got)
	}
}

func BenchmarkMedia(b *testing.B) {
	for _, f := range []Format{{"PCMU", 8000}, {"G722", 8000}, {"OPUS", 16000}, {"L16", 16000}} {
		b.Run(f.Encoding, func(b *testing.B) {
			w, e := New(twilio), mustEncoder(b, f, 8000)
			frame := make([]int16, 160)
			var payload, msg []byte
			b.ReportAllocs()
			for b.Loop() {
				payload, _ = e.Encode(payload, frame)
				msg = w.Media(msg[:0], Inbound, 0, payload)
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	msg := []byte(`{"event":"media","streamSid":"MZ1","media":{"payload":"` + base64.StdEncoding.EncodeToString(make([]byte, 160)) + `"}}`)
	d, err := NewDecoder(Format{"PCMU", 8000}, 8000)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m, err := Read(false, "MZ1", msg)
		if err != nil {
			b.Fatal(err)
		}
		d.Decode(m.Payload)
	}
}
