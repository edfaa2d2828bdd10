package audio

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/hajimehoshi/go-mp3"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// decodeMP3 reads MPEG-1 and MPEG-2 layer 3. A file that is cut off plays as
// far as it goes.
func decodeMP3(b []byte) (pcm.Clip, error) {
	if f := firstFrame(b); len(f) > 1 && f[1]&0x18 == 0 {
		return pcm.Clip{}, errors.New("the MP3 file is MPEG-2.5 (8, 11.025 or 12 kHz), which is not read; convert it to 16 kHz or more, or to WAV")
	}
	if n := len(b) - 128; n >= 0 && string(b[n:n+3]) == "TAG" {
		b = b[:n] // ID3v1, whose text may look like a frame
	}
	// Hidden behind a bare Reader the decoder does not walk the whole file
	// first to learn its length.
	d, err := mp3.NewDecoder(struct{ io.Reader }{bytes.NewReader(b)})
	if err != nil {
		return pcm.Clip{}, fmt.Errorf("the MP3 file cannot be decoded: %w", err)
	}
	clip := pcm.Clip{Rate: d.SampleRate()}
	// What comes out is always stereo of 16 bits.
	buf := make([]byte, 4*1152)
	for len(clip.Samples) <= MaxSamples {
		n, err := io.ReadFull(d, buf)
		for p := buf[:n]; len(p) >= 4; p = p[4:] {
			left, right := int16(p[0])|int16(p[1])<<8, int16(p[2])|int16(p[3])<<8
			clip.Samples = append(clip.Samples, int16((int(left)+int(right))/2))
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return clip, nil
		}
		if err != nil {
			return pcm.Clip{}, fmt.Errorf("the MP3 file cannot be decoded at %v: %w", clip.Duration(), err)
		}
	}
	return pcm.Clip{}, tooLong(clip.Rate)
}

// firstFrame is b from its first frame on, an ID3v2 tag skipped.
func firstFrame(b []byte) []byte {
	if len(b) >= 10 && string(b[:3]) == "ID3" {
		size := 10 + int(b[6]&0x7f)<<21 + int(b[7]&0x7f)<<14 + int(b[8]&0x7f)<<7 + int(b[9]&0x7f)
		b = b[min(size, len(b)):]
	}
	for ; len(b) >= 4; b = b[1:] {
		if mp3Frame(b) {
			return b
		}
	}
	return nil
}

// mp3Frame says whether b begins with a frame header of layer 3 (ISO 11172-3
// section 2.4.1.3): eleven ones, and no field with a forbidden value.
func mp3Frame(b []byte) bool {
	return len(b) >= 4 && b[0] == 0xff && b[1]&0xe0 == 0xe0 &&
		b[1]&0x18 != 0x08 && b[1]&0x06 == 0x02 && b[2]&0xf0 != 0xf0 && b[2]&0x0c != 0x0c
}
