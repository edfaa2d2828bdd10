package media

import (
	"strings"

	"github.com/hookswitch/hookswitch/media/g711"
)

// codec is one way of coding a stream's sound. Both of ours code each sample
// as one byte, so a length in bytes is a length in RTP clock ticks (RFC 3551
// section 4.5.14).
type codec struct {
	name      string
	rate      int  // Hz, of the sound and of the RTP clock
	silence   byte // the code of a zero sample
	encode    func(dst []byte, src []int16)
	decode    func(dst []int16, src []byte)
	transcode func(dst, src []byte) // from the other of the two
}

func codecFor(name string) codec {
	if strings.EqualFold(name, "PCMA") {
		return codec{"PCMA", 8000, 0xd5, g711.EncodeALaw, g711.DecodeALaw, g711.ULawToALaw}
	}
	return codec{"PCMU", 8000, 0xff, g711.EncodeULaw, g711.DecodeULaw, g711.ALawToULaw}
}
