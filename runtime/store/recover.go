package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media/recording"
	"github.com/hookswitch/hookswitch/runtime"
)

// Recover finishes the recordings that a crash cut off: their files are
// repaired and committed, and their records become completed with the length
// that is there, or absent when nothing is. Callbacks are queued as at any
// other end. It is called at the program's start, before the first call. Once
// ctx is over no more MP3 is made of what is left: it becomes WAV.
//
// What goes wrong with one recording does not keep the others back; it is part
// of the error, and tried again at the next start. A file without a record is
// kept.
func Recover(ctx context.Context, s runtime.Store, d *Folder) error {
	records, err := s.UnfinishedRecordings(ctx)
	if err != nil {
		return err
	}
	begun, err := d.Unfinished()
	if err != nil {
		return err
	}
	format := map[string]string{}
	for _, r := range records {
		format[r.SID] = r.Format
	}
	faults := []error{d.sweep()}
	unsound := map[string]bool{}
	for _, sid := range begun {
		if err := d.rescue(ctx, sid, format[sid]); err != nil {
			faults = append(faults, fmt.Errorf("recover recording %s: %w", sid, err))
			unsound[sid] = true
		}
	}
	for _, r := range records {
		if unsound[r.SID] {
			continue
		}
		err := d.outcome(&r)
		if err == nil {
			err = s.SaveRecording(context.WithoutCancel(ctx), r, r.Owed(time.Now(), newToken()))
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("recover recording %s: %w", r.SID, err))
		}
	}
	return errors.Join(faults...)
}

// sweep takes away what encoders had not finished.
func (d *Folder) sweep() error {
	names, err := fs.ReadDir(d.root.FS(), ".")
	for _, n := range names {
		if sid, ok := strings.CutSuffix(n.Name(), encoding); ok && isRecording(sid) {
			err = errors.Join(err, d.root.Remove(n.Name()))
		}
	}
	return err
}

// rescue commits a file that was growing, or discards it when it has no sound.
func (d *Folder) rescue(ctx context.Context, sid, format string) error {
	long, err := d.repair(sid + growing)
	if errors.Is(err, recording.ErrNotRecording) || err == nil && long == 0 {
		return d.Discard(sid)
	}
	if err != nil {
		return err
	}
	if got, err := d.Commit(ctx, sid, format); got == "" {
		return err
	}
	return nil
}

func (d *Folder) repair(name string) (time.Duration, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	long, err := recording.Repair(f)
	return long, errors.Join(err, f.Close())
}

// outcome completes r by what the folder has of it.
func (d *Folder) outcome(r *runtime.RecordingRecord) error {
	if !isRecording(r.SID) {
		r.Status = "absent"
		return nil
	}
	long, err := d.repair(r.SID + wavEnd)
	if err == nil {
		r.Status, r.Format, r.Duration = "completed", "wav", long
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	info, err := d.root.Stat(r.SID + mp3End)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Status = "absent"
		return nil
	case err != nil:
		return err
	}
	bits := time.Duration(info.Size()) * 8
	r.Status, r.Format, r.Duration = "completed", "mp3", bits*time.Second/time.Duration(max(1, r.Channels)*recording.MP3Rate)
	return nil
}

// newToken is an idempotency token.
func newToken() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
