package runtime_test

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// TestPlacedCallsAskWhoAnswers places calls to somebody who talks on, to a fax
// and to silence. A document that waits for the verdict is asked for with it, one
// that does not is asked for at once.
func TestPlacedCallsAskWhoAnswers(t *testing.T) {
	second := time.Second
	talks, silent := pcm.Tone(8000, second, 0.2, 150, 240), pcm.Silence(8000, second)
	fax := pcm.Tone(8000, second, 0.2, 2100)
	tests := []struct {
		name    string
		dialect texml.Dialect
		amd     runtime.AMD
		sound   pcm.Clip
		hangUp  time.Duration // after the answer; 0: not at all
		asked   string        // when the first document is, after the answer, and what it is told
		told    []string      // who has answered, at each callback URL
	}{
		{"not asked", texml.Twilio, runtime.AMD{}, talks, 0, "0s ", []string{"/status "}},
		{"a machine, Twilio", texml.Twilio, runtime.AMD{Mode: "Enable"}, talks, 0, "2.6s machine_start", []string{"/status machine_start"}},
		{"a machine, Telnyx", texml.Telnyx, runtime.AMD{Mode: "Enable"}, talks, 0, "3.7s machine_start", []string{"/status machine_start"}},
		{"a threshold of its own", texml.Telnyx, runtime.AMD{Mode: "Enable", SpeechThreshold: second}, talks, 0, "1.2s machine_start", []string{"/status machine_start"}},
		{"to the end of its time", texml.Twilio, runtime.AMD{Mode: "DetectMessageEnd", Timeout: 4 * second}, talks, 0, "4s machine_end_other", []string{"/status machine_end_other"}},
		{"a fax", texml.Twilio, runtime.AMD{Mode: "Enable"}, fax, 0, "400ms fax", []string{"/status fax"}},
		{"silence, Twilio", texml.Twilio, runtime.AMD{Mode: "Enable"}, silent, 0, "5s unknown", []string{"/status unknown"}},
		{"silence, Telnyx", texml.Telnyx, runtime.AMD{Mode: "Enable"}, silent, 0, "3.5s unknown", []string{"/status unknown"}},
		{"beside the document", texml.Twilio, runtime.AMD{Mode: "Enable", Async: true, Callback: runtime.Request{URL: "http://a/amd"}}, talks, 0,
			"0s ", []string{"/amd machine_start", "/status "}},
		{"hung up before it is known", texml.Twilio, runtime.AMD{Mode: "Enable"}, talks, second, "", []string{"/status "}},
		{"hung up before it is known, beside", texml.Twilio, runtime.AMD{Mode: "Enable", Async: true, Callback: runtime.Request{URL: "http://a/amd"}}, talks, second,
			"0s ", []string{"/status "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
				called := &phone{guest: newGuest(pacer, 400), progress: make(chan int, 4)}
				called.tone = tt.sound
				began, asked := time.Now(), ""
				kept := store.Memory()
				s := runtime.New(runtime.Config{Store: kept, Web: documents(func(r webhook.Request) (*webhook.Response, error) {
					if asked == "" {
						asked = time.Since(began).Round(100*time.Millisecond).String() + " " + r.Form.Get("AnsweredBy")
						if (r.Form.Get("MachineDetectionDuration") != "") != (r.Form.Get("AnsweredBy") != "") {
							t.Errorf("told %v", r.Form)
						}
					}
					return document(r.URL, "<Response><Pause length='10'/></Response>")
				}), Dial: func(context.Context, runtime.Destination) (runtime.Outgoing, error) {
					called.answer()
					if tt.hangUp > 0 {
						time.AfterFunc(tt.hangUp, called.hangUp)
					}
					return called, nil
				}})
				account := "AC1"
				s.Place(t.Context(), runtime.Destination{To: "+1"}, runtime.Setup{Account: runtime.Account{SID: account}, Dialect: tt.dialect,
					Direction: "outbound-api", First: runtime.Request{URL: "http://a/voice"}, AMD: tt.amd,
					StatusCallback: runtime.Request{URL: "http://a/status"}, StatusEvents: []string{"answered"}})
				s.Close()
				owed, err := kept.Due(t.Context(), time.Now().Add(time.Hour), 100, nil)
				if err != nil {
					t.Fatal(err)
				}
				var told []string
				for _, cb := range owed {
					form, _ := url.ParseQuery(cb.Form)
					told = append(told, cb.URL[len("http://a"):]+" "+form.Get("AnsweredBy"))
				}
				slices.Sort(told)
				if asked != tt.asked || !slices.Equal(told, tt.told) {
					t.Errorf("asked for the document at %q and told %q, want %q and %q", asked, told, tt.asked, tt.told)
				}
				called.hangUp()
				called.stream.Close()
				pacer.Close()
			})
		})
	}
}
