package pcm

import (
	"math"
	"sync"
)

const (
	tapsPerSide = 24   // zero crossings each side of the filter, counted at the lower rate
	cutoff      = 0.92 // of the lower Nyquist frequency
	kaiserBeta  = 8    // stop band about 80 dB down
	maxPhases   = 1024 // of one table; rarer ratios are rounded to fit, by less than 0.1 %
	chunk       = 512  // input samples taken into the window at a time
)

// Resampler turns a stream of samples at one rate into a stream at another,
// by a polyphase windowed-sinc filter: flat to 3.4 kHz and 80 dB down from
// 4.2 kHz on for telephone rates. It delays the stream by 24 samples of the
// lower rate, 3 ms at 8 kHz. A Resampler serves one goroutine.
type Resampler struct {
	t   *table
	win []float32 // the last taps-1 input samples, then those not yet used
	n   int       // samples in win
	pos int       // index in win of the next output's newest input sample
	ph  int       // phase of the next output, 0 to up-1
}

// NewResampler returns a resampler from one rate to another, both in Hz and
// above 0. The tables of the usual rates are made once and shared.
func NewResampler(from, to int) *Resampler {
	up, down := ratio(max(from, 1), max(to, 1))
	t := tableFor(up, down)
	return &Resampler{
		t:   t,
		win: make([]float32, t.taps-1+chunk),
		n:   t.taps - 1,
		pos: t.taps - 1,
	}
}

// Resample appends what src becomes to dst and returns it. Over the life of
// the stream n input samples give n·to/from output samples, rounded up, so a
// 20 ms frame always gives a 20 ms frame. It does not allocate when dst has
// room.
func (r *Resampler) Resample(dst, src []int16) []int16 {
	t := r.t
	if t.up == t.down {
		return append(dst, src...)
	}
	for len(src) > 0 {
		n := min(len(src), len(r.win)-r.n)
		for i, s := range src[:n] {
			r.win[r.n+i] = float32(s)
		}
		r.n += n
		src = src[n:]
		for r.pos < r.n {
			dst = append(dst, t.at(r.ph, r.win[r.pos+1-t.taps:r.pos+1]))
			r.ph += t.down
			r.pos += r.ph / t.up
			r.ph %= t.up
		}
		used := r.pos + 1 - t.taps
		copy(r.win, r.win[used:r.n])
		r.n -= used
		r.pos -= used
	}
	return dst
}

// prime puts samples into the window without taking any output for them.
func (r *Resampler) prime(s []int16) {
	copy(r.win, r.win[len(s):r.n])
	for i, v := range s {
		r.win[r.n-len(s)+i] = float32(v)
	}
}

// outputs is the number of samples that n input samples give.
func (r *Resampler) outputs(n int) int { return (n*r.t.up + r.t.down - 1) / r.t.down }

// table is the filter for one ratio: up rows of taps coefficients.
type table struct {
	up, down, taps int
	rows           []float32
}

func (t *table) at(phase int, in []float32) int16 {
	row := t.rows[phase*t.taps : (phase+1)*t.taps]
	in = in[:len(row)]
	// Four sums, so that each addition need not wait for the one before;
	// taps is a multiple of 4.
	var a, b, c, d float32
	for len(row) >= 4 && len(in) >= 4 {
		a += row[0] * in[0]
		b += row[1] * in[1]
		c += row[2] * in[2]
		d += row[3] * in[3]
		row, in = row[4:], in[4:]
	}
	v := a + b + c + d
	switch {
	case v >= math.MaxInt16:
		return math.MaxInt16
	case v <= math.MinInt16:
		return math.MinInt16
	case v < 0:
		return int16(v - 0.5)
	}
	return int16(v + 0.5)
}

// usualRates are those whose tables are kept. Rates come from files of
// strangers, so keeping every table would let them fill the memory.
var usualRates = [...]int{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}

var usualTables = sync.OnceValue(func() map[[2]int]func() *table {
	m := make(map[[2]int]func() *table)
	for _, from := range usualRates {
		for _, to := range usualRates {
			up, down := ratio(from, to)
			m[[2]int{up, down}] = sync.OnceValue(func() *table { return newTable(up, down) })
		}
	}
	return m
})

func tableFor(up, down int) *table {
	if t, ok := usualTables()[[2]int{up, down}]; ok {
		return t()
	}
	return newTable(up, down)
}

// newTable samples the windowed sinc at up places between two input samples.
func newTable(up, down int) *table {
	t := &table{up: up, down: down}
	if up == down {
		return t
	}
	// In units of input samples: the lower rate is that of the input (1) or
	// of the output (up/down).
	lower := min(1, float64(up)/float64(down))
	half := int(math.Ceil(tapsPerSide / lower))
	half += half % 2 // taps is a multiple of 4
	t.taps = 2 * half
	t.rows = make([]float32, up*t.taps)
	row := make([]float64, t.taps)
	for p := range up {
		sum := 0.0
		for i := range row {
			// Distance of input i from the output's place, input half-1 being
			// the last one before it.
			x := float64(i-half+1) - float64(p)/float64(up)
			row[i] = sinc(x*cutoff*lower) * kaiser(x*lower/tapsPerSide)
			sum += row[i]
		}
		for i, v := range row { // unity gain for every phase: no ripple on a steady level
			t.rows[p*t.taps+i] = float32(v / sum)
		}
	}
	return t
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the window at x, from -1 to 1, and 0 outside.
func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel0(kaiserBeta*math.Sqrt(1-x*x)) / bessel0(kaiserBeta)
}

// bessel0 is the modified Bessel function of the first kind and order 0, by
// its power series.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

// ratio is to/from in lowest terms, or the nearest fraction with a numerator
// of at most maxPhases.
func ratio(from, to int) (up, down int) {
	if g := gcd(from, to); to/g <= maxPhases {
		return to / g, from / g
	}
	// The convergents of the continued fraction of to/from, each nearer than
	// the one before.
	up, down = 1, 0
	lastUp, lastDown := 0, 1
	for n, d := to, from; d != 0; n, d = d, n%d {
		nextUp, nextDown := n/d*up+lastUp, n/d*down+lastDown
		if nextUp > maxPhases && down != 0 {
			break
		}
		lastUp, lastDown, up, down = up, down, nextUp, nextDown
	}
	return up, down
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
