package runtime

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/hookswitch/hookswitch/media/recording"
)

// AsMP3 makes an MP3 of a recording that is kept as WAV, for who asks for one.
// It takes as long as the encoder does, about a hundredth of the sound's length.
// The error is recording.ErrNoEncoder where there is none. Closing the result
// takes it off the disk.
func AsMP3(ctx context.Context, wave io.Reader) (io.ReadSeekCloser, error) {
	dir, err := os.MkdirTemp("", "hookswitch-mp3-")
	if err != nil {
		return nil, err
	}
	encoded, err := encodeIn(ctx, dir, wave)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return temporary{encoded, dir}, nil
}

func encodeIn(ctx context.Context, dir string, wave io.Reader) (*os.File, error) {
	from, to := filepath.Join(dir, "sound.wav"), filepath.Join(dir, "sound.mp3")
	f, err := os.Create(from)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(f, wave)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := recording.EncodeMP3(ctx, from, to); err != nil {
		return nil, err
	}
	return os.Open(to)
}

// temporary is a file that goes with its folder.
type temporary struct {
	*os.File
	dir string
}

func (t temporary) Close() error { return errors.Join(t.File.Close(), os.RemoveAll(t.dir)) }
