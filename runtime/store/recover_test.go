package store

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/recording"
	"github.com/hookswitch/hookswitch/runtime"
)

// recordingIn names the folder for the child process of the kill test.
const recordingIn = "HOOKSWITCH_RECORDING_KILL_TEST"

// recordUntilKilled records a tone in real time and prints how many frames of
// it were heard.
func recordUntilKilled(path string) {
	d, err := OpenFolder(path)
	if err != nil {
		fmt.Println("error", err)
		return
	}
	f, err := d.Create(re(1))
	if err != nil {
		fmt.Println("error", err)
		return
	}
	r, err := recording.New(f, recording.Options{Rate: 8000, Channels: 2})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	a, b := r.Input(0), r.Input(1)
	frame := pcm.Frame(pcm.Tone(8000, pcm.FrameTime, 0.5, 1000).Samples)
	tick := time.NewTicker(pcm.FrameTime)
	for n := 1; ; n++ {
		b(frame)
		a(frame)
		fmt.Println(n)
		<-tick.C
	}
}

func TestARecordingLosesASecondAtMostByKill9(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			path := t.TempDir()
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), recordingIn+"="+path)
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			heard := 0
			for lines := bufio.NewScanner(out); lines.Scan(); {
				n, err := strconv.Atoi(lines.Text())
				if err != nil {
					t.Error(lines.Text())
				}
				if heard = n; n == 10+25*round {
					child.Process.Kill() // SIGKILL; what is already in the pipe still counts
				}
			}
			child.Wait()
			d := folder(t, path)
			s := Memory()
			r := recorded("AC1", re(1), "CA1")
			r.Status, r.Format, r.Channels = "in-progress", "wav", 2
			saveRecorded(t, s, r)
			if err := Recover(t.Context(), s, d); err != nil {
				t.Error(err)
			}
			r, err = s.Recording(t.Context(), "AC1", re(1))
			if err != nil {
				t.Fatal(err)
			}
			long := time.Duration(heard) * pcm.FrameTime
			if r.Duration < long-time.Second || r.Duration > long+pcm.FrameTime {
				t.Errorf("%v were heard, %v are left", long, r.Duration)
			}
			if want := map[bool]string{true: "absent", false: "completed"}[r.Duration == 0]; r.Status != want {
				t.Errorf("got status %s of %v, want %s", r.Status, r.Duration, want)
			}
		})
	}
}

