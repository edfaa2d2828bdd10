package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/hookswitch/hookswitch/media/internal/samples"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// decodeAIFF reads AIFF and AIFF-C with samples that are not compressed, or
// coded as G.711.
func decodeAIFF(b []byte) (pcm.Clip, error) {
	var common, sound []byte
	compressed := len(b) >= 12 && string(b[8:12]) == "AIFC"
	for rest := b[min(12, len(b)):]; len(rest) >= 8; {
		id, size := string(rest[:4]), int64(binary.BigEndian.Uint32(rest[4:]))
		rest = rest[8:]
		body := rest[:min(size, int64(len(rest)))]
		switch {
		case id == "COMM" && common == nil:
			common = body
		case id == "SSND" && sound == nil:
			sound = body
		}
		rest = rest[min(size+size%2, int64(len(rest))):]
	}
	if len(common) < 18 {
		return pcm.Clip{}, errors.New("the AIFF file has no COMM chunk")
	}
	if len(sound) < 8 {
		return pcm.Clip{}, errors.New("the AIFF file has no SSND chunk")
	}
	bits := int(binary.BigEndian.Uint16(common[6:]))
	l := samples.Layout{Coding: samples.Signed, BigEndian: true, Channels: int(binary.BigEndian.Uint16(common)), Bits: (bits + 7) / 8 * 8}
	if compressed {
		if len(common) < 22 {
			return pcm.Clip{}, errors.New("the COMM chunk of the AIFF-C file names no coding")
		}
		switch coding := string(common[18:22]); coding {
		case "NONE", "twos", "in24", "in32":
		case "sowt":
			l.BigEndian = false
		case "raw ":
			l.Coding = samples.Unsigned
		case "fl32", "FL32":
			l.Coding, l.Bits = samples.Float, 32
		case "fl64", "FL64":
			l.Coding, l.Bits = samples.Float, 64
		case "ulaw", "ULAW":
			l.Coding, l.Bits = samples.ULaw, 8
		case "alaw", "ALAW":
			l.Coding, l.Bits = samples.ALaw, 8
		default:
			return pcm.Clip{}, fmt.Errorf("the AIFF-C file is coded as %q; %s", coding, remedy)
		}
	}
	rate := extended(common[8:18])
	if err := l.Check(rate); err != nil {
		return pcm.Clip{}, fmt.Errorf("the AIFF file has %w", err)
	}
	offset := int64(binary.BigEndian.Uint32(sound))
	sound = sound[8:]
	sound = sound[min(offset, int64(len(sound))):]
	// Bytes beyond the frames of COMM are padding, unless a stream left the
	// number open.
	if n := int64(binary.BigEndian.Uint32(common[2:])) * int64(l.Channels*l.Bits/8); n > 0 && n < int64(len(sound)) {
		sound = sound[:n]
	}
	return pcm.Clip{Rate: rate, Samples: l.Mono(sound)}, nil
}

// extended is an 80-bit floating point number as a rate in Hz, 0 when it is
// none.
func extended(b []byte) int {
	exponent := int(binary.BigEndian.Uint16(b)) - 16383 - 63
	v := math.Ldexp(float64(binary.BigEndian.Uint64(b[2:])), exponent)
	if !(v >= 0 && v < math.MaxInt32) {
		return 0
	}
	return int(math.Round(v))
}
