package runtime

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/recording"
	"github.com/hookswitch/hookswitch/media/wav"
)

// TestAsMP3: what comes is an MP3, and nothing stays of it, whether there is an
// encoder on this machine or not.
func TestAsMP3(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	sound, err := AsMP3(t.Context(), bytes.NewReader(wav.Encode(pcm.Tone(8000, time.Second, 0.5, 440))))
	_, lame := exec.LookPath("lame")
	_, ffmpeg := exec.LookPath("ffmpeg")
	if lame != nil && ffmpeg != nil {
		if !errors.Is(err, recording.ErrNoEncoder) {
			t.Errorf("without an encoder: %v", err)
		}
	} else if err != nil {
		t.Fatal(err)
	} else {
		b, err := io.ReadAll(sound)
		if err != nil || len(b) < 4000 || b[0] != 0xff && string(b[:3]) != "ID3" {
			t.Errorf("%d bytes, %v: no MP3 of a second", len(b), err)
		}
		if err := sound.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Error("left behind:", left, err)
	}
	if _, err := AsMP3(t.Context(), bytes.NewReader([]byte("no sound"))); err == nil {
		t.Error("what is no WAV file became an MP3")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Error("left behind after an error:", left)
	}
}
