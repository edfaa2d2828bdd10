package telnyx

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wire"
	"github.com/hookswitch/hookswitch/ai/internal/wiretest"
	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	end   = `"text":""`                               // the last message of a client
	over  = `{"audio":null,"text":"","isFinal":true}` // the last of the server
	later = 1 << 30                                   // bytes that never come: a line after end
)

// chunk is sound as Telnyx sends it.
func chunk(b []byte) string {
	return `{"audio":"` + base64.StdEncoding.EncodeToString(b) + `","text":null,"isFinal":false,"cached":false}`
}

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
	ear := &wiretest.Ear{End: end, Last: []string{
		chunk(b[:333]), chunk(b[333:]), `{"audio":null,"text":"Hello there.","isFinal":false,"timeToFirstAudioFrameMs":245}`, over,
	}}
	server := httptest.NewServer(ear)
	defer server.Close()
	v := NewTTS(Config{BaseURL: server.URL + "/v2", APIKey: key, Extra: map[string]string{"disable_cache": "true", "engine": "x"}})
	defer v.Close()
	var got pcm.Frame
	for frame, err := range v.Speak(t.Context(), ai.Speech{Text: `Hello "there".`, Rate: 1.2}, 8000) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, frame...)
	}
	if len(got) != 1000 || got[999] != 999 {
		t.Errorf("%d samples, or the wrong ones", len(got))
	}
	came := ear.Came()
	if got, want := came.Path+"?"+came.Query.Encode(), "/v2/text-to-speech/speech?audio_format=linear16&disable_cache=true&sample_rate=8000&voice=Telnyx.NaturalHD.astra"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if want := []string{`{"text":" ","voice_settings":{"voice_speed":1.2}}`, `{"text":"Hello \"there\"."}`, `{"text":""}`}; !slices.Equal(came.Texts, want) {
		t.Errorf("sent %v, want %v", came.Texts, want)
	}
	if got := came.Header.Get("Authorization"); got != "Bearer "+key {
		t.Errorf("authorization %q", got)
	}
}

func TestVoices(t *testing.T) {
	for _, tt := range []struct {
		name   string
		speech ai.Speech
		rate   int
		query  string
		first  string // the settings
		text   string
	}{
		{"Kokoro has one rate", ai.Speech{Text: "Hi", Voice: "Telnyx.KokoroTTS.af", Rate: 2}, 8000, "audio_format=linear16&sample_rate=24000&voice=Telnyx.KokoroTTS.af", "map[]", "Hi"},
		{"Polly is behind AWS, and knows SSML", ai.Speech{Text: "Hi", SSML: "<break/>Hi", Voice: "Polly.Joanna", Language: "en-US"}, 8000, "audio_format=linear16&language=en-US&sample_rate=8000&text_type=ssml&voice=AWS.Polly.Joanna", "map[]", "<speak><break/>Hi</speak>"},
		{"Polly has 16 kHz at most", ai.Speech{Text: "Hi", Voice: "AWS.Polly.Joanna-Neural"}, 48000, "audio_format=linear16&sample_rate=16000&voice=AWS.Polly.Joanna-Neural", "map[]", "Hi"},
		{"Azure is told its format", ai.Speech{Text: "Hi", Voice: "Azure.en-GB-SoniaNeural", Effect: "eq_car"}, 8000, "audio_format=linear16&sample_rate=16000&voice=Azure.en-GB-SoniaNeural", "map[effect:eq_car output_format:raw-16khz-16bit-mono-pcm]", "Hi"},
		{"no marks for others", ai.Speech{Text: "Hi", SSML: "<break/>Hi", Voice: "Telnyx.Qwen3TTS.me", LanguageBoost: "German"}, 8000, "audio_format=linear16&sample_rate=24000&voice=Telnyx.Qwen3TTS.me", "map[language_boost:German]", "Hi"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := voiceOf(tt.speech.Voice)
			rate := v.rate(tt.rate)
			if got := v.query(tt.speech, rate).Encode(); got != tt.query {
				t.Errorf("query %s, want %s", got, tt.query)
			}
			m := v.messages(tt.speech, rate)
			if got := fmt.Sprint(m[0].VoiceSettings); got != tt.first || m[1].Text != tt.text {
				t.Errorf("settings %s and %q, want %s and %q", got, m[1].Text, tt.first, tt.text)
			}
		})
	}
}

