package openai

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/aitest"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// script is a server that sends events once it has got so many messages of
// sound; "commit" and "end" stand for the client's commit and its leaving.
type script map[string][]string

// serve runs the script and returns what the client sent besides sound.
func (s script) serve(told *[]map[string]any, sound *[]byte) func(*aitest.OpenAISocket) {
	return func(socket *aitest.OpenAISocket) {
		play := func(at string) {
			for _, event := range s[at] {
				var code int
				if _, err := fmt.Sscanf(event, "close %d", &code); err == nil {
					socket.Close(code)
					continue
				}
				socket.Send(event)
			}
		}
		play("begin")
		n := 0
		for {
			e := socket.Next()
			switch {
			case e == nil:
				return
			case e["type"] == "input_audio_buffer.append":
				n++
				b, _ := base64.StdEncoding.DecodeString(e["audio"].(string))
				*sound = append(*sound, b...)
				play(fmt.Sprint(n))
				continue
			case e["type"] == "input_audio_buffer.commit":
				*told = append(*told, e)
				play("commit")
				continue
			}
			*told = append(*told, e)
			if e["type"] == "session.update" {
				play("update")
			}
		}
	}
}

const (
	updated = `{"type":"session.updated"}`
	started = `{"type":"input_audio_buffer.speech_started","item_id":"a","audio_start_ms":1000}`
	stopped = `{"type":"input_audio_buffer.speech_stopped","item_id":"a","audio_end_ms":2000}`
	commit  = `{"type":"input_audio_buffer.committed","item_id":"a"}`
	delta1  = `{"type":"conversation.item.input_audio_transcription.delta","item_id":"a","delta":"Press"}`
	delta2  = `{"type":"conversation.item.input_audio_transcription.delta","item_id":"a","delta":" one"}`
	final   = `{"type":"conversation.item.input_audio_transcription.completed","item_id":"a","transcript":"Press one.","logprobs":[{"logprob":-0.1},{"logprob":-0.3}]}`
)

func TestRealtimeResults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		model  string
		h      ai.Hearing
		say    string
		server script
		want   []string
	}{
		{"the server finds the turns", "gpt-4o-transcribe", ai.Hearing{Interim: true}, "50s 50v 50s",
			script{"update": {updated}, "52": {started}, "130": {stopped, commit, delta1, delta2}, "140": {final}},
			[]string{"2.58s Press", "2.58s Press one", "2.78s Press one. final over"}},
		{"no interim results unless asked for", "gpt-4o-transcribe", ai.Hearing{}, "50s 50v 50s",
			script{"update": {updated}, "52": {started}, "130": {stopped, commit, delta1, delta2}, "140": {final}},
			[]string{"2.78s Press one. final over"}},
		{"sound that ends in a word is committed", "gpt-4o-transcribe", ai.Hearing{}, "50s 50v",
			script{"update": {updated}, "52": {started}, "commit": {commit, final}},
			[]string{"2s Press one. final over"}},
		{"the server was quicker than our commit", "gpt-4o-transcribe", ai.Hearing{}, "50v",
			script{"update": {updated}, "50": {started}, "commit": {`{"type":"error","error":{"type":"invalid_request_error","code":"input_audio_buffer_commit_empty"}}`}},
			nil},
		{"silence owes nothing", "gpt-4o-transcribe", ai.Hearing{Interim: true}, "100s", script{"update": {updated}}, nil},
		{"turns are found here", "gpt-live-transcribe", ai.Hearing{Interim: true}, "50s 50v 50s",
			script{"update": {updated}, "30": {delta1}, "commit": {commit, delta2, final}},
			[]string{"1.58s Press", "2.48s Press one", "2.48s Press one. final over"}},
		{"a word at the end of sound", "gpt-live-transcribe", ai.Hearing{}, "50v",
			script{"update": {updated}, "commit": {commit, final}}, []string{"1s Press one. final over"}},
		{"a server that does not tell of commits", "gpt-live-transcribe", ai.Hearing{}, "50v",
			script{"update": {updated}, "commit": {final}}, []string{"1s Press one. final over"}},
		{"what speaches has for deltas", "gpt-4o-transcribe", ai.Hearing{Interim: true}, "50v 50s",
			script{"20": {partial("Press")}, "40": {partial("Press one")}, "70": {commit, final}},
			[]string{"380ms Press", "780ms Press one", "1.38s Press one. final over"}},
		{"a mumble", "gpt-live-transcribe", ai.Hearing{}, "50v",
			script{"update": {updated}, "commit": {commit, `{"type":"conversation.item.input_audio_transcription.failed","item_id":"a","error":{"type":"transcription_error","code":"audio_unintelligible"}}`}},
			[]string{"1s  final over"}},
		{"events of no meaning here", "gpt-live-transcribe", ai.Hearing{}, "50v",
			script{"update": {updated, `{"type":"rate_limits.updated"}`, `{"type":"conversation.item.added","item":{}}`, `{"type":"error","error":{"type":"invalid_request_error"}}`}, "commit": {commit, final}},
			[]string{"1s Press one. final over"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var told []map[string]any
			var sound []byte
			inMemory(t, &aitest.OpenAI{Realtime: tt.server.serve(&told, &sound)}, func(t *testing.T, c Config) {
				c.Model = tt.model
				got, _, err := heard(t, NewRealtimeASR(c), tt.h, tt.say)
				if err != nil {
					t.Fatal(err)
				}
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("%q, want %q", got, tt.want)
				}
			})
		})
	}
}

