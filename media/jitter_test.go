package media

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// arrival is a packet and when it comes, in ms.
type arrival struct {
	at      int
	seq, ts int64
	level   int16 // every sample; 0 with n 0 is comfort noise
	n       int   // samples
}

// hear plays the arrivals into a buffer that is pulled at 0, 20, … ms, after
// what came by then, and returns the first sample of every frame, decoded.
func hear(j *jitterBuffer, in []arrival, frames int) []int16 {
	var out []int16
	f := make(pcm.Frame, 160)
	for i := range frames {
		for len(in) > 0 && in[0].at <= i*20 {
			a := in[0]
			in = in[1:]
			if a.n == 0 {
				j.put(a.seq, a.ts, true, []byte{50})
				continue
			}
			b, s := make([]byte, a.n), make([]int16, a.n)
			for i := range s {
				s[i] = a.level
			}
			g711.EncodeULaw(b, s)
			j.put(a.seq, a.ts, false, b)
		}
		j.pull(f)
		out = append(out, f[0])
	}
	return out
}

// coded is v as it comes out of G.711.
func coded(v int16) int16 {
	b := make([]byte, 1)
	g711.EncodeULaw(b, []int16{v})
	s := make([]int16, 1)
	g711.DecodeULaw(s, b)
	return s[0]
}

func TestJitterBufferPlays(t *testing.T) {
	const a, b, c, d, e = 1000, 2000, 3000, 4000, 5000
	tests := []struct {
		name string
		in   []arrival
		want []int16
	}{
		{"in order, 40 ms behind", []arrival{
			{0, 1, 0, a, 160}, {20, 2, 160, b, 160}, {40, 3, 320, c, 160},
		}, []int16{0, 0, a, b, c}},
		{"two packets that changed places", []arrival{
			{0, 1, 0, a, 160}, {20, 3, 320, c, 160}, {40, 2, 160, b, 160}, {60, 4, 480, d, 160},
		}, []int16{0, 0, a, b, c, d}},
		{"a loss is drawn out", []arrival{
			{0, 1, 0, a, 160}, {40, 3, 320, c, 160},
		}, []int16{0, 0, a, a, c}},
		{"a longer one fades in 60 ms", []arrival{
			{0, 1, 0, 3 * a, 160},
		}, []int16{0, 0, 3 * a, 3 * a, 2 * a, a, 0, 0}},
		{"10 ms packets", []arrival{
			{0, 1, 0, a, 80}, {10, 2, 80, a, 80}, {20, 3, 160, b, 80}, {30, 4, 240, b, 80}, {40, 5, 320, c, 80}, {50, 6, 400, c, 80},
		}, []int16{0, 0, a, b, c}},
		{"30 ms packets", []arrival{
			{0, 1, 0, a, 240}, {30, 2, 240, b, 240}, {60, 3, 480, c, 240},
		}, []int16{0, 0, a, a, b, c}},
		{"60 ms packets", []arrival{
			{0, 1, 0, a, 480}, {60, 2, 480, b, 480},
		}, []int16{0, 0, a, a, a, b, b, b}},
		{"a packet 40 ms too late makes the rest later", []arrival{
			{0, 1, 0, 3 * a, 160}, {100, 2, 160, b, 160}, {101, 3, 320, c, 160}, {102, 4, 480, d, 160},
		}, []int16{0, 0, 3 * a, 3 * a, 2 * a, b, c, d}},
		{"a pause of the sender keeps its length", []arrival{
			{0, 1, 0, 3 * a, 160}, {140, 2, 1120, b, 160},
		}, []int16{0, 0, 3 * a, 3 * a, 2 * a, a, 0, 0, 0, b}},
		{"the timestamp jumps: joined on", []arrival{
			{0, 1, 0, a, 160}, {20, 2, 160, b, 160}, {40, 3, 5000000, c, 160}, {60, 4, 5000160, d, 160},
		}, []int16{0, 0, a, b, c, d}},
		{"the timestamp jumps back: joined on", []arrival{
			{0, 1, 5000000, a, 160}, {20, 2, 5000160, b, 160}, {40, 3, 0, c, 160}, {60, 4, 160, d, 160},
		}, []int16{0, 0, a, b, c, d}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := hear(newJitterBuffer(codecFor("PCMU")), tt.in, len(tt.want))
			for i := range got {
				if want := coded(tt.want[i]); math.Abs(float64(got[i]-want)) > 100 {
					t.Fatalf("frame %d is %d, want %d; all: %v, want %v", i, got[i], want, got, tt.want)
				}
			}
		})
	}
}

func TestJitterBufferCountsTheLate(t *testing.T) {
	j := newJitterBuffer(codecFor("PCMU"))
	hear(j, []arrival{{0, 1, 0, 1000, 160}, {40, 3, 320, 1000, 160}, {120, 2, 160, 1000, 160}}, 10)
	if j.late != 1 {
		t.Errorf("late %d, want 1", j.late)
	}
}

