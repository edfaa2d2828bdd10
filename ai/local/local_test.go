package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// Under the name of an engine, this test binary is that engine; so the tests
// need none on the machine.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "flite", "espeak-ng":
		// Not os.Exit, at which the race detector takes a second.
		syscall.Exit(fakeEngine(os.Args))
	}
	os.Exit(m.Run())
}

// fakeEngine says a tone of 400 Hz in silence for any text but those that
// name a fault. It notes what it was given beside itself.
func fakeEngine(args []string) int {
	switch args[1] {
	case "-lv":
		fmt.Println("Voices available: kal awb_time kal16 awb rms slt")
		return 0
	case "--voices":
		fmt.Println("Pty Language Age/Gender VoiceName File Other\n 5 de --/M German gmw/de\n 2 en-us --/M English gmw/en-US\n 5 cmn --/M Chinese sit/cmn\n 7 fr --/M french mb/mb-fr1\n 5 es-419 --/M Spanish roa/es-419")
		return 0
	}
	text := make([]byte, 1000)
	n, _ := os.Stdin.Read(text)
	line := fmt.Sprintf("%s <%s> %d\n", strings.Join(args[1:len(args)-1], " "), text[:n], len(os.Environ()))
	log, err := os.OpenFile(args[0]+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 1
	}
	log.WriteString(line)
	log.Close()
	out, sound := args[len(args)-1], []byte(nil)
	switch string(text[:n]) {
	case "fail":
		fmt.Fprintln(os.Stderr, "cannot say:", string(text[:n]))
		return 3
	case "hang":
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		<-interrupted
	case "mute":
		return 0
	case "babble":
		sound = []byte("not a sound")
	case "huge":
		sound = make([]byte, sizeLimit+1)
	case "silence":
		sound = wav.Encode(pcm.Silence(16000, time.Second))
	default:
		tone := pcm.Tone(16000, 500*time.Millisecond, 0.05, 400).Samples
		lead, tail := make([]int16, 16000/4), make([]int16, 16000/2)
		sound = wav.Encode(pcm.Clip{Rate: 16000, Samples: slices.Concat(lead, tone, tail)})
	}
	if os.WriteFile(out, sound, 0o600) != nil {
		return 1
	}
	return 0
}

