package recording

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

var errDisk = errors.New("no space left on device")

// faulty is a file whose n-th operation fails, a write after half of it was
// done.
type faulty struct {
	Buffer
	left int // operations until then
	what string
}

func (f *faulty) fails(what string) bool {
	if f.left--; f.left == 0 {
		f.what = what
	}
	return f.left == 0
}

func (f *faulty) WriteAt(p []byte, off int64) (int, error) {
	if f.fails("write") {
		n, _ := f.Buffer.WriteAt(p[:len(p)/2], off)
		return n, errDisk
	}
	return f.Buffer.WriteAt(p, off)
}

func (f *faulty) Sync() error {
	if f.fails("sync") {
		return errDisk
	}
	return nil
}

func (f *faulty) Truncate(size int64) error {
	if f.fails("truncate") {
		return errDisk
	}
	return f.Buffer.Truncate(size)
}

func (f *faulty) Close() error {
	if f.fails("close") {
		return errDisk
	}
	return nil
}

// Whatever operation fails, the call does not notice, Close tells once, and
// what was written before still opens.
func TestAFaultyDisk(t *testing.T) {
	seen := map[string]bool{}
	for nth, over := 1, false; !over; nth++ {
		t.Run(fmt.Sprint("operation ", nth), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &faulty{left: nth}
				r, err := New(f, Options{Rate: 8000, Channels: 2, Trim: true})
				if err != nil {
					if !errors.Is(err, errDisk) || nth != 1 {
						t.Fatalf("got %v", err)
					}
					return
				}
				silence := &source{clip: pcm.Silence(8000, time.Second)}
				began := time.Now()
				caller, other := r.Input(0), r.Input(1)
				hear(3*time.Second, other, voice(8000, 150, 1000), caller, voice(8000, 150, 440))
				hear(time.Second, other, silence, caller, silence)
				if took := time.Since(began); took != 4*time.Second {
					t.Errorf("4 s took %v: a tap has waited", took)
				}
				s, err := r.Close()
				if over = f.left > 0; over {
					if err != nil {
						t.Errorf("nothing failed, and Close says %v", err)
					}
					return
				}
				seen[f.what] = true
				if !errors.Is(err, errDisk) {
					t.Errorf("a %s failed, and Close says %v", f.what, err)
				}
				got := parse(t, f.Bytes())
				if length(8000, got[0]) != s.Duration {
					t.Errorf("got %v in the file, the summary says %v", length(8000, got[0]), s.Duration)
				}
				if want := time.Duration(nth-3) / 2 * 500 * time.Millisecond; s.Duration < min(want, 3*time.Second) {
					t.Errorf("got %v, want the %v that were written before", s.Duration, want)
				}
				if _, err := wav.Decode(f.Bytes()); err != nil {
					t.Error(err)
				}
				if _, err := Repair(&f.Buffer); err != nil {
					t.Errorf("it cannot be repaired: %v", err)
				}
			})
		})
	}
	for _, what := range []string{"write", "truncate", "sync", "close"} {
		if !seen[what] {
			t.Errorf("no %s failed", what)
		}
	}
}

// stuck is a file whose n-th write takes its time.
type stuck struct {
	Buffer
	left int
	long time.Duration
}

func (f *stuck) WriteAt(p []byte, off int64) (int, error) {
	if f.left--; f.left == 0 {
		time.Sleep(f.long)
	}
	return f.Buffer.WriteAt(p, off)
}

func TestASlowDiskCostsSoundAndNotTime(t *testing.T) {
	for _, c := range []struct {
		name string
		long time.Duration
		lost time.Duration
	}{
		{"four seconds are held", 4 * time.Second, 0},
		{"twenty seconds are not", 20 * time.Second, 15500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &stuck{left: 5, long: c.long} // data of the second half second is 4th, its header 5th
				r := begin(t, f, Options{Rate: 8000, Channels: 1})
				began := time.Now()
				in := r.Input(0)
				hear(20*time.Second, in, tone(8000, 440))
				r.mu.Lock()
				if most := mostHeld * r.block; cap(r.pending) > 3*most/2 {
					t.Errorf("the buffer has grown to %d bytes, want about %d", cap(r.pending), most)
				}
				r.mu.Unlock()
				hear(10*time.Second, in, tone(8000, 440))
				if took := time.Since(began); took != 30*time.Second {
					t.Errorf("30 s took %v: a tap has waited", took)
				}
				s := end(t, r)
				// When the disk comes back between two frames is anybody's guess.
				if s.Duration != 30*time.Second || (s.Lost-c.lost).Abs() > pcm.FrameTime {
					t.Errorf("got %+v, want 30 s, %v of them lost", s, c.lost)
				}
				got := parse(t, f.Bytes())[0]
				gap := 8000 * int(c.lost.Milliseconds()) / 1000
				silent := 0
				for _, v := range got[8000*5:] {
					if v == 0 {
						silent++
					}
				}
				if silent < gap-160 || silent > gap+len(got)/50 {
					t.Errorf("got %d silent samples, want %d", silent, gap)
				}
				if share := pcm.Share(got[len(got)-16000:], 8000, 440); share < 0.99 {
					t.Errorf("at last: 440 Hz is %.3f of it", share)
				}
			})
		})
	}
}

