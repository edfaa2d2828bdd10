package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// ErrNoEncoder is the error of EncodeMP3 when no program for it is installed.
var ErrNoEncoder = errors.New("no program makes MP3 files here; install lame (apt install lame, brew install lame) or ffmpeg")

// MP3Rate is the constant rate of each channel of an MP3 file, in bit/s. Voice
// loses nothing that one can hear at it.
const MP3Rate = 64_000

// lowestMP3 is the lowest sampling rate, in Hz, that all players know: below it
// a file is MPEG 2.5, which is in no standard.
const lowestMP3 = 16000

// EncodeMP3 makes an MP3 file of a recording, by lame or else by ffmpeg. The
// two channels of a recording are coded apart, so that the one does not leak
// into the other. The file grows as mp3Path.part and gets its name when it is
// whole and on the disk; its folder is not synced. An encoder is ended when ctx
// is, or when it takes more than half a minute and a second for each 100 kB.
func EncodeMP3(ctx context.Context, wavPath, mp3Path string) error {
	rate, channels, size, err := formatOf(wavPath)
	if err != nil {
		return fmt.Errorf("encode MP3: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second+time.Duration(size/100_000)*time.Second, errors.New("the encoder took too long"))
	defer cancel()
	part := mp3Path + ".part"
	name, args, err := encoder(max(rate, lowestMP3), channels, wavPath, part)
	if err != nil {
		return err
	}
	defer os.Remove(part) // fails when it has its name
	if err := run(ctx, name, args); err != nil {
		return fmt.Errorf("encode MP3: %s: %w", filepath.Base(name), err)
	}
	if err := place(part, mp3Path); err != nil {
		return fmt.Errorf("encode MP3: %w", err)
	}
	return nil
}

// formatOf reads the header of a recording. size is that of the file.
func formatOf(path string) (rate, channels int, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, 0, err
	}
	defer f.Close()
	w, err := parseHeader(f)
	if err != nil {
		return 0, 0, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, 0, 0, err
	}
	return w.rate, w.channels, info.Size(), nil
}

// encoder is the program there is, and what it is to be called with.
func encoder(rate, channels int, from, to string) (name string, args []string, err error) {
	kbits := strconv.Itoa(channels * MP3Rate / 1000)
	if name, err := exec.LookPath("lame"); err == nil {
		mode := "m"
		if channels == 2 {
			mode = "s" // and not j, which codes what they have in common once
		}
		khz := strconv.FormatFloat(float64(rate)/1000, 'f', -1, 64)
		return name, []string{"--silent", "--cbr", "-b", kbits, "-m", mode, "--resample", khz, from, to}, nil
	}
	if name, err := exec.LookPath("ffmpeg"); err == nil {
		return name, []string{"-nostdin", "-v", "error", "-y", "-f", "wav", "-i", "file:" + from,
			"-ar", strconv.Itoa(rate), "-c:a", "libmp3lame", "-b:a", kbits + "k", "-joint_stereo", "0", "-f", "mp3", "file:" + to}, nil
	}
	return "", nil, ErrNoEncoder
}

// run runs a program to its end. Its error is what the program said last.
func run(ctx context.Context, name string, args []string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	lines := bytes.Split(bytes.TrimSpace(said.Bytes()), []byte("\n"))
	if last := lines[len(lines)-1]; len(last) > 0 {
		return fmt.Errorf("%w: %.200s", err, last)
	}
	return err
}

// place gives a whole file its name.
func place(part, path string) error {
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil && end == 0 {
		err = errors.New("the encoder wrote nothing")
	}
	if err == nil {
		err = errors.Join(f.Chmod(0o600), f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(part, path)
}
