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

// press is one key pressed by the caller.
type press struct {
	digit rune
	at    time.Time
	way   keyWay
}

// keyWay is how a key came.
type keyWay int

const (
	byEvent keyWay = iota // RFC 4733
	byPress               // SIP INFO
)

// Keys returns a channel of the keys pressed from now on: 0-9 * # A-D. It is
// closed soon after ctx is done. A key is on it before the call to Receive or Press that
// brought it returns, at the first packet of its event.
func (s *Stream) Keys(ctx context.Context) <-chan rune {
	c := make(chan rune, keyQueue)
	s.mu.Lock()
	s.keys = append(s.keys, c)
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.keys = slices.DeleteFunc(s.keys, func(k chan rune) bool { return k == c })
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
	now := time.Now()
	var p passed
	s.mu.Lock()
	if s.pressed(digit, byPress, now) {
		s.onward(&p, now)
		p.kind, p.digit = passedKey, digit
	}
	s.mu.Unlock()
	p.pass()
}

// pressed hands a key to all who listen, and reports whether it was not known
// already. s.mu is held.
func (s *Stream) pressed(digit rune, way keyWay, now time.Time) bool {
	if s.last.digit == digit && s.last.way != way && now.Sub(s.last.at) <= samePress {
		s.last.digit = 0 // the pair is complete
		return false
	}
	s.last = press{digit, now, way}
	for _, c := range s.listeners() {
		select {
		case c <- digit:
		default:
		}
	}
	return true
}
