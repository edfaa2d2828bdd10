package recording

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// spoken is a sentence in a synthetic voice, cut to what is louder than -45 dB.
func spoken(t *testing.T) pcm.Clip {
	t.Helper()
	program, err := exec.LookPath("flite")
	if err != nil {
		t.Skip("flite is not installed")
	}
	path := filepath.Join(t.TempDir(), "said.wav")
	if out, err := exec.Command(program, "-t", "Hello, this is Anna. Please call me back at six, thanks a lot.", "-o", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clip, err := wav.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	s := clip.At(8000).Samples
	for len(s) >= 160 && pcm.Level(s[:160]) < -45 {
		s = s[160:]
	}
	for len(s) >= 160 && pcm.Level(s[len(s)-160:]) < -45 {
		s = s[:len(s)-160]
	}
	return pcm.Clip{Rate: 8000, Samples: s[:len(s)/160*160]}
}

// Nothing that was said is cut, even when it was said at once, and little else
// is left.
func TestTrimKeepsEveryWord(t *testing.T) {
	words := spoken(t)
	for _, c := range []struct {
		name       string
		lead, tail time.Duration
		noise      float64 // amplitude
	}{
		{"said at once", 0, 3 * time.Second, 0},
		{"said after silence", 3 * time.Second, 3 * time.Second, 0},
		{"said at once beside noise", 0, 3 * time.Second, 60},
		{"said after noise", 3 * time.Second, 3 * time.Second, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := append(pcm.Silence(8000, c.lead).Samples, words.Samples...)
				all = append(all, pcm.Silence(8000, c.tail).Samples...)
				r := rand.New(rand.NewPCG(1, 2))
				for i := range all {
					all[i] += int16(c.noise * r.NormFloat64())
				}
				line := &source{clip: pcm.Clip{Rate: 8000, Samples: all}}
				var f Buffer
				rec := begin(t, &f, Options{Rate: 8000, Channels: 1, Trim: true})
				hear(pcm.Clip{Rate: 8000, Samples: all}.Duration(), rec.Input(0), line)
				s := end(t, rec)
				if most := words.Duration() + min(c.lead, 300*time.Millisecond) + 500*time.Millisecond; s.Duration < words.Duration() || s.Duration > most || !s.Speech {
					t.Errorf("got %v, want %v to %v", s.Duration, words.Duration(), most)
				}
				// Where the words begin in the file: they have to be whole.
				got := parse(t, f.Bytes())[0]
				from := len(pcm.Silence(8000, c.lead).Samples)
				lead := min(from, around*160)
				if len(got) < lead+len(words.Samples) {
					t.Fatalf("%v are left", s.Duration)
				}
				for shift := -160 * 10; ; shift += 160 {
					if shift > 160*10 {
						t.Fatal("the words are not all there")
					}
					at := lead + shift
					if at >= 0 && at+len(words.Samples) <= len(got) && slices.Equal(got[at:at+len(words.Samples)], all[from:from+len(words.Samples)]) {
						break
					}
				}
			})
		})
	}
}
