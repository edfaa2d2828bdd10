package media

import (
	"strings"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/g722"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// The RTP clock of all codecs here, in Hz, and its ticks in 20 ms. Each of them
// codes a tick as one byte, so a length in bytes is a length in ticks: G.711 a
// sample (RFC 3551 section 4.5.14), G.722 two samples, for its clock is said to
// be 8000 though it samples at 16000 (section 4.5.2).
const (
	clockRate  = 8000
	frameTicks = 160
)

// codec is one way of coding a stream's sound. It remembers what it coded and
// what it decoded, so each stream and each side of it has one of its own.
type codec struct {
	name      string
	rate      int // of the sound, Hz
	encode    func(dst []byte, src []int16)
	decode    func(dst []int16, src []byte)
	transcode func(dst, src []byte) // from the other law of G.711; nil in G.722
}

func codecFor(name string) codec {
	switch {
	case strings.EqualFold(name, "PCMA"):
		return codec{"PCMA", 8000, g711.EncodeALaw, g711.DecodeALaw, g711.ULawToALaw}
	case strings.EqualFold(name, "G722"):
		e, d := g722.NewEncoder(), g722.NewDecoder()
		return codec{
			name: "G722", rate: g722.Rate,
			encode: func(dst []byte, src []int16) { e.Encode(dst, src) },
			decode: func(dst []int16, src []byte) { d.Decode(dst, src) },
		}
	}
	return codec{"PCMU", 8000, g711.EncodeULaw, g711.DecodeULaw, g711.ALawToULaw}
}

// frame is how many samples 20 ms have, and samples how many a tick has.
func (c codec) frame() int   { return pcm.FrameLen(c.rate) }
func (c codec) samples() int { return c.rate / clockRate }
