package recording

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"time"
)

const (
	headerSize = 44
	// maxData is the most that the header's 32 bits can tell of.
	maxData = math.MaxUint32 - (headerSize - 8)
)

// wavFile is a WAV file of 16-bit PCM that grows. Its sound is written before
// the header tells of it, so that the header is never ahead of the file.
type wavFile struct {
	f              File
	rate, channels int
	size           int64 // bytes of sound, as the header has it
	err            error // the first; nothing is written after it
}

// append adds interleaved samples at the end.
func (w *wavFile) append(b []byte) {
	if w.err != nil || len(b) == 0 {
		return
	}
	if _, err := w.f.WriteAt(b, headerSize+w.size); err != nil {
		w.err = fmt.Errorf("write recording: %w", err)
		return
	}
	w.err = w.setSize(w.size + int64(len(b)))
}

// appendSilence adds silent frames of block bytes each.
func (w *wavFile) appendSilence(frames, block int) {
	if frames == 0 {
		return
	}
	silence := make([]byte, second*block)
	for ; frames > 0 && w.err == nil; frames -= second {
		w.append(silence[:min(frames, second)*block])
	}
}

// cut takes off the last n bytes of sound.
func (w *wavFile) cut(n int64) {
	if w.err != nil || n == 0 {
		return
	}
	if w.err = w.setSize(max(0, w.size-n)); w.err != nil {
		return
	}
	if err := w.f.Truncate(headerSize + w.size); err != nil {
		w.err = fmt.Errorf("trim recording: %w", err)
	}
}

// close takes everything to the disk. The file is closed whatever went wrong.
func (w *wavFile) close() error {
	err := w.err
	if err == nil {
		if err = w.f.Sync(); err != nil {
			err = fmt.Errorf("sync recording: %w", err)
		}
	}
	return errors.Join(err, w.f.Close())
}

func (w *wavFile) duration() time.Duration {
	return time.Duration(w.size/int64(2*w.channels)) * time.Second / time.Duration(w.rate)
}

// setSize writes the header of a file with that many bytes of sound.
func (w *wavFile) setSize(size int64) error {
	if _, err := w.f.WriteAt(header(w.rate, w.channels, uint32(size)), 0); err != nil {
		return fmt.Errorf("write header of recording: %w", err)
	}
	w.size = size
	return nil
}

// header is that of a WAV file of 16-bit PCM with size bytes of sound.
func header(rate, channels int, size uint32) []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, headerSize), "RIFF"...)
	b = le.AppendUint32(b, size+headerSize-8)
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1) // PCM
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(2*channels*rate))
	b = le.AppendUint16(b, uint16(2*channels))
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	return le.AppendUint32(b, size)
}

// ErrNotRecording is the error of Repair for a file that New did not begin, or
// that ended before its header.
var ErrNotRecording = errors.New("not the file of a recording")

// Repair makes the header of a file that was not closed tell of all the sound
// that the file has, and returns how long that is. It syncs the file and does
// not close it.
func Repair(f File) (time.Duration, error) {
	w, err := parseHeader(f)
	if err != nil {
		return 0, fmt.Errorf("repair recording: %w", err)
	}
	end, err := sizeOf(f)
	if err != nil {
		return 0, fmt.Errorf("repair recording: %w", err)
	}
	size := min(end-headerSize, maxData)
	size -= size % int64(2*w.channels) // half a sample, of a write that was cut short
	if err := w.setSize(size); err != nil {
		return 0, err
	}
	if err := f.Truncate(headerSize + size); err != nil {
		return 0, fmt.Errorf("repair recording: %w", err)
	}
	if err := f.Sync(); err != nil {
		return 0, fmt.Errorf("repair recording: %w", err)
	}
	return w.duration(), nil
}

// parseHeader reads a header that setSize wrote. The size is not believed.
func parseHeader(f File) (wavFile, error) {
	b := make([]byte, headerSize)
	if n, err := f.ReadAt(b, 0); n < headerSize {
		if err == io.EOF {
			err = ErrNotRecording
		}
		return wavFile{}, err
	}
	le := binary.LittleEndian
	w := wavFile{f: f, rate: int(le.Uint32(b[24:])), channels: int(le.Uint16(b[22:]))}
	if w.rate == 0 || w.channels == 0 || string(header(w.rate, w.channels, le.Uint32(b[40:]))[8:]) != string(b[8:]) {
		return wavFile{}, ErrNotRecording
	}
	return w, nil
}

// sizeOf finds the end of a file by bisection, which takes 33 reads of a byte:
// a File need not know its size.
func sizeOf(f File) (int64, error) {
	var failed error
	size := sort.Search(math.MaxUint32+1, func(at int) bool {
		n, err := f.ReadAt(make([]byte, 1), int64(at))
		if n == 0 && err != io.EOF {
			failed = err
		}
		return n == 0
	})
	return int64(size), failed
}
