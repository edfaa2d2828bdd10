package media

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestPrivateKeysAreNobodyElses holds that keys are kept from all who listen beside,
// from Private until its context is done.
func TestPrivateKeysAreNobodyElses(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		also := s.Keys(t.Context())
		s.Press('1')
		ctx, end := context.WithCancel(t.Context())
		keys := s.Private(ctx)
		later := s.Keys(t.Context())
		s.Press('2')
		s.Receive(eventPacket('3', true, false, 1, 1000, 160), peer)
		end()
		synctest.Wait()
		s.Press('4')
		if got := waiting(keys); got != "23." {
			t.Errorf("the private channel got %q, want 2, 3 and the end", got)
		}
		if got := waiting(also); got != "14" {
			t.Errorf("another channel got %q, want 1 and 4", got)
		}
		if got := waiting(later); got != "4" {
			t.Errorf("a channel made meanwhile got %q, want 4", got)
		}
	})
}

func TestTapsHearSilenceInPrivate(t *testing.T) {
	joined(t, tone(1), func(t *testing.T, a, b *side) {
		var w word
		a.Tap(w.tap)
		ctx, end := context.WithCancel(t.Context())
		defer end()
		for i := range 12 {
			switch i {
			case 4:
				a.Private(ctx)
			case 8:
				end()
				synctest.Wait()
			}
			a.say('A')
			time.Sleep(20 * time.Millisecond)
		}
		synctest.Wait()
		if got, want := string(w), "..##....####"; got != want {
			t.Errorf("the tap hears %s, want %s", got, want)
		}
	})
}

func TestTheLatestPrivateCounts(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		ctx, end := context.WithCancel(t.Context())
		first, second := s.Private(ctx), s.Private(t.Context())
		end()
		synctest.Wait()
		also := s.Keys(t.Context())
		s.Press('1')
		if got := waiting(first) + waiting(second) + waiting(also); got != ".1" {
			t.Errorf("got %q, want the end of the first and the key on the second", got)
		}
	})
}
