package media

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtp"
)

// ev is a telephone-event packet: key, marker, end, timestamp, duration.
type ev struct {
	key      byte
	m, e     bool
	ts       uint32
	duration uint16
}

func (v ev) read(x *events) string {
	code := byte(strings.IndexByte(eventDigits+"F", v.key)) // F: the hook flash
	b := []byte{code, 10, byte(v.duration >> 8), byte(v.duration)}
	if v.e {
		b[1] |= 0x80
	}
	if d, ok := x.read(&rtp.Header{Marker: v.m, Timestamp: v.ts, SSRC: 1}, b); ok {
		return string(d)
	}
	return ""
}

func TestEventsAreOneKeyEach(t *testing.T) {
	const M, E = true, true
	tests := []struct {
		name string
		in   []ev
		want string
	}{
		{"a press as it should be", []ev{
			{'5', M, false, 1000, 160}, {'5', false, false, 1000, 320}, {'5', false, false, 1000, 480},
			{'5', false, E, 1000, 640}, {'5', false, E, 1000, 640}, {'5', false, E, 1000, 640}}, "5"},
		{"no marker anywhere", []ev{{'5', false, false, 1000, 160}, {'5', false, E, 1000, 640}}, "5"},
		{"only an end packet arrives", []ev{{'5', false, E, 1000, 640}}, "5"},
		{"the end packets are lost", []ev{
			{'5', M, false, 1000, 160}, {'6', M, false, 3000, 160}, {'7', M, false, 5000, 160}}, "567"},
		{"the same key quickly", []ev{
			{'5', M, false, 1000, 160}, {'5', false, E, 1000, 320}, {'5', M, false, 1640, 160}, {'5', false, E, 1640, 320}}, "55"},
		{"the same key quickly, ends and markers lost", []ev{
			{'5', false, false, 1000, 160}, {'5', false, false, 1640, 160}}, "55"},
		{"doubled and out of order", []ev{
			{'5', false, E, 1000, 320}, {'5', M, false, 1000, 160}, {'5', M, false, 1000, 160}, {'5', false, E, 1000, 320}}, "5"},
		{"a straggler of the key before", []ev{
			{'5', M, false, 1000, 160}, {'6', M, false, 2280, 160}, {'5', false, E, 1000, 800}, {'6', false, E, 2280, 800}}, "56"},
		{"a straggler that is all there is of its key", []ev{
			{'6', M, false, 2280, 160}, {'5', false, E, 1000, 800}}, "65"},
		{"a straggler from seconds ago", []ev{
			{'6', M, false, 32280, 160}, {'5', false, E, 1000, 800}}, "6"},
		{"the marker on every packet", []ev{
			{'5', M, false, 1000, 160}, {'5', M, false, 1000, 320}, {'5', M, E, 1000, 480}}, "5"},
		{"a timestamp that moves with every packet", []ev{
			{'5', M, false, 1000, 160}, {'5', false, false, 1160, 320}, {'5', false, false, 1320, 480}, {'5', false, E, 1480, 640}}, "5"},
		{"longer than the duration field", []ev{
			{'5', M, false, 1000, 160}, {'5', false, false, 1000, 65535}, {'5', false, false, 66535, 160}, {'5', false, E, 66535, 800}}, "5"},
		{"longer than the duration field, the packets between lost", []ev{
			{'5', M, false, 1000, 160}, {'5', false, false, 66535, 160}, {'5', false, E, 66535, 800}}, "5"},
		{"two keys that overlap", []ev{
			{'5', M, false, 1000, 800}, {'6', M, false, 1400, 160}, {'5', false, E, 1000, 1600}, {'6', false, E, 1400, 800}}, "56"},
		{"the timestamp wraps", []ev{
			{'5', M, false, 1<<32 - 800, 160}, {'5', false, E, 1<<32 - 800, 800}, {'5', M, false, 480, 160}}, "55"},
		{"the timestamp begins anew", []ev{
			{'5', M, false, 900000, 160}, {'6', M, false, 1000, 160}}, "56"},
		{"every key there is", []ev{
			{'0', M, E, 0, 800}, {'9', M, E, 2000, 800}, {'*', M, E, 4000, 800}, {'#', M, E, 6000, 800},
			{'A', M, E, 8000, 800}, {'D', M, E, 10000, 800}}, "09*#AD"},
		{"the flash of the hook is no key", []ev{{'F', M, E, 0, 800}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var x events
			got := ""
			for _, v := range tt.in {
				got += v.read(&x)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEventsOnABadNetwork(t *testing.T) {
	for _, loss := range []int{0, 5, 20} {
		r := rand.New(rand.NewPCG(uint64(loss), 9))
		for round := range 200 {
			var want []byte
			type packet struct {
				at int
				ev
			}
			var in []packet
			ts, at := r.Uint32(), 0
			for range 20 {
				key := eventDigits[r.IntN(16)]
				want = append(want, key)
				for i := range 7 { // 100 ms of tone, and the end three times
					p := packet{at + 20*i, ev{key, i == 0, i >= 4, ts, uint16(160 * min(i+1, 5))}}
					for range 1 + r.IntN(50)/49 {
						if r.IntN(100) >= loss {
							p := p
							p.at += r.IntN(31)
							in = append(in, p)
						}
					}
				}
				ts, at = ts+160*8, at+160
			}
			slices.SortStableFunc(in, func(a, b packet) int { return a.at - b.at })
			var x events
			got := ""
			for _, p := range in {
				got += p.read(&x)
			}
			if got != string(want) {
				t.Fatalf("%d %% loss, round %d: got %s, want %s", loss, round, got, want)
			}
		}
	}
}

// A packet that has been read never brings a key again.
func FuzzEvents(f *testing.F) {
	f.Add([]byte{5, 10, 0, 160, 0, 5, 0x8a, 3, 32, 0, 6, 10, 0, 160, 9})
	f.Add([]byte{5, 10, 255, 255, 0, 5, 10, 0, 160, 255, 5, 10, 0, 160, 128})
	f.Fuzz(func(t *testing.T, b []byte) {
		var x events
		ts := uint32(0)
		for ; len(b) >= 5; b = b[5:] {
			ts += uint32(int8(b[4])) * 515
			h := rtp.Header{Marker: b[1]&1 != 0, Timestamp: ts}
			d, ok := x.read(&h, b[:4])
			if ok && !strings.ContainsRune(eventDigits, d) {
				t.Fatalf("%q is no key", d)
			}
			if d, ok := x.read(&h, b[:4]); ok {
				t.Fatalf("the same packet brought %q again", d)
			}
		}
	})
}