func TestComfortNoiseIsQuiet(t *testing.T) {
	j := newJitterBuffer(codecFor("PCMU"))
	in := []arrival{{0, 1, 0, 1000, 160}, {20, 2, 160, 0, 0}}
	hear(j, in, 5)
	f := make(pcm.Frame, 160)
	var all []int16
	for range 50 {
		j.pull(f)
		all = append(all, f...)
	}
	if got := pcm.Level(all); got < -52 || got > -48 {
		t.Errorf("noise at %.1f dBFS, want -50", got)
	}
	if j.concealed != 0 {
		t.Errorf("%d frames concealed in a pause with comfort noise", j.concealed)
	}
}

// A delay that a moment of jitter has caused goes away again, but never below
// what the network needs.
func TestDelayShrinksAgain(t *testing.T) {
	j := newJitterBuffer(codecFor("PCMU"))
	var in []arrival
	for i := range 2000 {
		a := arrival{20 * i, int64(i), int64(160 * i), 1000, 160}
		if i == 50 || i == 51 || i == 52 {
			a.at = 20*53 + 100 // a hiccup of 160 ms
		}
		in = append(in, a)
	}
	// What was held up comes in a bunch, before what was sent later.
	for i := 53; i < 58; i++ {
		in[i].at = max(in[i].at, in[52].at)
	}
	hear(j, in[:100], 100)
	grown := j.slack
	hear(j, in[100:], 2000)
	if grown < 5*160 {
		t.Errorf("after the hiccup packets come %d samples early, want at least 800", grown)
	}
	if j.slack < 2*160 || j.slack > 3*160 {
		t.Errorf("40 s later packets come %d samples early, want 320 to 480", j.slack)
	}
}

func TestDelayIsCapped(t *testing.T) {
	j := newJitterBuffer(codecFor("PCMU"))
	r := rand.New(rand.NewPCG(1, 2))
	f := make(pcm.Frame, 160)
	next := int64(0)
	for range 5000 {
		for range r.IntN(3) { // bunches and droughts, in the long run too fast
			j.put(next, next*160, false, make([]byte, 160))
			next++
		}
		j.pull(f)
		if j.slack > maxDelay*j.frame+160 && len(j.fifo) == 0 {
			// The packet just put was over the cap; it must have been cut.
			if ahead := j.reach - j.position(); ahead > (maxDelay+1)*j.frame {
				t.Fatalf("%d samples wait, more than 200 ms and a packet", ahead)
			}
		}
	}
}

// 5 % loss, 30 ms of jitter and 2 % duplicates: the sound keeps its length,
// and nearly all of it is heard.
func TestBadNetwork(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	j := newJitterBuffer(codecFor("PCMU"))
	const packets = 3000
	byFrame := make([][]int64, packets+20)
	for i := range int64(packets) {
		if r.IntN(100) < 5 {
			continue
		}
		copies := 1
		if r.IntN(100) < 2 {
			copies = 2
		}
		for range copies {
			at := (20*i + int64(r.IntN(31)) + 19) / 20
			byFrame[at] = append(byFrame[at], i)
		}
	}
	f := make(pcm.Frame, 160)
	heard, payload := 0, make([]byte, 160) // code 0 is the loudest
	for _, in := range byFrame {
		for _, i := range in {
			j.put(i, 160*i, false, payload)
		}
		j.pull(f)
		if f[0] < -30000 && f[159] < -30000 {
			heard++
		}
	}
	if share := float64(heard) / packets; share < 0.94 || share > 1.001 {
		t.Errorf("%.3f of the frames are loud, want 0.95 (the rest is faded concealment)", share)
	}
	if j.late > packets/100 {
		t.Errorf("%d packets came too late, want under 1 %%", j.late)
	}
}

// Whatever comes, the buffer keeps within its bounds and gives its frames.
func FuzzJitterBuffer(f *testing.F) {
	f.Add([]byte{1, 1, 160, 1, 1, 1, 160, 1, 2, 2, 160, 1, 0, 0, 160, 3})
	f.Add([]byte{1, 0, 0, 1, 1, 127, 160, 1, 1, 128, 80, 9, 200, 3, 240, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		j := newJitterBuffer(codecFor("PCMU"))
		frame, payload := make(pcm.Frame, 160), make([]byte, 1500)
		seq, ts := int64(1<<16), int64(1<<32)
		for ; len(b) >= 4; b = b[4:] {
			// Steps of the numbers, small ones and large ones of both signs.
			seq += int64(int8(b[0]))
			ts += int64(int8(b[1])) * 160
			if b[1]&0x3f == 0x3f {
				ts += int64(int8(b[1])) << 20
			}
			j.put(seq, ts, b[2] == 0, payload[:int(b[2])*4])
			for range b[3] % 16 {
				j.pull(frame)
			}
			if n := len(j.fifo); n >= 160+len(payload) {
				t.Fatalf("%d samples are decoded and wait", n)
			}
			if j.slack > restartGap*j.frame {
				t.Fatalf("a packet waits for %d samples", j.slack)
			}
			if d := j.reach - j.position(); d > restartGap*j.frame+int64(len(payload)) {
				t.Fatalf("%d samples wait", d)
			}
		}
	})
}
