package media

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

func TestFirstPacketAtOnceThenEvery20ms(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		if got := len(l.packets()); got != 1 {
			t.Fatalf("%d packets when Start returned, want 1", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		ps := l.packets()
		if got := len(ps); got != 51 { // the first, and those of 0 to 980 ms
			t.Fatalf("%d packets in the first second, want 51", got)
		}
		for i, p := range ps[1:] {
			if want := time.Duration(i)*20*time.Millisecond + settle; p.at != want {
				t.Errorf("packet %d at %v, want %v", i+1, p.at, want)
			}
			if d := p.SequenceNumber - ps[i].SequenceNumber; d != 1 {
				t.Errorf("packet %d: sequence number moved by %d", i+1, d)
			}
			if d := p.Timestamp - ps[i].Timestamp; d != 160 {
				t.Errorf("packet %d: timestamp moved by %d", i+1, d)
			}
			if p.Marker {
				t.Errorf("packet %d has the marker", i+1)
			}
		}
		if !ps[0].Marker {
			t.Error("the first packet has no marker")
		}
		if got := len(ps[0].Payload); got != 160 {
			t.Errorf("payload of %d bytes, want 160", got)
		}
	})
}

func TestPlayTakesItsOwnTime(t *testing.T) {
	tests := []struct {
		name   string
		before time.Duration
		frames int
		want   time.Duration
	}{
		{"begun at a tick", 40 * time.Millisecond, 5, 100 * time.Millisecond},
		{"begun with the stream", 0, 5, 100 * time.Millisecond},
		{"begun between ticks", 47 * time.Millisecond, 5, 113 * time.Millisecond},
		{"one frame", 40 * time.Millisecond, 1, 20 * time.Millisecond},
		{"nothing", 40 * time.Millisecond, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inCall(t, func(t *testing.T, s *Stream, l *line) {
				time.Sleep(tt.before)
				begun := time.Now()
				if err := s.Play(t.Context(), NewClip(tone(tt.frames), 8000)); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(begun); got != tt.want {
					t.Errorf("took %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestPlaysFollowWithoutGap(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		time.Sleep(40 * time.Millisecond)
		for range 3 {
			if err := s.Play(t.Context(), NewClip(tone(2), 8000)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(40 * time.Millisecond)
		synctest.Wait()
		// At once, at 0 and 20 ms nothing plays; then six frames in a row.
		if got, want := loud(l.packets()), "...######.."; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	})
}

// countdown is a source that does not know its end beforehand.
type countdown int

func (c *countdown) Next(f pcm.Frame) bool {
	*c--
	for i := range f {
		f[i] = 8000
	}
	return *c >= 0
}

func TestSourceThatDoesNotKnowItsEnd(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		time.Sleep(40 * time.Millisecond)
		n := countdown(3)
		begun := time.Now()
		if err := s.Play(t.Context(), &n); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(begun), 60*time.Millisecond+settle; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
	})
}

func TestCutStopsAtTheNextFrame(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		barge := errors.New("barge-in")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(60*time.Millisecond, func() { cancel(barge) })
		clip := NewClip(tone(100), 8000)
		if err := s.Play(ctx, clip); err != barge {
			t.Errorf("Play returned %v, want %v", err, barge)
		}
		time.Sleep(40 * time.Millisecond)
		synctest.Wait()
		if got, want := loud(l.packets()), ".###.."; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		if got := clip.Played(); got != 60*time.Millisecond {
			t.Errorf("played %v, want 60ms", got)
		}
	})
}

func TestCutAtTheEndIsNoCut(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
		defer cancel()
		if err := s.Play(ctx, NewClip(tone(3), 8000)); err != nil {
			t.Errorf("Play returned %v after all 60 ms of it", err)
		}
	})
}

