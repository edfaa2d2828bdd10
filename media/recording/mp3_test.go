package recording

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/audio"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// recorded is a recording of 2 s in a folder of its own: 440 Hz, and 1000 Hz
// on a second channel.
func recorded(t *testing.T, rate, channels int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a recording.wav.part")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	r := begin(t, f, Options{Rate: rate, Channels: channels})
	a, b := r.Input(0), func(pcm.Frame) {}
	if channels == 2 {
		b = r.Input(1)
	}
	low, high := tone(rate, 440), tone(rate, 1000)
	for range 2 * second {
		b(high.next())
		a(low.next())
	}
	end(t, r)
	return path
}

// programs makes a folder of shell scripts the only place of programs.
func programs(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestMP3(t *testing.T) {
	for _, name := range []string{"lame", "ffmpeg"} {
		program, err := exec.LookPath(name)
		if err != nil {
			t.Logf("%s is not installed", name)
			continue
		}
		for _, c := range []struct{ rate, channels int }{{8000, 1}, {8000, 2}, {16000, 1}, {48000, 2}} {
			wavPath := recorded(t, c.rate, c.channels)
			mp3Path := filepath.Join(filepath.Dir(wavPath), "it's.mp3")
			t.Run(name, func(t *testing.T) {
				programs(t, map[string]string{name: `exec ` + program + ` "$@"`})
				if err := EncodeMP3(t.Context(), wavPath, mp3Path); err != nil {
					t.Fatal(err)
				}
				b, err := os.ReadFile(mp3Path)
				if err != nil {
					t.Fatal(err)
				}
				clip, err := audio.Decode("audio/mpeg", "x.mp3", b)
				if err != nil {
					t.Fatal(err)
				}
				if d := clip.Duration(); d < 2*time.Second || d > 2200*time.Millisecond || clip.Rate != max(c.rate, 16000) {
					t.Errorf("%+v: got %v at %d Hz, want 2 s", c, d, clip.Rate)
				}
				for i, hz := range []float64{440, 1000}[:c.channels] {
					if share := pcm.Share(clip.Samples, clip.Rate, hz); share < 0.9/float64(c.channels) {
						t.Errorf("%+v: channel %d: %.0f Hz is %.2f of it", c, i, hz, share)
					}
				}
				if want := 2 * c.channels * MP3Rate / 8; len(b) < want || len(b) > want*11/10 {
					t.Errorf("%+v: got %d bytes, want about %d", c, len(b), want)
				}
				info, err := os.Stat(mp3Path)
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("got mode %v, %v; want 600", info.Mode(), err)
				}
			})
		}
	}
}

func TestWhatEncodersAreAskedFor(t *testing.T) {
	mono, dual := recorded(t, 8000, 1), recorded(t, 48000, 2)
	for _, c := range []struct{ name, encoder, from, want string }{
		{"a low rate is raised", "lame", mono, "--silent --cbr -b 64 -m m --resample 16 FROM TO"},
		{"two channels are coded apart", "lame", dual, "--silent --cbr -b 128 -m s --resample 48 FROM TO"},
		{"ffmpeg", "ffmpeg", mono,
			"-nostdin -v error -y -f wav -i file:FROM -ar 16000 -c:a libmp3lame -b:a 64k -joint_stereo 0 -f mp3 file:TO"},
		{"ffmpeg, two channels", "ffmpeg", dual,
			"-nostdin -v error -y -f wav -i file:FROM -ar 48000 -c:a libmp3lame -b:a 128k -joint_stereo 0 -f mp3 file:TO"},
	} {
		t.Run(c.name, func(t *testing.T) {
			said := filepath.Join(t.TempDir(), "said")
			programs(t, map[string]string{c.encoder: `for to; do :; done; echo x > "${to#file:}"; echo "$@" > ` + said})
			to := filepath.Join(t.TempDir(), "x.mp3")
			if err := EncodeMP3(t.Context(), c.from, to); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(said)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.NewReplacer("FROM", c.from, "TO", to+".part").Replace(c.want) + "\n"; string(got) != want {
				t.Errorf("got %swant %s", got, want)
			}
		})
	}
}

func TestEncodersThatFail(t *testing.T) {
	wavPath := recorded(t, 8000, 1)
	dir := filepath.Dir(wavPath)
	for _, c := range []struct {
		name    string
		scripts map[string]string
		want    string
	}{
		{"none is there", nil, "install lame"},
		{"it says why", map[string]string{"lame": "echo first >&2; echo odd file >&2; exit 3"}, "lame: exit status 3: odd file"},
		{"it says nothing", map[string]string{"lame": "exit 1"}, "lame: exit status 1"},
		{"it writes no file", map[string]string{"lame": "exit 0"}, "no such file"},
		{"it writes nothing", map[string]string{"lame": `for to; do :; done; : > "$to"`}, "wrote nothing"},
		{"it leaves half a file", map[string]string{"ffmpeg": `for to; do :; done; echo half > "${to#file:}"; exit 1`}, "ffmpeg: exit status 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			programs(t, c.scripts)
			err := EncodeMP3(t.Context(), wavPath, filepath.Join(dir, "out.mp3"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if got := errors.Is(err, ErrNoEncoder); got != (c.scripts == nil) {
				t.Errorf("ErrNoEncoder: got %v for %v", got, err)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("got %v in the folder, %v; want the recording alone", left, err)
			}
		})
	}
}

func TestAnEncoderEndsWithItsContext(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no sleep")
	}
	wavPath := recorded(t, 8000, 1)
	started := filepath.Join(t.TempDir(), "started")
	programs(t, map[string]string{"lame": ": > " + started + "\n" + sleep + " 20\n:"}) // which outlives its shell
	cause := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(started); err == nil {
				cancel(cause)
			}
		}
	}()
	began := time.Now()
	if err := EncodeMP3(ctx, wavPath, wavPath+".mp3"); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to end what would take 20 s", took)
	}
}

func TestMP3OfNoRecording(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text.wav")
	if err := os.WriteFile(path, []byte(strings.Repeat("text ", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := EncodeMP3(t.Context(), path, path+".mp3"); !errors.Is(err, ErrNotRecording) {
		t.Errorf("got %v, want ErrNotRecording", err)
	}
	if err := EncodeMP3(t.Context(), path+"?", path+".mp3"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that it does not exist", err)
	}
}
