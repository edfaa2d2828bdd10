//go:build linux

package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// newPair is callers who call the callees directly: a server that adds nothing.
func newPair(t *testing.T, speaks law) *callers {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	clock, stopped := newRTPClock(ctx)
	callees, err := newUAS("127.0.0.1:0", clock, speaks)
	if err != nil {
		t.Fatal(err)
	}
	u, err := newUAC(callees.uri())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close(); callees.Close(); stop(); <-stopped })
	return &callers{uac: u, callees: callees, clock: clock}
}

func TestBenchBridged(t *testing.T) {
	t.Parallel()
	c := newPair(t, ulaw)
	rows, err := c.bridged(t.Context(), "5 bridged: ", 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 {
		t.Fatalf("got %d rows, want 2", len(rows))
	}
	if got := rows[0].figures[0]; rows[0].name != "5 bridged: delay" || got.value <= 0 || got.value > 20 {
		t.Errorf("%s: %v, want a little of a call without a server", rows[0].name, got)
	}
	if strings.Contains(rows[0].note, "heard nothing") {
		t.Error(rows[0].note)
	}
	if up := c.callees.Ends(); len(up) != 0 {
		t.Errorf("%d callees are still up", len(up))
	}
}

func TestBenchDialled(t *testing.T) {
	t.Parallel()
	rows, err := newPair(t, ulaw).dialled(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := "50 calls at 50/s, the callee answers at once"; rows[0].note != want {
		t.Errorf("note %q, want %q", rows[0].note, want)
	}
	for _, r := range rows {
		if len(r.figures) != 2 {
			t.Errorf("%s: figures %v", r.name, r.figures)
		}
	}
}

func TestCalleesRefuseACodecTheyDoNotSpeak(t *testing.T) {
	t.Parallel()
	c := newPair(t, alaw) // the callers offer μ-law
	_, err := c.uac.Call(t.Context(), c.uac.local)
	if err == nil || err.Error() != "488 Not Acceptable Here to INVITE" {
		t.Errorf("got %v", err)
	}
}

func TestFrameNumbers(t *testing.T) {
	transcode := func(sound []byte) {
		var linear [frameLen]int16
		g711.DecodeULaw(linear[:], sound)
		g711.EncodeALaw(sound, linear[:])
	}
	back := func(sound []byte) {
		var linear [frameLen]int16
		g711.DecodeALaw(linear[:], sound)
		g711.EncodeULaw(sound, linear[:])
	}
	for _, tt := range []struct {
		name   string
		law    law
		change func([]byte)
		ok     bool
	}{
		{"as it was sent", ulaw, func([]byte) {}, true},
		{"from μ-law to A-law", ulaw, transcode, true},
		{"from A-law to μ-law", alaw, back, true},
		{"silence has none", ulaw, func(b []byte) { clear(b) }, false},
		{"a tone has none", ulaw, func(b []byte) { g711.EncodeULaw(b, pcm.Tone(8000, pcm.FrameTime, 0.5, 440).Samples) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := new(sendLog)
			for i := range 300 {
				sound, sent := make([]byte, frameLen), time.Unix(9, int64(i))
				log.Number(sound, tt.law, sent)
				tt.change(sound)
				if at, ok := log.Sent(sound); ok != tt.ok || ok && !at.Equal(sent) {
					t.Fatalf("frame %d: got %v, %v, want %v, %v", i, at, ok, sent, tt.ok)
				}
			}
		})
	}
}

func TestAFrameNeverSentHasNoTime(t *testing.T) {
	sound := make([]byte, frameLen)
	new(sendLog).Number(sound, ulaw, time.Unix(1, 0))
	if at, ok := new(sendLog).Sent(sound); ok {
		t.Errorf("got %v", at)
	}
	if _, ok := new(sendLog).Sent(sound[:20]); ok {
		t.Error("a short frame has a number")
	}
}

func TestAbove(t *testing.T) {
	got := above([]time.Duration{7, 3, 4})
	if want := []time.Duration{0, 1, 4}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBenchWebhook(t *testing.T) {
	hook, stop, err := benchWebhook()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, tt := range []struct{ path, want string }{
		{"/dial?" + url.Values{"callee": {"sip:a&b@127.0.0.1:9"}, "record": {"do-not-record"}}.Encode(),
			`<Response><Dial answerOnBridge="true" record="do-not-record"><Sip>sip:a&amp;b@127.0.0.1:9</Sip></Dial></Response>`},
		{"/room?members=2&record=x", `<Response><Dial><Conference beep="false" record="x">room-0</Conference></Dial></Response>`},
		{"/room?members=2&record=x", `<Response><Dial><Conference beep="false" record="x">room-0</Conference></Dial></Response>`},
		{"/room?members=2&record=x", `<Response><Dial><Conference beep="false" record="x">room-1</Conference></Dial></Response>`},
		{"/room?members=0", "how many members?\n"},
	} {
		r, err := http.Get(hook + tt.path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.path, b, tt.want)
		}
	}
}
