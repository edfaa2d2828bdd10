package telnyx

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wiretest"
	"github.com/hookswitch/hookswitch/media/pcm"
)

var (
	_ ai.ASR = (*ASR)(nil)
	_ ai.TTS = (*TTS)(nil)
)

const key = "secret-key-0123456789"

// said is what a hearing yields, in words.
func said(r ai.Result) string {
	s := fmt.Sprintf("%q", r.Text)
	if r.Final {
		s += " final"
	}
	if r.Over {
		s += " over"
	}
	return s
}

// spoken gives n frames, then ends.
func spoken(n int) <-chan pcm.Frame {
	sound := make(chan pcm.Frame, n)
	for range n {
		sound <- make(pcm.Frame, 320)
	}
	close(sound)
	return sound
}

func TestHearOnLoopback(t *testing.T) {
	ear := &wiretest.Ear{
		Lines: []wiretest.Line{
			{Bytes: 640, Tell: `{"transcript":"","is_final":false}`},
			{Tell: `{"transcript":"Hello","is_final":false,"speech_final":false}`},
			{Tell: `{"transcript":"Hello, how are you?","is_final":true,"speech_final":true,"confidence":0.98}`},
			{Tell: `{"event":"something new"}`},
			{Tell: `{"transcript":"","is_final":true,"utterance_end":true}`},
		},
		Last: []string{`{"transcript":"Fine","is_final":true,"confidence":7}`},
	}
	server := httptest.NewServer(ear)
	defer server.Close()
	a := NewASR(Config{BaseURL: server.URL + "/v2", APIKey: key, Extra: map[string]string{"endpointing": "500"}})
	defer a.Close()
	h := ai.Hearing{Rate: 16000, Language: "en-US", Model: "deepgram/nova-3", Hints: []string{"SIP", "RTP"}, Interim: true}
	var got []string
	for r, err := range a.Hear(t.Context(), h, spoken(10)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, said(r))
	}
	want := []string{`"Hello"`, `"Hello, how are you?" final over`, `"" final over`, `"Fine" final`}
	if !slices.Equal(got, want) {
		t.Errorf("heard %v, want %v", got, want)
	}
	came := ear.Came()
	if got, want := came.Path+"?"+came.Query.Encode(), "/v2/speech-to-text/transcription?endpointing=500&input_format=linear16&interim_results=true&keyterm=SIP%2CRTP&language=en-US&model=nova-3&sample_rate=16000&transcription_engine=Deepgram"; got != want {
		t.Errorf("asked for\n%s, want\n%s", got, want)
	}
	if got := came.Header.Get("Authorization"); got != "Bearer "+key {
		t.Errorf("authorization %q", got)
	}
	if len(came.Sound) != 10*640 {
		t.Errorf("%d bytes came", len(came.Sound))
	}
}

func TestEngineAndModel(t *testing.T) {
	for _, tt := range []struct {
		name           string
		engine, model  string // of the document
		configured     string // engine
		configuredFor  string // its model
		want, wantedOf string // model and engine in the query
	}{
		{"nothing named", "", "", "", "", "", "Deepgram"},
		{"A is Google", "A", "phone_call", "", "", "phone_call", "Google"},
		{"B is Telnyx", "B", "openai/whisper-large-v3-turbo", "", "", "openai/whisper-large-v3-turbo", "Telnyx"},
		{"the maker is cut", "azure", "azure/fast", "", "", "fast", "Azure"},
		{"a model of another engine", "google", "deepgram/nova-3", "", "", "", "Google"},
		{"the configured engine and model", "", "", "Soniox", "stt-rt", "stt-rt", "Soniox"},
		{"the configured model is not for another engine", "google", "", "Soniox", "stt-rt", "", "Google"},
		{"an engine that is none", "Amazon", "", "", "", "", "Deepgram"},
		{"phone_call is not Deepgram's", "Deepgram", "phone_call", "", "", "", "Deepgram"},
		{"Twilio's way to write it", "", "deepgram_nova-2", "", "", "nova-2", "Deepgram"},
		{"and Google's", "google", "googlev2_telephony", "", "", "telephony", "Google"},
		{"default", "Google", "default", "", "", "", "Google"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ear := &wiretest.Ear{}
				client, stop := wiretest.Serve(ear)
				defer stop()
				a := NewASR(Config{BaseURL: "http://telnyx.test", HTTP: client, Model: tt.configuredFor})
				if tt.configured != "" {
					a.config.Extra = map[string]string{"engine": tt.configured}
				}
				for _, err := range a.Hear(t.Context(), ai.Hearing{Rate: 8000, Engine: tt.engine, Model: tt.model}, spoken(1)) {
					t.Fatal(err)
				}
				ear.Wait()
				q := ear.Came().Query
				if q.Get("model") != tt.want || q.Get("transcription_engine") != tt.wantedOf || q.Has("engine") {
					t.Errorf("asked for %q of %q, want %q of %q", q.Get("model"), q.Get("transcription_engine"), tt.want, tt.wantedOf)
				}
			})
		})
	}
}

