//go:build linux

package main

import "time"

const (
	numberBits  = 18 // frames of 5 s of 1,000 senders
	numberTwice = 2 * numberBits
)

// A sendLog remembers when each frame was sent. The frame's number is written
// into its sound, a bit a sample as loud above or below zero, and then each bit
// turned over. The sign of a sample is the same bit in both laws of G.711, so the
// number comes through a server that transcodes, and no other sound reads so.
type sendLog struct {
	sent [1 << numberBits]int64 // when, in Unix ns
	next uint32
}

// Number writes the next number into the sound of a frame that is sent now.
func (l *sendLog) Number(sound []byte, in law, now time.Time) {
	above, below := byte(0x80), byte(0x00)
	if in == alaw {
		above, below = 0xaa, 0x2a
	}
	for i := range numberBits {
		sound[i], sound[numberBits+i] = above, below
		if l.next>>i&1 == 0 {
			sound[i], sound[numberBits+i] = below, above
		}
	}
	l.sent[l.next] = now.UnixNano()
	l.next = (l.next + 1) % (1 << numberBits)
}

// Sent is when the frame of this sound was sent; not ok when it has no number.
func (l *sendLog) Sent(sound []byte) (at time.Time, ok bool) {
	if len(sound) < numberTwice {
		return time.Time{}, false
	}
	n := 0
	for i := range numberBits {
		if (sound[i]^sound[numberBits+i])&0x80 == 0 {
			return time.Time{}, false
		}
		n |= int(sound[i]>>7) << i
	}
	return time.Unix(0, l.sent[n]), l.sent[n] != 0
}
