package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hookswitch/hookswitch/media/recording"
	"github.com/hookswitch/hookswitch/runtime"
)

// Folder keeps recordings as files: RE….wav or RE….mp3, and RE….wav.part while
// they grow. Files are readable by their owner only.
type Folder struct{ root *os.Root }

const (
	wavEnd   = ".wav"
	mp3End   = ".mp3"
	growing  = wavEnd + ".part"
	encoding = mp3End + ".part" // of an encoder at work
)

// OpenFolder keeps recordings at path, which is made when it is missing. A
// folder is for one process.
func OpenFolder(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("folder of recordings: %w", err)
	}
	path, err := filepath.Abs(path) // for the encoders: no name begins with a dash
	if err != nil {
		return nil, fmt.Errorf("folder of recordings: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("folder of recordings: %w", err)
	}
	return &Folder{root}, nil
}

// Close is for when no recording is written or read any more.
func (d *Folder) Close() error { return d.root.Close() }

func (d *Folder) Create(sid string) (recording.File, error) {
	if !isRecording(sid) {
		return nil, noRecording(sid)
	}
	f, err := d.root.OpenFile(sid+growing, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, begunBefore(sid)
	}
	if err != nil {
		return nil, fmt.Errorf("begin recording: %w", err)
	}
	return f, nil
}

func (d *Folder) Commit(ctx context.Context, sid, format string) (got string, err error) {
	if !isRecording(sid) {
		return "", noRecording(sid)
	}
	part := sid + growing
	if _, err := d.root.Stat(part); err != nil {
		return "", d.missing(sid, err)
	}
	var warning error
	if format == "mp3" {
		if warning = recording.EncodeMP3(ctx, d.path(part), d.path(sid+mp3End)); warning == nil {
			return "mp3", errors.Join(d.root.Remove(part), d.sync())
		}
	}
	if err := d.root.Rename(part, sid+wavEnd); err != nil {
		return "", fmt.Errorf("keep recording: %w", err)
	}
	return "wav", errors.Join(warning, d.sync())
}

// path is a file's for other programs.
func (d *Folder) path(name string) string { return filepath.Join(d.root.Name(), name) }

// sync makes the names in the folder durable.
func (d *Folder) sync() error {
	f, err := d.root.Open(".")
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("sync the folder of recordings: %w", err)
	}
	return nil
}

func (d *Folder) Discard(sid string) error {
	if !isRecording(sid) {
		return noRecording(sid)
	}
	return d.missing(sid, d.root.Remove(sid+growing))
}

func (d *Folder) Open(sid string) (io.ReadSeekCloser, string, error) {
	if !isRecording(sid) {
		return nil, "", noRecording(sid)
	}
	f, err := d.root.Open(sid + wavEnd)
	if err == nil {
		return f, "audio/wav", nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("open recording: %w", err)
	}
	f, err = d.root.Open(sid + mp3End)
	if err != nil {
		return nil, "", d.missing(sid, err)
	}
	return f, "audio/mpeg", nil
}

func (d *Folder) Delete(sid string) error {
	if !isRecording(sid) {
		return noRecording(sid)
	}
	wav, mp3 := d.root.Remove(sid+wavEnd), d.root.Remove(sid+mp3End)
	switch {
	case wav == nil && errors.Is(mp3, fs.ErrNotExist), mp3 == nil && errors.Is(wav, fs.ErrNotExist), wav == nil && mp3 == nil:
		return d.sync()
	case !errors.Is(wav, fs.ErrNotExist):
		return fmt.Errorf("delete recording: %w", wav)
	}
	return d.missing(sid, mp3)
}

func (d *Folder) Unfinished() ([]string, error) {
	names, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("unfinished recordings: %w", err)
	}
	var sids []string
	for _, n := range names {
		if sid, ok := strings.CutSuffix(n.Name(), growing); ok && isRecording(sid) {
			sids = append(sids, sid)
		}
	}
	return sids, nil
}

// missing makes a file that is not there ErrNoRecording.
func (d *Folder) missing(sid string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return noRecording(sid)
	}
	return fmt.Errorf("recording %s: %w", sid, err)
}

func begunBefore(sid string) error { return fmt.Errorf("recording %s has begun already", sid) }

func noRecording(sid string) error {
	return fmt.Errorf("recording %.40q: %w", sid, runtime.ErrNoRecording)
}

// isRecording reports whether sid is RE and 32 hex digits: nothing else becomes
// part of a file's name.
func isRecording(sid string) bool {
	digits, ok := strings.CutPrefix(sid, "RE")
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}
