// Package g722 codes wideband speech at 64 kbit/s (ITU-T G.722 mode 1): a byte
// for each two samples at 16 kHz, so 160 bytes in 20 ms. Nothing in it
// allocates once a coder is made.
//
// A filter bank cuts the sound into two bands of 4 kHz, and each is coded as
// the difference from what was to be expected: 6 bits a sample for the lower
// band, 2 for the upper.
package g722

// Rate is that of the samples in Hz. The RTP clock of G.722 runs at 8000 all
// the same (RFC 3551 section 4.5.2).
const Rate = 16000

// Encoder codes one stream of sound: what it writes depends on what came
// before. It serves one goroutine.
type Encoder struct {
	low, high band
	x         [24]int32 // samples of the filter bank, oldest first
}

// NewEncoder makes an encoder at the start of a stream.
func NewEncoder() *Encoder { return &Encoder{low: newLow(), high: newHigh()} }

// Encode writes the codes of src to dst, which must be half as long, and
// returns how many there are. An odd last sample is left out.
func (e *Encoder) Encode(dst []byte, src []int16) int {
	dst = dst[:len(src)/2]
	for i := range dst {
		copy(e.x[:22], e.x[2:])
		e.x[22], e.x[23] = int32(src[2*i]), int32(src[2*i+1])
		odd, even := filter(&e.x)
		low := quantizeLow((even+odd)>>14-e.low.s, e.low.step)
		high := quantizeHigh((even-odd)>>14-e.high.s, e.high.step)
		e.low.adaptLow(low)
		e.high.adaptHigh(high)
		dst[i] = byte(high<<6 | low)
	}
	return len(dst)
}

// Decoder decodes one stream. It serves one goroutine.
type Decoder struct {
	low, high band
	x         [24]int32
}

// NewDecoder makes a decoder at the start of a stream.
func NewDecoder() *Decoder { return &Decoder{low: newLow(), high: newHigh()} }

// Decode writes the samples of src to dst, which must be twice as long, and
// returns how many there are.
func (d *Decoder) Decode(dst []int16, src []byte) int {
	dst = dst[:2*len(src)]
	for i, code := range src {
		low, high := int(code&63), int(code>>6)
		l := limit(d.low.s+d.low.step*levels6[low]>>15, 1<<14)
		h := limit(d.high.s+d.high.step*levels2[high]>>15, 1<<14)
		d.low.adaptLow(low)
		d.high.adaptHigh(high)
		copy(d.x[:22], d.x[2:])
		d.x[22], d.x[23] = l+h, l-h
		odd, even := filter(&d.x)
		dst[2*i], dst[2*i+1] = int16(saturate(even>>11)), int16(saturate(odd>>11))
	}
	return len(dst)
}

// filter is the quadrature mirror filter over 24 samples (section 3.1 and
// table 11): the sums of every other one.
func filter(x *[24]int32) (odd, even int32) {
	for i, c := range mirror {
		odd += x[2*i] * c
		even += x[2*i+1] * mirror[11-i]
	}
	return odd, even
}

// quantizeLow is the 6-bit code of a difference in the lower band (section
// 3.3): the first of the decision levels that its size stays below.
func quantizeLow(diff, step int32) int {
	diff = saturate(diff)
	size := diff ^ diff>>31
	below, above := 0, 30 // it lies between these decision levels
	for above-below > 1 {
		if i := (below + above) / 2; size < decisions[i]*step>>12 {
			above = i
		} else {
			below = i
		}
	}
	switch {
	case diff >= 0:
		return 62 - above
	case above < 3:
		return 64 - above
	}
	return 34 - above
}

// quantizeHigh is the 2-bit code of a difference in the upper band.
func quantizeHigh(diff, step int32) int {
	diff = saturate(diff)
	code := 1
	if diff>>31^diff >= 564*step>>12 {
		code = 0
	}
	if diff >= 0 {
		code += 2
	}
	return code
}

// saturate keeps v within 16 bits.
func saturate(v int32) int32 { return limit(v, 1<<15) }

func limit(v, n int32) int32 { return min(max(v, -n), n-1) }
