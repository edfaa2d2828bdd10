// Package g711 codes speech as μ-law and A-law (ITU-T G.711), one byte a
// sample. Nothing in it allocates.
package g711

import "math/bits"

// EncodeULaw writes the μ-law code of each sample of src to dst, which must
// be at least as long.
func EncodeULaw(dst []byte, src []int16) {
	dst = dst[:len(src)]
	for i, s := range src {
		sign := s >> 15                               // 0 or -1
		mag := (int32(s) ^ int32(sign)) - int32(sign) // 0 to 32768
		dst[i] = ulawCode[mag>>2] ^ byte(sign&0x80)
	}
}

// DecodeULaw writes the sample of each μ-law code of src to dst, which must
// be at least as long.
func DecodeULaw(dst []int16, src []byte) {
	dst = dst[:len(src)]
	for i, c := range src {
		dst[i] = ulawSample[c]
	}
}

// EncodeALaw writes the A-law code of each sample of src to dst, which must
// be at least as long.
func EncodeALaw(dst []byte, src []int16) {
	dst = dst[:len(src)]
	for i, s := range src {
		sign := s >> 15
		dst[i] = alawCode[uint16(s^sign)>>4] ^ byte(sign&0x80)
	}
}

// DecodeALaw writes the sample of each A-law code of src to dst, which must
// be at least as long.
func DecodeALaw(dst []int16, src []byte) {
	dst = dst[:len(src)]
	for i, c := range src {
		dst[i] = alawSample[c]
	}
}

// ULawToALaw writes the A-law code of each μ-law code of src to dst, which
// must be at least as long: that of its sample.
func ULawToALaw(dst, src []byte) {
	dst = dst[:len(src)]
	for i, c := range src {
		dst[i] = ulawToALaw[c]
	}
}

// ALawToULaw is [ULawToALaw] the other way.
func ALawToULaw(dst, src []byte) {
	dst = dst[:len(src)]
	for i, c := range src {
		dst[i] = alawToULaw[c]
	}
}

// The tables hold one answer for each value that the codes can tell apart:
// μ-law those of a 13-bit magnitude, A-law those of an 11-bit one, where a
// negative sample counts by its ones' complement (G.711 tables 1a to 2b).
var (
	ulawCode   = ulawCodes()
	ulawSample = ulawSamples()
	alawCode   = alawCodes()
	alawSample = alawSamples()
	ulawToALaw = pairs(DecodeULaw, EncodeALaw)
	alawToULaw = pairs(DecodeALaw, EncodeULaw)
)

const (
	ulawBias = 33   // makes every segment start at a power of two
	ulawClip = 8158 // the largest magnitude that still has a code of its own
)

func ulawCodes() (t [8193]byte) {
	for i := range t {
		m := min(i, ulawClip) + ulawBias
		seg := bits.Len(uint(m)) - 6
		t[i] = ^byte(seg<<4 | m>>(seg+1)&0xf) // all bits are inverted on the line
	}
	return t
}

func ulawSamples() (t [256]int16) {
	for i := range t {
		c := ^byte(i)
		seg := c >> 4 & 7
		m := (int16(c&0xf)<<1+ulawBias)<<seg - ulawBias
		t[i] = m << 2
		if c&0x80 != 0 {
			t[i] = -t[i]
		}
	}
	return t
}

const (
	alawSign   = 0x80 // set for samples from 0 up
	alawToggle = 0x55 // even bits are inverted on the line
)

func alawCodes() (t [2048]byte) {
	for i := range t {
		seg, m := 0, i
		if i >= 16 {
			seg = bits.Len(uint(i)) - 4
			m = i >> (seg - 1)
		}
		t[i] = (byte(seg<<4|m&0xf) | alawSign) ^ alawToggle
	}
	return t
}

func alawSamples() (t [256]int16) {
	for i := range t {
		c := byte(i) ^ alawToggle
		m := int16(c&0xf)<<4 + 8 // the middle of its interval
		if seg := c >> 4 & 7; seg > 0 {
			m = (m + 0x100) << (seg - 1)
		}
		t[i] = m
		if c&alawSign == 0 {
			t[i] = -m
		}
	}
	return t
}

// pairs is the code of one law for each code of the other.
func pairs(decode func([]int16, []byte), encode func([]byte, []int16)) (t [256]byte) {
	var sample [1]int16
	for i := range t {
		decode(sample[:], []byte{byte(i)})
		encode(t[i:], sample[:])
	}
	return t
}
