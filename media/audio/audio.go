// Package audio decodes the sound files that callers are played: WAV, MP3,
// OGG Vorbis, AIFF, AU and raw G.711. It knows files only as bytes.
package audio

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"path"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/media/internal/samples"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// MaxSamples is the longest clip that is decoded, 128 MB in memory: 2 h 19 min
// at 8 kHz, 25 min at 44.1 kHz.
const MaxSamples = 1 << 26

// ErrType is wrapped by the error of [Decode] for bytes of a type that is not
// read here, as against a broken file of one that is.
var ErrType = errors.New("not a type of sound that can be played")

// remedy ends the message of every error about a type.
const remedy = "convert it to WAV or MP3"

// Decode turns a file into a clip at the file's own rate, channels mixed to
// one. The bytes themselves say what they are; raw samples, which do not, go
// by the content type and then by the ending of name, which may be a file
// name or a URL. Decode blocks for as long as the decoding takes, for MP3
// about a sixtieth of the playing time.
func Decode(contentType, name string, b []byte) (clip pcm.Clip, err error) {
	// A file from outside must not take the process down through a slip in a
	// decoder that others wrote: an index out of range there is a broken file.
	defer func() {
		if r := recover(); r != nil {
			clip, err = pcm.Clip{}, fmt.Errorf("the sound file is broken: %v", r)
		}
	}()
	kind, layout, rate := sniff(b), samples.Layout{}, 0
	if kind == "" {
		kind, layout, rate = declared(contentType, name)
		if frames := sniffFrames(b); frames != "" && kind != "raw" {
			kind = frames
		}
	}
	switch kind {
	case "wav":
		clip, err = wav.Decode(b)
	case "mp3":
		clip, err = decodeMP3(b)
	case "ogg":
		clip, err = decodeOgg(b)
	case "aiff":
		clip, err = decodeAIFF(b)
	case "au":
		clip, err = decodeAU(b)
	case "raw":
		if err := layout.Check(rate); err != nil {
			return pcm.Clip{}, fmt.Errorf("%s has %w", contentType, err)
		}
		clip = pcm.Clip{Rate: rate, Samples: layout.Mono(b)}
	case "":
		what := contentType
		if what == "" {
			what = "a file without a content type"
		}
		return pcm.Clip{}, fmt.Errorf("%w: %s, of %d bytes that are no known sound file; %s", ErrType, what, len(b), remedy)
	default:
		return pcm.Clip{}, fmt.Errorf("%w: %s; %s", ErrType, kind, remedy)
	}
	if err != nil {
		return pcm.Clip{}, err
	}
	if len(clip.Samples) > MaxSamples {
		return pcm.Clip{}, tooLong(clip.Rate)
	}
	return clip, nil
}

func tooLong(rate int) error {
	return fmt.Errorf("the sound is longer than %d minutes, the most that is played at %d Hz", MaxSamples/max(rate, 1)/60, rate)
}

// sniff names the type that the first bytes give away, "" when they do not.
// A name of more than one word is a type that is not read here.
func sniff(b []byte) string {
	at := func(i int, s string) bool { return len(b) >= i+len(s) && string(b[i:i+len(s)]) == s }
	switch {
	case (at(0, "RIFF") || at(0, "RF64")) && at(8, "WAVE"):
		return "wav"
	case at(0, "FORM") && (at(8, "AIFF") || at(8, "AIFC")):
		return "aiff"
	case at(0, ".snd"):
		return "au"
	case at(0, "OggS"):
		return "ogg"
	case at(0, "ID3"):
		return "mp3"
	case at(0, "fLaC"):
		return "a FLAC file"
	case at(4, "ftyp"):
		return "an MP4 file (AAC)"
	case at(0, "#!AMR"):
		return "an AMR file"
	case at(0, "\x1a\x45\xdf\xa3"):
		return "a WebM file"
	case at(0, "RIFX"):
		return "a big-endian WAV file (RIFX)"
	}
	if text := bytes.ToLower(bytes.TrimLeft(b[:min(len(b), 256)], " \t\r\n\ufeff")); len(text) > 0 {
		switch {
		case bytes.HasPrefix(text, []byte("<!doctype html")), bytes.HasPrefix(text, []byte("<html")):
			return "an HTML page"
		case bytes.HasPrefix(text, []byte("<?xml")), bytes.HasPrefix(text, []byte("<response")):
			return "an XML document"
		}
	}
	return ""
}

// sniffFrames knows files that begin with a frame of sound and have no header
// of their own. Samples in μ-law may happen to look the same.
func sniffFrames(b []byte) string {
	switch {
	case mp3Frame(b):
		return "mp3"
	case len(b) >= 2 && b[0] == 0xff && b[1]&0xf6 == 0xf0:
		return "an AAC file"
	}
	return ""
}

// declared is the type by what the server and the name say. Of raw samples it
// is "raw" with their layout and rate.
func declared(contentType, name string) (kind string, l samples.Layout, rate int) {
	media, params, _ := mime.ParseMediaType(contentType)
	number := func(key string, otherwise int) int {
		if n, err := strconv.Atoi(params[key]); err == nil {
			return n
		}
		return otherwise
	}
	law := func(c samples.Coding) (string, samples.Layout, int) {
		return "raw", samples.Layout{Coding: c, Bits: 8, Channels: number("channels", 1)}, number("rate", 8000)
	}
	switch media {
	case "audio/wav", "audio/wave", "audio/x-wav", "audio/vnd.wave":
		return "wav", l, 0
	case "audio/mpeg", "audio/mp3", "audio/x-mp3", "audio/mpeg3", "audio/x-mpeg":
		return "mp3", l, 0
	case "audio/ogg", "application/ogg", "audio/vorbis":
		return "ogg", l, 0
	case "audio/aiff", "audio/x-aiff", "audio/x-aifc", "audio/aifc":
		return "aiff", l, 0
	case "audio/basic", "audio/ulaw", "audio/x-ulaw", "audio/mulaw", "audio/x-mulaw", "audio/pcmu":
		return law(samples.ULaw)
	case "audio/alaw", "audio/x-alaw", "audio/pcma":
		return law(samples.ALaw)
	case "audio/l16": // RFC 2586: big-endian, the rate is required
		return "raw", samples.Layout{Coding: samples.Signed, Bits: 16, BigEndian: true, Channels: number("channels", 1)}, number("rate", 0)
	case "audio/gsm", "audio/x-gsm":
		return "GSM 06.10 sound", l, 0
	}
	// Types that say nothing about sound leave it to the name.
	if media != "" && !strings.HasPrefix(media, "audio/") && media != "application/octet-stream" && media != "binary/octet-stream" && media != "text/plain" {
		return "", l, 0
	}
	name, _, _ = strings.Cut(name, "#")
	name, _, _ = strings.Cut(name, "?")
	switch strings.ToLower(path.Ext(name)) {
	case ".ulaw", ".ul", ".mulaw", ".pcmu":
		return law(samples.ULaw)
	case ".alaw", ".al", ".pcma":
		return law(samples.ALaw)
	case ".mp3":
		return "mp3", l, 0
	case ".gsm":
		return "GSM 06.10 sound", l, 0
	}
	return "", l, 0
}
