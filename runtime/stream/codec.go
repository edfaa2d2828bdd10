package stream

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/g722"
	"github.com/hookswitch/hookswitch/media/opus"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// Format is how sound is coded in payloads: RTP payloads without their headers.
type Format struct {
	Encoding string // PCMU, PCMA, G722, OPUS or L16
	Rate     int    // as it is told, in Hz; that of G722 is 8000 by tradition
}

// NewFormat is encoding at the rate that a document asks for, or the nearest
// that the encoding has.
func NewFormat(encoding string, rate int) (Format, error) {
	switch encoding {
	case "PCMU", "PCMA", "G722":
		rate = 8000
	case "OPUS":
		if rate != 8000 && rate != 48000 {
			rate = 16000
		}
	case "L16":
	default:
		return Format{}, fmt.Errorf("%s is not spoken here; PCMU, PCMA, G722, OPUS and L16 are", encoding)
	}
	return Format{encoding, rate}, nil
}

// samples is the rate of the sound in f, in Hz.
func (f Format) samples() int {
	if f.Encoding == "G722" {
		return g722.Rate
	}
	return f.Rate
}

// Encoder turns a stream of sound into payloads. It serves one goroutine.
type Encoder struct {
	format    Format
	resampler *pcm.Resampler // nil when the rates are equal
	sound     []int16
	wideband  *g722.Encoder
	opus      *opus.Encoder
}

// NewEncoder makes an encoder of sound at rate, in Hz.
func NewEncoder(f Format, rate int) (*Encoder, error) {
	e := &Encoder{format: f}
	if f.samples() != rate {
		e.resampler = pcm.NewResampler(rate, f.samples())
	}
	switch f.Encoding {
	case "G722":
		e.wideband = g722.NewEncoder()
	case "OPUS":
		var err error
		if e.opus, err = opus.NewEncoder(f.Rate); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// longestPacket is room for 20 ms in any format: those of L16 at 48 kHz are the
// longest.
const longestPacket = 1920

// Encode writes the payload of a frame of 20 ms over dst and returns it.
func (e *Encoder) Encode(dst []byte, frame pcm.Frame) ([]byte, error) {
	sound := []int16(frame)
	if e.resampler != nil {
		e.sound = e.resampler.Resample(e.sound[:0], sound)
		sound = e.sound
	}
	dst = slices.Grow(dst[:0], longestPacket)
	switch e.format.Encoding {
	case "PCMU":
		dst = dst[:len(sound)]
		g711.EncodeULaw(dst, sound)
	case "PCMA":
		dst = dst[:len(sound)]
		g711.EncodeALaw(dst, sound)
	case "G722":
		dst = dst[:len(sound)/2]
		dst = dst[:e.wideband.Encode(dst, sound)]
	case "OPUS":
		n, err := e.opus.Encode(dst[:longestPacket], sound)
		return dst[:n], err
	default:
		dst = pcm.AppendBytes(dst, sound)
	}
	return dst, nil
}

// Decoder turns payloads into a stream of sound. It serves one goroutine.
type Decoder struct {
	format    Format
	resampler *pcm.Resampler // nil when the rates are equal
	wideband  *g722.Decoder
	opus      *opus.Decoder
}

// NewDecoder makes a decoder that gives sound at rate, in Hz.
func NewDecoder(f Format, rate int) (*Decoder, error) {
	d := &Decoder{format: f}
	if f.samples() != rate {
		d.resampler = pcm.NewResampler(f.samples(), rate)
	}
	switch f.Encoding {
	case "G722":
		d.wideband = g722.NewDecoder()
	case "OPUS":
		var err error
		if d.opus, err = opus.NewDecoder(f.Rate); err != nil {
			return nil, err
		}
	}
	return d, nil
}

var errOdd = errors.New("a sample of L16 has two bytes, and one is missing")

// longestOpus is the samples of the longest packet of Opus, 120 ms at 48 kHz
// (RFC 6716 section 3.2.5).
const longestOpus = 5760

// Decode gives the sound of a payload of any length, for Opus of one packet. The
// sound is the caller's.
//
// L16 is little endian: what applications send, although in RTP it is not
// (RFC 3551 section 4.5.11).
func (d *Decoder) Decode(payload []byte) ([]int16, error) {
	var sound []int16
	switch d.format.Encoding {
	case "PCMU":
		sound = make([]int16, len(payload))
		g711.DecodeULaw(sound, payload)
	case "PCMA":
		sound = make([]int16, len(payload))
		g711.DecodeALaw(sound, payload)
	case "G722":
		sound = make([]int16, 2*len(payload))
		sound = sound[:d.wideband.Decode(sound, payload)]
	case "OPUS":
		sound = make([]int16, longestOpus)
		n, err := d.opus.Decode(sound, payload)
		if err != nil {
			return nil, errors.New("the payload is no packet of Opus")
		}
		sound = slices.Clone(sound[:n])
	default:
		if len(payload)%2 != 0 {
			return nil, errOdd
		}
		sound = pcm.FromBytes(payload)
	}
	if d.resampler != nil {
		sound = d.resampler.Resample(nil, sound)
	}
	return sound, nil
}
