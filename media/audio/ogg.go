package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jfreymuth/vorbis"

	"github.com/hookswitch/hookswitch/media/internal/samples"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// decodeOgg reads the Vorbis stream of an OGG file. A file that is cut off
// plays as far as it goes.
func decodeOgg(b []byte) (pcm.Clip, error) {
	in := packets{rest: b}
	first, ok := in.next()
	if !ok {
		return pcm.Clip{}, errors.New("the OGG file has no whole packet")
	}
	for _, other := range []struct{ mark, name string }{
		{"OpusHead", "Opus"}, {"\x7fFLAC", "FLAC"}, {"Speex   ", "Speex"}, {"\x80theora", "Theora video"},
	} {
		if bytes.HasPrefix(first, []byte(other.mark)) {
			return pcm.Clip{}, fmt.Errorf("%w: an OGG file with %s; only Vorbis is read, so %s", ErrType, other.name, remedy)
		}
	}
	if err := checkVorbisID(first); err != nil {
		return pcm.Clip{}, fmt.Errorf("the OGG file cannot be decoded: %w", err)
	}
	in.next() // the comments, of which none is needed and whose number is a stranger's word
	setup, ok := in.next()
	if !ok {
		return pcm.Clip{}, errors.New("the OGG file ends within its headers")
	}
	if err := checkCodebooks(setup); err != nil {
		return pcm.Clip{}, fmt.Errorf("the OGG file cannot be decoded: %w", err)
	}
	var d vorbis.Decoder
	for _, header := range [][]byte{first, []byte("\x03vorbis\x00\x00\x00\x00\x00\x00\x00\x00\x01"), setup} {
		if err := d.ReadHeader(header); err != nil {
			return pcm.Clip{}, fmt.Errorf("the OGG file cannot be decoded: %w", err)
		}
	}
	clip := pcm.Clip{Rate: d.SampleRate()}
	for len(clip.Samples) <= MaxSamples {
		packet, ok := in.next()
		if !ok {
			// The last page says where the sound ends within its packet.
			if n := in.end; n > 0 && n < int64(len(clip.Samples)) && int64(len(clip.Samples))-n < maxBlock {
				clip.Samples = clip.Samples[:n]
			}
			return clip, nil
		}
		out, err := d.Decode(packet)
		if err != nil {
			return pcm.Clip{}, fmt.Errorf("the OGG file cannot be decoded at %v: %w", clip.Duration(), err)
		}
		for n := d.Channels(); len(out) >= n; out = out[n:] {
			sum := float32(0)
			for _, v := range out[:n] {
				sum += v
			}
			clip.Samples = append(clip.Samples, samples.To16(float64(sum)/float64(n)))
		}
	}
	return pcm.Clip{}, tooLong(clip.Rate)
}

// packets takes an OGG stream apart (RFC 3533 section 6).
type packets struct {
	rest     []byte // pages not yet opened
	segments []byte // the open page's lengths, one byte each
	body     []byte // what they are of
	end      int64  // position of the last page opened, in samples
	last     bool   // that page ended the stream
}

// next is the next whole packet; ok is false when there is none.
func (p *packets) next() (packet []byte, ok bool) {
	for {
		for len(p.segments) > 0 {
			n := int(p.segments[0])
			p.segments = p.segments[1:]
			if n > len(p.body) {
				return nil, false
			}
			packet = append(packet, p.body[:n]...)
			p.body = p.body[n:]
			if n < 255 {
				return packet, true
			}
		}
		if p.last || !p.open() {
			return nil, false
		}
	}
}

// open takes the next page from rest.
func (p *packets) open() bool {
	const header = 27
	if len(p.rest) < header || string(p.rest[:4]) != "OggS" {
		return false
	}
	n := int(p.rest[26])
	if len(p.rest) < header+n {
		return false
	}
	p.last = p.rest[5]&4 != 0
	p.end = int64(binary.LittleEndian.Uint64(p.rest[6:]))
	p.segments = p.rest[header : header+n]
	size := 0
	for _, s := range p.segments {
		size += int(s)
	}
	p.rest = p.rest[header+n:]
	p.body = p.rest[:min(size, len(p.rest))]
	p.rest = p.rest[len(p.body):]
	return true
}
