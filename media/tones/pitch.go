package tones

import "math"

// pitches are the two, in radians a sample, that explain the sound best; 0 is
// none.
func (d *Detector) pitches(power float64) (w1, w2 float64) {
	// Of five samples in a row: the outer two, the inner two, the middle one,
	// scaled so that noise is as strong in each.
	var oo, oi, om, ii, im, mm float64
	k := d.stride(power)
	s0, s1, s2, s3, s4 := d.sound[4*k:], d.sound[3*k:], d.sound[2*k:], d.sound[k:], d.sound
	for i, v := range s0 {
		outer, inner, middle := v+s4[i], s1[i]+s3[i], s2[i]
		oo += outer * outer
		oi += outer * inner
		om += outer * middle
		ii += inner * inner
		im += inner * middle
		mm += middle * middle
	}
	oo, oi, ii = oo/2, oi/2, ii/2
	om, im = om*math.Sqrt2/2, im*math.Sqrt2/2
	e := weakest(symmetric{oo, oi, om, ii, im, mm})
	// e0(y² - 2) + e1·y + √2·e2 = 0, where y is 2 cos w.
	a, b, c := e[0], e[1], math.Sqrt2*e[2]-2*e[0]
	if math.Abs(a) < 1e-9*math.Abs(b) {
		return angle(-c/b) / float64(k), 0
	}
	root := math.Sqrt(max(0, b*b-4*a*c))
	return angle((-b+root)/(2*a)) / float64(k), angle((-b-root)/(2*a)) / float64(k)
}

// stride is how far apart the five samples are. Two low pitches, such as 440
// and 480 Hz, hardly differ within half a millisecond; high ones must not be
// taken for low ones.
func (d *Detector) stride(power float64) int {
	next := 0.0
	for i, v := range d.sound[1:] {
		next += v * d.sound[i]
	}
	// The mean of cos w over the sound.
	switch mean := next / power; {
	case mean > math.Cos(2*math.Pi*700/d.rate):
		return 4
	case mean > math.Cos(2*math.Pi*1450/d.rate):
		return 2
	}
	return 1
}

// angle is w of 2 cos w, 0 when there is none.
func angle(y float64) float64 {
	if !(y > -2 && y < 2) {
		return 0
	}
	return math.Acos(y / 2)
}

// symmetric is a 3×3 matrix by rows, from the diagonal on.
type symmetric [6]float64

// weakest is the eigenvector of the smallest eigenvalue of m, which has none
// below 0; its length means nothing.
func weakest(m symmetric) [3]float64 {
	// The adjugate has the same eigenvectors, the weakest being its strongest;
	// squares of it leave that one alone.
	m = adjugate(m)
	for range 4 {
		m = square(m)
	}
	rows := [3][3]float64{{m[0], m[1], m[2]}, {m[1], m[3], m[4]}, {m[2], m[4], m[5]}}
	best := rows[0]
	if m[3] > m[0] && m[3] >= m[5] {
		best = rows[1]
	} else if m[5] > m[0] {
		best = rows[2]
	}
	return best
}

func adjugate(m symmetric) symmetric {
	a, b, c, d, e, f := m[0], m[1], m[2], m[3], m[4], m[5]
	return symmetric{d*f - e*e, c*e - b*f, b*e - c*d, a*f - c*c, b*c - a*e, a*d - b*b}.scaled()
}

func square(m symmetric) symmetric {
	a, b, c, d, e, f := m[0], m[1], m[2], m[3], m[4], m[5]
	return symmetric{
		a*a + b*b + c*c, a*b + b*d + c*e, a*c + b*e + c*f,
		b*b + d*d + e*e, b*c + d*e + e*f, c*c + e*e + f*f,
	}.scaled()
}

// scaled is m with a trace of 1.
func (m symmetric) scaled() symmetric {
	trace := m[0] + m[3] + m[5]
	if !(trace > 0) {
		return m
	}
	for i := range m {
		m[i] /= trace
	}
	return m
}

// part is a sound at one pitch: its product with the cosine and the sine of
// that, which are even and odd around the middle of the sound, so that they do
// not share power.
type part struct{ cos, sin float64 }

// at is the sound's part at w, by Goertzel's filter.
func (d *Detector) at(w float64) part {
	if w == 0 {
		return part{}
	}
	k := 2 * math.Cos(w)
	var s1, s2 float64
	for _, v := range d.sound {
		s1, s2 = v+k*s1-s2, s1
	}
	// s1 - s2·exp(-iw) is the sum of v[n]·exp(iw(last-n)).
	sin, cos := math.Sincos(w)
	re, im := s1-s2*cos, s2*sin
	last, middle := float64(len(d.sound)-1), float64(len(d.sound)-1)/2
	sin, cos = math.Sincos(w * (last - middle))
	return part{cos: re*cos + im*sin, sin: im*cos - re*sin}
}

// alone is the power of x when nothing else is there, in n samples.
func (x part) alone(w, n float64) float64 {
	if w == 0 {
		return 0
	}
	d := kernel(2*w, n)
	return 2 * (x.cos*x.cos/(n+d) + x.sin*x.sin/(n-d))
}

// pair is the power of both parts together, since two close pitches overlap in
// 20 ms; that of x when they are too close to be told apart.
func (x part) pair(y part, w1, w2, n float64) float64 {
	apart, sum := kernel(w1-w2, n), kernel(w1+w2, n)
	d1, d2 := kernel(2*w1, n), kernel(2*w2, n)
	even, ok1 := fit(x.cos, y.cos, (n+d1)/2, (n+d2)/2, (apart+sum)/2)
	odd, ok2 := fit(x.sin, y.sin, (n-d1)/2, (n-d2)/2, (apart-sum)/2)
	if w1 == 0 || w2 == 0 || !ok1 || !ok2 {
		return x.alone(w1, n)
	}
	return even + odd
}

// fit is the power that two overlapping waves explain, whose products with the
// sound are x and y: xx and yy are the powers of the waves and xy what they
// share. ok is false when they are too much alike.
func fit(x, y, xx, yy, xy float64) (power float64, ok bool) {
	det := xx*yy - xy*xy
	if det < 1e-4*xx*yy {
		return 0, false
	}
	return (x*x*yy - 2*x*y*xy + y*y*xx) / det, true
}

// kernel is the sum of cos(w·m) over n places around the middle.
func kernel(w, n float64) float64 {
	half := math.Sin(w / 2)
	if math.Abs(half) < 1e-9 {
		return n
	}
	return math.Sin(n*w/2) / half
}