func partial(text string) string {
	return `{"type":"input_audio_buffer.partial_transcription","item_id":"a","transcript":"` + text + `"}`
}

func TestRealtimePlaceAndConfidence(t *testing.T) {
	for _, tt := range []struct {
		model  string
		server script
	}{
		{"gpt-4o-transcribe", script{"update": {updated}, "52": {started}, "125": {stopped, commit, final}}},
		{"gpt-live-transcribe", script{"update": {updated}, "commit": {commit, final}}},
	} {
		var told []map[string]any
		var sound []byte
		inMemory(t, &aitest.OpenAI{Realtime: tt.server.serve(&told, &sound)}, func(t *testing.T, c Config) {
			c.Model = tt.model
			_, got, err := heard(t, NewRealtimeASR(c), ai.Hearing{}, "50s 50v 50s")
			if err != nil || len(got) != 1 {
				t.Fatalf("%s: %d results, %v", tt.model, len(got), err)
			}
			r := got[0]
			if want := (math.Exp(-0.1) + math.Exp(-0.3)) / 2; math.Abs(r.Confidence-want) > 1e-9 {
				t.Errorf("%s: confidence %v, want %v", tt.model, r.Confidence, want)
			}
			if r.Began != time.Second || r.Ended != 2*time.Second {
				t.Errorf("%s: from %v to %v, want 1s to 2s", tt.model, r.Began, r.Ended)
			}
		})
	}
}

func TestRealtimeOnTheWire(t *testing.T) {
	hints := ai.Hearing{Language: "de-DE", Hints: []string{"Vertrieb"}}
	vad := `"turn_detection":{"prefix_padding_ms":300,"silence_duration_ms":500,"type":"server_vad"}`
	for _, tt := range []struct {
		name, model, realtime, path, update string
		bytes                               int // of sound
	}{
		{"turns at the server", "gpt-4o-transcribe", "", "/v1/realtime?intent=transcription",
			`{"session":{"audio":{"input":{"format":{"rate":24000,"type":"audio/pcm"},"transcription":{"language":"de","model":"gpt-4o-transcribe","prompt":"Vertrieb"},` + vad + `}},"include":["item.input_audio_transcription.logprobs"],"type":"transcription"},"type":"session.update"}`, 150 * 960},
		{"turns here, and no silence is sent", "", "", "/v1/realtime?intent=transcription",
			`{"session":{"audio":{"input":{"format":{"rate":24000,"type":"audio/pcm"},"transcription":{"language":"de","model":"gpt-live-transcribe","prompt":"Vertrieb"},"turn_detection":null}},"type":"transcription"},"type":"session.update"}`, (15 + 50 + 25) * 960},
		{"speaches", "Systran/whisper", "speaches", "/v1/realtime?intent=transcription&language=de&model=Systran%2Fwhisper", "", 150 * 960},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var told []map[string]any
			var sound []byte
			server := &aitest.OpenAI{Realtime: script{"update": {updated}, "commit": {commit, final}}.serve(&told, &sound)}
			web := httptest.NewServer(server)
			defer web.Close()
			a := NewRealtimeASR(Config{BaseURL: web.URL + "/v1", APIKey: secret, Model: tt.model, Extra: map[string]string{"realtime": tt.realtime}})
			frames := make(chan pcm.Frame, 150)
			for i := range 150 {
				f := make(pcm.Frame, pcm.FrameLen(lineRate))
				if i >= 50 && i < 100 {
					f = pcm.Tone(lineRate, pcm.FrameTime, 0.5, 440).Samples
				}
				frames <- f
			}
			close(frames)
			hints.Rate = lineRate
			n := 0
			for _, err := range a.Hear(t.Context(), hints, frames) {
				if n++; err != nil {
					t.Fatal(err)
				}
			}
			asked := server.Asked()
			if n != 1 || len(asked) != 1 || asked[0].Path != tt.path || asked[0].Header.Get("Authorization") != "Bearer "+secret {
				t.Errorf("%d results; asked %+v, want %s", n, asked, tt.path)
			}
			update := ""
			if len(told) > 0 && told[0]["type"] == "session.update" {
				b, _ := json.Marshal(told[0])
				update = string(b)
			}
			if update != tt.update {
				t.Errorf("told %s, want %s", update, tt.update)
			}
			if len(sound) != tt.bytes {
				t.Errorf("%d bytes of sound, want %d", len(sound), tt.bytes)
			}
		})
	}
}

