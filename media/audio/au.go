package audio

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hookswitch/hookswitch/media/internal/samples"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// decodeAU reads the files of Sun and NeXT: PCM, floating point and G.711.
func decodeAU(b []byte) (pcm.Clip, error) {
	if len(b) < 24 {
		return pcm.Clip{}, errors.New("the AU file ends within its header")
	}
	be := binary.BigEndian
	offset, size, coding := be.Uint32(b[4:]), be.Uint32(b[8:]), be.Uint32(b[12:])
	rate := be.Uint32(b[16:])
	l := samples.Layout{Coding: samples.Signed, BigEndian: true, Channels: int(be.Uint32(b[20:]))}
	switch coding {
	case 1:
		l.Coding, l.Bits = samples.ULaw, 8
	case 2, 3, 4, 5:
		l.Bits = int(coding-1) * 8
	case 6:
		l.Coding, l.Bits = samples.Float, 32
	case 7:
		l.Coding, l.Bits = samples.Float, 64
	case 27:
		l.Coding, l.Bits = samples.ALaw, 8
	default:
		return pcm.Clip{}, fmt.Errorf("the AU file has coding %d; %s", coding, remedy)
	}
	if err := l.Check(int(rate)); err != nil {
		return pcm.Clip{}, fmt.Errorf("the AU file has %w", err)
	}
	if offset < 24 || int64(offset) > int64(len(b)) {
		return pcm.Clip{}, fmt.Errorf("the AU file has its samples at byte %d of %d", offset, len(b))
	}
	b = b[offset:]
	return pcm.Clip{Rate: int(rate), Samples: l.Mono(b[:min(int64(size), int64(len(b)))])}, nil
}