// fake is a voice whose engines are this test binary; the function reads what
// an engine was given.
func fake(t *testing.T, engines ...string) (*Voice, func(engine string) []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, e := range engines {
		if err := os.Symlink(self, filepath.Join(dir, e)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	v, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return v, func(engine string) []string {
		b, err := os.ReadFile(filepath.Join(dir, engine+".log"))
		if err != nil { // it was not run
			return nil
		}
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
}

// speak is all that is said of s at 8 kHz.
func speak(ctx context.Context, v ai.TTS, s ai.Speech) (sound []int16, err error) {
	for f, err := range v.Speak(ctx, s, 8000) {
		if err != nil {
			return sound, err
		}
		sound = append(sound, f...)
	}
	return sound, nil
}

func TestFindSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "apt install flite") {
		t.Errorf("%v, want ErrNone with the remedy", err)
	}
}

func TestSpeakTrimsAndLevels(t *testing.T) {
	v, _ := fake(t, "flite")
	sound, err := speak(t.Context(), v, ai.Speech{Text: "Hello."})
	if err != nil {
		t.Fatal(err)
	}
	// 20 ms before, 500 ms of tone, 100 ms after, to 5 ms.
	if ms := len(sound) / 8; ms < 610 || ms > 630 {
		t.Errorf("%d ms, want 620", ms)
	}
	tone := sound[8*100 : 8*400]
	if got := pcm.Level(tone); math.Abs(got+20) > 0.5 {
		t.Errorf("%.1f dBFS, want -20", got)
	}
	if got := pcm.Share(tone, 8000, 400); got < 0.99 {
		t.Errorf("the tone is %.3f of what is said", got)
	}
	if got := pcm.Level(sound[:8*15]); got > -60 {
		t.Errorf("begins at %.1f dBFS, want 15 ms of silence", got)
	}
}

func TestEngineIsGiven(t *testing.T) {
	tests := []struct {
		name   string
		speech ai.Speech
		engine string
		want   string
	}{
		{"a woman unless said otherwise", ai.Speech{Text: "Hi."}, "flite", "-voice slt --setf duration_stretch=1.000 -o <Hi.> 3"},
		{"a man", ai.Speech{Text: "Hi.", Voice: "man"}, "flite", "-voice rms --setf duration_stretch=1.000 -o <Hi.> 3"},
		{"twice as fast", ai.Speech{Text: "Hi.", Rate: 2}, "flite", "-voice slt --setf duration_stretch=0.500 -o <Hi.> 3"},
		{"a speed beyond sense", ai.Speech{Text: "Hi.", Rate: 1000}, "flite", "-voice slt --setf duration_stretch=0.250 -o <Hi.> 3"},
		{"what looks like an option", ai.Speech{Text: "-o /etc/passwd; `id`"}, "flite", "-voice slt --setf duration_stretch=1.000 -o <-o /etc/passwd; `id`> 3"},
		{"plain letters", ai.Speech{Text: "“Café” – naïve…"}, "flite", `-voice slt --setf duration_stretch=1.000 -o <"Cafe" - naive...> 3`},
		{"German", ai.Speech{Text: "Grüß Gott.", Language: "de-DE"}, "espeak-ng", "--stdin -v de+f3 -s 175 -w <Grüß Gott.> 3"},
		{"a German man by his name", ai.Speech{Text: "Ja.", Voice: "Polly.Hans", Language: "en-US", Rate: 1.2}, "espeak-ng", "--stdin -v de+m3 -s 210 -w <Ja.> 3"},
		{"a higher voice", ai.Speech{Text: "Ja.", Language: "de-DE", Pitch: 20}, "espeak-ng", "--stdin -v de+f3 -s 175 -p 60 -w <Ja.> 3"},
		{"Chinese has another name", ai.Speech{Text: "你好", Language: "zh-CN"}, "espeak-ng", "--stdin -v cmn+f3 -s 175 -w <你好> 3"},
		{"Mexican Spanish", ai.Speech{Text: "Hola.", Voice: "Polly.Mia"}, "espeak-ng", "--stdin -v es-419+f3 -s 175 -w <Hola.> 3"},
		{"a language that nobody speaks", ai.Speech{Text: "Tere.", Language: "et-EE"}, "flite", "-voice slt --setf duration_stretch=1.000 -o <Tere.> 3"},
		{"a voice that needs another program", ai.Speech{Text: "Salut.", Language: "fr-FR"}, "flite", "-voice slt --setf duration_stretch=1.000 -o <Salut.> 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, given := fake(t, "flite", "espeak-ng")
			if _, err := speak(t.Context(), v, tt.speech); err != nil {
				t.Fatal(err)
			}
			if got := given(tt.engine); len(got) != 1 || got[0] != tt.want {
				t.Errorf("%s was given %q, want %q", tt.engine, got, tt.want)
			}
		})
	}
}

func TestSpeakFails(t *testing.T) {
	tests := []struct {
		name   string
		speech ai.Speech
		want   string
	}{
		{"the engine fails", ai.Speech{Text: "fail"}, "flite with voice slt: exit status 3"},
		{"it writes nothing", ai.Speech{Text: "mute"}, "flite with voice slt wrote no sound"},
		{"it writes something else", ai.Speech{Text: "babble"}, "flite: not a WAV file: it does not begin with RIFF and WAVE"},
		{"it writes too much", ai.Speech{Text: "huge"}, fmt.Sprintf("flite wrote %d bytes of sound for one sentence, more than %d", sizeLimit+1, sizeLimit)},
		{"letters that it cannot read", ai.Speech{Text: "Привет", Language: "ru-RU"}, "no voice here speaks ru-ru; install espeak-ng (apt install espeak-ng, brew install espeak-ng)"},
	}
	v, _ := fake(t, "flite")
	for _, tt := range tests {
		if sound, err := speak(t.Context(), v, tt.speech); err == nil || err.Error() != tt.want || sound != nil {
			t.Errorf("%s: %v and %d samples, want %q", tt.name, err, len(sound), tt.want)
		}
	}
}

