package media

import "time"

// Limits of RFC 3550 appendix A.1.
const (
	maxDropout  = 3000 // numbers a packet may be ahead
	maxMisorder = 100  // or behind before it is taken for a restart
)

// reception is what is known of the source that a stream hears (RFC 3550
// appendix A): which packets came, which are missing, and how evenly.
type reception struct {
	ssrc    uint32
	known   bool
	base    int64 // extended sequence number of the first packet
	highest int64
	seen    uint64 // bit i: packet highest-i came
	ts      int64  // extended timestamp of the last packet
	next    uint16 // after a jump, the number that would confirm it
	jumped  bool

	received, duplicate uint64
	transit             int64
	timed               bool
	jitter              float64 // RTP clock ticks

	priorExpected, priorReceived int64
}

// verdict says what to do with a packet.
type verdict int

const (
	fresh     verdict = iota
	again             // a duplicate
	restarted         // fresh, but its numbers do not follow on from those before
	doubtful          // a jump that the next packet must confirm
)

// note counts a packet of the source and returns its extended sequence number
// and timestamp.
func (r *reception) note(seq uint16, ts uint32) (int64, int64, verdict) {
	if !r.known {
		r.begin(seq, ts)
		return r.highest, r.ts, fresh
	}
	ext := r.highest + int64(int16(seq-uint16(r.highest)))
	ahead := ext - r.highest
	if ahead > maxDropout || ahead < -maxMisorder {
		if !r.jumped || seq != r.next {
			r.jumped, r.next = true, seq+1
			return 0, 0, doubtful
		}
		r.begin(seq, ts)
		return r.highest, r.ts, restarted
	}
	r.jumped = false
	extTS := r.ts + int64(int32(ts-uint32(r.ts)))
	switch {
	case ahead > 0:
		r.seen = r.seen<<min(uint(ahead), 63) | 1
		if ahead > 63 {
			r.seen = 1
		}
		r.highest, r.ts = ext, extTS
	case ahead > -64:
		bit := uint64(1) << uint(-ahead)
		if r.seen&bit != 0 {
			r.duplicate++
			return ext, extTS, again
		}
		r.seen |= bit
	}
	r.received++
	return ext, extTS, fresh
}

// begin starts the count anew at a packet. Losses from before are forgotten.
func (r *reception) begin(seq uint16, ts uint32) {
	duplicate := r.duplicate
	*r = reception{ssrc: r.ssrc, known: true, duplicate: duplicate}
	r.base, r.highest, r.seen, r.received = 1<<16+int64(seq), 1<<16+int64(seq), 1, 1
	r.ts = 1<<32 + int64(ts)
}

// time notes when a packet of sound came, for the interarrival jitter of RFC
// 3550 appendix A.8. Both are in ticks of the RTP clock.
func (r *reception) time(arrival, ts int64) {
	transit := arrival - ts
	if r.timed {
		d := max(transit-r.transit, r.transit-transit)
		r.jitter += (float64(d) - r.jitter) / 16
	}
	r.transit, r.timed = transit, true
}

// lost is how many packets are missing since the source was first heard.
func (r *reception) lost() int64 {
	if !r.known {
		return 0
	}
	return max(0, r.highest-r.base+1-int64(r.received))
}

// fractionLost is the share of packets lost since the last call, in 1/256.
func (r *reception) fractionLost() uint8 {
	if !r.known {
		return 0
	}
	expected := r.highest - r.base + 1 - r.priorExpected
	received := int64(r.received) - r.priorReceived
	r.priorExpected += expected
	r.priorReceived += received
	if expected <= 0 || received >= expected {
		return 0
	}
	return uint8(min(255, (expected-received)<<8/expected))
}

// ticks is a duration on a clock of rate Hz.
func ticks(d time.Duration, rate int) int64 {
	return int64(d/time.Millisecond)*int64(rate)/1000 + int64(d%time.Millisecond)*int64(rate)/int64(time.Second)
}

// ticksTime is the inverse of [ticks].
func ticksTime(n float64, rate int) time.Duration {
	return time.Duration(n * float64(time.Second) / float64(rate))
}