func TestRealtimeFaults(t *testing.T) {
	oops := func(fields string) string {
		return `{"type":"error","error":{` + fields + `,"message":"4711 sk-secret123"}}`
	}
	for _, tt := range []struct {
		name   string
		server script
		kind   ai.Kind
		fix    string
	}{
		{"closed in the middle of an utterance", script{"60": {"close 1011"}}, ai.Unavailable, ""},
		{"cut", script{"60": {"close 0"}}, ai.Unavailable, ""},
		{"closed for the key", script{"begin": {"close 1008"}}, ai.Auth, "ai.asr.main.apiKey"},
		{"closed as if all were well", script{"60": {"close 1000"}}, ai.Unavailable, ""},
		{"settings are refused", script{"update": {oops(`"type":"invalid_request_error","code":"invalid_value","param":"session.audio.input.transcription.model"`)}}, ai.Unsupported, "ai.asr.main.model"},
		{"wrong key", script{"begin": {oops(`"type":"invalid_request_error","code":"invalid_api_key"`)}}, ai.Auth, "ai.asr.main.apiKey"},
		{"no money left", script{"update": {updated}, "60": {oops(`"type":"insufficient_quota","code":"insufficient_quota"`)}}, ai.RateLimit, "credit"},
		{"an hour is over", script{"update": {updated}, "60": {oops(`"type":"invalid_request_error","code":"session_expired"`)}}, ai.Unavailable, ""},
		{"a fault of the server", script{"update": {updated}, "60": {oops(`"type":"server_error"`)}}, ai.Unavailable, ""},
		{"a transcript failed", script{"60": {`{"type":"conversation.item.input_audio_transcription.failed","item_id":"a","error":{"type":"server_error"}}`}}, ai.Unavailable, ""},
		{"no JSON", script{"60": {"4711"}}, ai.Protocol, ""},
		{"a message too long", script{"60": {`{"type":"` + strings.Repeat("x", maxMessage) + `"}`}}, ai.Protocol, ""},
		{"too many utterances", script{"60": manyItems(100)}, ai.Protocol, ""},
		{"an answer that never comes", script{"update": {updated}, "52": {started}, "130": {stopped, commit}}, ai.Timeout, "ai.asr.main.timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var told []map[string]any
			var sound []byte
			inMemory(t, &aitest.OpenAI{Realtime: tt.server.serve(&told, &sound)}, func(t *testing.T, c Config) {
				c.Model = "gpt-4o-transcribe"
				got, _, err := heard(t, NewRealtimeASR(c), ai.Hearing{}, "50s 50v 1000s")
				if len(got) != 0 {
					t.Errorf("%q, want nothing", got)
				}
				checkFault(t, err, tt.kind, tt.fix)
			})
		})
	}
}

func manyItems(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(`{"type":"input_audio_buffer.committed","item_id":"%d"}`, i))
	}
	return all
}

func TestRealtimeIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer aitest.OpenAIAnswer
		kind   ai.Kind
	}{
		{"wrong key", aitest.OpenAIAnswer{Status: 401, Body: `{"error":{"code":"invalid_api_key","message":"sk-secret123"}}`}, ai.Auth},
		{"rate limit", aitest.OpenAIAnswer{Status: 429}, ai.RateLimit},
		{"no such address", aitest.OpenAIAnswer{Status: 404}, ai.Unsupported},
		{"a proxy's page", aitest.OpenAIAnswer{Status: 502, Body: "<html>"}, ai.Unavailable},
		{"no WebSocket", aitest.OpenAIAnswer{Body: "{}"}, ai.Protocol},
		{"silence", aitest.OpenAIAnswer{Delay: time.Hour}, ai.Timeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, &aitest.OpenAI{Answers: []aitest.OpenAIAnswer{tt.answer}}, func(t *testing.T, c Config) {
				_, _, err := heard(t, NewRealtimeASR(c), ai.Hearing{}, "1000s")
				checkFault(t, err, tt.kind, "")
			})
		})
	}
	_, _, err := heard(t, NewRealtimeASR(Config{Name: "main", BaseURL: "not a URL"}), ai.Hearing{}, "1s")
	checkFault(t, err, ai.Unsupported, "ai.asr.main.baseUrl")
}

func TestRealtimeEndsWithItsContext(t *testing.T) {
	hungUp := errors.New("hung up")
	for _, server := range []*aitest.OpenAI{
		{Realtime: script{}.serve(new([]map[string]any), new([]byte))},
		{Realtime: func(*aitest.OpenAISocket) { time.Sleep(time.Minute) }}, // takes no sound
		{Answers: []aitest.OpenAIAnswer{{Delay: time.Minute}}},             // takes no connection
	} {
		inMemory(t, server, func(t *testing.T, c Config) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(5*time.Second, func() { cancel(hungUp) })
			begin := time.Now()
			for r, err := range NewRealtimeASR(c).Hear(ctx, ai.Hearing{Rate: lineRate}, say(ctx, "50v 1000s")) {
				if err != hungUp {
					t.Errorf("%v, %v; want the cause", r, err)
				}
			}
			if got := time.Since(begin); got != 5*time.Second {
				t.Errorf("ended after %v, want 5s", got)
			}
			time.Sleep(2 * time.Minute) // until the server's script is over
		})
	}
}

func TestRealtimeServerTakesNoSound(t *testing.T) {
	inMemory(t, &aitest.OpenAI{Realtime: func(*aitest.OpenAISocket) { time.Sleep(time.Minute) }}, func(t *testing.T, c Config) {
		begin := time.Now()
		_, _, err := heard(t, NewRealtimeASR(c), ai.Hearing{}, "50v 1000s")
		checkFault(t, err, ai.Timeout, "ai.asr.main.timeout")
		if got := time.Since(begin); got > 11*time.Second {
			t.Errorf("ended after %v, want 10s", got)
		}
		time.Sleep(2 * time.Minute)
	})
}

// A server cannot fill the memory with utterances that it never finishes.
func TestUtterancesWithoutEnd(t *testing.T) {
	s := newSession(newService(Config{Name: "main"}, "asr", "gpt-live-transcribe"), ai.Hearing{Rate: lineRate})
	for i := range 1000 {
		_, _, err := s.event(fmt.Appendf(nil, `{"type":"conversation.item.input_audio_transcription.delta","item_id":"%d","delta":"a"}`, i))
		if err != nil {
			checkFault(t, err, ai.Protocol, "")
			return
		}
	}
	t.Errorf("%d utterances are open", len(s.items))
}

func FuzzEvent(f *testing.F) {
	for _, e := range []string{updated, started, stopped, commit, delta1, final, `{"type":"error","error":null}`, `{"type":"error","error":{"code":7}}`, `[]`} {
		f.Add([]byte(e), true)
	}
	f.Fuzz(func(t *testing.T, msg []byte, live bool) {
		c := Config{Model: "gpt-4o-transcribe"}
		if live {
			c.Model = "gpt-live-transcribe"
		}
		s := newSession(newService(c, "asr", ""), ai.Hearing{Rate: lineRate, Interim: true})
		for range 3 {
			r, ok, err := s.event(msg)
			if ok && err != nil {
				t.Error("a result and an error")
			}
			if r.Confidence < 0 || r.Confidence > 1.000001 || r.Began < 0 || r.Ended < 0 {
				t.Errorf("%+v", r)
			}
			s.end()
		}
	})
}
