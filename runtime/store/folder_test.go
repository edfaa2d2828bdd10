package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/recording"
	"github.com/hookswitch/hookswitch/runtime"
)

var (
	_ runtime.Recordings = (*Folder)(nil)
	_ runtime.Recordings = (*MemFolder)(nil)
)

// re is the n-th SID of a recording.
func re(n int) string { return fmt.Sprintf("RE%032x", n) }

func folder(t *testing.T, path string) *Folder {
	t.Helper()
	d, err := OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// bothFolders runs a test over each kind of folder: they must not be told
// apart.
func bothFolders(t *testing.T, test func(t *testing.T, d runtime.Recordings)) {
	t.Run("memory", func(t *testing.T) { test(t, MemoryRecordings()) })
	t.Run("disk", func(t *testing.T) { test(t, folder(t, filepath.Join(t.TempDir(), "deep", "recordings"))) })
}

// record writes a recording of some frames and closes it.
func recordFrames(t *testing.T, d runtime.Recordings, sid string, frames int) {
	t.Helper()
	f, err := d.Create(sid)
	if err != nil {
		t.Fatal(err)
	}
	r, err := recording.New(f, recording.Options{Rate: 8000, Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	in := r.Input(0)
	for range frames {
		in(make(pcm.Frame, 160))
	}
	if _, err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, d runtime.Recordings) []string {
	t.Helper()
	all, err := d.Unfinished()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestARecordingGrowsAndGetsItsName(t *testing.T) {
	bothFolders(t, func(t *testing.T, d runtime.Recordings) {
		recordFrames(t, d, re(1), 10)
		if _, _, err := d.Open(re(1)); !errors.Is(err, runtime.ErrNoRecording) {
			t.Errorf("before Commit: got %v, want ErrNoRecording", err)
		}
		if got := listed(t, d); !slices.Equal(got, []string{re(1)}) {
			t.Errorf("before Commit: got unfinished %v, want the one", got)
		}
		if got, err := d.Commit(t.Context(), re(1), "wav"); got != "wav" || err != nil {
			t.Fatalf("got %q, %v; want wav", got, err)
		}
		if got := listed(t, d); len(got) != 0 {
			t.Errorf("after Commit: got unfinished %v", got)
		}
		sound, kind, err := d.Open(re(1))
		if err != nil || kind != "audio/wav" {
			t.Fatalf("got %q, %v; want audio/wav", kind, err)
		}
		if end, err := sound.Seek(0, io.SeekEnd); end != 44+3200 || err != nil {
			t.Errorf("got %d bytes, %v; want 44 and 10 frames", end, err)
		}
		if err := sound.Close(); err != nil {
			t.Error(err)
		}
		if err := d.Delete(re(1)); err != nil {
			t.Error(err)
		}
		if _, _, err := d.Open(re(1)); !errors.Is(err, runtime.ErrNoRecording) {
			t.Errorf("after Delete: got %v, want ErrNoRecording", err)
		}
	})
}

func TestADiscardedRecordingIsGone(t *testing.T) {
	bothFolders(t, func(t *testing.T, d runtime.Recordings) {
		recordFrames(t, d, re(1), 1)
		if err := d.Discard(re(1)); err != nil {
			t.Fatal(err)
		}
		if got := listed(t, d); len(got) != 0 {
			t.Errorf("got unfinished %v", got)
		}
		if got, err := d.Commit(t.Context(), re(1), "wav"); got != "" || !errors.Is(err, runtime.ErrNoRecording) {
			t.Errorf("got %q, %v; want ErrNoRecording", got, err)
		}
	})
}

func TestARecordingBeginsOnce(t *testing.T) {
	bothFolders(t, func(t *testing.T, d runtime.Recordings) {
		recordFrames(t, d, re(1), 1)
		if _, err := d.Create(re(1)); err == nil {
			t.Error("a recording was begun over another")
		}
	})
}

func TestOnlySIDsAreNames(t *testing.T) {
	bothFolders(t, func(t *testing.T, d runtime.Recordings) {
		for _, sid := range []string{"", "RE", "../" + re(1), re(1) + "/x", re(1)[:33], re(1) + "0", strings.ToUpper(re(0xa)),
			"CA" + re(1)[2:], "RE../../../../../../etc/passwd.xx", "RE" + strings.Repeat("0", 31) + "\x00"} {
			if _, err := d.Create(sid); !errors.Is(err, runtime.ErrNoRecording) {
				t.Errorf("Create(%q): got %v, want ErrNoRecording", sid, err)
			}
			if _, err := d.Commit(t.Context(), sid, "mp3"); !errors.Is(err, runtime.ErrNoRecording) {
				t.Errorf("Commit(%q): got %v, want ErrNoRecording", sid, err)
			}
			if err := d.Discard(sid); !errors.Is(err, runtime.ErrNoRecording) {
				t.Errorf("Discard(%q): got %v, want ErrNoRecording", sid, err)
			}
			if _, _, err := d.Open(sid); !errors.Is(err, runtime.ErrNoRecording) {
				t.Errorf("Open(%q): got %v, want ErrNoRecording", sid, err)
			}
			if err := d.Delete(sid); !errors.Is(err, runtime.ErrNoRecording) {
				t.Errorf("Delete(%q): got %v, want ErrNoRecording", sid, err)
			}
		}
	})
}

func TestWithoutAnEncoderAnMP3IsAWAVAndAWarning(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	bothFolders(t, func(t *testing.T, d runtime.Recordings) {
		recordFrames(t, d, re(1), 1)
		if got, err := d.Commit(t.Context(), re(1), "mp3"); got != "wav" || !errors.Is(err, recording.ErrNoEncoder) {
			t.Errorf("got %q, %v; want wav and ErrNoEncoder", got, err)
		}
		if _, kind, err := d.Open(re(1)); kind != "audio/wav" || err != nil {
			t.Errorf("got %q, %v; want audio/wav", kind, err)
		}
	})
}

// encoderOrSkip skips a test where no encoder is installed.
func encoderOrSkip(t *testing.T) {
	t.Helper()
	for _, name := range []string{"lame", "ffmpeg"} {
		if _, err := exec.LookPath(name); err == nil {
			return
		}
	}
	t.Skip("neither lame nor ffmpeg is installed")
}

func TestAnMP3TakesThePlaceOfTheWAV(t *testing.T) {
	encoderOrSkip(t)
	path := t.TempDir()
	d := folder(t, path)
	recordFrames(t, d, re(1), 50)
	if got, err := d.Commit(t.Context(), re(1), "mp3"); got != "mp3" || err != nil {
		t.Fatalf("got %q, %v; want mp3", got, err)
	}
	if got := names(t, path); !slices.Equal(got, []string{re(1) + ".mp3"}) {
		t.Errorf("got %v, want the MP3 alone", got)
	}
	if _, kind, err := d.Open(re(1)); kind != "audio/mpeg" || err != nil {
		t.Errorf("got %q, %v; want audio/mpeg", kind, err)
	}
	if err := d.Delete(re(1)); err != nil || len(names(t, path)) != 0 {
		t.Errorf("got %v, %v left", err, names(t, path))
	}
}

func names(t *testing.T, path string) (all []string) {
	t.Helper()
	files, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all = append(all, f.Name())
	}
	return all
}

func TestTheFolderIsItsOwnersOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recordings")
	d := folder(t, path)
	recordFrames(t, d, re(1), 1)
	recordFrames(t, d, re(2), 1)
	if _, err := d.Commit(t.Context(), re(2), "wav"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, re(1) + ".wav.part": 0o600, re(2) + ".wav": 0o600} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q: got mode %o, want %o", name, got, want)
		}
	}
}

// A link in the folder leads nowhere else.
func TestALinkOutOfTheFolderIsNotFollowed(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	d := folder(t, path)
	if err := os.Symlink(outside, filepath.Join(path, re(1)+".wav")); err != nil {
		t.Skip(err)
	}
	if _, _, err := d.Open(re(1)); err == nil {
		t.Error("a file outside of the folder was opened")
	}
}

func TestACommitThatIsCutShortKeepsTheSound(t *testing.T) {
	encoderOrSkip(t)
	d := folder(t, t.TempDir())
	recordFrames(t, d, re(1), 50)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("shutting down")
	cancel(cause)
	if got, err := d.Commit(ctx, re(1), "mp3"); got != "wav" || !errors.Is(err, cause) {
		t.Errorf("got %q, %v; want wav and the cause", got, err)
	}
}
