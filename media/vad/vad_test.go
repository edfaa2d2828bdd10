package vad

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/tones"
	"github.com/hookswitch/hookswitch/media/wav"
)

// frames are the whole frames of c.
func frames(c pcm.Clip) func(func(pcm.Frame) bool) {
	return func(yield func(pcm.Frame) bool) {
		for f := range slices.Chunk(c.Samples, pcm.FrameLen(c.Rate)) {
			if len(f) == pcm.FrameLen(c.Rate) && !yield(f) {
				return
			}
		}
	}
}

// heard is for each frame whether there is voice in it.
func heard(c pcm.Clip) (speech []bool) {
	d := New(c.Rate)
	for f := range frames(c) {
		speech = append(speech, d.Hear(f))
	}
	return speech
}

func share(speech []bool) float64 {
	n := 0
	for _, s := range speech {
		if s {
			n++
		}
	}
	return 100 * float64(n) / float64(max(1, len(speech)))
}

// split parts the frames of made speech into those of phrases and those of
// pauses, less the 200 ms that a voice is held on.
func split(speech []bool) (in, between []bool) {
	for i, s := range speech {
		switch at := time.Duration(i) * pcm.FrameTime % (phrase + pause); {
		case at < phrase:
			in = append(in, s)
		case at >= phrase+hang*pcm.FrameTime:
			between = append(between, s)
		}
	}
	return in, between
}

func TestVoices(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		voice := voiced(rate)
		over := func(snr float64) pcm.Clip { return both(voice, noise(rate, voice.Duration(), nominal-snr)) }
		tests := []struct {
			name        string
			sound       pcm.Clip
			least, most float64 // percent of the frames of phrases, and of pauses
		}{
			{"a voice", voice, 95, 0},
			{"a quiet voice", atLevel(voice, -40), 90, 0},
			{"a loud voice", atLevel(voice, -12), 95, 0},
			{"20 dB over noise", over(20), 95, 0},
			{"15 dB over noise", over(15), 92, 0},
			{"10 dB over noise", over(10), 85, 0},
			{"5 dB over noise", over(5), 85, 0},
			{"on a line with an offset", both(voice, offset(rate, 2000)), 95, 0},
		}
		for _, tt := range tests {
			in, between := split(heard(tt.sound))
			t.Logf("%5d Hz  %-26s  phrases %3.0f %%  pauses %3.0f %%", rate, tt.name, share(in), share(between))
			if got := share(in); got < tt.least {
				t.Errorf("%d Hz: %s: %.1f %% of the phrases are voice, want %.0f or more", rate, tt.name, got, tt.least)
			}
			if got := share(between); got > tt.most {
				t.Errorf("%d Hz: %s: %.1f %% of the pauses are voice, want %.0f or less", rate, tt.name, got, tt.most)
			}
		}
	}
}

// offset is a minute at v.
func offset(rate int, v int16) pcm.Clip {
	out := pcm.Silence(rate, time.Minute)
	for i := range out.Samples {
		out.Samples[i] = v
	}
	return out
}