func TestRecover(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		path := t.TempDir()
		d := folder(t, path)
		told := runtime.RecordingCallback{URL: "http://a/recorded", Events: "completed absent", Form: url.Values{"RecordingUrl": {"http://me/x"}}.Encode()}
		begin := func(n int, status string) {
			r := recorded("AC1", re(n), fmt.Sprint("CA", n))
			r.Status, r.Channels, r.Format, r.Callback = status, 1, "wav", told
			saveRecorded(t, s, r)
		}
		cut := func(n, frames int) { // a file whose header and last sample are not right
			recordFrames(t, d, re(n), frames)
			name := filepath.Join(path, re(n)+growing)
			f, err := os.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte{0, 0, 0, 0}, 40); err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte{1}, int64(44+320*frames)); err != nil {
				t.Fatal(err)
			}
		}
		begin(1, "in-progress") // cut off
		cut(1, 100)
		begin(2, "paused") // cut off in a pause
		cut(2, 60)
		begin(3, "in-progress") // begun, and no sound yet
		cut(3, 0)
		begin(4, "in-progress") // committed, and its record was not yet written
		recordFrames(t, d, re(4), 30)
		if _, err := d.Commit(t.Context(), re(4), "wav"); err != nil {
			t.Fatal(err)
		}
		begin(5, "in-progress") // nothing on the disk
		begin(6, "completed")   // over
		cut(7, 10)              // without a record
		if err := os.WriteFile(filepath.Join(path, re(8)+encoding), []byte("half an MP3"), 0o600); err != nil {
			t.Fatal(err)
		}
		begin(9, "in-progress") // killed before the header
		if err := os.WriteFile(filepath.Join(path, re(9)+growing), []byte("RIFF"), 0o600); err != nil {
			t.Fatal(err)
		}

		for range 2 { // a second start finds nothing to do
			if err := Recover(t.Context(), s, d); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			n      int
			status string
			frames int
		}{{1, "completed", 100}, {2, "completed", 60}, {3, "absent", 0}, {4, "completed", 30}, {5, "absent", 0}, {9, "absent", 0}} {
			r, err := s.Recording(t.Context(), "AC1", re(c.n))
			if err != nil {
				t.Fatal(err)
			}
			if want := time.Duration(c.frames) * pcm.FrameTime; r.Status != c.status || r.Duration != want {
				t.Errorf("%d: got %s of %v, want %s of %v", c.n, r.Status, r.Duration, c.status, want)
			}
			due := dueOf(t, s, fmt.Sprint("CA", c.n))
			if len(due) != 1 || !strings.Contains(due[0].Form, "RecordingStatus="+c.status) || due[0].URL != told.URL || due[0].Token == "" {
				t.Errorf("%d: got callbacks %+v, want one of %s", c.n, due, c.status)
			}
		}
		if due := dueOf(t, s, "CA6"); len(due) != 0 {
			t.Errorf("got callbacks %+v of one that was over", due)
		}
		want := []string{re(1) + wavEnd, re(2) + wavEnd, re(4) + wavEnd, re(7) + wavEnd}
		if got := names(t, path); !slices.Equal(got, want) {
			t.Errorf("got %v in the folder, want %v", got, want)
		}
	})
}

func dueOf(t *testing.T, s runtime.Store, call string) (found []runtime.Callback) {
	t.Helper()
	due, err := s.Due(t.Context(), time.Now().Add(time.Hour), 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cb := range due {
		if cb.CallSID == call {
			found = append(found, cb)
		}
	}
	return found
}

func TestRecoverMakesTheMP3ThatWasAskedFor(t *testing.T) {
	encoderOrSkip(t)
	d := folder(t, t.TempDir())
	s := Memory()
	for n, committed := range []bool{false, true} {
		recordFrames(t, d, re(n), 500)
		if committed {
			if got, err := d.Commit(t.Context(), re(n), "mp3"); got != "mp3" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		r := recorded("AC1", re(n), "CA1")
		r.Status, r.Format, r.Channels = "in-progress", "mp3", 1
		saveRecorded(t, s, r)
	}
	if err := Recover(t.Context(), s, d); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		r, err := s.Recording(t.Context(), "AC1", re(n))
		if err != nil {
			t.Fatal(err)
		}
		if d := (r.Duration - 10*time.Second).Abs(); r.Format != "mp3" || r.Status != "completed" || d > 300*time.Millisecond {
			t.Errorf("got %s %s of %v, want 10 s of mp3", r.Status, r.Format, r.Duration)
		}
	}
}

// What goes wrong with one does not keep the others back, and is tried again.
func TestRecoverGoesOnAfterAFault(t *testing.T) {
	path := t.TempDir()
	d := folder(t, path)
	s := Memory()
	for n := 1; n <= 2; n++ {
		r := recorded("AC1", re(n), "CA1")
		r.Status = "in-progress"
		saveRecorded(t, s, r)
	}
	if err := os.Mkdir(filepath.Join(path, re(1)+growing), 0o700); err != nil { // no file: it cannot be opened for writing
		t.Fatal(err)
	}
	recordFrames(t, d, re(2), 10)
	if err := Recover(t.Context(), s, d); err == nil || !strings.Contains(err.Error(), re(1)) || strings.Contains(err.Error(), re(2)) {
		t.Errorf("got %v, want a fault of the first", err)
	}
	left, err := s.UnfinishedRecordings(t.Context())
	if err != nil || sids(left) != re(1) {
		t.Errorf("got %q left, %v; want the first", sids(left), err)
	}
}