func TestNothingToSay(t *testing.T) {
	v, _ := fake(t, "flite")
	for _, text := range []string{"", " \n\t", "silence"} {
		if sound, err := speak(t.Context(), v, ai.Speech{Text: text}); err != nil || len(sound) != 0 {
			t.Errorf("%q: %d samples, %v; want none", text, len(sound), err)
		}
	}
}

func TestCancelKillsTheEngine(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	v, given := fake(t, "flite")
	hungUp := errors.New("the caller hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() {
		_, err := speak(ctx, v, ai.Speech{Text: "hang"})
		ended <- err
	}()
	for tick := time.Tick(time.Millisecond); given("flite") == nil; <-tick {
		select {
		case err := <-ended:
			t.Fatalf("ended with %v before flite ran", err)
		default:
		}
	}
	cancel(hungUp)
	if err := <-ended; err != hungUp {
		t.Errorf("%v, want the cause", err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "hookswitch-voice-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWaitingForAnEngineEndsWithTheContext(t *testing.T) {
	v, given := fake(t, "flite")
	for range cap(v.slots) {
		v.slots <- struct{}{}
	}
	hungUp := errors.New("the caller hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(hungUp)
	if _, err := speak(ctx, v, ai.Speech{Text: "Hello."}); err != hungUp {
		t.Errorf("%v, want the cause", err)
	}
	if got := given("flite"); got != nil {
		t.Errorf("flite was run with %q", got)
	}
}

func TestStoppingEarlyVoicesNoMore(t *testing.T) {
	v, given := fake(t, "flite")
	for range v.Speak(t.Context(), ai.Speech{Text: strings.Repeat("This is a sentence that is long enough. ", 20)}, 8000) {
		break
	}
	if got := given("flite"); len(got) != 1 {
		t.Errorf("flite was run %d times, want once", len(got))
	}
}

// The real thing, where it is installed.
func TestFlite(t *testing.T) {
	if _, err := exec.LookPath("flite"); err != nil {
		t.Skip("flite is not installed: apt install flite")
	}
	v, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, voice := range []string{"man", "woman"} {
		sound, err := speak(t.Context(), v, ai.Speech{Text: "All our lines are busy, please wait.", Voice: voice})
		if err != nil {
			t.Fatal(err)
		}
		if s := float64(len(sound)) / 8000; s < 1 || s > 5 {
			t.Errorf("%s: %.1f s, want a few", voice, s)
		}
		if got := pcm.Level(sound); got < -26 || got > -17 {
			t.Errorf("%s: %.1f dBFS, want about -20", voice, got)
		}
		if got := pcm.Level(sound[:8*10]); got > -40 {
			t.Errorf("%s: begins at %.1f dBFS, want a breath of silence", voice, got)
		}
		if got := pcm.Level(sound[:8*80]); got < -35 {
			t.Errorf("%s: %.1f dBFS in the first 80 ms, want speech by then", voice, got)
		}
	}
}

func TestEspeak(t *testing.T) {
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		t.Skip("espeak-ng is not installed: apt install espeak-ng")
	}
	v, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	sound, err := speak(t.Context(), v, ai.Speech{Text: "Guten Tag, was kann ich für Sie tun?", Language: "de-DE"})
	if err != nil {
		t.Fatal(err)
	}
	if s := float64(len(sound)) / 8000; s < 1 || s > 5 {
		t.Errorf("%.1f s, want a few", s)
	}
}