func TestLaterPlayIsHeardAndTheFirstWaits(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		var playing sync.WaitGroup
		playing.Go(func() { s.Play(t.Context(), NewClip(tone(4), 8000)) })
		time.Sleep(40 * time.Millisecond)
		quiet := pcm.Clip{Rate: 8000, Samples: make([]int16, 320)}
		if err := s.Play(t.Context(), NewClip(quiet, 8000)); err != nil {
			t.Fatal(err)
		}
		playing.Wait()
		if got, want := loud(l.packets()), ".##..##"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	})
}

func TestCloseEndsPlay(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		time.AfterFunc(50*time.Millisecond, s.Close)
		if err := s.Play(t.Context(), NewClip(tone(100), 8000)); err != ErrClosed {
			t.Errorf("Play returned %v, want ErrClosed", err)
		}
		if err := s.Play(t.Context(), NewClip(tone(1), 8000)); err != ErrClosed {
			t.Errorf("Play on a closed stream returned %v, want ErrClosed", err)
		}
		n := len(l.packets())
		time.Sleep(100 * time.Millisecond)
		if got := len(l.packets()); got != n {
			t.Errorf("%d packets after Close", got-n)
		}
		if !l.closed {
			t.Error("the wire is still open")
		}
	})
}

func TestHoldSendsNothingAndTimeGoesOn(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		hold := agreed()
		hold.Send = false
		time.Sleep(30 * time.Millisecond)
		s.Configure(hold)
		begun := time.Now()
		if err := s.Play(t.Context(), NewClip(tone(5), 8000)); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(begun); got != 110*time.Millisecond {
			t.Errorf("a held Play took %v, want 110ms", got)
		}
		s.Configure(agreed())
		time.Sleep(30 * time.Millisecond)
		synctest.Wait()
		ps := l.packets()
		if got, want := loud(ps), "....."; got != want { // 3 before, 2 after
			t.Fatalf("sent %s, want %s", got, want)
		}
		if got := ps[3].Timestamp - ps[2].Timestamp; got != 6*160 {
			t.Errorf("timestamp moved by %d over the hold, want 960", got)
		}
		if got := ps[3].SequenceNumber - ps[2].SequenceNumber; got != 1 {
			t.Errorf("sequence number moved by %d over the hold, want 1", got)
		}
		if !ps[3].Marker {
			t.Error("no marker after the hold")
		}
	})
}

// sleepy takes d for its second frame, as a machine that is busy would.
type sleepy struct {
	d time.Duration
	n int
}

func (s *sleepy) Next(f pcm.Frame) bool {
	if s.n++; s.n == 2 {
		time.Sleep(s.d)
	}
	for i := range f {
		f[i] = 8000
	}
	return true
}

func TestLatePacerSkipsAndNeverBursts(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		heard := 0
		s.Tap(func(pcm.Frame) { heard++ })
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		s.Play(ctx, &sleepy{d: 70 * time.Millisecond})
		synctest.Wait()
		ps := l.packets()
		// Frames 0 and 20 (sent at 90), then 80 (at 90, 10 ms late), 100, …
		for i, want := range []time.Duration{0, 0, 90, 90, 100, 120} {
			if got := ps[i].at.Truncate(time.Millisecond); got != want*time.Millisecond {
				t.Errorf("packet %d at %v, want %v ms", i, got, int(want))
			}
		}
		if got := ps[3].Timestamp - ps[2].Timestamp; got != 3*160 {
			t.Errorf("timestamp moved by %d over the delay, want 480", got)
		}
		if got := ps[3].SequenceNumber - ps[2].SequenceNumber; got != 1 {
			t.Errorf("sequence number moved by %d over the delay, want 1", got)
		}
		st := s.Stats()
		if st.Late != 2 || st.Skipped != 2 {
			t.Errorf("late %d, skipped %d; want 2 and 2", st.Late, st.Skipped)
		}
		if heard != 10 {
			t.Errorf("the tap got %d frames in 200 ms, want 10", heard)
		}
		if got := s.pacer.Stats().Worst.Truncate(time.Millisecond); got != 70*time.Millisecond {
			t.Errorf("worst %v, want 70ms", got)
		}
	})
}

func TestStreamsAreSpreadOverTheSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Poll: 5 * time.Millisecond, Goroutines: 2})
		var lines []*line
		var streams []*Stream
		for range 16 {
			l := newLine()
			s := NewStream(p, l, agreed())
			s.Start()
			lines, streams = append(lines, l), append(streams, s)
		}
		time.Sleep(101 * time.Millisecond)
		perSlot := map[time.Duration]int{}
		for _, l := range lines {
			ps := l.packets()
			if len(ps) < 6 || len(ps) > 7 {
				t.Errorf("%d packets in 101 ms, want 6 or 7", len(ps))
			}
			perSlot[ps[1].at.Truncate(time.Millisecond)]++
		}
		for _, at := range []time.Duration{0, 5, 10, 15} {
			if got := perSlot[at*time.Millisecond]; got != 4 {
				t.Errorf("%d streams at %d ms of their 20, want 4", got, at)
			}
		}
		if got := p.Stats().Streams; got != 16 {
			t.Errorf("Stats says %d streams, want 16", got)
		}
		for _, s := range streams {
			s.Close()
		}
		time.Sleep(30 * time.Millisecond)
		if got := p.Stats().Streams; got != 0 {
			t.Errorf("Stats says %d streams after all closed, want 0", got)
		}
		p.Close()
	})
}

// A pacer that ticked on with nothing to serve would keep virtual time from
// ever standing still, and this test from ending.
func TestPacerWithoutStreamsRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{})
		s := NewStream(p, newLine(), agreed())
		s.Start()
		time.Sleep(time.Second)
		s.Close()
		begun := time.Now()
		never := make(chan struct{})
		time.AfterFunc(24*time.Hour, func() { close(never) })
		frames := p.Stats().Frames
		<-never
		if got := p.Stats().Frames; got != frames {
			t.Errorf("%d frames without a stream", got-frames)
		}
		// It is not worn out by the rest.
		l := newLine()
		s = NewStream(p, l, agreed())
		s.Start()
		time.Sleep(100 * time.Millisecond)
		if got := len(l.packets()); got != 6 {
			t.Errorf("%d packets in 100 ms after %v of rest, want 6", got, time.Since(begun))
		}
		s.Close()
		p.Close()
	})
}

func TestEchoSendsBackWhatIsHeard(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var echoing sync.WaitGroup
		echoing.Go(func() {
			if err := s.Echo(ctx); err != context.DeadlineExceeded {
				t.Errorf("Echo returned %v", err)
			}
		})
		sayTo(s, tone(10), 100)
		time.Sleep(600 * time.Millisecond)
		echoing.Wait()
		first, n := time.Duration(0), 0
		for _, p := range l.packets() {
			if p.Payload[0] != 0xff {
				if n == 0 {
					first = p.at
				}
				n++
			}
		}
		// 40 ms of jitter buffer, and then the next frame.
		if want := 60*time.Millisecond + settle; first != want {
			t.Errorf("the echo begins at %v, want %v", first, want)
		}
		if n < 10 || n > 13 { // 10, and the fade of the last
			t.Errorf("%d frames of echo, want 10 and a fade", n)
		}
	})
}

func TestFiveVirtualMinutesAreCheap(t *testing.T) {
	begun := time.Now()
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
		s := NewStream(p, discard{}, agreed())
		s.Start()
		if err := s.Play(t.Context(), NewClip(tone(5*60*50), 8000)); err != nil {
			t.Error(err)
		}
		s.Close()
		p.Close()
	})
	took := time.Since(begun)
	t.Logf("five minutes took %v", took)
	if took > 20*time.Second { // far above the 30 ms it takes: the machine may be busy, and -race slow
		t.Errorf("five virtual minutes took %v", took)
	}
}
