// Package wav reads and writes WAV files (RIFF WAVE).
package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/hookswitch/hookswitch/media/internal/samples"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// The codings of a fmt chunk, by the numbers of the WAVE format registry (RFC
// 2361).
const (
	codingPCM        = 1
	codingFloat      = 3
	codingALaw       = 6
	codingULaw       = 7
	codingExtensible = 0xfffe
)

// names are codings that are met in files and not read here.
var names = map[uint16]string{
	2: "ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 06.10", 0x40: "G.721 ADPCM", 0x45: "G.726 ADPCM", 0x50: "MPEG layer 2", 0x55: "MP3",
	0x64: "G.726 ADPCM", 0x83: "G.729", 0xff: "AAC", 0x161: "Windows Media Audio", 0x674f: "OGG Vorbis", 0xf1ac: "FLAC",
}

// Decode reads a WAV file: PCM of 8, 16, 24 and 32 bits, floating point,
// μ-law and A-law, of any rate from 1 to 384 kHz; channels are mixed to one.
// Chunks may come in any order. A size in the header that is beyond the end
// of the file, or 0 in a file that was written as a stream, means all that
// follows.
func Decode(b []byte) (pcm.Clip, error) {
	if len(b) < 12 || (string(b[:4]) != "RIFF" && string(b[:4]) != "RF64") || string(b[8:12]) != "WAVE" {
		return pcm.Clip{}, errors.New("not a WAV file: it does not begin with RIFF and WAVE")
	}
	format, data := chunks(b)
	if format == nil {
		return pcm.Clip{}, errors.New("the WAV file has no fmt chunk")
	}
	layout, rate, err := parseFormat(format)
	if err != nil {
		return pcm.Clip{}, err
	}
	if data == nil {
		return pcm.Clip{}, errors.New("the WAV file has no data chunk")
	}
	return pcm.Clip{Rate: rate, Samples: layout.Mono(data)}, nil
}

// chunks finds the fmt chunk and the first data chunk that is not empty.
func chunks(b []byte) (format, data []byte) {
	riff := binary.LittleEndian.Uint32(b[4:])
	streamed := int64(riff)+8 != int64(len(b)) && int64(riff)+9 != int64(len(b))
	for at := 12; at+8 <= len(b); {
		id, size := string(b[at:at+4]), int64(binary.LittleEndian.Uint32(b[at+4:]))
		at += 8
		rest := int64(len(b) - at)
		if id == "data" && (size > rest || size == 0 && streamed) {
			size = rest
		}
		body := b[at : at+int(min(size, rest))]
		switch {
		case id == "fmt " && format == nil:
			format = body
		case id == "data" && len(data) == 0:
			data = body
		}
		if size >= rest {
			break
		}
		at += int(size)
		// Chunks are padded to an even size, which some writers forget.
		if size%2 == 1 && b[at] == 0 {
			at++
		}
	}
	return format, data
}

// extensible is the tail of the GUID that makes its first two bytes a coding.
var extensible = []byte("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71")

func parseFormat(f []byte) (samples.Layout, int, error) {
	if len(f) < 14 {
		return samples.Layout{}, 0, fmt.Errorf("the fmt chunk of the WAV file has %d bytes, want at least 14", len(f))
	}
	le := binary.LittleEndian
	coding, channels, rate, block := le.Uint16(f), int(le.Uint16(f[2:])), le.Uint32(f[4:]), int(le.Uint16(f[12:]))
	bits := 8
	if len(f) >= 16 {
		bits = int(le.Uint16(f[14:]))
	}
	if coding == codingExtensible {
		if len(f) < 40 || !bytes.Equal(f[26:40], extensible) {
			return samples.Layout{}, 0, errors.New("the WAV file has an extended format without a known coding; convert it to 16-bit PCM")
		}
		coding = le.Uint16(f[24:])
	}
	l := samples.Layout{Channels: channels, Bits: (bits + 7) / 8 * 8}
	// Samples of odd sizes lie in wider ones: 20 bits in 3 or 4 bytes.
	if channels > 0 && block%channels == 0 && block/channels > l.Bits/8 && block/channels <= 8 {
		l.Bits = block / channels * 8
	}
	switch coding {
	case codingPCM:
		if l.Coding = samples.Signed; l.Bits == 8 {
			l.Coding = samples.Unsigned
		}
	case codingFloat:
		l.Coding = samples.Float
	case codingULaw:
		l.Coding, l.Bits = samples.ULaw, 8
	case codingALaw:
		l.Coding, l.Bits = samples.ALaw, 8
	default:
		name, ok := names[coding]
		if !ok {
			name = fmt.Sprintf("number %#x", coding)
		}
		return samples.Layout{}, 0, fmt.Errorf("the WAV file is coded as %s; convert it to 16-bit PCM", name)
	}
	if err := l.Check(int(rate)); err != nil {
		return samples.Layout{}, 0, fmt.Errorf("the WAV file has %w", err)
	}
	return l, int(rate), nil
}

const headerSize = 44

// Encode writes c as a WAV file of 16-bit PCM. Of a clip of more than 4 GB,
// the header gives the greatest size there is.
func Encode(c pcm.Clip) []byte {
	size := int64(2 * len(c.Samples))
	b := make([]byte, 0, headerSize+size)
	le := binary.LittleEndian
	b = append(b, "RIFF"...)
	b = le.AppendUint32(b, uint32(min(size+headerSize-8, math.MaxUint32)))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, codingPCM)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, uint32(c.Rate))
	b = le.AppendUint32(b, uint32(2*c.Rate))
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(min(size, math.MaxUint32)))
	for _, s := range c.Samples {
		b = le.AppendUint16(b, uint16(s))
	}
	return b
}
