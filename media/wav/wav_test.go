package wav

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// chunk is one chunk of a WAV file; size is its own unless given.
func chunk(id string, body []byte, size ...uint32) []byte {
	n := uint32(len(body))
	if len(size) > 0 {
		n = size[0]
	}
	b := binary.LittleEndian.AppendUint32([]byte(id), n)
	b = append(b, body...)
	if len(body)%2 == 1 && len(size) == 0 {
		b = append(b, 0)
	}
	return b
}

func file(chunks ...[]byte) []byte {
	body := slices.Concat(chunks...)
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body)+4))
	return append(append(b, "WAVE"...), body...)
}

func format(coding uint16, channels, rate, bits int) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, coding)
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, uint32(rate))
	block := channels * ((bits + 7) / 8)
	b = le.AppendUint32(b, uint32(rate*block))
	b = le.AppendUint16(b, uint16(block))
	return chunk("fmt ", le.AppendUint16(b, uint16(bits)))
}

// wide is the extended form of a format (WAVE_FORMAT_EXTENSIBLE).
func wide(coding uint16, channels, rate, bits, valid int) []byte {
	le := binary.LittleEndian
	b := format(codingExtensible, channels, rate, bits)[8:]
	b = le.AppendUint16(b, 22)
	b = le.AppendUint16(b, uint16(valid))
	b = le.AppendUint32(b, 0)
	b = le.AppendUint16(b, coding)
	return chunk("fmt ", append(b, extensible...))
}

func float32s(v ...float32) []byte {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func float64s(v ...float64) []byte {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	}
	return b
}

