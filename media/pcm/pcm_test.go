package pcm

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	tests := []struct {
		name string
		clip Clip
		want time.Duration
	}{
		{"one frame", Clip{8000, make([]int16, 160)}, FrameTime},
		{"one frame at 16 kHz", Clip{16000, make([]int16, 320)}, FrameTime},
		{"a rate that does not divide a second", Clip{11025, make([]int16, 11025)}, time.Second},
		{"no rate", Clip{0, make([]int16, 160)}, 0},
	}
	for _, tt := range tests {
		if got := tt.clip.Duration(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestLevel(t *testing.T) {
	square := make([]int16, 160)
	for i := range square {
		square[i] = math.MinInt16
	}
	tests := []struct {
		name string
		s    []int16
		want float64
	}{
		{"full scale", square, 0},
		{"a sine at full scale", Tone(8000, time.Second, 1, 1000).Samples, -3.02},
		{"a tenth of it", Tone(8000, time.Second, 0.1, 1000).Samples, -23.02},
		{"two tones share the peak", Tone(8000, time.Second, 1, 697, 1209).Samples, -6.03},
		{"silence", make([]int16, 160), math.Inf(-1)},
		{"nothing", nil, math.Inf(-1)},
	}
	for _, tt := range tests {
		if got := Level(tt.s); got != tt.want && !(math.Abs(got-tt.want) < 0.02) {
			t.Errorf("%s: %.3f dBFS, want %.2f", tt.name, got, tt.want)
		}
	}
}

func TestShare(t *testing.T) {
	pair := Tone(8000, time.Second, 0.5, 440, 1000).Samples
	tests := []struct {
		name   string
		s      []int16
		hz     float64
		lo, hi float64
	}{
		{"a pure tone", Tone(8000, time.Second, 0.5, 440).Samples, 440, 0.99, 1},
		{"another pitch", Tone(8000, time.Second, 0.5, 440).Samples, 480, 0, 0.01},
		{"one of two", pair, 440, 0.48, 0.52},
		{"the other of two", pair, 1000, 0.48, 0.52},
		{"silence", make([]int16, 160), 440, 0, 0},
		{"nothing", nil, 440, 0, 0},
	}
	for _, tt := range tests {
		if got := Share(tt.s, 8000, tt.hz); got < tt.lo || got > tt.hi {
			t.Errorf("%s: %.3f, want %.2f to %.2f", tt.name, got, tt.lo, tt.hi)
		}
	}
}

func TestToneHasNoClick(t *testing.T) {
	s := Tone(8000, 100*time.Millisecond, 1, 1000).Samples
	if got, want := len(s), 800; got != want {
		t.Fatalf("%d samples, want %d", got, want)
	}
	if s[0] != 0 || s[len(s)-1] != 0 {
		t.Errorf("begins at %d and ends at %d, want 0", s[0], s[len(s)-1])
	}
	var peak int16
	for _, v := range s {
		peak = max(peak, v)
	}
	if peak < 32700 {
		t.Errorf("peak %d, want full scale", peak)
	}
}

var fileRates = []int{8000, 11025, 16000, 22050, 24000, 44100, 48000}

// resample runs s through in pieces of 20 ms, as a call does.
func resample(from, to int, s []int16) []int16 {
	r := NewResampler(from, to)
	var out []int16
	for len(s) > 0 {
		n := min(len(s), FrameLen(from))
		out = r.Resample(out, s[:n])
		s = s[n:]
	}
	return out
}

// Above the lower Nyquist frequency nothing may come through, at or above 80
// dB under the tone that went in; the tests' tones lie where the transition
// band of the filter has ended.
func TestAliasesAre80dBDown(t *testing.T) {
	for _, from := range fileRates {
		for _, to := range []int{8000, 16000} {
			if from <= to {
				continue
			}
			for hz := 1.06 * float64(to) / 2; hz < float64(from)/2; hz += float64(to) / 11 {
				in := Tone(from, 500*time.Millisecond, 0.99, hz).Samples
				out := resample(from, to, in)
				if got := Level(out[len(out)/4:len(out)*3/4]) - Level(in); got > -80 {
					t.Errorf("%d to %d: a tone of %.0f Hz comes through at %.1f dB, want -80 or less", from, to, hz, got)
				}
			}
		}
	}
}

// Going up, the mirror images of a tone around the old rate may not be heard.
func TestImagesAre80dBDown(t *testing.T) {
	for _, from := range fileRates {
		for _, to := range []int{8000, 16000, 48000} {
			if from >= to {
				continue
			}
			for _, part := range []float64{0.05, 0.2, 0.39, 0.425} {
				hz := part * float64(from)
				out := resample(from, to, Tone(from, time.Second, 0.99, hz).Samples)
				out = out[len(out)/4 : len(out)*3/4]
				for i := range out { // a window, lest the tone itself leaks into the measure
					out[i] = int16(float64(out[i]) * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(out)))))
				}
				for image := float64(from) - hz; image < float64(to)/2; image += float64(from) - 2*hz {
					if got := 10 * math.Log10(Share(out, to, image)); got > -80 {
						t.Errorf("%d to %d: %.0f Hz has an image at %.0f Hz of %.1f dB, want -80 or less", from, to, hz, image, got)
					}
				}
			}
		}
	}
}

