package media

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
)

// samePress is how near two equal keys from RFC 4733 and from [Stream.Press]
// must be to be one press that the peer reported in both ways.
const samePress = 100 * time.Millisecond

// keyQueue is how many keys may wait on a channel of [Stream.Keys]. Nobody
// presses more before a reader is scheduled; further ones are dropped.
const keyQueue = 64

// Key is one key pressed by the caller.
type Key struct {
	Digit rune // 0-9 * # A-D
	At    time.Time
}

// keyWay is how a key came.
type keyWay int

const (
	byEvent keyWay = iota // RFC 4733
	byPress               // SIP INFO
)

// Keys returns a channel of the keys pressed from now on. It is closed soon
// after ctx is done. A key is on it before the call to Receive or Press that
// brought it returns, at the first packet of its event.
func (s *Stream) Keys(ctx context.Context) <-chan Key {
	c := make(chan Key, keyQueue)
	s.mu.Lock()
	s.keys = append(s.keys, c)
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.keys = slices.DeleteFunc(s.keys, func(k chan Key) bool { return k == c })
		close(c)
	})
	return c
}

// Press is a key that came another way than in the RTP, such as SIP INFO.
// Other runes than keys are ignored. A peer that reports a press both ways is
// understood: of two equal keys, one from here and one from RFC 4733, that
// come within 100 ms, the second is dropped. Two from here are two.
func (s *Stream) Press(digit rune) {
	digit = unicode.ToUpper(digit)
	if !strings.ContainsRune(eventDigits, digit) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pressed(digit, byPress)
}

// pressed hands a key to all who listen. s.mu is held.
func (s *Stream) pressed(digit rune, way keyWay) {
	k := Key{digit, time.Now()}
	if s.lastKey.Digit == digit && s.lastWay != way && k.At.Sub(s.lastKey.At) <= samePress {
		s.lastKey.Digit = 0 // the pair is complete
		return
	}
	s.lastKey, s.lastWay = k, way
	for _, c := range s.keys {
		select {
		case c <- k:
		default:
		}
	}
}
