package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "audio", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkTone wants 0.3 s of a tone of 1 kHz at half of full scale; encoders
// add up to 0.15 s of silence around it.
func checkTone(t *testing.T, c pcm.Clip, rate int) {
	t.Helper()
	if c.Rate != rate {
		t.Errorf("%d Hz, want %d", c.Rate, rate)
	}
	if s := c.Duration().Seconds(); s < 0.299 || s > 0.45 {
		t.Errorf("%.3f s, want 0.3", s)
	}
	middle := c.Samples[len(c.Samples)*2/5 : len(c.Samples)*3/5]
	if got := pcm.Share(middle, c.Rate, 1000); got < 0.98 {
		t.Errorf("the tone is %.3f of what is there", got)
	}
	if got := pcm.Level(middle); math.Abs(got+9) > 0.5 {
		t.Errorf("%.1f dBFS, want -9", got)
	}
}

func TestDecodeFiles(t *testing.T) {
	tests := []struct {
		file string
		rate int
	}{
		{"tone-44k-stereo.mp3", 44100},
		{"tone-16k.mp3", 16000},
		{"tone-44k-stereo.ogg", 44100},
		{"tone-8k.ogg", 8000},
		{"tone-8k.aiff", 8000},
		{"tone-22k.aifc", 22050},
		{"tone-8k.au", 8000},
		{"tone-16k-float.wav", 16000},
		{"tone-8k-stereo-24bit.wav", 8000},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			// What the server says does not count against the bytes.
			c, err := Decode("text/plain", "x", sample(t, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			checkTone(t, c, tt.rate)
			if strings.HasSuffix(tt.file, ".ogg") && len(c.Samples) != tt.rate*3/10 {
				t.Errorf("%d samples, want the %d that the last page gives", len(c.Samples), tt.rate*3/10)
			}
		})
	}
}

func TestDecodeRaw(t *testing.T) {
	tone := pcm.Tone(8000, 300e6, 0.5, 1000)
	ulaw, alaw := make([]byte, len(tone.Samples)), make([]byte, len(tone.Samples))
	g711.EncodeULaw(ulaw, tone.Samples)
	g711.EncodeALaw(alaw, tone.Samples)
	var l16 []byte
	for _, s := range tone.Samples {
		l16 = binary.BigEndian.AppendUint16(l16, uint16(s))
	}
	tests := []struct {
		name, contentType, file string
		bytes                   []byte
		rate                    int
	}{
		{"audio/basic", "audio/basic", "", ulaw, 8000},
		{"the name Twilio uses", "audio/ulaw", "", ulaw, 8000},
		{"A-law", "audio/x-alaw", "", alaw, 8000},
		{"a parameter", "audio/L16;rate=8000;channels=1", "", l16, 8000},
		{"by the ending of a URL", "application/octet-stream", "https://x.test/a.ulaw?v=1#t", ulaw, 8000},
		{"by the ending alone", "", "hello.al", alaw, 8000},
		{"the type wins over the ending", "audio/ulaw", "hello.al", ulaw, 8000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Decode(tt.contentType, tt.file, tt.bytes)
			if err != nil {
				t.Fatal(err)
			}
			checkTone(t, c, tt.rate)
		})
	}
}

// aifc is an AIFF-C file of two samples at 8 kHz.
func aifc(coding string, bits int, data []byte) []byte {
	be := binary.BigEndian
	common := be.AppendUint16(nil, 1)
	common = be.AppendUint32(common, 2)
	common = be.AppendUint16(common, uint16(bits))
	common = append(common, 0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0)
	common = append(common, coding...)
	chunk := func(id string, body []byte) []byte {
		return append(be.AppendUint32([]byte(id), uint32(len(body))), body...)
	}
	body := append([]byte("AIFC"), chunk("COMM", common)...)
	return chunk("FORM", append(body, chunk("SSND", append(make([]byte, 8), data...))...))
}