func TestSpeechBandIsFlat(t *testing.T) {
	for _, from := range fileRates {
		for _, to := range []int{8000, 16000} {
			for _, hz := range []float64{100, 300, 1000, 2000, 3000, 3400} {
				in := Tone(from, time.Second, 0.9, hz).Samples
				out := resample(from, to, in)
				out = out[len(out)/4 : len(out)*3/4]
				if got := Level(out) - Level(in[len(in)/4:len(in)*3/4]); math.Abs(got) > 0.3 {
					t.Errorf("%d to %d: %.0f Hz changes by %.2f dB, want at most 0.3", from, to, hz, got)
				}
				if got := Share(out, to, hz); got < 0.9999 {
					t.Errorf("%d to %d: %.0f Hz is %.6f of what comes out", from, to, hz, got)
				}
			}
		}
	}
}

func TestFrameGivesFrame(t *testing.T) {
	for _, from := range []int{8000, 16000, 24000, 48000, 44100, 22050, 11025} {
		for _, to := range []int{8000, 16000, 24000, 48000} {
			r := NewResampler(from, to)
			total := 0
			for i := range 200 {
				in := FrameLen(from)
				if from == 11025 && i%2 == 1 { // 220.5 samples a frame
					in++
				}
				total += len(r.Resample(nil, make([]int16, in)))
				if want := (i + 1) * FrameLen(to); (from != 11025 || i%2 == 1) && total != want {
					t.Fatalf("%d to %d: %d samples after %d frames, want %d", from, to, total, i+1, want)
				}
			}
		}
	}
}

// The pieces in which a stream arrives make no difference.
func TestPiecesMakeNoDifference(t *testing.T) {
	in := Tone(44100, 300*time.Millisecond, 0.7, 300, 1000, 2500).Samples
	want := NewResampler(44100, 8000).Resample(nil, in)
	r, got, size := NewResampler(44100, 8000), []int16(nil), 1
	for rest := in; len(rest) > 0; size = size*7%613 + 1 {
		n := min(size, len(rest))
		got = r.Resample(got, rest[:n])
		rest = rest[n:]
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d samples in pieces differ from %d at once", len(got), len(want))
	}
}

func TestClipAtKeepsItsPlaceInTime(t *testing.T) {
	for _, from := range append(fileRates, 44099, 7350, 96000) {
		for _, to := range []int{8000, 16000} {
			// A pulse of 4 ms in the middle of half a second.
			in := Clip{from, make([]int16, from/2)}
			copy(in.Samples[from/4:], Tone(from, 4*time.Millisecond, 0.9, 1000).Samples)
			out := in.At(to)
			if want := math.Ceil(float64(len(in.Samples)) * float64(to) / float64(from)); math.Abs(float64(len(out.Samples))-want) > 1 || out.Rate != to {
				t.Errorf("%d to %d: %d samples at %d Hz, want %.0f", from, to, len(out.Samples), out.Rate, want)
			}
			var sum, at float64
			for i, v := range out.Samples {
				sum += float64(v) * float64(v)
				at += float64(v) * float64(v) * float64(i)
			}
			if got := at / sum / float64(to); math.Abs(got-0.252) > 0.0003 {
				t.Errorf("%d to %d: the pulse is at %.4f s, want 0.252", from, to, got)
			}
		}
	}
}

