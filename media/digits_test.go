package media

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

func TestSendDigits(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		time.Sleep(40 * time.Millisecond)
		begun := time.Now()
		if err := s.SendDigits(t.Context(), "1w#"); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(begun), (160+500+160)*time.Millisecond; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
		synctest.Wait()
		ps := l.packets()
		first := ps[0].Timestamp
		var got []string
		for i, p := range ps {
			if want := first + 160*uint32(i); p.PayloadType == 0 && p.Timestamp != want {
				t.Errorf("packet %d of sound has timestamp %d, want %d", i, p.Timestamp, want)
			}
			if i > 0 && p.SequenceNumber != ps[i-1].SequenceNumber+1 {
				t.Errorf("packet %d does not follow in sequence", i)
			}
			if p.PayloadType != 101 {
				continue
			}
			m, e := "", ""
			if p.Marker {
				m = "M"
			}
			if p.Payload[1]&0x80 != 0 {
				e = "E"
			}
			got = append(got, fmt.Sprintf("%d: %d %s%s%d@%d", i, p.Payload[0], m, e,
				binary.BigEndian.Uint16(p.Payload[2:]), p.Timestamp-first))
		}
		// Packets 0 to 2 went out before; a digit is 8 frames, the wait 25.
		want := []string{
			"3: 1 M160@480", "4: 1 320@480", "5: 1 480@480", "6: 1 640@480", "7: 1 E800@480", "8: 1 E800@480", "9: 1 E800@480",
			"36: 11 M160@5760", "37: 11 320@5760", "38: 11 480@5760", "39: 11 640@5760", "40: 11 E800@5760", "41: 11 E800@5760", "42: 11 E800@5760",
		}
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("got\n%s\nwant\n%s", g, w)
		}
	})
}

func TestSoundWaitsForDigits(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		var playing sync.WaitGroup
		begun := time.Now()
		playing.Go(func() {
			if err := s.Play(t.Context(), NewClip(tone(4), 8000)); err != nil {
				t.Error(err)
			}
			if got := time.Since(begun); got != 240*time.Millisecond {
				t.Errorf("Play took %v, want 80 ms and the 160 ms of a digit", got)
			}
		})
		time.Sleep(40 * time.Millisecond)
		if err := s.SendDigits(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		playing.Wait()
		if got, want := loud(l.packets()), ".##eeeeeee.##"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	})
}

func TestDigitCutShortIsLetGo(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		gone := errors.New("hung up")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(60*time.Millisecond, func() { cancel(gone) })
		if err := s.SendDigits(ctx, "123"); err != gone {
			t.Errorf("returned %v, want %v", err, gone)
		}
		time.Sleep(40 * time.Millisecond)
		synctest.Wait()
		ps := l.packets()
		if got, want := loud(ps), ".eeeeee.."; got != want {
			t.Fatalf("sent %s, want %s", got, want)
		}
		for i, p := range ps[4:7] {
			if p.Payload[1]&0x80 == 0 || binary.BigEndian.Uint16(p.Payload[2:]) != 480 || p.Timestamp != ps[1].Timestamp {
				t.Errorf("packet %d is not the end of the digit: % x", i+4, p.Payload)
			}
		}
	})
}

func TestDigitsAsTones(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		c := agreed()
		c.EventType = 0
		s.Configure(c)
		if err := s.SendDigits(t.Context(), "8"); err != nil {
			t.Fatal(err)
		}
		var sound []int16
		for _, p := range l.packets()[1:6] {
			f := make([]int16, 160)
			g711.DecodeULaw(f, p.Payload)
			sound = append(sound, f...)
		}
		for _, hz := range []float64{852, 1336} {
			if got := pcm.Share(sound, 8000, hz); got < 0.4 {
				t.Errorf("%.2f of the sound is at %v Hz, want a half", got, hz)
			}
		}
	})
}

func TestDigitsThatCannotBeSent(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		err := s.SendDigits(t.Context(), "12x4")
		if err == nil || strings.Contains(err.Error(), "12") || !strings.Contains(err.Error(), "character 3") {
			t.Errorf("got %v, want the place and not the digits", err)
		}
		if err := s.SendDigits(t.Context(), ""); err != nil {
			t.Errorf("no digits: %v", err)
		}
	})
}

// What one stream sends, another understands.
func TestDigitsFromStreamToStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
		a, b := newLine(), newLine()
		from, to := NewStream(p, a, agreed()), NewStream(p, b, agreed())
		a.far = func(rtp []byte) { to.Receive(rtp, peer) }
		from.Start()
		to.Start()
		keys := to.Keys(t.Context())
		if err := from.SendDigits(t.Context(), "0123456789*#ABCD1144"); err != nil {
			t.Error(err)
		}
		if got, want := waiting(keys), "0123456789*#ABCD1144"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		from.Close()
		to.Close()
		p.Close()
	})
}