func TestDecodeCodings(t *testing.T) {
	au := func(coding uint32, data ...byte) []byte {
		b := []byte(".snd")
		for _, v := range []uint32{24, math.MaxUint32, coding, 8000, 1} {
			b = binary.BigEndian.AppendUint32(b, v)
		}
		return append(b, data...)
	}
	half := math.Float32bits(0.5)
	float := binary.BigEndian.AppendUint32(nil, half)
	tests := []struct {
		name string
		file []byte
		want int16 // the first sample
	}{
		{"AIFF-C of the PC's order", aifc("sowt", 16, []byte{0x34, 0x12, 0, 0}), 0x1234},
		{"AIFF-C as it is", aifc("NONE", 16, []byte{0x12, 0x34, 0, 0}), 0x1234},
		{"AIFF-C without a sign", aifc("raw ", 8, []byte{0xc0, 0x80}), 0x4000},
		{"AIFF-C float", aifc("fl32", 32, append(float, float...)), 0x4000},
		{"AIFF-C mu-law", aifc("ulaw", 16, []byte{0x80, 0xff}), 32124},
		{"AIFF-C A-law", aifc("ALAW", 8, []byte{0xaa, 0xd5}), 32256},
		{"AU of 8 bits", au(2, 0x40), 0x4000},
		{"AU of 16 bits", au(3, 0x12, 0x34), 0x1234},
		{"AU of 24 bits", au(4, 0x12, 0x34, 0), 0x1234},
		{"AU of 32 bits", au(5, 0x12, 0x34, 0, 0), 0x1234},
		{"AU float", au(6, float...), 0x4000},
		{"AU A-law", au(27, 0xaa), 32256},
	}
	for _, tt := range tests {
		c, err := Decode("", "", tt.file)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if c.Rate != 8000 || len(c.Samples) == 0 || c.Samples[0] != tt.want {
			t.Errorf("%s: %v at %d Hz, want %d first", tt.name, c.Samples, c.Rate, tt.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name, contentType, file string
		bytes                   []byte
		isType                  bool
		want                    string
	}{
		{"GSM", "audio/x-gsm", "", []byte{0xd2, 1}, true, "GSM 06.10 sound; convert it to WAV or MP3"},
		{"GSM by name", "", "hello.gsm", []byte{0xd2, 1}, true, "GSM 06.10 sound; convert it to WAV or MP3"},
		{"a page of errors", "audio/mpeg", "a.mp3", []byte("\n<!DOCTYPE html><p>404"), true, "an HTML page"},
		{"a document", "audio/wav", "a.wav", []byte("<?xml version='1.0'?><Response/>"), true, "an XML document"},
		{"FLAC", "audio/flac", "", []byte("fLaC\x00"), true, "a FLAC file"},
		{"AAC", "audio/aac", "", []byte{0xff, 0xf1, 0x50, 0x80}, true, "an AAC file"},
		{"MP4", "", "", []byte("\x00\x00\x00\x20ftypM4A "), true, "an MP4 file (AAC)"},
		{"Opus", "audio/ogg", "", page(4, []byte("OpusHead\x01")), true, "an OGG file with Opus"},
		{"text", "text/plain", "notes.txt", []byte("hello"), true, "text/plain, of 5 bytes that are no known sound file"},
		{"nothing", "", "", nil, true, "a file without a content type, of 0 bytes that are no known sound file"},
		{"MPEG-2.5", "audio/mpeg", "", sample(t, "tone-8k-mpeg25.mp3"), false, "the MP3 file is MPEG-2.5 (8, 11.025 or 12 kHz), which is not read"},
		{"ADPCM", "audio/wav", "", sample(t, "tone-8k-adpcm.wav"), false, "the WAV file is coded as IMA ADPCM; convert it to 16-bit PCM"},
		{"AIFF-C of a kind", "", "", aifc("QDM2", 16, make([]byte, 4)), false, `the AIFF-C file is coded as "QDM2"; convert it`},
		{"an MP3 that is none", "audio/mpeg", "", []byte("not much"), false, "the MP3 file cannot be decoded"},
		{"an OGG of one page", "", "", page(0, []byte("\x01vorbis and then nothing but words")), false, "the OGG file cannot be decoded"},
		{"half a header", "", "", []byte(".snd\x00"), false, "the AU file ends within its header"},
		{"L16 without its rate", "audio/L16", "", []byte{1, 2}, false, "audio/L16 has a sampling rate of 0 Hz"},
	}
	for _, tt := range tests {
		_, err := Decode(tt.contentType, tt.file, tt.bytes)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		} else if errors.Is(err, ErrType) != tt.isType {
			t.Errorf("%s: %v is ErrType: %v, want %v", tt.name, err, !tt.isType, tt.isType)
		}
	}
}

// page is an OGG page of one packet.
func page(flags byte, packet []byte) []byte {
	b := append([]byte("OggS\x00"), flags|2)
	b = append(b, make([]byte, 20)...)
	return append(append(b, 1, byte(len(packet))), packet...)
}

// A file whose end is missing plays as far as it goes.
func TestCutOffFilesPlay(t *testing.T) {
	for _, name := range []string{"tone-16k.mp3", "tone-8k.aiff", "tone-8k.au", "tone-16k-float.wav"} {
		b := sample(t, name)
		c, err := Decode("", "", b[:len(b)*2/3])
		if err != nil || c.Duration().Milliseconds() < 150 || c.Duration().Milliseconds() > 300 {
			t.Errorf("two thirds of %s: %v, %v", name, c.Duration(), err)
		}
	}
}

func TestTooLongIsRefused(t *testing.T) {
	_, err := Decode("audio/ulaw", "", make([]byte, MaxSamples+1))
	if err == nil || err.Error() != "the sound is longer than 139 minutes, the most that is played at 8000 Hz" {
		t.Errorf("%v, want that it is too long", err)
	}
}

// A codebook of four bytes that asks for 16 million entries, or counts none of
// them for ever, is refused before the decoder sees it.
func TestVorbisHeadersAreHeldToLimits(t *testing.T) {
	put := func(fields ...[2]int) []byte {
		b, at := []byte("\x05vorbis"), 0
		for _, f := range fields {
			for i := range f[0] {
				if at%8 == 0 {
					b = append(b, 0)
				}
				b[len(b)-1] |= byte(f[1]>>i&1) << (at % 8)
				at++
			}
		}
		return b
	}
	tests := []struct {
		name   string
		header []byte
	}{
		{"16 million entries", put([2]int{8, 0}, [2]int{24, 0x564342}, [2]int{16, 1}, [2]int{24, 1<<24 - 1})},
		{"vectors of 65,535", put([2]int{8, 0}, [2]int{24, 0x564342}, [2]int{16, 1<<16 - 1}, [2]int{24, 1 << 16})},
		{"runs of nothing", put([2]int{8, 0}, [2]int{24, 0x564342}, [2]int{16, 1}, [2]int{24, 100}, [2]int{1, 1}, [2]int{5, 3}, [2]int{7, 0}, [2]int{32, 0})},
		{"an end before its time", put([2]int{8, 0}, [2]int{24, 0x564342}, [2]int{16, 1}, [2]int{24, 100})},
		{"no codebook", put([2]int{8, 0}, [2]int{24, 1})},
	}
	for _, tt := range tests {
		if err := checkCodebooks(tt.header); err == nil {
			t.Errorf("%s: passes", tt.name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"tone-16k.mp3", "tone-8k.ogg", "tone-8k.au", "tone-8k-adpcm.wav"} {
		f.Add("", sample(f, name))
	}
	f.Add("audio/L16;rate=8000", []byte{1, 2, 3})
	f.Add("", aifc("fl64", 64, make([]byte, 16)))
	f.Add("", sample(f, "tone-44k-stereo.ogg")[:4000])
	f.Add("", bytes.Repeat([]byte{0xff, 0xfb, 0x10, 0xc4}, 200))
	f.Fuzz(func(t *testing.T, contentType string, b []byte) {
		c, err := Decode(contentType, "", b)
		if err == nil && len(c.Samples) > MaxSamples {
			t.Fatalf("%d samples", len(c.Samples))
		}
	})
}
