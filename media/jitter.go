package media

import (
	"math"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// Limits of a jitter buffer, in frames of 20 ms. All else is in ticks of the
// RTP clock, unless it says samples.
const (
	startDelay  = 2   // waited before the first packet is played, and the least kept later
	maxDelay    = 10  // more than this is skipped
	fade        = 3   // how long a lost sound is drawn out
	restartGap  = 50  // a timestamp further ahead than this is a new time line
	adaptWindow = 100 // frames between two looks at whether the delay can shrink
)

// jitterBuffer puts packets back in order and turns them into one frame of
// sound per 20 ms. Where a packet is played is decided by its timestamp alone,
// so packets of any length and pauses of the sender keep their place in time.
// It starts 40 ms behind the first packet, falls back by whole frames when a
// packet comes too late, up to 200 ms, and creeps forward again by 20 ms every
// two seconds in which every packet had that to spare. What is missing is
// drawn out from the last sound for 60 ms, then silence; after a comfort noise
// packet (RFC 3389) it is noise instead.
type jitterBuffer struct {
	frame   int64 // ticks in 20 ms
	samples int64 // in a tick
	decode  func(dst []int16, src []byte)
	ring    [32]packet // by sequence number

	running bool
	splice  bool  // the next packet begins a new time line, to be joined to the old
	dseq    int64 // what the current time line is moved by
	dts     int64
	taken   int64 // sequence number of the last packet decoded
	highest int64 // the last received
	reach   int64 // the timestamp at which the highest ends

	fifo []int16 // decoded, not yet pulled
	end  int64   // the timestamp after the last sample of fifo

	slack       int64 // of the newest packet: how long before its time it came
	least, most int64 // of the packets of this window
	pulls       int   // in this window

	last    []int16 // the last frame of sound, for concealment
	missing int64   // samples concealed since
	noise   int32   // peak of the comfort noise, 0 without
	rand    uint32

	late      uint64 // packets that came after their time was over
	concealed uint64 // frames in which the last sound was drawn out
}

type packet struct {
	seq, ts int64
	full    bool
	noise   bool // comfort noise: the payload is its level
	payload []byte
}

func newJitterBuffer(c codec) *jitterBuffer {
	j := &jitterBuffer{frame: frameTicks, rand: 1}
	j.recode(c)
	return j
}

// position is the timestamp of the next sample to be pulled.
func (j *jitterBuffer) position() int64 { return j.end - int64(len(j.fifo))/j.samples }

// put takes a packet by its extended sequence number and timestamp. The
// payload is copied.
func (j *jitterBuffer) put(seq, ts int64, noise bool, payload []byte) {
	n := int64(len(payload))
	if noise {
		n = 0
	}
	if !j.running {
		j.running = true
		j.taken, j.highest = seq-1, seq-1
		j.end, j.reach = ts-startDelay*j.frame, ts
		j.least = math.MaxInt64
		j.missing = j.faded() // there is no sound yet to draw out
	}
	slack := ts + j.dts - j.position()
	if seq+j.dseq > j.highest && (slack < -maxDelay*j.frame || slack > restartGap*j.frame) {
		j.splice = true
	}
	if j.splice {
		j.splice = false
		// One number is left out: the join is concealed like a loss.
		j.dseq = j.highest + 2 - seq
		usual := min(max(j.slack, startDelay*j.frame), maxDelay*j.frame)
		j.dts = max(j.reach, j.position()+usual) - ts
	}
	seq, ts = seq+j.dseq, ts+j.dts
	slack = ts - j.position()
	if seq > j.highest {
		j.highest, j.reach, j.slack = seq, ts+n, slack
	}
	if slack < 0 {
		slack += j.fallBack(-slack)
	}
	if seq <= j.taken || slack < 0 && slack+n <= 0 {
		j.late++
		return
	}
	if over := slack - maxDelay*j.frame; over > 0 {
		j.end += over
		slack -= over
	}
	j.least, j.most = min(j.least, slack), max(j.most, slack)
	p := &j.ring[seq&int64(len(j.ring)-1)]
	p.seq, p.ts, p.full, p.noise = seq, ts, true, noise
	p.payload = append(p.payload[:0], payload...)
}

// fallBack makes the sound at least n samples later, in whole frames, as far
// as the cap allows, and returns by how much it did.
func (j *jitterBuffer) fallBack(n int64) int64 {
	n = (n + j.frame - 1) / j.frame * j.frame
	n = min(n, (maxDelay*j.frame-j.most)/j.frame*j.frame)
	if n <= 0 {
		return 0
	}
	j.end -= n
	j.least, j.most, j.pulls = math.MaxInt64, j.most+n, 0
	return n
}

// pull fills f with the next 20 ms.
func (j *jitterBuffer) pull(f pcm.Frame) {
	if !j.running {
		clear(f)
		return
	}
	for len(j.fifo) < len(f) {
		need := int64(len(f)-len(j.fifo)) / j.samples
		p := j.front()
		switch {
		case p == nil:
			j.fill(need)
		case p.ts > j.end:
			j.fill(min(need, p.ts-j.end))
		default:
			j.take(p)
		}
	}
	n := copy(f, j.fifo)
	j.fifo = j.fifo[:copy(j.fifo, j.fifo[n:])]
	if j.pulls++; j.pulls == adaptWindow {
		if j.least != math.MaxInt64 && j.least >= (startDelay+1)*j.frame {
			j.end += j.frame
			j.slack -= j.frame
		}
		j.least, j.most, j.pulls = math.MaxInt64, j.slack, 0
	}
}

// recode decodes by c from now on. What has come in the old coding and is not
// decoded yet is lost; what is decoded too, if c has another rate.
func (j *jitterBuffer) recode(c codec) {
	j.decode = c.decode
	for i := range j.ring {
		j.ring[i].full = false
	}
	if n := c.frame(); n != len(j.last) {
		if j.running {
			j.end = j.position()
		}
		j.samples = int64(c.samples())
		j.fifo, j.last = make([]int16, 0, 2*n), make([]int16, n)
		j.missing = j.faded()
	}
}

// faded is how many samples are concealed until there is silence.
func (j *jitterBuffer) faded() int64 { return fade * int64(len(j.last)) }

// reset forgets what came and begins anew with the next packet. The counts
// stay.
func (j *jitterBuffer) reset() {
	if !j.running {
		return
	}
	for i := range j.ring {
		j.ring[i].full = false
	}
	j.running, j.splice, j.dseq, j.dts = false, false, 0, 0
	j.slack, j.most, j.pulls, j.noise = 0, 0, 0, 0
	j.fifo = j.fifo[:0]
}

// front is the packet with the lowest sequence number that is still to be
// decoded, nil without one.
func (j *jitterBuffer) front() *packet {
	n := int64(len(j.ring))
	for seq := max(j.taken+1, j.highest-n+1); seq <= j.highest; seq++ {
		if p := &j.ring[seq&(n-1)]; p.full && p.seq == seq {
			return p
		}
	}
	return nil
}

// take decodes p, less what its time is over for.
func (j *jitterBuffer) take(p *packet) {
	j.taken, p.full = p.seq, false
	if p.noise {
		j.noise = noisePeak(p.payload)
		return
	}
	j.noise = 0
	gone := j.end - p.ts
	if gone >= int64(len(p.payload)) {
		return
	}
	out := j.grow(int64(len(p.payload)) - gone)
	j.decode(out, p.payload[gone:])
	n := min(len(out), len(j.last))
	copy(j.last, j.last[n:])
	copy(j.last[len(j.last)-n:], out[len(out)-n:])
	j.missing = 0
}

// fill adds n ticks of what is heard when there is no packet.
func (j *jitterBuffer) fill(n int64) {
	out := j.grow(n)
	if j.noise > 0 {
		for i := range out {
			j.rand = j.rand*1664525 + 1013904223
			out[i] = int16(int32(j.rand>>16)%(2*j.noise+1) - j.noise)
		}
		return
	}
	length := j.faded()
	if j.missing < length {
		j.concealed++
	}
	for i := range out {
		var v int16
		if j.missing < length {
			v = int16(int64(j.last[j.missing%int64(len(j.last))]) * (length - j.missing) / length)
			j.missing++
		}
		out[i] = v
	}
}

// grow makes the fifo n ticks longer and returns the new samples.
func (j *jitterBuffer) grow(n int64) []int16 {
	old := len(j.fifo)
	need := old + int(n*j.samples)
	if need > cap(j.fifo) {
		j.fifo = append(make([]int16, 0, need), j.fifo...)
	}
	j.fifo = j.fifo[:need]
	j.end += n
	return j.fifo[old:]
}

// noisePeak turns the level of a comfort noise packet, in -dBov (RFC 3389
// section 3), into the peak of white noise that is no louder than -40 dBov.
func noisePeak(payload []byte) int32 {
	level := 60.0
	if len(payload) > 0 {
		level = max(40, float64(payload[0]&0x7f))
	}
	return 1 + int32(math.MaxInt16*math.Sqrt(3)*math.Pow(10, -level/20))
}
