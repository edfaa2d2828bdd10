package wire

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

func TestSoundJoinsWhatIsCut(t *testing.T) {
	tone := pcm.Tone(24000, time.Second, 0.5, 440)
	b := pcm.AppendBytes(nil, tone.Samples)
	p := NewProvider("tts", "x", 0, http.DefaultClient)
	for _, size := range []int{1, 2, 3, 7, 1001, len(b)} {
		same, half := p.NewSound(24000, 24000), p.NewSound(24000, 8000)
		var got, resampled []int16
		for piece := range slices.Chunk(b, size) {
			a, err := same.Frame(piece)
			if err != nil {
				t.Fatal(err)
			}
			c, err := half.Frame(piece)
			if err != nil {
				t.Fatal(err)
			}
			got, resampled = append(got, a...), append(resampled, c...)
			if frame, err := same.Frame(nil); len(frame) > 0 || err != nil {
				t.Fatalf("nothing became %d samples, %v", len(frame), err)
			}
		}
		if !slices.Equal(got, tone.Samples) {
			t.Errorf("pieces of %d bytes: the samples differ", size)
		}
		if len(resampled) != 8000 || pcm.Share(resampled, 8000, 440) < 0.99 {
			t.Errorf("pieces of %d bytes: %d samples at 8 kHz, %.3f of them the tone", size, len(resampled), pcm.Share(resampled, 8000, 440))
		}
	}
}

func TestSoundHasALimit(t *testing.T) {
	s := NewProvider("tts", "x", 0, http.DefaultClient).NewSound(8000, 8000)
	minute := make([]byte, 60*8000*2)
	for range 10 {
		if _, err := s.Frame(minute); err != nil {
			t.Fatal(err)
		}
	}
	var e *ai.Error
	if _, err := s.Frame(minute[:2]); !errors.As(err, &e) || e.Kind != ai.Protocol {
		t.Errorf("got %v", err)
	}
}

func TestURL(t *testing.T) {
	for _, tt := range []struct{ base, want string }{
		{"https://api.test/v1", "https://api.test/v1/listen?a=b+c"},
		{"https://api.test/v1/", "https://api.test/v1/listen?a=b+c"},
		{"wss://api.test/v1", "https://api.test/v1/listen?a=b+c"},
		{"ws://127.0.0.1:8080", "http://127.0.0.1:8080/listen?a=b+c"},
	} {
		if got := URL(tt.base, "/listen", url.Values{"a": {"b c"}}); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.base, got, tt.want)
		}
	}
}

func TestHints(t *testing.T) {
	many := make([]string, 150)
	for i := range many {
		many[i] = "word"
	}
	if got := len(Hints(many, many)); got != 100 {
		t.Errorf("%d hints, want 100", got)
	}
	if got, want := Hints([]string{" SIP ", "", "$OOV_CLASS_TIME", strings.Repeat("x", 101)}, []string{"RTP"}), []string{"SIP", "RTP"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestClosed(t *testing.T) {
	p := NewProvider("asr", "x", 0, http.DefaultClient)
	for _, tt := range []struct {
		name string
		err  error
		want ai.Kind
	}{
		{"no sound came", websocket.CloseError{Code: 1011, Reason: "NET-0001"}, ai.Timeout},
		{"a fault of its network", websocket.CloseError{Code: 1011, Reason: "NET-0000: x"}, ai.Unavailable},
		{"sound it does not know", websocket.CloseError{Code: 1008, Reason: "DATA-0000"}, ai.Content},
		{"a policy", websocket.CloseError{Code: 1008, Reason: "said by the caller"}, ai.Content},
		{"going away", websocket.CloseError{Code: 1001}, ai.Unavailable},
		{"a protocol error", websocket.CloseError{Code: 1002}, ai.Protocol},
		{"a long message", websocket.ErrMessageTooBig, ai.Protocol},
		{"a broken connection", errors.New("reset"), ai.Unavailable},
	} {
		if got := p.Closed(tt.err); got.Kind != tt.want || got.Fix == "" || strings.Contains(got.Error(), "caller") {
			t.Errorf("%s: %q of kind %q, want %q", tt.name, got, got.Kind, tt.want)
		}
	}
}

func TestNumbersThatMakeNoSense(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300} {
		if Seconds(v) != 0 || Confidence(v) != 0 {
			t.Errorf("%v: %v, %v", v, Seconds(v), Confidence(v))
		}
	}
	if Seconds(1.5) != 1500*time.Millisecond || Confidence(1) != 1 {
		t.Error("numbers that make sense do not")
	}
}

func TestRetryAfter(t *testing.T) {
	for s, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "999999": time.Hour, "NaN": 0, "Wed, 21 Oct 2020 07:28:00 GMT": 0} {
		if got := RetryAfter(http.Header{"Retry-After": {s}}); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

func FuzzRefusalCode(f *testing.F) {
	for _, s := range []string{
		`{"err_code":"INVALID_AUTH","err_msg":"x"}`, `{"detail":{"status":"quota_exceeded"}}`, `{"detail":[{"loc":["body"]}]}`,
		`{"detail":{"code":"x y"}}`, `{"errors":[{"code":"10009"}]}`, `{"errors":{}}`, `{"err_code":7}`, `<html>`, ``,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if code := refusalCode(strings.NewReader(s)); code != "" && !known.MatchString(code) {
			t.Errorf("%q", code)
		}
	})
}
