package runtime

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/audio"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/vad"
)

// A recording is heard in pieces, each by an engine of its own, so that an engine
// that fails half-way has not lost more than the next one can hear again (package
// ai keeps 30 s of sound). It is cut where nobody speaks, once a piece is long
// enough, and anyway when it is too long.
const (
	enoughPiece  = 20 * time.Second
	longestPiece = 28 * time.Second
	pausePiece   = 200 * time.Millisecond // without a voice, beside vad.Hang
	leadPiece    = 500 * time.Millisecond // of the silence before the first sound
	softest      = -60.0                  // dBFS; less is silence
	pieceTime    = 5 * time.Minute        // an engine may take for a piece
)

// piece is some of the sound of a channel, and where it begins.
type piece struct {
	at     time.Duration
	frames []pcm.Frame
}

// saying is a text, and where in the recording it is.
type saying struct {
	at   time.Duration
	text string
}

// textOf is what is said in a recording, on all of its channels, in order of time.
func (s *Server) textOf(ctx context.Context, r RecordingRecord) (string, error) {
	long := r.Duration.Round(time.Second) // as it is told
	switch {
	case !r.Transcript.inTelnyx() && (long < shortestTranscribed || long > longestTranscribed):
		return "", untranscribable{13617, fmt.Sprintf("it is %v long, and only those of %v to %v are", long, shortestTranscribed, longestTranscribed)}
	case s.Ears == nil:
		return "", untranscribable{13620, noEars}
	case s.Recordings == nil:
		return "", ErrNoRecording
	}
	file, kind, err := s.Recordings.Open(r.SID)
	if err != nil {
		return "", err
	}
	defer file.Close()
	heard, err := openSound(file, kind)
	if err != nil {
		return "", err
	}
	h := ai.Hearing{Rate: heard.rate, Language: r.Transcript.Language, Engine: r.Transcript.Engine, Model: r.Transcript.Model}
	var all []saying
	for _, frames := range heard.channels {
		for p, err := range pieces(frames, heard.rate) {
			if err != nil {
				return "", err
			}
			said, err := s.hearPiece(ctx, h, p)
			if err != nil {
				return "", err
			}
			all = append(all, said...)
		}
	}
	slices.SortStableFunc(all, func(a, b saying) int { return cmp.Compare(a.at, b.at) })
	texts := make([]string, len(all))
	for i, said := range all {
		texts[i] = said.text
	}
	return strings.Join(texts, " "), nil
}

// hearPiece has an engine hear a piece, as fast as that takes it.
func (s *Server) hearPiece(ctx context.Context, h ai.Hearing, p piece) (all []saying, err error) {
	var feeding sync.WaitGroup
	defer feeding.Wait()
	ctx, stop := context.WithTimeoutCause(ctx, pieceTime,
		&ai.Error{Provider: "speech", Kind: ai.Timeout, Msg: fmt.Sprintf("%v were not enough for a piece of a recording", pieceTime)})
	defer stop() // runs before Wait
	sound := make(chan pcm.Frame)
	feeding.Go(func() {
		defer close(sound)
		for _, f := range p.frames {
			select {
			case sound <- f:
			case <-ctx.Done():
				return
			}
		}
	})
	at := p.at // of what has no place of its own: behind what was there before
	for r, err := range s.Ears.Hear(ctx, h, sound) {
		if err != nil {
			return nil, err
		}
		if text := strings.TrimSpace(r.Text); r.Final && text != "" {
			at = max(at, p.at+r.Began)
			all = append(all, saying{at, text})
		}
	}
	return all, context.Cause(ctx) // an engine that was cut short need not say so
}

