package opus

import (
	"fmt"
	"math"
	"testing"
)

var rates = []int{8000, 16000, 48000}

// speech is a second and a half that goes like speech: a voice whose pitch
// glides, in syllables, without anything above 3 kHz.
func speech(rate int) []int16 {
	out := make([]int16, rate*3/2)
	phase := 0.0
	for i := range out {
		t := float64(i) / float64(rate)
		phase += 2 * math.Pi * (130 + 20*math.Sin(2*math.Pi*1.3*t)) / float64(rate)
		v := 0.0
		for h := 1; h <= 20; h++ {
			f := 130 * float64(h)
			v += math.Sin(phase*float64(h)) / (1 + math.Pow((f-600)/300, 2))
		}
		out[i] = int16(4000 * v * (0.55 - 0.45*math.Cos(2*math.Pi*4*t)))
	}
	return out
}

func TestSoundSurvives(t *testing.T) {
	for _, from := range rates {
		for _, to := range rates {
			t.Run(fmt.Sprintf("coded at %d, heard at %d", from, to), func(t *testing.T) {
				e, err := NewEncoder(from)
				if err != nil {
					t.Fatal(err)
				}
				d, err := NewDecoder(to)
				if err != nil {
					t.Fatal(err)
				}
				in, want := speech(from), speech(to)
				packet, frame := make([]byte, MaxPacket), make([]int16, to/50)
				var out []int16
				for i := 0; i+from/50 <= len(in); i += from / 50 {
					n, err := e.Encode(packet, in[i:i+from/50])
					if err != nil {
						t.Fatal(err)
					}
					m, err := d.Decode(frame, packet[:n])
					if err != nil {
						t.Fatal(err)
					}
					if m != len(frame) {
						t.Fatalf("%d samples in a frame, want %d", m, len(frame))
					}
					out = append(out, frame...)
				}
				got := snr(want, out, to)
				t.Logf("%.1f dB", got)
				least := 20.0
				if from != to {
					least = 12 // the delay is no whole number of samples then
				}
				if got < least {
					t.Errorf("SNR %.1f dB, want at least %v", got, least)
				}
			})
		}
	}
}

// snr is how much louder the sound is than what the codec adds, in dB, at the
// delay where that is least.
func snr(in, out []int16, rate int) float64 {
	best := math.Inf(-1)
	for delay := range rate / 50 {
		signal, noise := 0.0, 0.0
		for i := rate / 5; i < len(out); i += 3 {
			a, b := float64(in[i-delay]), float64(out[i])
			signal += a * a
			noise += (a - b) * (a - b)
		}
		best = max(best, 10*math.Log10(signal/noise))
	}
	return best
}

func TestWhatCannotBe(t *testing.T) {
	if _, err := NewEncoder(44100); err == nil {
		t.Error("an encoder at 44.1 kHz")
	}
	if _, err := NewDecoder(0); err == nil {
		t.Error("a decoder without a rate")
	}
	e, _ := NewEncoder(8000)
	if _, err := e.Encode(make([]byte, MaxPacket), make([]int16, 161)); err == nil {
		t.Error("a frame of 161 samples")
	}
	d, _ := NewDecoder(8000)
	if _, err := d.Decode(make([]int16, 160), []byte{0xff}); err == nil {
		t.Error("a broken packet")
	}
	packet := make([]byte, MaxPacket)
	n, _ := e.Encode(packet, make([]int16, 160))
	if _, err := d.Decode(make([]int16, 100), packet[:n]); err == nil {
		t.Error("more samples than there is room for")
	}
}

func TestNothingAllocates(t *testing.T) {
	e, _ := NewEncoder(16000)
	d, _ := NewDecoder(16000)
	in, out, packet := speech(16000), make([]int16, 320), make([]byte, MaxPacket)
	i := 0
	frame := func() {
		n, err := e.Encode(packet, in[i:i+320])
		if err == nil {
			_, err = d.Decode(out, packet[:n])
		}
		if err != nil {
			t.Fatal(err)
		}
		i = (i + 320) % len(in)
	}
	for range 60 {
		frame()
	}
	if n := testing.AllocsPerRun(200, frame); n >= 1 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

func FuzzDecode(f *testing.F) {
	e, err := NewEncoder(16000)
	if err != nil {
		f.Fatal(err)
	}
	in, packet := speech(16000), make([]byte, MaxPacket)
	for i := 0; i < 3200; i += 320 {
		n, err := e.Encode(packet, in[i:i+320])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet[:n], []byte{0xff, 0xff}, uint8(i/320))
	}
	f.Add([]byte{}, []byte{0xff}, uint8(1))
	// What a packet does may depend on those before it: three of a stream.
	f.Fuzz(func(t *testing.T, first, second []byte, rate uint8) {
		d, err := NewDecoder([]int{8000, 16000, 48000}[rate%3])
		if err != nil {
			t.Fatal(err)
		}
		out := make([]int16, 5760)
		for _, packet := range [][]byte{first, second, first} {
			switch n, err := d.Decode(out, packet); {
			case err == errBroken:
				t.Errorf("the library has a fault, met by %x", packet)
			case err == nil && (n < 20 || n > len(out)):
				t.Errorf("%d samples", n)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	e, _ := NewEncoder(16000)
	in, packet := speech(16000), make([]byte, MaxPacket)
	for i := 0; b.Loop(); i = (i + 320) % len(in) {
		e.Encode(packet, in[i:i+320])
	}
}

func BenchmarkDecode(b *testing.B) {
	e, _ := NewEncoder(16000)
	d, _ := NewDecoder(16000)
	packet, out := make([]byte, MaxPacket), make([]int16, 320)
	n, _ := e.Encode(packet, speech(16000)[3200:3520])
	for b.Loop() {
		d.Decode(out, packet[:n])
	}
}