func TestClipAtOddClips(t *testing.T) {
	tests := []struct {
		name string
		clip Clip
		want int
	}{
		{"empty", Clip{Rate: 16000}, 0},
		{"no rate", Clip{0, make([]int16, 10)}, 0},
		{"one sample", Clip{16000, []int16{1000}}, 1},
		{"shorter than the filter", Clip{44100, make([]int16, 100)}, 19},
		{"a rate of one", Clip{1, []int16{1000}}, 8000},
	}
	for _, tt := range tests {
		got := tt.clip.At(8000)
		if len(got.Samples) != tt.want || got.Rate != 8000 {
			t.Errorf("%s: %d samples at %d Hz, want %d at 8000", tt.name, len(got.Samples), got.Rate, tt.want)
		}
	}
}

func TestRatio(t *testing.T) {
	tests := []struct {
		name               string
		from, to, up, down int
	}{
		{"down by three", 24000, 8000, 1, 3},
		{"CD to telephone", 44100, 8000, 80, 441},
		{"a crystal a little off", 44099, 8000, 404, 2227},
		{"up by half a semitone", 7770, 8000, 800, 777},
		{"up from almost nothing", 1, 8000, 8000, 1},
	}
	for _, tt := range tests {
		if up, down := ratio(tt.from, tt.to); up != tt.up || down != tt.down {
			t.Errorf("%s: %d/%d, want %d/%d", tt.name, up, down, tt.up, tt.down)
		}
	}
}

func TestFullScaleDoesNotWrap(t *testing.T) {
	in := make([]int16, 1600)
	for i := range in {
		in[i] = math.MaxInt16
		if i/40%2 == 1 {
			in[i] = math.MinInt16
		}
	}
	for i, v := range resample(8000, 16000, in)[48:] {
		if was := in[i/2]; (was > 0) != (v > 0) && i%80 > 20 && i%80 < 60 {
			t.Fatalf("sample %d is %d where the input is %d", i, v, was)
		}
	}
}

func TestResampleDoesNotAllocate(t *testing.T) {
	for _, to := range []int{8000, 16000} {
		r := NewResampler(48000, to)
		in, out := make([]int16, FrameLen(48000)), make([]int16, 0, FrameLen(to))
		if n := testing.AllocsPerRun(100, func() { out = r.Resample(out[:0], in) }); n != 0 {
			t.Errorf("48000 to %d: %v allocations a frame, want 0", to, n)
		}
	}
}

func BenchmarkResample(b *testing.B) {
	for _, rates := range [][2]int{{8000, 16000}, {16000, 8000}, {22050, 8000}, {24000, 8000}, {44100, 8000}, {48000, 8000}} {
		b.Run(fmt.Sprintf("%d to %d", rates[0], rates[1]), func(b *testing.B) {
			r := NewResampler(rates[0], rates[1])
			in, out := make([]int16, FrameLen(rates[0])), make([]int16, 0, FrameLen(rates[1]))
			b.ReportAllocs()
			for b.Loop() {
				out = r.Resample(out[:0], in)
			}
		})
	}
}

func TestBytes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		samples []int16
		bytes   []byte
	}{
		{"the low byte first", []int16{0x0102, -2}, []byte{0x02, 0x01, 0xfe, 0xff}},
		{"the ends", []int16{32767, -32768}, []byte{0xff, 0x7f, 0x00, 0x80}},
	} {
		if got := AppendBytes([]byte{7}, tt.samples); !slices.Equal(got[1:], tt.bytes) || got[0] != 7 {
			t.Errorf("%s: bytes %v, want 7 and %v", tt.name, got, tt.bytes)
		}
		if got := FromBytes(append(tt.bytes, 9)); !slices.Equal(got, tt.samples) {
			t.Errorf("%s: samples %v, want %v", tt.name, got, tt.samples)
		}
	}
}