func TestOtherSounds(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		quiet := pcm.Silence(rate, time.Second)
		tests := []struct {
			name        string
			sound       pcm.Clip
			least, most float64 // percent of the frames
		}{
			{"silence", pcm.Silence(rate, 10*time.Second), 0, 0},
			{"the noise of an idle line", noise(rate, 10*time.Second, -70), 0, 0},
			{"noise from the start", noise(rate, 10*time.Second, -50), 0, 0},
			{"loud noise from the start", noise(rate, 10*time.Second, -41), 0, 0},
			{"louder than most voices", noise(rate, 10*time.Second, -25), 10, 20},
			{"a hum from the start", pcm.Tone(rate, 20*time.Second, 0.05, 50, 150), 0, 0},
			{"noise that begins", then(quiet, noise(rate, 19*time.Second, -45)), 3, 10},
			{"loud noise that begins", then(quiet, noise(rate, 19*time.Second, -30)), 15, 30},
			{"a click", then(quiet, noise(rate, 10*time.Millisecond, -10), quiet), 0, 0},
			{"pink noise from the start", pink(rate, 10*time.Second, -50), 0, 1},
			{"a tone", then(quiet, pcm.Tone(rate, 4*time.Second, 0.3, 440)), 0, 0},
			{"a tone in noise", both(then(quiet, pcm.Tone(rate, 4*time.Second, 0.3, 1000), quiet), noise(rate, 6*time.Second, -40)), 0, 0},
			{"a deep tone is voice", then(quiet, pcm.Tone(rate, 4*time.Second, 0.3, 200)), 78, 80},
			{"beeps", then(quiet, tones.Beep(rate), quiet, tones.Beep(rate), quiet), 0, 0},
			{"ringing", then(quiet, ringback(rate, "us"), quiet, ringback(rate, "uk"), quiet, ringback(rate, "de")), 0, 0},
			{"a dial tone", pcm.Tone(rate, 4*time.Second, 0.2, 350, 440), 0, 0},
			{"a busy tone", then(pcm.Tone(rate, 500*time.Millisecond, 0.2, 480, 620), pcm.Silence(rate, 500*time.Millisecond)), 0, 0},
			{"a fax", then(quiet, pcm.Tone(rate, 3*time.Second, 0.3, 2100)), 0, 0},
			{"keys", dtmf(rate), 0, 0},
			{"music on hold", tones.Music(rate), 20, 60},
		}
		for _, tt := range tests {
			got := share(heard(tt.sound))
			t.Logf("%5d Hz  %-26s  %3.0f %%", rate, tt.name, got)
			if got < tt.least || got > tt.most {
				t.Errorf("%d Hz: %s: %.1f %% is voice, want %.0f to %.0f", rate, tt.name, got, tt.least, tt.most)
			}
		}
	}
}

// dtmf is ten keys of 100 ms with as much silence after each.
func dtmf(rate int) pcm.Clip {
	key := then(pcm.Tone(rate, 100*time.Millisecond, 0.3, 697, 1209), pcm.Silence(rate, 100*time.Millisecond))
	return then(key, key, key, key, key, key, key, key, key, key)
}

