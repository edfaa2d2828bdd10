package media

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// word is what the frames are: "." for silence, "#" for a frame of one level,
// "~" for anything else.
type word []byte

func (w *word) tap(f pcm.Frame) {
	c := byte('#')
	for _, v := range f {
		switch {
		case v != f[0]:
			c = '~'
		case v == 0 && c == '#':
			c = '.'
		}
	}
	*w = append(*w, c)
}

func TestTapSentHearsWhatPlays(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		var w word
		time.Sleep(10 * time.Millisecond)
		remove := s.TapSent(w.tap)
		time.Sleep(50 * time.Millisecond)
		s.Play(t.Context(), NewClip(tone(3), 8000))
		s.SendDigits(t.Context(), "1")
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		remove()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got, want := string(w), "..###........."; got != want {
			t.Errorf("the tap hears %s, want %s", got, want)
		}
	})
}

func TestTapSentHearsSilenceOnHold(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		var w word
		s.TapSent(w.tap)
		hold := agreed()
		hold.Send = false
		s.Configure(hold)
		s.Play(t.Context(), NewClip(tone(5), 8000))
		if got, want := string(w), "....."; got != want {
			t.Errorf("the tap hears %s of a Play on hold, want %s", got, want)
		}
	})
}

func TestTapSentHearsWhatIsRelayed(t *testing.T) {
	alaw := agreed()
	alaw.Codec, alaw.PayloadType = "PCMA", 8
	for _, c := range []Config{agreed(), alaw} {
		joinedAs(t, agreed(), c, Music{}, func(t *testing.T, a, b *side) {
			var w word
			b.TapSent(w.tap)
			for i := range 20 { // each comes at another time of the 20 ms, and the eighth is lost
				time.Sleep(time.Duration(i*5%13) * time.Millisecond)
				if i != 8 {
					a.say('A')
				} else {
					a.seq, a.ts = a.seq+1, a.ts+160
				}
				time.Sleep(pcm.FrameTime - time.Duration(i*5%13)*time.Millisecond)
			}
			time.Sleep(60 * time.Millisecond)
			synctest.Wait()
			// 40 ms of jitter buffer; the loss is drawn out, and so is the end.
			if got, want := string(w), "..########~###########~"; got != want {
				t.Errorf("%s: the tap hears %s, want %s", c.Codec, got, want)
			}
		})
	}
}

func TestTapSentHearsPlayOverRelay(t *testing.T) {
	joined(t, tone(10), func(t *testing.T, a, b *side) {
		var w word
		b.TapSent(w.tap)
		go func() {
			time.Sleep(100 * time.Millisecond)
			b.Play(t.Context(), NewClip(pcm.Silence(8000, 100*time.Millisecond), 8000))
		}()
		a.talk('A', 20)
		a.Configure(held(false, false)) // and then music
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got, want := string(w), "..###........############"; got != want {
			t.Errorf("the tap hears %s, want %s", got, want)
		}
	})
}

// A tap of what a stream receives hears it while it is relayed, though it
// comes only then.
func TestTapOfARelayedStream(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		a.talk('A', 100)
		var w word
		remove := a.Tap(w.tap)
		a.talk('A', 10)
		synctest.Wait()
		if got, want := string(w), "..########"; got != want {
			t.Errorf("the tap hears %s, want %s", got, want)
		}
		remove()
		a.talk('A', 50)
		w = nil
		a.Tap(w.tap)
		a.talk('A', 10)
		synctest.Wait()
		if got, want := string(w), "..########"; got != want {
			t.Errorf("a second tap hears %s, want %s", got, want)
		}
	})
}

func TestTapSentKeepsTimeWhenThePacerIsLate(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		n := 0
		s.TapSent(func(pcm.Frame) { n++ })
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Play(t.Context(), &sleepy{d: 70 * time.Millisecond})
		}()
		time.Sleep(200*time.Millisecond - 1)
		synctest.Wait()
		if n != 10 {
			t.Errorf("%d frames in 200 ms, want 10", n)
		}
		s.Close()
		<-done
	})
}
