package deepgram

import (
	"context"
	"encoding/json"
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

// results is a message as Deepgram sends it.
func results(text string, start, duration float64, final, speechFinal bool) string {
	var words []map[string]any
	for i, w := range strings.Fields(text) {
		words = append(words, map[string]any{"word": strings.ToLower(w), "punctuated_word": w, "start": start + 0.1*float64(i), "end": start + 0.1*float64(i+1), "confidence": 0.9})
	}
	b, err := json.Marshal(map[string]any{
		"type": "Results", "channel_index": []int{0, 1}, "start": start, "duration": duration,
		"is_final": final, "speech_final": speechFinal, "from_finalize": false,
		"channel": map[string]any{"alternatives": []any{map[string]any{"transcript": text, "confidence": 0.98, "words": words}}},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

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

// speech gives n frames of a ramp, one each 20 ms, then ends.
func speech(ctx context.Context, n int) <-chan pcm.Frame {
	sound := make(chan pcm.Frame)
	go func() {
		defer close(sound)
		for i := range n {
			frame := make(pcm.Frame, 160)
			for j := range frame {
				frame[j] = int16(i)
			}
			select {
			case sound <- frame:
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(pcm.FrameTime):
			case <-ctx.Done():
				return
			}
		}
	}()
	return sound
}

func TestHearOnLoopback(t *testing.T) {
	ear := &wiretest.Ear{
		Lines: []wiretest.Line{
			{Bytes: 640, Tell: `{"type":"SpeechStarted","channel":[0],"timestamp":0.1}`},
			{Tell: results("", 0, 0.04, false, false)},
			{Tell: results("Two", 0.1, 0.3, false, false)},
			{Bytes: 1280, Tell: results("Two five.", 0.1, 0.6, true, true)},
			{Tell: `{"type":"UtteranceEnd","channel":[0,1],"last_word_end":0.5}`},
			{Tell: `{"type":"something new"}`},
		},
		Last: []string{results("Bye.", 1, 0.5, true, false), `{"type":"UtteranceEnd","channel":[0,1]}`, `{"type":"Metadata","duration":0.1}`},
	}
	server := httptest.NewServer(ear)
	defer server.Close()
	a := NewASR(Config{Name: "dg", BaseURL: server.URL + "/v1", APIKey: key, Extra: map[string]string{"mip_opt_out": "true"}})
	defer a.Close()
	h := ai.Hearing{Rate: 8000, Language: "en-GB", Model: "deepgram_nova-3", Hints: []string{"hookswitch", "$OOV_CLASS_DIGIT"}, Interim: true, ProfanityFilter: true, SmartFormat: true}
	var got []string
	for r, err := range a.Hear(t.Context(), h, speech(t.Context(), 10)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, said(r))
		if r.Text == "Two five." {
			if r.Began != 100*time.Millisecond || r.Ended != 700*time.Millisecond || r.Confidence != 0.98 {
				t.Errorf("began %v, ended %v, confidence %v", r.Began, r.Ended, r.Confidence)
			}
			if len(r.Words) != 2 || r.Words[1] != (ai.Word{Text: "five.", Began: 200 * time.Millisecond, Ended: 300 * time.Millisecond, Confidence: 0.9}) {
				t.Errorf("words %+v", r.Words)
			}
		}
	}
	want := []string{`"Two"`, `"Two five." final over`, `"Bye." final`, `"" final over`}
	if !slices.Equal(got, want) {
		t.Errorf("heard %v, want %v", got, want)
	}
	came := ear.Came()
	if len(came.Sound) != 10*320 || came.Sound[320] != 1 || came.Sound[321] != 0 {
		t.Errorf("%d bytes of sound came", len(came.Sound))
	}
	if got := came.Texts; !slices.Equal(got, []string{`{"type":"CloseStream"}`}) {
		t.Errorf("texts %v", got)
	}
	if got := came.Header.Get("Authorization"); got != "Token "+key {
		t.Errorf("authorization %q", got)
	}
	if got, want := came.Path+"?"+came.Query.Encode(), "/v1/listen?channels=1&encoding=linear16&endpointing=300&interim_results=true&keyterm=hookswitch&language=en-GB&mip_opt_out=true&model=nova-3&profanity_filter=true&punctuate=true&sample_rate=8000&smart_format=true&utterance_end_ms=1000&vad_events=true"; got != want {
		t.Errorf("asked for\n%s, want\n%s", got, want)
	}
}

func TestQuery(t *testing.T) {
	for _, tt := range []struct {
		name       string
		model      string
		configured string
		keyterms   []string
		want       string // model, keyterm, keywords
	}{
		{"nova-3 is the default", "", "", []string{"SIP"}, "nova-3 [SIP] []"},
		{"the configured one", "", "nova-2", []string{"SIP"}, "nova-2 [] [SIP]"},
		{"a document's, as Telnyx writes it", "deepgram/nova-2", "nova-3", []string{"SIP", "RTP"}, "nova-2 [] [SIP RTP]"},
		{"a document's, as Twilio writes it", "deepgram_nova-2-phonecall", "nova-3", nil, "nova-2-phonecall [] []"},
		{"phone_call is another's", "phone_call", "", nil, "nova-3 [] []"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := NewASR(Config{Model: tt.configured})
			q := a.query(ai.Hearing{Rate: 16000, Keyterms: tt.keyterms}, modelOf(tt.model, tt.configured))
			if got := fmt.Sprint(q.Get("model"), " ", q["keyterm"], " ", q["keywords"]); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// hear runs one hearing of sound in virtual time.
func hear(ctx context.Context, ear *wiretest.Ear, h ai.Hearing, sound <-chan pcm.Frame) (got []string, err error) {
	client, stop := wiretest.Serve(ear)
	defer stop()
	a := NewASR(Config{BaseURL: "http://deepgram.test/v1", APIKey: key, HTTP: client})
	for r, e := range a.Hear(ctx, h, sound) {
		if e != nil {
			err = e
			continue
		}
		got = append(got, said(r))
	}
	ear.Wait()
	return got, err
}

func TestOnlyFinalsWhenInterimIsNotWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ear := &wiretest.Ear{Lines: []wiretest.Line{{Tell: results("One", 0, 1, false, false)}, {Tell: results("One two", 0, 1, true, false)}}}
		got, err := hear(t.Context(), ear, ai.Hearing{Rate: 8000}, speech(t.Context(), 50))
		if err != nil || !slices.Equal(got, []string{`"One two" final`}) {
			t.Errorf("heard %v, %v", got, err)
		}
	})
}

func TestResultsComeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, stop := wiretest.Serve(&wiretest.Ear{Delay: 80 * time.Millisecond, Lines: []wiretest.Line{{Bytes: 10 * 320, Wait: 120 * time.Millisecond, Tell: results("Yes.", 0, 0.2, true, true)}}})
		defer stop()
		a := NewASR(Config{BaseURL: "ws://deepgram.test/v1", HTTP: client})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began := time.Now()
		for range a.Hear(ctx, ai.Hearing{Rate: 8000}, speech(ctx, 100)) {
			// The tenth frame comes after 180 ms; the engine takes 120.
			if took := time.Since(began); took != 300*time.Millisecond {
				t.Errorf("the result came after %v, want 300ms", took)
			}
			break
		}
	})
}

