package media

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// eventPacket is a telephone-event packet from the peer.
func eventPacket(key byte, marker, end bool, seq uint16, ts uint32, duration uint16) []byte {
	b := []byte{byte(strings.IndexByte(eventDigits, key)), 10, 0, 0}
	if end {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], duration)
	return packetOf(101, marker, seq, ts, 7, b)
}

// waiting is the keys that are on the channel at this moment.
func waiting(c <-chan rune) (s string) {
	for {
		select {
		case k, ok := <-c:
			if !ok {
				return s + "."
			}
			s += string(k)
		default:
			return s
		}
	}
}

func TestKeyIsThereWhenReceiveReturns(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		time.Sleep(33 * time.Millisecond)
		keys, also := s.Keys(t.Context()), s.Keys(t.Context())
		s.Receive(eventPacket('5', true, false, 1, 1000, 160), peer)
		select {
		case k := <-keys:
			if k != '5' {
				t.Errorf("got %q, want 5", k)
			}
		default:
			t.Error("no key at the first packet of the event")
		}
		if got := waiting(also); got != "5" {
			t.Errorf("the other subscriber got %q, want 5", got)
		}
		s.Receive(eventPacket('5', false, true, 2, 1000, 800), peer)
		if got := waiting(keys); got != "" {
			t.Errorf("the end of the event brought %q", got)
		}
	})
}

func TestKeysEndWithTheirContext(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		ctx, cancel := context.WithCancel(t.Context())
		keys := s.Keys(ctx)
		s.Press('1')
		cancel()
		synctest.Wait()
		s.Press('2')
		if got := waiting(keys); got != "1." {
			t.Errorf("got %q, want 1 and the end", got)
		}
	})
}

func TestKeysNeverBlockTheMedia(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		keys := s.Keys(t.Context())
		for range 1000 {
			s.Press('1')
		}
		if got := len(waiting(keys)); got != keyQueue {
			t.Errorf("%d keys wait, want %d", got, keyQueue)
		}
	})
}

func TestPressReportedTwoWays(t *testing.T) {
	event := func(key byte, ts uint32) func(*Stream) {
		return func(s *Stream) { s.Receive(eventPacket(key, true, false, uint16(ts/160), ts, 160), peer) }
	}
	info := func(key rune) func(*Stream) { return func(s *Stream) { s.Press(key) } }
	const ms = time.Millisecond
	tests := []struct {
		name  string
		first func(*Stream)
		after time.Duration
		then  func(*Stream)
		want  string
	}{
		{"INFO after the event", event('5', 1600), 100 * ms, info('5'), "5"},
		{"the event after INFO", info('5'), 100 * ms, event('5', 1600), "5"},
		{"too far apart to be one", event('5', 1600), 101 * ms, info('5'), "55"},
		{"different keys", event('5', 1600), 0, info('6'), "56"},
		{"INFO twice", info('5'), 0, info('5'), "55"},
		{"two events", event('5', 1600), 0, event('5', 3200), "55"},
		{"letters in lower case", info('a'), 0, info('d'), "AD"},
		{"what is no key", info('x'), 0, info('!'), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inCall(t, func(t *testing.T, s *Stream, l *line) {
				keys := s.Keys(t.Context())
				tt.first(s)
				time.Sleep(tt.after)
				tt.then(s)
				if got := waiting(keys); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestKeyFromAStrangerIsNone(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		keys := s.Keys(t.Context())
		s.Receive(eventPacket('5', true, false, 1, 1000, 160), stranger)
		if got := waiting(keys); got != "" {
			t.Errorf("got %q", got)
		}
	})
}
