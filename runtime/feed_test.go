package runtime

import (
	"slices"
	"testing"

	"github.com/hookswitch/hookswitch/media/pcm"
)

func TestFeed(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   string // h: a frame is heard, n: one is sent
		want []int16
	}{
		{"nothing has been heard", "nn", []int16{0, 0}},
		{"the first waits for the second", "hnhnhn", []int16{0, 1, 2}},
		{"one that is late is waited for", "hhnnnhhn", []int16{1, 2, 0, 3}},
		{"a run of late frames catches up", "hhnhnnhhn", []int16{1, 2, 3, 4}},
		{"what is too old is dropped", "hhhhhhhhn", []int16{4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(8000)
			in, out := make(pcm.Frame, 160), make(pcm.Frame, 160)
			var got []int16
			n := int16(0)
			for _, c := range tt.in {
				if c == 'h' {
					n++
					for i := range in {
						in[i] = n
					}
					f.hear(in)
					continue
				}
				if !f.Next(out) || out[0] != out[159] {
					t.Fatalf("ended, or cut a frame in two: %d … %d", out[0], out[159])
				}
				got = append(got, out[0])
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("sent %d, want %d", got, tt.want)
			}
		})
	}
}

func TestFeedAtAnotherRate(t *testing.T) {
	f := newFeed(8000)
	out := make(pcm.Frame, 160)
	tone := pcm.Tone(16000, 1e9, 0.5, 440)
	var heard []int16
	for s := tone.Samples; len(s) > 0; s = s[320:] {
		f.hear(s[:320])
		f.Next(out)
		heard = append(heard, out...)
	}
	if got := pcm.Share(heard[4000:], 8000, 440); got < 0.99 {
		t.Errorf("%.3f of it is the tone", got)
	}
	if n := testing.AllocsPerRun(100, func() { f.hear(tone.Samples[:320]); f.Next(out) }); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}
