package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// speech is sound of 8 kHz: lengths of noise that comes and goes as the syllables
// of a voice do, and of silence, in turn.
func speech(lengths ...time.Duration) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		r := rand.New(rand.NewPCG(1, 1))
		for i, long := range lengths {
			for n := range int(long / pcm.FrameTime) {
				f := make(pcm.Frame, 160)
				for j := range f {
					switch {
					case i%2 == 1:
					case n%12 < 8:
						f[j] = int16(r.IntN(16000) - 8000)
					default:
						f[j] = int16(r.IntN(400) - 200)
					}
				}
				if !yield(f, nil) {
					return
				}
			}
		}
	}
}

func TestPieces(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		sound []time.Duration // of a voice and of silence, in turn
		want  string          // where pieces begin, and how long they are
	}{
		{"a short one is whole", []time.Duration{3 * s}, "0s+3s"},
		{"silence is none", []time.Duration{0, 40 * s}, ""},
		{"nothing is none", nil, ""},
		{"the silence before the first word is left out", []time.Duration{0, 10 * s, 2 * s}, "9.5s+2.5s"},
		{"it is cut in the first pause after 20 s", []time.Duration{12 * s, s, 9 * s, s, 9 * s}, "0s+22.4s 22.5s+9.5s"},
		{"a pause before that is no cut", []time.Duration{10 * s, 3 * s, 6 * s}, "0s+19s"},
		{"without a pause it is cut at 28 s", []time.Duration{60 * s}, "0s+28s 28s+28s 56s+4s"},
		{"the silence between two is left out", []time.Duration{21 * s, 30 * s, 2 * s}, "0s+21.4s 50.5s+2.5s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for p, err := range pieces(speech(c.sound...), 8000) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%v+%v", p.at, time.Duration(len(p.frames))*pcm.FrameTime))
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPiecesEndWithAFault(t *testing.T) {
	fault := errors.New("disk")
	broken := func(yield func(pcm.Frame, error) bool) {
		if yield(make(pcm.Frame, 160), nil) {
			yield(nil, fault)
		}
	}
	for p, err := range pieces(broken, 8000) {
		if err != fault {
			t.Errorf("got %v, %v; want the fault alone", p, err)
		}
	}
}

// riff is a recording as it is kept.
func riff(rate, channels int, samples ...int16) []byte {
	b := make([]byte, wavHeader)
	b[22], b[24], b[25] = byte(channels), byte(rate), byte(rate>>8)
	for _, v := range samples {
		b = append(b, byte(v), byte(v>>8))
	}
	return b
}

func TestChannelsOfARecording(t *testing.T) {
	both := make([]int16, 0, 700)
	for range 350 { // two frames and a part of one, of both sides
		both = append(both, 7, -7)
	}
	sound, err := openSound(bytes.NewReader(riff(8000, 2, both...)), "audio/wav")
	if err != nil {
		t.Fatal(err)
	}
	for channel, want := range []int16{7, -7} {
		var all []int16
		for f, err := range sound.channels[channel] {
			if err != nil || len(f) != 160 {
				t.Fatalf("got a frame of %d, %v; want 160", len(f), err)
			}
			all = append(all, f...)
		}
		if len(all) != 480 || slices.ContainsFunc(all[:350], func(v int16) bool { return v != want }) || slices.ContainsFunc(all[350:], func(v int16) bool { return v != 0 }) {
			t.Errorf("channel %d: got %v, want 350 times %d and silence to the end of the frame", channel, all, want)
		}
	}
}

// A stereo MP3 file is heard as one channel.
func TestAnMP3IsHeard(t *testing.T) {
	b, err := os.ReadFile("../testdata/audio/tone-44k-stereo.mp3")
	if err != nil {
		t.Fatal(err)
	}
	sound, err := openSound(bytes.NewReader(b), "audio/mpeg")
	if err != nil {
		t.Fatal(err)
	}
	if len(sound.channels) != 1 {
		t.Fatalf("got %d channels, want 1", len(sound.channels))
	}
	loud := 0
	for f, err := range sound.channels[0] {
		if err != nil || len(f) != pcm.FrameLen(sound.rate) {
			t.Fatalf("got a frame of %d samples at %d Hz, %v", len(f), sound.rate, err)
		}
		if pcm.Level(f) > -30 {
			loud++
		}
	}
	if loud < 10 {
		t.Errorf("got %d loud frames, want the tone", loud)
	}
}

// seekable is a file that breaks after some bytes.
type seekable struct{ io.Reader }

func (seekable) Seek(int64, int) (int64, error) { return 0, nil }

func TestARecordingThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		file       io.ReadSeeker
	}{
		{"no header", "audio/wav", bytes.NewReader([]byte("RIFF"))},
		{"no channels", "audio/wav", bytes.NewReader(riff(8000, 0))},
		{"three channels", "audio/wav", bytes.NewReader(riff(8000, 3))},
		{"no rate", "audio/wav", bytes.NewReader(riff(0, 1))},
		{"no MP3", "audio/mpeg", bytes.NewReader([]byte("what is this"))},
	} {
		if _, err := openSound(c.file, c.kind); !hopeless(err) {
			t.Errorf("%s: got %v, want an error that is not tried again", c.name, err)
		}
	}
	fault := errors.New("disk")
	sound, err := openSound(seekable{io.MultiReader(bytes.NewReader(riff(8000, 1)), iotest.ErrReader(fault))}, "audio/wav")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range sound.channels[0] {
		if !errors.Is(err, fault) || hopeless(err) {
			t.Errorf("got %v, want the fault of the disk, which is tried again", err)
		}
	}
}