func TestSpeechInVirtualTime(t *testing.T) {
	hungUp := errors.New("hung up")
	wrong := func(kind ai.Kind) error { return &ai.Error{Kind: kind} }
	sound := chunk(ramp(80))
	const ms = time.Millisecond
	for _, tt := range []struct {
		name   string
		ear    *wiretest.Ear
		cancel time.Duration // 0: never
		want   error         // nil, the cause, or an *ai.Error of its kind
		frames int
		total  time.Duration
	}{
		{"each piece at once", &wiretest.Ear{Delay: 60 * ms, Lines: []wiretest.Line{{Bytes: later, Wait: 40 * ms, Tell: sound}, {Wait: 50 * ms, Tell: sound}}, Last: []string{over}}, 0, nil, 2, 150 * ms},
		{"a final after each sentence", &wiretest.Ear{Lines: []wiretest.Line{{Bytes: later, Tell: sound}, {Tell: over}, {Wait: 200 * ms, Tell: sound}}, Last: []string{over}}, 0, nil, 2, 200 * ms},
		{"a socket that stays open", &wiretest.Ear{Lines: []wiretest.Line{{Bytes: later, Tell: sound}, {Tell: over}}, Mute: true}, 0, nil, 1, 300 * ms},
		{"cancelled in mid-speech", &wiretest.Ear{Lines: []wiretest.Line{{Bytes: later, Tell: sound}}, Mute: true}, time.Second, hungUp, 1, time.Second},
		{"cancelled at the handshake", &wiretest.Ear{Delay: time.Minute}, 70 * ms, hungUp, 0, 70 * ms},
		{"cancelled while nothing is read", &wiretest.Ear{Deaf: true}, 70 * ms, hungUp, 0, 70 * ms},
		{"silent in mid-speech", &wiretest.Ear{Lines: []wiretest.Line{{Bytes: later, Wait: time.Second, Tell: sound}}, Mute: true}, 0, wrong(ai.Timeout), 1, 11 * time.Second},
		{"a wrong key", &wiretest.Ear{Status: 401}, 0, wrong(ai.Auth), 0, 0},
		{"a voice that is refused", &wiretest.Ear{Status: 403}, 0, wrong(ai.Unsupported), 0, 0},
		{"words without sound", &wiretest.Ear{Lines: []wiretest.Line{{Bytes: later, Wait: 6 * time.Second, Tell: `{"text":"Hello."}`}}, Mute: true}, 0, wrong(ai.Timeout), 0, 10 * time.Second},
		{"a wrong name of a voice", &wiretest.Ear{Status: 400}, 0, wrong(ai.Unsupported), 0, 0},
		{"an error", &wiretest.Ear{Last: []string{`{"error":"Error in audio response"}`}}, 0, wrong(ai.Unavailable), 0, 0},
		{"closed without sound", &wiretest.Ear{}, 0, wrong(ai.Unavailable), 0, 0},
		{"broken in mid-speech", &wiretest.Ear{Lines: []wiretest.Line{{Bytes: later, Tell: sound}, {Cut: true}}}, 0, wrong(ai.Unavailable), 1, 0},
		{"no JSON", &wiretest.Ear{Last: []string{`RIFF`}}, 0, wrong(ai.Protocol), 0, 0},
		{"sound that is no base64", &wiretest.Ear{Last: []string{`{"audio":"%%%"}`}}, 0, wrong(ai.Protocol), 0, 0},
		{"MP3", &wiretest.Ear{Last: []string{chunk([]byte("\xff\xfb\x90\x64\x00\x00"))}}, 0, wrong(ai.Unsupported), 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.ear.End = end
				client, stop := wiretest.Serve(tt.ear)
				defer stop()
				v := NewTTS(Config{Name: "tx", BaseURL: "http://telnyx.test", APIKey: key, HTTP: client})
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				began := time.Now()
				if tt.cancel > 0 {
					time.AfterFunc(tt.cancel, func() { cancel(hungUp) })
				}
				frames := 0
				var err error
				for _, e := range v.Speak(ctx, ai.Speech{Text: "Hello."}, 8000) {
					if err = e; e == nil {
						frames++
					}
				}
				total := time.Since(began)
				tt.ear.Wait()
				if frames != tt.frames || total != tt.total {
					t.Errorf("%d frames in %v, want %d in %v", frames, total, tt.frames, tt.total)
				}
				var want, got *ai.Error
				switch {
				case !errors.As(tt.want, &want):
					if err != tt.want {
						t.Errorf("got %v, want %v", err, tt.want)
					}
				case !errors.As(err, &got) || got.Kind != want.Kind:
					t.Errorf("got %v, want the kind %q", err, want.Kind)
				case got.Provider != "tx" || strings.Contains(fmt.Sprintf("%#v %v", got, got.Err), key):
					t.Errorf("%#v", got)
				}
			})
		})
	}
}

func TestConsumerThatStopsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ear := &wiretest.Ear{End: end, Lines: []wiretest.Line{{Bytes: later, Tell: chunk(ramp(80))}}, Mute: true}
		client, stop := wiretest.Serve(ear)
		defer stop()
		v := NewTTS(Config{BaseURL: "http://telnyx.test", HTTP: client})
		for range v.Speak(t.Context(), ai.Speech{Text: "Hello."}, 8000) {
			break
		}
		ear.Wait()
		if !ear.Came().Gone {
			t.Error("the socket was not let go")
		}
	})
}

func TestMP3IsToldFromSamples(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    string
		want bool
	}{
		{"an ID3 tag", "ID3\x04\x00", true},
		{"a frame of layer III", "\xff\xfb\x90\x64", true},
		{"MPEG 2", "\xff\xf3\x40\xc4", true},
		{"the sample -1", "\xff\xff\xff\xff", false},
		{"silence", "\x00\x00\x00\x00", false},
		{"the sample -2", "\xfe\xff\xfe\xff", false},
		{"nothing", "", false},
	} {
		if got := isMP3([]byte(tt.b)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func FuzzDecodeSpeech(f *testing.F) {
	f.Add(chunk(ramp(4)))
	f.Add(over)
	f.Add(`{"error":"Error in audio response"}`)
	f.Add(`{"audio":7}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, s string) {
		p := Config{}.provider("tts")
		m, err := decodeSpeech(p, wire.Message{Data: []byte(s)})
		if err != nil {
			var e *ai.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is no *ai.Error", err)
			}
			return
		}
		isMP3(m.Audio)
		sound := p.NewSound(16000, 8000)
		if frame, err := sound.Frame(m.Audio); err != nil || len(frame) > len(m.Audio) {
			t.Errorf("%d bytes gave %d samples, %v", len(m.Audio), len(frame), err)
		}
	})
}
