package deepgram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
func hear(ctx context.Context, ear *wiretest.Ear, h ai.Hearing, sound <-chan pcm.Frame) (got []string, lost int, err error) {
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
	return got, a.Lost(), err
}

func TestOnlyFinalsWhenInterimIsNotWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ear := &wiretest.Ear{Lines: []wiretest.Line{{Tell: results("One", 0, 1, false, false)}, {Tell: results("One two", 0, 1, true, false)}}}
		got, _, err := hear(t.Context(), ear, ai.Hearing{Rate: 8000}, speech(t.Context(), 50))
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
				_, _, err := hear(ctx, tt.ear, ai.Hearing{Rate: 8000}, endless(ctx))
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
		if _, _, err := hear(t.Context(), ear, ai.Hearing{Rate: 8000}, sound); err != nil {
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

func TestSlowEngineLosesTheOldestSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The handshake takes 8 s: of 10 s of sound the first 3 s are gone.
		ear := &wiretest.Ear{Delay: 8 * time.Second}
		_, lost, err := hear(t.Context(), ear, ai.Hearing{Rate: 8000}, speech(t.Context(), 500))
		if err != nil {
			t.Fatal(err)
		}
		sound := ear.Came().Sound
		if got := len(sound)/320 + lost; got != 500 {
			t.Errorf("%d frames came and %d were lost, want 500 in all", len(sound)/320, lost)
		}
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
		_, lost, err := hear(t.Context(), ear, ai.Hearing{Rate: 8000}, sound)
		if got := len(ear.Came().Sound); err != nil || lost != 0 || got != 3000*320 {
			t.Errorf("%d bytes came, %d frames were lost, %v", got, lost, err)
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
