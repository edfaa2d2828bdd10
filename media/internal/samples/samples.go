// Package samples turns the sample layouts of sound files into mono 16-bit
// audio.
package samples

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/hookswitch/hookswitch/media/g711"
)

// Coding says how one sample is written.
type Coding int

const (
	Signed Coding = iota
	Unsigned
	Float
	ULaw
	ALaw
)

// Layout is how the samples of a file lie in memory: channels interleaved,
// each sample in Bits bits, a whole number of bytes, its value in the upper
// bits where it has fewer.
type Layout struct {
	Coding    Coding
	Bits      int
	BigEndian bool
	Channels  int
}

// The rates that a file may have. Below and above, the header is wrong, and
// resampling would cost more than any file is worth.
const (
	minRate = 1000
	maxRate = 384000
)

// Check says what in a file's header cannot be right, or is not read here.
func (l Layout) Check(rate int) error {
	if l.Channels < 1 || l.Channels > 64 {
		return fmt.Errorf("%d channels; 1 to 64 are read", l.Channels)
	}
	if rate < minRate || rate > maxRate {
		return fmt.Errorf("a sampling rate of %d Hz; %d to %d are read", rate, minRate, maxRate)
	}
	switch l.Coding {
	case Float:
		if l.Bits != 32 && l.Bits != 64 {
			return fmt.Errorf("floating point of %d bits; 32 and 64 are read", l.Bits)
		}
	case ULaw, ALaw:
		if l.Bits != 8 {
			return fmt.Errorf("G.711 of %d bits; 8 are read", l.Bits)
		}
	default:
		if l.Bits != 8 && l.Bits != 16 && l.Bits != 24 && l.Bits != 32 {
			return fmt.Errorf("samples of %d bits; 8, 16, 24 and 32 are read", l.Bits)
		}
	}
	return nil
}

// Mono is the audio in b, channels mixed in equal parts. Bytes after the last
// whole sample of all channels are left out. The layout must have passed
// Check.
func (l Layout) Mono(b []byte) []int16 {
	size := l.Bits / 8
	n := len(b) / (size * l.Channels)
	out := make([]int16, n)
	switch {
	case l.Channels == 1 && l.Coding == ULaw:
		g711.DecodeULaw(out, b[:n])
		return out
	case l.Channels == 1 && l.Coding == ALaw:
		g711.DecodeALaw(out, b[:n])
		return out
	}
	read := l.reader()
	for i := range out {
		sum := 0.0
		for range l.Channels {
			sum += read(b)
			b = b[size:]
		}
		out[i] = To16(sum / float64(l.Channels))
	}
	return out
}

// To16 is a sample at 16 bits, where 1 is full scale.
func To16(v float64) int16 {
	switch v = math.Round(v * 32768); {
	case v >= math.MaxInt16:
		return math.MaxInt16
	case v <= math.MinInt16:
		return math.MinInt16
	case math.IsNaN(v):
		return 0
	}
	return int16(v)
}

// reader returns the function that reads the first sample of its argument, 1
// being full scale.
func (l Layout) reader() func([]byte) float64 {
	var order binary.ByteOrder = binary.LittleEndian
	if l.BigEndian {
		order = binary.BigEndian
	}
	law := func(decode func([]int16, []byte)) func([]byte) float64 {
		var s [1]int16
		return func(b []byte) float64 {
			decode(s[:], b[:1])
			return float64(s[0]) / 32768
		}
	}
	switch {
	case l.Coding == ULaw:
		return law(g711.DecodeULaw)
	case l.Coding == ALaw:
		return law(g711.DecodeALaw)
	case l.Coding == Float && l.Bits == 32:
		return func(b []byte) float64 { return float64(math.Float32frombits(order.Uint32(b))) }
	case l.Coding == Float:
		return func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) }
	}
	// Whole numbers are brought to 32 bits; an unsigned one counts from the
	// middle of its range.
	flip := uint32(0)
	if l.Coding == Unsigned {
		flip = 1 << 31
	}
	var raw func(b []byte) uint32
	switch l.Bits {
	case 8:
		raw = func(b []byte) uint32 { return uint32(b[0]) << 24 }
	case 16:
		raw = func(b []byte) uint32 { return uint32(order.Uint16(b)) << 16 }
	case 24:
		raw = func(b []byte) uint32 { return uint32(b[2])<<24 | uint32(b[1])<<16 | uint32(b[0])<<8 }
		if l.BigEndian {
			raw = func(b []byte) uint32 { return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 }
		}
	default:
		raw = order.Uint32
	}
	return func(b []byte) float64 { return float64(int32(raw(b)^flip)) / (1 << 31) }
}