// pieces cuts the sound of a channel. Silence before and between them is left out.
func pieces(frames iter.Seq2[pcm.Frame, error], rate int) iter.Seq2[piece, error] {
	return func(yield func(piece, error) bool) {
		voice := vad.New(rate)
		var p piece
		var at, quiet time.Duration // of the next frame; how long nobody has spoken
		loud := false               // there is more than silence in p
		for f, err := range frames {
			if err != nil {
				yield(piece{}, err)
				return
			}
			if quiet += pcm.FrameTime; voice.Hear(f) {
				quiet = 0
			}
			loud = loud || pcm.Level(f) > softest
			p.frames = append(p.frames, f)
			at += pcm.FrameTime
			long := time.Duration(len(p.frames)) * pcm.FrameTime
			switch {
			case !loud && long > leadPiece:
				p.frames = p.frames[1:]
				p.at += pcm.FrameTime
			case long >= longestPiece, long >= enoughPiece && quiet >= pausePiece:
				if !yield(p, nil) {
					return
				}
				p, loud = piece{at: at}, false
			}
		}
		if loud {
			yield(p, nil)
		}
	}
}

// recorded is the sound of a recording, channel by channel.
type recorded struct {
	rate     int // Hz
	channels []iter.Seq2[pcm.Frame, error]
}

// openSound reads a recording. Those of an MP3 file are mixed to one channel.
func openSound(file io.ReadSeeker, kind string) (recorded, error) {
	if kind == "audio/wav" {
		return openWAV(file)
	}
	b, err := io.ReadAll(file)
	if err != nil {
		return recorded{}, fmt.Errorf("read the recording: %w", err)
	}
	clip, err := audio.Decode(kind, "", b)
	if err != nil {
		return recorded{}, untranscribable{13620, "the recording cannot be read: " + err.Error()}
	}
	n := pcm.FrameLen(clip.Rate)
	return recorded{clip.Rate, []iter.Seq2[pcm.Frame, error]{func(yield func(pcm.Frame, error) bool) {
		for samples := range slices.Chunk(clip.Samples, n) {
			f := make(pcm.Frame, n)
			copy(f, samples)
			if !yield(f, nil) {
				return
			}
		}
	}}}, nil
}

// wavHeader is what stands before the sound in a recording that is kept as WAV:
// 16-bit PCM, with nothing else in the file.
const wavHeader = 44

// openWAV reads a recording piece by piece: a long one need not fit in memory.
func openWAV(file io.ReadSeeker) (recorded, error) {
	head := make([]byte, wavHeader)
	if _, err := io.ReadFull(file, head); err != nil {
		return recorded{}, untranscribable{13620, "the recording has no header"}
	}
	channels, rate := int(binary.LittleEndian.Uint16(head[22:])), int(binary.LittleEndian.Uint32(head[24:]))
	if channels < 1 || channels > 2 || rate < 8000 || rate > 48000 {
		return recorded{}, untranscribable{13620, fmt.Sprintf("the recording has %d channels at %d Hz", channels, rate)}
	}
	r := recorded{rate: rate}
	for channel := range channels {
		r.channels = append(r.channels, func(yield func(pcm.Frame, error) bool) {
			if _, err := file.Seek(wavHeader, io.SeekStart); err != nil {
				yield(nil, fmt.Errorf("read the recording: %w", err))
				return
			}
			in := bufio.NewReaderSize(file, 64<<10)
			block := make([]byte, 2*channels*pcm.FrameLen(rate))
			for {
				got, err := io.ReadFull(in, block)
				if got > 0 {
					clear(block[got:])
					if !yield(channelOf(block, channel, channels), nil) {
						return
					}
				}
				switch {
				case err == nil:
				case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
					return
				default:
					yield(nil, fmt.Errorf("read the recording: %w", err))
					return
				}
			}
		})
	}
	return r, nil
}

// channelOf is a frame of one channel from samples of all.
func channelOf(block []byte, channel, channels int) pcm.Frame {
	f := make(pcm.Frame, len(block)/2/channels)
	for i := range f {
		f[i] = int16(binary.LittleEndian.Uint16(block[2*(i*channels+channel):]))
	}
	return f
}
