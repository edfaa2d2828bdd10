package pcm

import "encoding/binary"

// AppendBytes appends s to b as 16-bit little-endian samples: what applications
// and engines mean by linear16.
func AppendBytes(b []byte, s []int16) []byte {
	for _, v := range s {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// FromBytes is the samples of b, as AppendBytes writes them. A last byte without
// its other half is left out.
func FromBytes(b []byte) []int16 {
	s := make([]int16, len(b)/2)
	for i := range s {
		s[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return s
}
