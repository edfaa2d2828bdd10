package pcm

import "math"

// Level is the loudness of s as RMS in dB below full scale: 0 for a square
// wave at the limits, -3 for a sine at the limits, -Inf for digital silence
// and for no samples.
func Level(s []int16) float64 {
	if len(s) == 0 {
		return math.Inf(-1)
	}
	return 10 * math.Log10(energy(s)/float64(len(s))/(32768*32768))
}

// Share is the part of the energy of s, 0 to 1, that lies at hz: 1 for a pure
// tone, about half for one of two equal tones. It is Goertzel's filter over
// all of s, so its resolution is rate/len(s) Hz. Silence has a share of 0.
func Share(s []int16, rate int, hz float64) float64 {
	total := energy(s)
	if total == 0 || rate <= 0 {
		return 0
	}
	w := 2 * math.Pi * hz / float64(rate)
	k := 2 * math.Cos(w)
	var s1, s2 float64
	for _, v := range s {
		s1, s2 = float64(v)+k*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - k*s1*s2
	return min(1, max(0, 2*power/(float64(len(s))*total)))
}

func energy(s []int16) float64 {
	sum := 0.0
	for _, v := range s {
		sum += float64(v) * float64(v)
	}
	return sum
}
