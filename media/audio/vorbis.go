package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/hookswitch/hookswitch/media/internal/samples"
)

// The decoder believes the headers of a file: a few bytes could make it ask
// for gigabytes, or count without end. So the headers are held to these
// limits first; encoders stay far below them.
const (
	maxBlock    = 8192 // Vorbis I specification, section 4.2.2
	maxEntries  = 1 << 16
	maxValues   = 1 << 22 // of all codebooks together
	maxChannels = 8
)

// checkVorbisID checks the identification header (section 4.2.2).
func checkVorbisID(p []byte) error {
	if len(p) < 30 || string(p[:7]) != "\x01vorbis" {
		return errors.New("it holds no Vorbis stream")
	}
	channels, rate := int(p[11]), int(binary.LittleEndian.Uint32(p[12:]))
	if err := (samples.Layout{Channels: channels, Bits: 16}).Check(rate); err != nil {
		return fmt.Errorf("it has %w", err)
	}
	if channels > maxChannels {
		return fmt.Errorf("it has %d channels, more than %d", channels, maxChannels)
	}
	if short, long := p[28]&0xf, p[28]>>4; short < 6 || long < short || 1<<long > maxBlock {
		return errors.New("its blocks have a size that Vorbis does not have")
	}
	return nil
}

// checkCodebooks walks the codebooks of the setup header (section 3.2.1),
// which come first in it and are all that has a size of its own.
func checkCodebooks(p []byte) error {
	if len(p) < 8 || string(p[:7]) != "\x05vorbis" {
		return errors.New("it has no Vorbis setup header")
	}
	broken := errors.New("its codebooks are broken")
	r := &bitReader{b: p[7:]}
	total := 0
	for range r.take(8) + 1 {
		if r.take(24) != 0x564342 {
			return broken
		}
		dimensions, entries := r.take(16), r.take(24)
		total += dimensions * entries
		if dimensions == 0 || entries == 0 || entries > maxEntries || total > maxValues {
			return broken
		}
		if ordered := r.take(1) == 1; ordered {
			r.take(5)
			for done := 0; done < entries; {
				run := r.take(bits.Len(uint(entries - done)))
				if run == 0 || done+run > entries {
					return broken
				}
				done += run
			}
		} else {
			sparse := r.take(1) == 1
			for range entries {
				if !sparse || r.take(1) == 1 {
					r.take(5)
				}
			}
		}
		lookup := r.take(4)
		if lookup > 0 {
			r.take(32)
			r.take(32)
			width := r.take(4) + 1
			r.take(1)
			values := entries * dimensions
			if lookup == 1 {
				values = root(entries, dimensions)
			}
			for range values {
				r.take(width)
			}
		}
		if r.short {
			return broken
		}
	}
	return nil
}

// root is the greatest whole number whose nth power is at most v (section
// 9.2.3).
func root(v, n int) int {
	for r := 2; ; r++ {
		power := 1
		for range n {
			if power *= r; power > v {
				return r - 1
			}
		}
	}
}

// bitReader reads numbers as Vorbis packs them, lowest bit first (section 2).
type bitReader struct {
	b     []byte
	at    int  // bits read
	short bool // there were fewer bits than asked for
}

func (r *bitReader) take(n int) int {
	v := 0
	for i := range n {
		if r.at/8 >= len(r.b) {
			r.short = true
			return 0
		}
		v |= int(r.b[r.at/8]>>(r.at%8)&1) << i
		r.at++
	}
	return v
}
