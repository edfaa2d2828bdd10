package g722

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	reference "github.com/gotranspile/g722"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// delay is how many samples the two filter banks take together.
const delay = 22

// through codes and decodes samples, 20 ms at a time.
func through(in []int16) (out []int16) {
	e, d := NewEncoder(), NewDecoder()
	code, frame := make([]byte, 160), make([]int16, 320)
	for i := 0; i+320 <= len(in); i += 320 {
		n := e.Encode(code, in[i:i+320])
		m := d.Decode(frame, code[:n])
		out = append(out, frame[:m]...)
	}
	return out
}

// snr is how much louder the sound is than what the codec adds to it, in dB.
func snr(in, out []int16) float64 {
	signal, noise := 0.0, 0.0
	for i := delay; i < len(out); i++ {
		a, b := float64(in[i-delay]), float64(out[i])
		signal += a * a
		noise += (a - b) * (a - b)
	}
	return 10 * math.Log10(signal/noise)
}

func TestSoundSurvives(t *testing.T) {
	second := func(level float64, hz ...float64) []int16 { return pcm.Tone(Rate, time.Second, level, hz...).Samples }
	tests := []struct {
		name string
		in   []int16
		want float64 // dB
	}{
		{"a low tone", second(0.5, 400), 30},
		{"a tone that G.711 has too", second(0.5, 2000), 25},
		{"a tone that only wideband has", second(0.5, 5000), 14},
		{"a vowel", second(0.5, 120, 240, 480, 720, 1080, 2400), 25},
		{"quiet", second(0.01, 400), 25},
		{"as loud as can be", second(1, 400), 25},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := through(tt.in)
			if len(out) != len(tt.in) {
				t.Fatalf("%d samples, want %d", len(out), len(tt.in))
			}
			got := snr(tt.in, out)
			t.Logf("%.1f dB", got)
			if got < tt.want {
				t.Errorf("SNR %.1f dB, want at least %v", got, tt.want)
			}
		})
	}
}

// A square wave at full scale overshoots in the filters. It may clip; it must
// not wrap to the other sign.
func TestOverloadClips(t *testing.T) {
	in := make([]int16, Rate)
	for i := range in {
		in[i] = math.MaxInt16
		if i/40%2 == 1 {
			in[i] = math.MinInt16
		}
	}
	out := through(in)
	for i := delay + 320; i < len(out); i++ {
		at := (i - delay) % 40
		if at > 8 && at < 32 && (in[i-delay] > 0) != (out[i] > 0) {
			t.Fatalf("sample %d is %d, was %d", i, out[i], in[i-delay])
		}
	}
}

// The standard asks for the same bits from everybody. Where the sound does not
// overshoot, the codec that others use agrees.
func TestBitsAreThoseOfTheStandard(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	in := make([]int16, 20*Rate)
	for i := range in {
		level := math.Exp2(float64(2 + i/8000%11)) // from a whisper up, and on anew
		v := math.Sin(float64(i)*0.11) + math.Sin(float64(i)*float64(i)*1e-6) + rnd.Float64() - 0.5
		in[i] = int16(v * level)
	}
	e, d := NewEncoder(), NewDecoder()
	code, out := make([]byte, len(in)/2), make([]int16, len(in))
	e.Encode(code, in)
	if want := reference.Encode(in, reference.Rate64000, 0); !bytes.Equal(code, want) {
		t.Fatal("codes differ")
	}
	d.Decode(out, code)
	if want := reference.Decode(code, reference.Rate64000, 0); !slices.Equal(out, want) {
		t.Fatal("samples differ")
	}
	// Any bytes at all: only what would wrap differs.
	for i := range code {
		code[i] = byte(rnd.Uint32())
	}
	d = NewDecoder()
	d.Decode(out, code)
	for i, want := range reference.Decode(code, reference.Rate64000, 0) {
		if out[i] != want && out[i] != math.MaxInt16 && out[i] != math.MinInt16 {
			t.Fatalf("sample %d of noise is %d, want %d", i, out[i], want)
		}
	}
}

func TestSilenceIsSilent(t *testing.T) {
	if got := pcm.Level(through(make([]int16, 3200))[320:]); got > -70 {
		t.Errorf("silence at %.0f dB, want below -70", got)
	}
}

func TestOddSampleIsLeftOut(t *testing.T) {
	if got := NewEncoder().Encode(make([]byte, 8), make([]int16, 5)); got != 2 {
		t.Errorf("%d codes of 5 samples, want 2", got)
	}
}

func TestNothingAllocates(t *testing.T) {
	e, d := NewEncoder(), NewDecoder()
	in := pcm.Tone(Rate, 20*time.Millisecond, 0.5, 400).Samples
	code, out := make([]byte, 160), make([]int16, 320)
	if n := testing.AllocsPerRun(100, func() { e.Encode(code, in); d.Decode(out, code) }); n != 0 {
		t.Errorf("%v allocations a frame, want 0", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	e, in, code := NewEncoder(), pcm.Tone(Rate, 20*time.Millisecond, 0.5, 400).Samples, make([]byte, 160)
	for b.Loop() {
		e.Encode(code, in)
	}
}

func BenchmarkDecode(b *testing.B) {
	d, out, code := NewDecoder(), make([]int16, 320), make([]byte, 160)
	NewEncoder().Encode(code, pcm.Tone(Rate, 20*time.Millisecond, 0.5, 400).Samples)
	for b.Loop() {
		d.Decode(out, code)
	}
}