// killed is a file that is looked at, as a kill would leave it, before and in
// the middle of each write.
type killed struct {
	Buffer
	look func()
}

func (f *killed) WriteAt(p []byte, off int64) (int, error) {
	f.look()
	if _, err := f.Buffer.WriteAt(p[:len(p)/2+1], off); err != nil {
		return 0, err
	}
	if off > 0 { // a header lies in one page: it is there or not
		f.look()
	}
	return f.Buffer.WriteAt(p, off)
}

func TestAKillCostsASecondAtMost(t *testing.T) {
	for _, trim := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var ticks, looks atomic.Int64
			f := &killed{look: func() {}}
			check := func() {
				looks.Add(1)
				heard := time.Duration(ticks.Load()) * pcm.FrameTime
				got := length(8000, parse(t, f.Bytes())[0])
				if lost := heard - got; lost > time.Second {
					t.Errorf("after %v the file has %v", heard, got)
				}
				var b Buffer
				if _, err := b.WriteAt(f.Bytes(), 0); err != nil {
					t.Fatal(err)
				}
				repaired, err := Repair(&b)
				if err != nil {
					t.Fatal(err)
				}
				if repaired < got || repaired > heard+pcm.FrameTime || length(8000, parse(t, b.Bytes())[0]) != repaired {
					t.Errorf("after %v: %v are repaired to %v", heard, got, repaired)
				}
				if len(b.Bytes()) != headerSize+int(repaired.Seconds()*8000+0.5)*4 {
					t.Errorf("the repaired file has %d bytes for %v", len(b.Bytes()), repaired)
				}
			}
			r := begin(t, f, Options{Rate: 8000, Channels: 2, Trim: trim})
			f.look = check
			a, b, high, low := r.Input(0), r.Input(1), voice(8000, 150, 1000), voice(8000, 150, 440)
			for range 4 * second {
				ticks.Add(1)
				hear(pcm.FrameTime, b, high, a, low)
				check()
			}
			end(t, r)
			check()
			if n := looks.Load(); n < 220 {
				t.Errorf("looked %d times only", n)
			}
		})
	}
}

func TestRepairRefusesWhatIsNoRecording(t *testing.T) {
	whole := append(header(8000, 1, 4), 1, 2, 3, 4)
	change := func(at int, b byte) []byte {
		c := append([]byte(nil), whole...)
		c[at] = b
		return c
	}
	for _, c := range []struct {
		name string
		file []byte
		want time.Duration
		err  error
	}{
		{"nothing", nil, 0, ErrNotRecording},
		{"half a header", whole[:20], 0, ErrNotRecording},
		{"a header alone", whole[:headerSize], 0, nil},
		{"whole", whole, 250 * time.Microsecond, nil},
		{"half a sample", whole[:headerSize+3], 125 * time.Microsecond, nil},
		{"another coding", change(20, 7), 0, ErrNotRecording},
		{"no channels", change(22, 0), 0, ErrNotRecording},
		{"another chunk", change(36, 'L'), 0, ErrNotRecording},
	} {
		var f Buffer
		if _, err := f.WriteAt(c.file, 0); err != nil {
			t.Fatal(err)
		}
		if got, err := Repair(&f); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %v, %v; want %v, %v", c.name, got, err, c.want, c.err)
		}
	}
}

// FuzzRepair takes files that a crash or somebody else has left: what is
// repaired opens, and its length is what Repair says.
func FuzzRepair(f *testing.F) {
	whole := append(header(8000, 2, 8), 1, 2, 3, 4, 5, 6, 7, 8)
	f.Add(whole)
	f.Add(whole[:47])
	f.Add(whole[:headerSize])
	f.Add([]byte("RIFF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var file Buffer
		if _, err := file.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		long, err := Repair(&file)
		if err != nil {
			return
		}
		w, err := parseHeader(&file)
		if err != nil {
			t.Fatal(err)
		}
		if got := length(w.rate, parse(t, file.Bytes())[0]); got != long {
			t.Errorf("got %v, Repair says %v", got, long)
		}
	})
}