func TestCancelledHearing(t *testing.T) {
	hungUp := errors.New("hung up")
	for _, tt := range []struct {
		name string
		ear  *wiretest.Ear
		at   time.Duration
	}{
		{"while it speaks", &wiretest.Ear{Lines: []wiretest.Line{{Tell: results("One", 0, 1, false, false)}}}, time.Second},
		{"while the handshake is out", &wiretest.Ear{Delay: 3 * time.Second}, 100 * time.Millisecond},
		{"while nothing is read", &wiretest.Ear{Deaf: true}, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				sound := make(chan pcm.Frame, 1000)
				for range 1000 {
					sound <- make(pcm.Frame, 160)
				}
				client, stop := wiretest.Serve(tt.ear)
				defer stop()
				a := NewASR(Config{BaseURL: "http://deepgram.test/v1", HTTP: client})
				began := time.Now()
				time.AfterFunc(tt.at, func() { cancel(hungUp) })
				var last error
				for _, err := range a.Hear(ctx, ai.Hearing{Rate: 8000}, sound) {
					last = err
				}
				if took := time.Since(began); took != tt.at {
					t.Errorf("ended after %v, want %v", took, tt.at)
				}
				if last != hungUp {
					t.Errorf("ended with %v, want the cause", last)
				}
				tt.ear.Wait()
				if !tt.ear.Deaf && !tt.ear.Came().Gone {
					t.Error("the socket was not let go")
				}
			})
		})
	}
}

// endless is sound without end, until ctx ends.
func endless(ctx context.Context) <-chan pcm.Frame {
	sound := make(chan pcm.Frame)
	go func() {
		tick := time.NewTicker(pcm.FrameTime)
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case sound <- make(pcm.Frame, 160):
			case <-ctx.Done():
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	return sound
}

func TestSlowEngineLosesTheOldestSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The handshake takes 8 s: of 10 s of sound the first 3 s are gone.
		ear := &wiretest.Ear{Delay: 8 * time.Second}
		_, err := hear(t.Context(), ear, ai.Hearing{Rate: 8000}, speech(t.Context(), 500))
		if err != nil {
			t.Fatal(err)
		}
		sound := ear.Came().Sound
		lost := 500 - len(sound)/320
		if lost < 145 || lost > 155 {
			t.Errorf("%d frames were lost, want 150", lost)
		}
		if first := int(sound[0]); first != lost {
			t.Errorf("frame %d came first, want %d", first, lost)
		}
	})
}

func TestRecordingLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ear := &wiretest.Ear{Delay: 300 * time.Millisecond}
		sound := make(chan pcm.Frame)
		go func() {
			defer close(sound)
			for range 3000 { // a minute, all at once
				sound <- make(pcm.Frame, 160)
			}
		}()
		_, err := hear(t.Context(), ear, ai.Hearing{Rate: 8000}, sound)
		if got := len(ear.Came().Sound); err != nil || got != 3000*320 {
			t.Errorf("%d bytes came, %v; want %d", got, err, 3000*320)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		results("Two five.", 0.1, 0.6, true, true), results("", -1, 1e300, false, false),
		`{"type":"UtteranceEnd","channel":[0,1],"last_word_end":-1}`, `{"type":"SpeechStarted"}`, `{"type":"Metadata"}`, `{"type":"Error"}`,
		`{"type":"Results","channel":{"alternatives":[]}}`, `{"type":"Results","channel":null,"speech_final":true}`, `null`, `[]`, ``,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := decoder{provider: Config{}.provider("asr")}
		for range 2 {
			got, err := d.decode([]byte(s))
			if err != nil {
				var e *ai.Error
				if !errors.As(err, &e) {
					t.Fatalf("%v is no *ai.Error", err)
				}
				return
			}
			for _, r := range got {
				if r.Began < 0 || r.Ended < 0 || r.Confidence < 0 || r.Confidence > 1 {
					t.Errorf("%+v", r)
				}
				if r.Text == "" && !r.Over {
					t.Errorf("a result says nothing")
				}
			}
		}
	})
}
