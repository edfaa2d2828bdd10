// Package opus codes sound as Opus (RFC 6716), one packet for each frame.
//
// The coder is github.com/thesyncim/gopus (BSD 3-clause licence), a port of
// libopus without cgo. Opus itself is free to use under the patent licences of
// RFC 6716's authors.
package opus

import (
	"errors"
	"fmt"

	"github.com/thesyncim/gopus"
)

// MaxPacket is the most bytes that a frame can take.
const MaxPacket = 1275

// bitRate is in bit/s: that of RFC 7587 section 3.1.1 for speech of the full
// band, and more than enough for narrower ones.
const bitRate = 32000

// Encoder codes one stream of mono speech. It serves one goroutine.
type Encoder struct{ coder *gopus.Encoder }

// NewEncoder makes an encoder for samples at 8000, 16000 or 48000 Hz.
func NewEncoder(rate int) (*Encoder, error) {
	if err := check(rate); err != nil {
		return nil, err
	}
	// Not the mode for speech alone: prompts are music too, and that one cuts
	// what is low.
	c, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: rate, Channels: 1, Application: gopus.ApplicationAudio})
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	if err := c.SetFrameSize(rate / 50); err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	if err := c.SetBitrate(bitRate); err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	return &Encoder{c}, nil
}

// Encode writes the packet of src, 20 ms of sound, to dst and returns its
// length, at most [MaxPacket].
func (e *Encoder) Encode(dst []byte, src []int16) (int, error) {
	n, err := e.coder.EncodeInt16(src, dst)
	if err != nil {
		return 0, fmt.Errorf("opus: code a frame of %d samples: %w", len(src), err)
	}
	return n, nil
}

// Decoder decodes one stream to mono. It serves one goroutine.
type Decoder struct {
	coder *gopus.Decoder
	room  []int16 // for the longest packet
}

// NewDecoder makes a decoder that gives samples at 8000, 16000 or 48000 Hz,
// whatever the rate was that they were coded at.
func NewDecoder(rate int) (*Decoder, error) {
	if err := check(rate); err != nil {
		return nil, err
	}
	c, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(rate, 1))
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	return &Decoder{c, make([]int16, 6*rate/50)}, nil
}

// Decode writes the samples of a packet to dst and returns how many there are:
// 2.5 to 120 ms. It is an error if dst has no room for them. Without a packet
// it gives what may have been in a lost one, as long as the one before.
func (d *Decoder) Decode(dst []int16, packet []byte) (n int, err error) {
	// A packet from outside must not take the process down through a slip in
	// the library.
	defer func() {
		if recover() != nil {
			n, err = 0, errBroken
		}
	}()
	n, err = d.coder.DecodeInt16(packet, d.room)
	if err != nil {
		return 0, fmt.Errorf("opus: decode a packet of %d bytes: %w", len(packet), err)
	}
	if n > len(dst) {
		return 0, fmt.Errorf("opus: a packet has %d samples, there is room for %d", n, len(dst))
	}
	return copy(dst, d.room[:n]), nil
}

// errBroken is that the library has a fault, which a packet brought to light.
var errBroken = errors.New("opus: the packet cannot be decoded")

func check(rate int) error {
	switch rate {
	case 8000, 16000, 48000:
		return nil
	}
	return fmt.Errorf("opus: no rate of %d Hz; there are 8000, 16000 and 48000", rate)
}
