package media

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// The length of a digit that is sent, in frames of 20 ms: 100 ms of tone and
// 60 ms until the next, above the least of ITU-T Q.24 (40 and 40).
const (
	digitTone = 5
	digitGap  = 3
)

// eventVolume is the power of a sent telephone-event in -dBm0 (RFC 4733
// section 2.3.4).
const eventVolume = 10

// SendDigits sends the digits 0-9 * # A-D as telephone-events (RFC 4733), or
// as tones when the call has none; 'w' waits half a second, 'W' a whole one. A
// digit takes 160 ms. It blocks until the last one is over, and sound that was
// playing waits meanwhile; cut short it returns context.Cause(ctx), and a
// digit under way is let go at once.
func (s *Stream) SendDigits(ctx context.Context, digits string) error {
	d, err := parseDigits(digits)
	if err != nil {
		return err
	}
	s.mu.Lock()
	events := s.cfg.EventType != 0
	s.mu.Unlock()
	if !events {
		return s.Play(ctx, NewClip(d.tones(s.Rate()), s.Rate()))
	}
	return s.wait(ctx, &play{digits: d, done: make(chan struct{})})
}

// digits is a sequence of digits being sent as telephone-events.
type digits struct {
	left  []digit
	tick  int    // frames since the first of left began
	start uint32 // the RTP timestamp of that
}

// digit is an event, or a wait.
type digit struct {
	code   uint8
	frames int // of a wait; 0 for an event
}

func parseDigits(s string) (*digits, error) {
	d := new(digits)
	for i, r := range s {
		switch code := strings.IndexRune(eventDigits, unicode.ToUpper(r)); {
		case code >= 0:
			d.left = append(d.left, digit{code: uint8(code)})
		case r == 'w':
			d.left = append(d.left, digit{frames: int(time.Second / 2 / pcm.FrameTime)})
		case r == 'W':
			d.left = append(d.left, digit{frames: int(time.Second / pcm.FrameTime)})
		default:
			return nil, fmt.Errorf("media: character %d of the digits cannot be sent; only 0-9 * # A-D w W can", i+1)
		}
	}
	return d, nil
}

func (d *digits) ended() bool { return len(d.left) == 0 }

// next gives the event packet of this frame, whose timestamp would be now: its
// payload in b, its own timestamp and marker. Between events ok is false.
func (d *digits) next(b *[4]byte, now uint32) (ts uint32, marker, ok bool) {
	at := d.left[0]
	tick := d.tick
	if tick == 0 {
		d.start = now
	}
	length := at.frames
	if length == 0 {
		length = digitTone + digitGap
	}
	if d.tick++; d.tick == length {
		d.left, d.tick = d.left[1:], 0
	}
	// The packet with the end bit goes out three times (RFC 4733 section
	// 2.5.1.4), the last two in the gap.
	if at.frames > 0 || tick > digitTone+1 {
		return 0, false, false
	}
	putEvent(b, at.code, tick >= digitTone-1, min(tick+1, digitTone)*frameTicks)
	return d.start, tick == 0, true
}

// cut gives the closing packet of an event under way.
func (d *digits) cut(b *[4]byte) (ts uint32, ok bool) {
	if d.ended() || d.left[0].frames > 0 || d.tick == 0 || d.tick >= digitTone {
		return 0, false
	}
	putEvent(b, d.left[0].code, true, d.tick*frameTicks)
	return d.start, true
}

func putEvent(b *[4]byte, code uint8, end bool, duration int) {
	b[0], b[1] = code, eventVolume
	if end {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], uint16(duration))
}

// tones is the whole sequence as sound (ITU-T Q.23).
func (d *digits) tones(rate int) pcm.Clip {
	rows := [4]float64{697, 770, 852, 941}
	columns := [4]float64{1209, 1336, 1477, 1633}
	const keypad = "123A456B789C*0#D"
	c := pcm.Clip{Rate: rate}
	for _, x := range d.left {
		if x.frames > 0 {
			c.Samples = append(c.Samples, make([]int16, x.frames*pcm.FrameLen(rate))...)
			continue
		}
		key := strings.IndexByte(keypad, eventDigits[x.code])
		tone := pcm.Tone(rate, digitTone*pcm.FrameTime, 0.5, rows[key/4], columns[key%4])
		c.Samples = append(c.Samples, tone.Samples...)
		c.Samples = append(c.Samples, make([]int16, digitGap*pcm.FrameLen(rate))...)
	}
	return c
}