func TestEngineThatDoesNotEnd(t *testing.T) {
	for _, tt := range []struct {
		engine string
		want   time.Duration
		fault  bool
	}{
		{"Google", 3 * time.Second, false}, // 2 s after its last word
		{"Deepgram", 11 * time.Second, true},
	} {
		t.Run(tt.engine, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ear := &wiretest.Ear{Lines: []wiretest.Line{{Wait: time.Second, Tell: `{"transcript":"Yes","is_final":true}`}}, Mute: true}
				client, stop := wiretest.Serve(ear)
				defer stop()
				a := NewASR(Config{BaseURL: "http://telnyx.test", HTTP: client})
				began := time.Now()
				var got []string
				var fault error
				for r, err := range a.Hear(t.Context(), ai.Hearing{Rate: 16000, Engine: tt.engine}, spoken(5)) {
					if fault = err; err == nil {
						got = append(got, said(r))
					}
				}
				ear.Wait()
				if took := time.Since(began); took < tt.want || took > tt.want+300*time.Millisecond {
					t.Errorf("over after %v, want %v", took, tt.want)
				}
				var e *ai.Error
				if errors.As(fault, &e) != tt.fault || tt.fault && e.Kind != ai.Timeout || !slices.Equal(got, []string{`"Yes" final`}) {
					t.Errorf("heard %v, %v", got, fault)
				}
			})
		})
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		ear  *wiretest.Ear
		kind ai.Kind
		msg  string
	}{
		{"a wrong key", &wiretest.Ear{Status: 401, Refusal: `{"errors":[{"code":"10009","title":"Authentication failed"}]}`}, ai.Auth, "401 (10009); set ai.asr.tx.apiKey"},
		{"no such format", &wiretest.Ear{Lines: []wiretest.Line{{Tell: `{"errors":[{"code":"40001","detail":"the caller's words"}]}`}}}, ai.Unsupported, "40001"},
		{"an error of its own", &wiretest.Ear{Lines: []wiretest.Line{{Tell: `{"errors":[{"code":"x"}]}`}}}, ai.Unavailable, "told of an error (x)"},
		{"no JSON", &wiretest.Ear{Lines: []wiretest.Line{{Tell: `[]`}}}, ai.Protocol, "no transcription"},
		{"closed", &wiretest.Ear{Lines: []wiretest.Line{{Close: 1011}}}, ai.Unavailable, "1011"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, stop := wiretest.Serve(tt.ear)
				defer stop()
				a := NewASR(Config{Name: "tx", BaseURL: "http://telnyx.test", APIKey: key, HTTP: client})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var err error
				for _, err = range a.Hear(ctx, ai.Hearing{Rate: 16000}, make(chan pcm.Frame)) {
				}
				tt.ear.Wait()
				var e *ai.Error
				if !errors.As(err, &e) || e.Kind != tt.kind || !strings.Contains(e.Error(), tt.msg) {
					t.Fatalf("got %v, want %q with %q", err, tt.kind, tt.msg)
				}
				if all := fmt.Sprintf("%#v", e); strings.Contains(all, key) || strings.Contains(all, "caller's") {
					t.Errorf("%s tells too much", all)
				}
			})
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"transcript":"Hello","is_final":true,"speech_final":true,"confidence":0.98}`, `{"transcript":"","is_final":true,"utterance_end":true}`,
		`{"errors":[{"code":"40002","source":{"parameter":"input_format"}}]}`, `{"transcript":null}`, `{"confidence":1e308,"transcript":"x"}`, `null`, ``,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := decoder{Config{}.provider("asr")}.decode([]byte(s))
		var e *ai.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%v is no *ai.Error", err)
		}
		for _, r := range got {
			if r.Text == "" && !r.Over || r.Confidence < 0 || r.Confidence > 1 {
				t.Errorf("%+v", r)
			}
		}
	})
}