func TestDecode(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	two := []byte{0x10, 0x00, 0xf0, 0xff} // 16 and -16
	tests := []struct {
		name string
		file []byte
		rate int
		want []int16
	}{
		{"16 bits", file(format(1, 1, 8000, 16), chunk("data", two)), 8000, []int16{16, -16}},
		{"8 bits have no sign", file(format(1, 1, 8000, 8), chunk("data", []byte{0, 128, 255})), 8000, []int16{-32768, 0, 32512}},
		{"24 bits", file(format(1, 1, 48000, 24), chunk("data", []byte{0, 0x10, 0, 0, 0xf0, 0xff})), 48000, []int16{16, -16}},
		{"24 bits are rounded", file(format(1, 1, 48000, 24), chunk("data", []byte{0x80, 0, 0, 0x7f, 0, 0})), 48000, []int16{1, 0}},
		{"32 bits", file(format(1, 1, 8000, 32), chunk("data", []byte{0, 0, 0x10, 0, 0, 0, 0xf0, 0xff})), 8000, []int16{16, -16}},
		{"20 bits in 24", file(format(1, 1, 8000, 20), chunk("data", []byte{0, 0x10, 0})), 8000, []int16{16}},
		{"float, beyond full scale and no number", file(format(3, 1, 8000, 32), chunk("data", float32s(0.5, -1, 2, inf, nan))), 8000, []int16{16384, -32768, 32767, 32767, 0}},
		{"double", file(format(3, 1, 8000, 64), chunk("data", float64s(0.5, -0.5))), 8000, []int16{16384, -16384}},
		{"mu-law", file(format(7, 1, 8000, 8), chunk("data", []byte{0xff, 0x80, 0x00})), 8000, []int16{0, 32124, -32124}},
		{"A-law", file(format(6, 1, 8000, 8), chunk("data", []byte{0xd5, 0xaa, 0x2a})), 8000, []int16{8, 32256, -32256}},
		{"stereo is mixed", file(format(1, 2, 8000, 16), chunk("data", []byte{100, 0, 50, 0, 0xff, 0x7f, 0xff, 0x7f})), 8000, []int16{75, 32767}},
		{"stereo mu-law is mixed", file(format(7, 2, 8000, 8), chunk("data", []byte{0x80, 0x00})), 8000, []int16{0}},
		{"half a sample at the end", file(format(1, 2, 8000, 16), chunk("data", []byte{100, 0, 50, 0, 1, 0})), 8000, []int16{75}},
		{"extended", file(wide(1, 1, 8000, 16, 16), chunk("data", two)), 8000, []int16{16, -16}},
		{"extended float", file(wide(3, 1, 8000, 32, 32), chunk("data", float32s(0.5))), 8000, []int16{16384}},
		{"data before format", file(chunk("data", two), format(1, 1, 8000, 16)), 8000, []int16{16, -16}},
		{"other chunks, one of an odd size", file(chunk("LIST", []byte("abc")), format(1, 1, 8000, 16), chunk("data", two), chunk("id3 ", []byte("xyz"))), 8000, []int16{16, -16}},
		{"an odd chunk without its pad", file(chunk("LIST", []byte("abc"), 3), format(1, 1, 8000, 16), chunk("data", two)), 8000, []int16{16, -16}},
		{"a stream of size 0", append(file(format(1, 1, 8000, 16), chunk("data", nil)), two...), 8000, []int16{16, -16}},
		{"a stream of size 4 GB", file(format(1, 1, 8000, 16), chunk("data", two, math.MaxUint32)), 8000, []int16{16, -16}},
		{"cut off", file(format(1, 1, 8000, 16), chunk("data", two, 4000)), 8000, []int16{16, -16}},
		{"empty, and said so", file(format(1, 1, 8000, 16), chunk("data", nil), chunk("LIST", []byte("abcd"))), 8000, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Decode(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if c.Rate != tt.rate || !slices.Equal(c.Samples, tt.want) {
				t.Errorf("%v at %d Hz, want %v at %d", c.Samples, c.Rate, tt.want, tt.rate)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	data := chunk("data", make([]byte, 64))
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"something else", []byte("ID3 and so on and on"), "not a WAV file: it does not begin with RIFF and WAVE"},
		{"nothing", nil, "not a WAV file: it does not begin with RIFF and WAVE"},
		{"no format", file(data), "the WAV file has no fmt chunk"},
		{"half a format", file(chunk("fmt ", make([]byte, 12)), data), "the fmt chunk of the WAV file has 12 bytes, want at least 14"},
		{"no data", file(format(1, 1, 8000, 16)), "the WAV file has no data chunk"},
		{"ADPCM", file(format(2, 1, 8000, 4), data), "the WAV file is coded as ADPCM; convert it to 16-bit PCM"},
		{"GSM", file(format(0x31, 1, 8000, 0), data), "the WAV file is coded as GSM 06.10; convert it to 16-bit PCM"},
		{"a coding nobody knows", file(format(0x1234, 1, 8000, 16), data), "the WAV file is coded as number 0x1234; convert it to 16-bit PCM"},
		{"an extended format of a kind of its own", file(chunk("fmt ", append(wide(1, 1, 8000, 16, 16)[8:47], 0)), data), "the WAV file has an extended format without a known coding; convert it to 16-bit PCM"},
		{"no channel", file(format(1, 0, 8000, 16), data), "the WAV file has 0 channels; 1 to 64 are read"},
		{"no rate", file(format(1, 1, 0, 16), data), "the WAV file has a sampling rate of 0 Hz; 1000 to 384000 are read"},
		{"a rate beyond sense", file(format(1, 1, 1e9, 16), data), "the WAV file has a sampling rate of 1000000000 Hz; 1000 to 384000 are read"},
		{"48 bits", file(format(1, 1, 8000, 48), data), "the WAV file has samples of 48 bits; 8, 16, 24 and 32 are read"},
		{"half precision", file(format(3, 1, 8000, 16), data), "the WAV file has floating point of 16 bits; 32 and 64 are read"},
	}
	for _, tt := range tests {
		if _, err := Decode(tt.file); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestEncode(t *testing.T) {
	want := pcm.Clip{Rate: 16000, Samples: []int16{0, 1, -1, math.MaxInt16, math.MinInt16}}
	b := Encode(want)
	got, err := Decode(b)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v comes back as %v (%v)", want, got, err)
	}
	if got, want := binary.LittleEndian.Uint32(b[4:])+8, uint32(len(b)); got != want {
		t.Errorf("the header counts %d bytes, want %d", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(file(format(1, 2, 8000, 16), chunk("data", make([]byte, 8))))
	f.Add(file(wide(3, 1, 44100, 32, 32), chunk("LIST", []byte("abc")), chunk("data", float32s(1, -1), math.MaxUint32)))
	f.Add(file(chunk("data", []byte{1, 2, 3}), format(7, 1, 8000, 8)))
	f.Add(file(format(1, 3, 8000, 20), chunk("data", make([]byte, 27), 0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			if !strings.Contains(err.Error(), "WAV file") {
				t.Fatalf("the error does not say what it is about: %v", err)
			}
			return
		}
		if len(c.Samples) > len(b) || c.Rate < 1000 {
			t.Fatalf("%d samples at %d Hz from %d bytes", len(c.Samples), c.Rate, len(b))
		}
		again, err := Decode(Encode(c))
		if err != nil || again.Rate != c.Rate || !slices.Equal(again.Samples, c.Samples) {
			t.Fatalf("what was decoded does not come back (%v)", err)
		}
	})
}
