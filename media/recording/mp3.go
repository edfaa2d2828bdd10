package recording

import (
	"context"
	"errors"
)

// ErrNoEncoder is the error of EncodeMP3 when no program for it is installed.
var ErrNoEncoder = errors.New("no program makes MP3 files here; install lame (apt install lame, brew install lame) or ffmpeg")

// EncodeMP3 makes an MP3 file of a WAV file.
func EncodeMP3(ctx context.Context, wavPath, mp3Path string) error { return ErrNoEncoder }
