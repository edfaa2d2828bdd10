package tones

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// codes are the values of <Dial ringTone>.
const codes = "at au bg br be ch cl cn cz de dk ee es fi fr gr hu il in it lt jp mx my nl no nz ph pl pt ru se sg th tw uk us us-old ve za"

func TestEveryCountryRings(t *testing.T) {
	n := 0
	for code := range strings.FieldsSeq(codes) {
		n++
		freqs, cadence := ringback[code].freqs, ringback[code].cadence
		if len(freqs) == 0 || len(cadence)%2 != 0 {
			t.Errorf("%s: %v Hz, %v; want a tone and pairs of on and off", code, freqs, cadence)
			continue
		}
		for _, f := range freqs {
			if f < 300 || f > 500 {
				t.Errorf("%s rings at %v Hz", code, f)
			}
		}
		var round time.Duration
		for _, d := range cadence {
			round += d
		}
		if round < 2*time.Second || round > 7*time.Second {
			t.Errorf("%s: a round of %v", code, round)
		}
		c, ok := Ringback(code, 8000)
		if !ok || c.Duration() != round {
			t.Errorf("%s rings for %v, want %v", code, c.Duration(), round)
			continue
		}
		on := c.Samples[:8*int(cadence[0].Milliseconds())]
		share := 0.0
		for _, f := range freqs {
			share += pcm.Share(on, 8000, f)
		}
		if share < 0.98 {
			t.Errorf("%s: its frequencies are %.3f of the ring", code, share)
		}
		if got := pcm.Level(c.Samples[len(on) : len(on)+8*int(cadence[1].Milliseconds())]); !math.IsInf(got, -1) {
			t.Errorf("%s: %.1f dBFS between rings, want silence", code, got)
		}
	}
	if n != len(ringback) {
		t.Errorf("%d countries ring, want the %d of the list", len(ringback), n)
	}
}

func TestUnknownCountry(t *testing.T) {
	for _, code := range []string{"", "US", "xx"} {
		if c, ok := Ringback(code, 8000); ok || len(c.Samples) != 0 {
			t.Errorf("%q rings for %v", code, c.Duration())
		}
	}
}