// Onset and hang, frame by frame.
func TestFrames(t *testing.T) {
	loud, quiet := pcm.Tone(8000, pcm.FrameTime, 0.3, 200).Samples, make(pcm.Frame, 160)
	const tail = "##########" // 200 ms
	tests := []struct{ name, in, want string }{
		{"one loud frame is none", "..#..", "....."},
		{"two are", "..##.............", "...#" + tail + "..."},
		{"one alone goes on with it", "..##....#............", "...######" + tail + ".."},
		{"two that are apart", "#.#.#", "....."},
		{"voice in the first frame counts", "###....", ".######"},
	}
	for _, tt := range tests {
		d, got := New(8000), ""
		for _, c := range tt.in {
			f := quiet
			if c == '#' {
				f = loud
			}
			if d.Hear(f) {
				got += "#"
			} else {
				got += "."
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s is heard as %s, want %s", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestNoSamplesAreSilence(t *testing.T) {
	d := New(8000)
	for range 100 {
		if d.Hear(nil) {
			t.Fatal("voice in nothing")
		}
	}
}

// recorded is a voice of testdata/audio, at -26 dBFS.
func recorded(t *testing.T, name string, rate int) pcm.Clip {
	t.Helper()
	b, err := os.ReadFile("../../testdata/audio/voice-" + name + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	c, err := wav.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return atLevel(c.At(rate), nominal)
}

// spoken is which frames of c, alone, have a sound of more than -46 dBFS in
// them, pauses of up to 200 ms between two such included: what should be heard.
func spoken(c pcm.Clip) []bool {
	var all []bool
	last := -100
	for f := range frames(c) {
		on := pcm.Level(f) > nominal-20
		all = append(all, on)
		if i := len(all) - 1; on {
			for j := last + 1; i-last <= hang && j < i; j++ {
				all[j] = true
			}
			last = i
		}
	}
	return all
}

// The table of the package: voices alone and in noise, what of them is heard,
// what of the silence around them is, and how late a voice begins and ends.
func TestVoicesInNoise(t *testing.T) {
	type limits struct{ miss, alarm float64 }
	tests := []struct {
		name  string
		noise func(rate int, d time.Duration, level float64) pcm.Clip
		snr   float64
		most  limits // percent of the frames with speech, and of those without
	}{
		{"alone", noise, 60, limits{2, 2}},
		{"white 20 dB", noise, 20, limits{4, 2}},
		{"white 10 dB", noise, 10, limits{6, 2}},
		{"white 5 dB", noise, 5, limits{25, 2}},
		{"pink 20 dB", pink, 20, limits{4, 2}},
		{"pink 10 dB", pink, 10, limits{5, 2}},
		{"pink 5 dB", pink, 5, limits{12, 2}},
	}
	for _, rate := range []int{8000, 16000} {
		for _, tt := range tests {
			var missed, speech, alarms, silence int
			var began, ended []int // ms
			for _, name := range []string{"human-hello", "human-name", "machine-short", "machine-long", "sentence-16k"} {
				pad := pcm.Silence(rate, time.Second)
				c := then(pad, recorded(t, name, rate), pad)
				want := spoken(c)
				got := heard(both(c, tt.noise(rate, c.Duration(), nominal-tt.snr)))
				for i := range want {
					switch {
					case want[i]:
						speech++
						if !got[i] {
							missed++
						}
					case !slices.Contains(want[max(0, i-hang):i], true): // else a voice is held on
						silence++
						if got[i] {
							alarms++
						}
					}
				}
				first, last := slices.Index(want, true), len(want)-1
				for ; !want[last]; last-- {
				}
				if i := slices.Index(got, true); i >= 0 {
					began = append(began, 20*(i-first))
					for i = len(got) - 1; !got[i]; i-- {
					}
					ended = append(ended, 20*(i-last))
				}
			}
			miss, alarm := 100*float64(missed)/float64(speech), 100*float64(alarms)/float64(silence)
			t.Logf("%5d Hz  %-12s  missed %4.1f %%  false %4.1f %%  begins %+d to %+d ms  ends %+d to %+d ms", rate, tt.name, miss, alarm,
				slices.Min(began), slices.Max(began), slices.Min(ended), slices.Max(ended))
			if miss > tt.most.miss || alarm > tt.most.alarm {
				t.Errorf("%d Hz, %s: %.1f %% of the speech is missed and %.1f %% of the silence is voice, want at most %v", rate, tt.name, miss, alarm, tt.most)
			}
		}
	}
}

const sentence = "Please hold the line. All our agents are busy; somebody will be with you in a few minutes. " +
	"If you would rather be called back, press one, and say your name after the tone."

// Voices of programs, where there are any: what they say is voice, and
// somebody who speaks without noise is heard to the last word.
func TestPrograms(t *testing.T) {
	programs := map[string][]string{
		"flite":     {"-o", "OUT", "-t", sentence},
		"espeak-ng": {"-w", "OUT", sentence},
	}
	for _, name := range []string{"flite", "espeak-ng"} {
		t.Run(name, func(t *testing.T) {
			program, err := exec.LookPath(name)
			if err != nil {
				t.Skip("not installed, so its voice was not tried")
			}
			file := filepath.Join(t.TempDir(), "out.wav")
			var args []string
			for _, a := range programs[name] {
				args = append(args, strings.Replace(a, "OUT", file, 1))
			}
			if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
				t.Skipf("%v: %s", err, out)
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			spoken, err := wav.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, rate := range []int{8000, 16000} {
				said := atLevel(spoken.At(rate), nominal)
				quiet := pcm.Silence(rate, time.Second)
				table := fmt.Sprintf("%5d Hz ", rate)
				for _, tt := range []struct {
					snr, least float64
				}{{100, 85}, {20, 80}, {10, 75}, {5, 60}} {
					c := then(quiet, said, quiet)
					if tt.snr < 100 {
						c = both(c, noise(rate, c.Duration(), nominal-tt.snr))
					}
					speech := heard(c)
					in := speech[50 : len(speech)-50]
					table += fmt.Sprintf("  %.0f dB: %.0f %%", tt.snr, share(in))
					if got := share(in); got < tt.least {
						t.Errorf("%d Hz, %.0f dB over noise: %.1f %% is voice, want %.0f or more", rate, tt.snr, got, tt.least)
					}
					if got := share(speech[len(speech)-40:]); got > 0 {
						t.Errorf("%d Hz, %.0f dB over noise: %.1f %% of the silence after it is voice", rate, tt.snr, got)
					}
				}
				t.Log(table)
			}
		})
	}
}

func BenchmarkHear(b *testing.B) {
	for _, rate := range []int{8000, 16000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			d, f := New(rate), pcm.Tone(rate, pcm.FrameTime, 0.3, 440).Samples
			b.ReportAllocs()
			for b.Loop() {
				d.Hear(f)
			}
		})
	}
}
