package g711

import (
	"bytes"
	"testing"
)

var samples = func() []int16 {
	s := make([]int16, 1<<16)
	for i := range s {
		s[i] = int16(i - 1<<15)
	}
	return s
}()

var laws = []struct {
	name   string
	encode func([]byte, []int16)
	decode func([]int16, []byte)
}{
	{"mu-law", EncodeULaw, DecodeULaw},
	{"A-law", EncodeALaw, DecodeALaw},
}

func TestKnownCodes(t *testing.T) {
	tests := []struct {
		name    string
		law     int
		sample  int16
		code    byte
		decoded int16
	}{
		{"mu-law silence", 0, 0, 0xff, 0},
		{"mu-law first step up", 0, 4, 0xfe, 8},
		{"mu-law below the first step", 0, 3, 0xff, 0},
		{"mu-law first step down", 0, -4, 0x7e, -8},
		{"mu-law 1000", 0, 1000, 0xce, 988},
		{"mu-law top", 0, 32767, 0x80, 32124},
		{"mu-law bottom", 0, -32768, 0x00, -32124},
		{"A-law silence", 1, 0, 0xd5, 8},
		{"A-law minus one", 1, -1, 0x55, -8},
		{"A-law 1000", 1, 1000, 0xfa, 1008},
		{"A-law top", 1, 32767, 0xaa, 32256},
		{"A-law bottom", 1, -32768, 0x2a, -32256},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, back := make([]byte, 1), make([]int16, 1)
			laws[tt.law].encode(code, []int16{tt.sample})
			if code[0] != tt.code {
				t.Errorf("code of %d = %#x, want %#x", tt.sample, code[0], tt.code)
			}
			laws[tt.law].decode(back, []byte{tt.code})
			if back[0] != tt.decoded {
				t.Errorf("sample of %#x = %d, want %d", tt.code, back[0], tt.decoded)
			}
		})
	}
}

// The decision values of G.711, tables 1a and 2a, at 16 bits: how many
// intervals there are of each width from zero up. The table tests below count
// their way up them, and know nothing of segments and mantissas.
var intervals = []struct {
	name          string
	counts        []int
	widths        []int
	first, negate byte // the code of the lowest interval, what a negative sample flips
	toggle        byte
}{
	{"mu-law", []int{1, 15, 16, 16, 16, 16, 16, 16, 16}, []int{4, 8, 16, 32, 64, 128, 256, 512, 1024}, 0xff, 0x80, 0xff},
	{"A-law", []int{32, 16, 16, 16, 16, 16, 16}, []int{16, 32, 64, 128, 256, 512, 1024}, 0xd5, 0x80, 0x55},
}

func TestEverySample(t *testing.T) {
	for i, law := range laws {
		in := intervals[i]
		want := make([]byte, 0, 1<<15+1)
		step := 0
		for k, count := range in.counts {
			for range count {
				code := (in.first ^ in.toggle) + byte(step)
				for range in.widths[k] {
					want = append(want, code^in.toggle)
				}
				step++
			}
		}
		if step != 128 {
			t.Fatalf("%s: the test counts %d codes, want 128", law.name, step)
		}
		for len(want) <= 1<<15 { // what is louder than the last interval
			want = append(want, want[len(want)-1])
		}
		codes := make([]byte, len(samples))
		law.encode(codes, samples)
		for j, s := range samples {
			w := byte(0)
			switch {
			case s >= 0:
				w = want[s]
			case law.name == "A-law":
				w = want[-int(s)-1] ^ in.negate
			case s > -4: // minus zero is a code of its own
				w = want[0] ^ in.negate
			default:
				w = want[-int(s)] ^ in.negate
			}
			if codes[j] != w {
				t.Fatalf("%s: code of %d = %#x, want %#x", law.name, s, codes[j], w)
			}
		}
	}
}

// A code stands for the middle of its interval, so it comes back unchanged.
func TestEveryCodeComesBack(t *testing.T) {
	for _, law := range laws {
		for c := range 256 {
			s, again := make([]int16, 1), make([]byte, 1)
			law.decode(s, []byte{byte(c)})
			law.encode(again, s)
			if law.name == "mu-law" && c == 0x7f { // minus zero is zero again
				c = 0xff
			}
			if again[0] != byte(c) {
				t.Fatalf("%s: %#x decodes to %d, which is coded as %#x", law.name, c, s[0], again[0])
			}
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	pcm, code := samples[1000:1160], make([]byte, 160)
	out := make([]int16, 160)
	for _, law := range laws {
		b.Run(law.name+" encode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				law.encode(code, pcm)
			}
		})
		b.Run(law.name+" decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				law.decode(out, code)
			}
		})
	}
}

func TestNothingAllocates(t *testing.T) {
	pcm, code := make([]int16, 160), make([]byte, 160)
	for _, law := range laws {
		if n := testing.AllocsPerRun(100, func() { law.encode(code, pcm); law.decode(pcm, code) }); n != 0 {
			t.Errorf("%s: %v allocations a frame, want 0", law.name, n)
		}
	}
}

func TestLawToLaw(t *testing.T) {
	codes := make([]byte, 256)
	for i := range codes {
		codes[i] = byte(i)
	}
	tests := []struct {
		name    string
		convert func(dst, src []byte)
		decode  func([]int16, []byte)
		encode  func([]byte, []int16)
	}{
		{"mu-law to A-law", ULawToALaw, DecodeULaw, EncodeALaw},
		{"A-law to mu-law", ALawToULaw, DecodeALaw, EncodeULaw},
	}
	for _, tt := range tests {
		samples, want, got := make([]int16, 256), make([]byte, 256), make([]byte, 256)
		tt.decode(samples, codes)
		tt.encode(want, samples)
		tt.convert(got, codes)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: % x, want % x", tt.name, got, want)
		}
	}
}
