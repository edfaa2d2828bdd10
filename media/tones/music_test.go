package tones

import (
	"fmt"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

var rates = []int{8000, 16000, 48000}

func TestMusicIsSoftAndEven(t *testing.T) {
	for _, rate := range rates {
		c := Music(rate)
		if d := c.Duration(); d < 16*time.Second || d > 32*time.Second || c.Rate != rate {
			t.Errorf("%d Hz: %v at %d Hz, want 16 to 32 s", rate, d, c.Rate)
		}
		if got := pcm.Level(c.Samples); got > -20 || got < -30 {
			t.Errorf("%d Hz: %.1f dBFS, want -30 to -20", rate, got)
		}
		for at := 0; at < len(c.Samples); at += rate {
			if got := pcm.Level(c.Samples[at : at+rate]); got > -18 || got < -36 {
				t.Errorf("%d Hz: second %d is at %.1f dBFS", rate, at/rate, got)
			}
		}
	}
}

// Nowhere, least of all at the join, may a sample step further from the line
// through its neighbours than the music itself does.
func TestMusicHasNoClickWhereItBeginsAnew(t *testing.T) {
	for _, rate := range rates {
		s := Music(rate).Samples
		n := len(s)
		bend := func(i int) int {
			v := int(s[(i+n-1)%n]) - 2*int(s[i%n]) + int(s[(i+1)%n])
			return max(v, -v)
		}
		most := 0
		for i := 1000; i < n-1000; i++ {
			most = max(most, bend(i))
		}
		for i := n - 1000; i < n+1000; i++ {
			if got := bend(i); got > most {
				t.Errorf("%d Hz: a bend of %d at sample %d of %d, at most %d elsewhere", rate, got, i, n, most)
			}
		}
		if limit := 32768 * 8000 / rate / 10; most > limit {
			t.Errorf("%d Hz: a bend of %d, want at most %d", rate, most, limit)
		}
		before, after := pcm.Level(s[n-rate/4:]), pcm.Level(s[:rate/4])
		if d := before - after; d > 12 || d < -12 {
			t.Errorf("%d Hz: %.1f dBFS before the join, %.1f after", rate, before, after)
		}
	}
}

func TestSignals(t *testing.T) {
	type part struct {
		at time.Duration
		hz float64
	}
	tests := []struct {
		name  string
		make  func(rate int) pcm.Clip
		want  time.Duration
		parts []part
	}{
		{"beep", Beep, 400 * time.Millisecond, []part{{100, 1000}, {250, 1000}}},
		{"enter rises", Enter, 320 * time.Millisecond, []part{{40, 523.25}, {200, 783.99}}},
		{"exit falls", Exit, 320 * time.Millisecond, []part{{40, 783.99}, {200, 523.25}}},
	}
	for _, tt := range tests {
		for _, rate := range rates {
			t.Run(fmt.Sprint(tt.name, " ", rate), func(t *testing.T) {
				c := tt.make(rate)
				if c.Duration() != tt.want || c.Rate != rate {
					t.Errorf("%v at %d Hz, want %v", c.Duration(), c.Rate, tt.want)
				}
				for _, p := range tt.parts {
					at := rate / 1000 * int(p.at)
					if got := pcm.Share(c.Samples[at:at+rate/10], rate, p.hz); got < 0.95 {
						t.Errorf("%v Hz is %.2f of the sound at %d ms", p.hz, got, p.at)
					}
				}
				if got := pcm.Level(c.Samples); got > -18 || got < -26 {
					t.Errorf("%.1f dBFS, want -26 to -18", got)
				}
				n := len(c.Samples)
				edge := rate / 1000
				for i := range edge { // the first and the last millisecond
					for _, v := range []int16{c.Samples[i], c.Samples[n-1-i]} {
						if v > 100 || v < -100 {
							t.Errorf("%d, %d samples from an edge", v, i)
						}
					}
				}
			})
		}
	}
}

func BenchmarkMusic(b *testing.B) {
	for b.Loop() {
		Music(8000)
	}
}
