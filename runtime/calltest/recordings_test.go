package calltest

import (
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

func TestContents(t *testing.T) {
	tone := func(d time.Duration, hz ...float64) []int16 { return pcm.Tone(8000, d, 0.3, hz...).Samples }
	silence := func(d time.Duration) []int16 { return pcm.Silence(8000, d).Samples }
	join := func(parts ...[]int16) (all []int16) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, test := range []struct {
		name  string
		sound []int16
		want  string
	}{
		{"nothing", nil, ""},
		{"silence", silence(1500 * time.Millisecond), "silence 1.5s"},
		{"a tone between silences", join(silence(time.Second), tone(2*time.Second, 440), silence(500*time.Millisecond)), "silence 1s, 440 Hz 2s, silence 500ms"},
		{"lengths are rounded, not their sum", join(tone(1040*time.Millisecond, 300), silence(1040*time.Millisecond), tone(1040*time.Millisecond, 300)),
			"300 Hz 1s, silence 1.1s, 300 Hz 1s"},
		{"one tone after the other", join(tone(time.Second, 200), tone(time.Second, 300)), "200 Hz 1s, 300 Hz 1s"},
		{"a change within a window", join(tone(1060*time.Millisecond, 200), tone(time.Second, 440)), "200 Hz 1.1s, 440 Hz 1s"},
		{"two speak at once for a while", join(tone(time.Second, 200), tone(time.Second, 200, 300), tone(time.Second, 300)),
			"200 Hz 1s, 200 Hz and 300 Hz 1s, 300 Hz 1s"},
		{"three at once", tone(time.Second, 200, 300, 440), "200 Hz and 300 Hz and 440 Hz 1s"},
		{"a click is no sound of its own", join(silence(time.Second), tone(20*time.Millisecond, 440), silence(time.Second)), "silence 2s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := contents(test.sound, 8000); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestDescribed(t *testing.T) {
	file := append(make([]byte, 20), 1, 0, 2, 0, 0x40, 0x1f, 0, 0) // PCM, 2 channels, 8000 Hz
	file = append(file, make([]byte, wavHeader-len(file))...)
	left, right := pcm.Tone(8000, time.Second, 0.3, 440).Samples, pcm.Tone(8000, time.Second, 0.3, 300).Samples
	for i := range left {
		file = append(file, byte(left[i]), byte(left[i]>>8), byte(right[i]), byte(right[i]>>8))
	}
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"two channels", file, "1s: 440 Hz 1s | 300 Hz 1s"},
		{"a header alone", file[:wavHeader], "0s:  | "},
		{"no header", file[:10], "without sound"},
		{"half a sample more", append(file[:len(file):len(file)], 1), "1s: 440 Hz 1s | 300 Hz 1s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := described(test.file); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
