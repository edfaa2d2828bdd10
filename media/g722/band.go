package g722

// band is what both sides know of one of the two bands: what the next sample
// is expected to be, and how far off it may be (section 3.5 and 3.6). All
// numbers are 16-bit fractions, as in the standard, so that both sides come to
// the same bit.
type band struct {
	s, sz  int32 // expected: in all, and by the zeros of the predictor
	a1, a2 int32 // its poles
	b      [6]int32
	r1, r2 int32    // the last two samples, doubled
	p1, p2 int32    // the last two without the poles' share
	d      [6]int32 // the last six differences, doubled
	log    int32    // of the step, in 1/2048 of a factor of two
	step   int32
}

func newLow() band  { return band{step: 32} }
func newHigh() band { return band{step: 8} }

// adaptLow goes on by a sample of the lower band. Only the upper four bits of
// its code count, so that the lower two may be lost.
func (b *band) adaptLow(code int) {
	code >>= 2
	b.adapt(b.step * levels4[code] >> 15)
	b.log = min(max(b.log*127>>7+growth4[code], 0), 18432)
	b.step = scale(b.log, 8)
}

// adaptHigh is adaptLow for the upper band.
func (b *band) adaptHigh(code int) {
	b.adapt(b.step * levels2[code] >> 15)
	b.log = min(max(b.log*127>>7+growth2[code], 0), 22528)
	b.step = scale(b.log, 10)
}

// scale is the step of a logarithm: 2 to the power of log/2048, in units that
// the shift gives.
func scale(log, shift int32) int32 {
	return powers[log>>6&31] << 1 >> (shift + 1 - log>>11) << 2
}

// adapt goes on by a difference: the predictor is corrected towards it, and
// foretells the next sample.
func (b *band) adapt(d int32) {
	r, p := saturate(b.s+d), saturate(b.sz+d)

	// Section 3.6.3, the poles: whether the last signs were the same.
	a1, a2 := b.a1*32640>>15, b.a2*32512>>15
	pull := saturate(4 * b.a1)
	if sameSign(p, b.p1) {
		a1 += 192
		pull = min(-pull, 32767)
	} else {
		a1 -= 192
	}
	a2 += pull >> 7
	if sameSign(p, b.p2) {
		a2 += 128
	} else {
		a2 -= 128
	}
	a2 = min(max(a2, -12288), 12288)
	most := 15360 - a2
	a1 = min(max(a1, -most), most)

	// Section 3.6.4, the zeros, and what they expect next.
	var push int32
	if d != 0 {
		push = 128
	}
	sz := int32(0)
	newest := saturate(2 * d)
	for i := 5; i >= 0; i-- {
		differ := (b.d[i] ^ d) >> 31 // -1 if the signs do
		b.b[i] = b.b[i]*32640>>15 + (push ^ differ - differ)
		if i > 0 {
			b.d[i] = b.d[i-1]
		} else {
			b.d[i] = newest
		}
		sz += b.b[i] * b.d[i] >> 15
	}

	b.a1, b.a2 = a1, a2
	b.p1, b.p2 = p, b.p1
	b.r1, b.r2 = saturate(2*r), b.r1
	b.sz = saturate(sz)
	b.s = saturate(saturate(a1*b.r1>>15+a2*b.r2>>15) + b.sz)
}

// sameSign counts zero as positive.
func sameSign(a, b int32) bool { return a^b >= 0 }

// The tables of the standard: the filter (table 11), the decision levels of
// the lower band (table 14), the sizes that codes stand for (tables 15 to 18),
// by how much a code makes the logarithm of the step grow, and the powers of
// two in 32 steps.
var (
	mirror = [12]int32{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

	decisions = [30]int32{
		0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650,
		714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
	}

	levels6 = [64]int32{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	levels4 = [16]int32{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
		20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}
	levels2 = [4]int32{-7408, -1616, 7408, 1616}

	growth4 = [16]int32{
		-60, 3042, 1198, 538, 334, 172, 58, -30,
		3042, 1198, 538, 334, 172, 58, -30, -60,
	}
	growth2 = [4]int32{798, -214, 798, -214}

	powers = [32]int32{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
)
