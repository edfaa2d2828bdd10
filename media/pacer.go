package media

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// settle is waited between finding that a tick has come and sending its
// frames. In virtual time all that is due at the same instant happens first,
// so that a Play that ends at a tick and one that begins at it follow each
// other without a gap; on a real clock it costs one turn of the scheduler.
const settle = time.Nanosecond

// PacerConfig says how a [Pacer] works. The zero value is right for a server.
type PacerConfig struct {
	// Poll is how often the wires are drained: 20 ms divided by a whole
	// number, 2.5 ms if 0: what is relayed waits for it, so it is short, but 400
	// a second cost 2 % of a core. Tests in virtual time use 20 ms.
	Poll time.Duration

	// Goroutines is how many share the streams among them; if 0, one per
	// processor up to 8.
	Goroutines int
}

// Pacer serves streams: it drains their wires every Poll, and calls for each
// one's next frame on the stream's own deadlines, 20 ms apart and spread over
// the polls. Deadlines are counted from the pacer's start and do not drift.
type Pacer struct {
	poll   time.Duration
	slots  int64 // polls in 20 ms
	start  time.Time
	shards []*shard
	closed chan struct{}
	once   sync.Once
	wait   sync.WaitGroup
}

// PacerStats is what all shards of a pacer have counted.
type PacerStats struct {
	Streams int
	Frames  uint64        // sent, or held back on hold
	Late    uint64        // of these more than 5 ms after their time
	Skipped uint64        // not sent because their whole 20 ms had passed
	Worst   time.Duration // from when a frame was due to when one was sent
}

// NewPacer starts a pacer. Its goroutines rest while they have no streams.
func NewPacer(c PacerConfig) *Pacer {
	if c.Poll <= 0 {
		c.Poll = 2500 * time.Microsecond
	}
	if c.Goroutines <= 0 {
		c.Goroutines = min(runtime.GOMAXPROCS(0), 8)
	}
	slots := max(1, int64(pcm.FrameTime/c.Poll))
	p := &Pacer{
		poll: pcm.FrameTime / time.Duration(slots), slots: slots,
		start: time.Now(), closed: make(chan struct{}),
	}
	for range c.Goroutines {
		sh := &shard{
			pacer: p, wake: make(chan struct{}, 1), count: make([]int, slots),
			wheel: make([][]*Stream, slots), ending: make([][]ending, slots),
		}
		p.shards = append(p.shards, sh)
		p.wait.Go(sh.run)
	}
	return p
}

// Close stops the pacer and waits for its goroutines. Streams should be closed
// first: what they play ends only with its context.
func (p *Pacer) Close() {
	p.once.Do(func() { close(p.closed) })
	p.wait.Wait()
}

// Stats returns the counts so far.
func (p *Pacer) Stats() PacerStats {
	var st PacerStats
	for _, sh := range p.shards {
		st.Streams += sh.streams()
		st.Frames += sh.frames.Load()
		st.Late += sh.late.Load()
		st.Skipped += sh.skipped.Load()
		st.Worst = max(st.Worst, time.Duration(sh.worst.Load()))
	}
	return st
}

// since is the time since the pacer's start.
func (p *Pacer) since() time.Duration { return time.Since(p.start) }

// join gives a stream started at now to the shard with the fewest.
func (p *Pacer) join(s *Stream, now time.Duration) {
	best, n := p.shards[0], p.shards[0].streams()
	for _, sh := range p.shards[1:] {
		if m := sh.streams(); m < n {
			best, n = sh, m
		}
	}
	best.join(s, now)
}

// shard is the part of a pacer that one goroutine runs.
type shard struct {
	pacer *Pacer
	wake  chan struct{}

	frames, late, skipped, worst atomic.Uint64

	mu     sync.Mutex
	joined []*Stream // since the last tick
	count  []int     // streams by slot

	// The rest is the goroutine's own.
	wheel   [][]*Stream // by slot; a stream's frames are due at the ticks of its slot
	ending  [][]ending  // by slot, plays that sent their last frame at its last tick
	watch   watch       // of the sockets of its streams
	scratch scratch
}

type ending struct {
	stream *Stream
	play   *play
}

func (sh *shard) streams() (n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, c := range sh.count {
		n += c
	}
	return n
}

// join puts s into the emptiest slot, of equals the one that is furthest off:
// the first packet has just been sent. A tick that falls on now itself counts.
func (sh *shard) join(s *Stream, now time.Duration) {
	next := int64((now + sh.pacer.poll - 1) / sh.pacer.poll)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.due, s.slot = -1, 0
	for tick := next + sh.pacer.slots - 1; tick >= next; tick-- {
		slot := int(tick % sh.pacer.slots)
		if s.due < 0 || sh.count[slot] < sh.count[s.slot] {
			s.due, s.slot = tick, slot
		}
	}
	sh.count[s.slot]++
	sh.joined = append(sh.joined, s)
	select {
	case sh.wake <- struct{}{}:
	default:
	}
}

// admit takes the newly joined into the wheel and reports whether it has any.
func (sh *shard) admit() bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, s := range sh.joined {
		s.watched = sh.watch.add(s)
		sh.wheel[s.slot] = append(sh.wheel[s.slot], s)
	}
	clear(sh.joined)
	sh.joined = sh.joined[:0]
	for _, c := range sh.count {
		if c > 0 {
			return true
		}
	}
	return false
}

func (sh *shard) run() {
	defer sh.watch.close()
	p := sh.pacer
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	next := int64(0) // the tick to be served
	for {
		if !sh.admit() {
			select {
			case <-sh.wake:
			case <-p.closed:
				return
			}
			next = int64(p.since() / p.poll)
			continue
		}
		if !sh.sleep(timer, time.Duration(next)*p.poll-p.since()) {
			return
		}
		now := p.since()
		tick := int64(now / p.poll)
		// After a delay each slot is served once, not once per missed turn.
		first := max(next, tick-p.slots+1)
		sh.drain()
		for t := first; t <= tick; t++ {
			sh.endPlays(t)
		}
		if !sh.sleep(timer, settle) {
			return
		}
		sh.admit()
		for t := first; t <= tick; t++ {
			sh.send(t, now)
		}
		for t := first; t <= tick; t++ {
			sh.deliver(t, now)
		}
		next = tick + 1
	}
}

// sleep waits for d, and reports whether the pacer goes on.
func (sh *shard) sleep(timer *time.Timer, d time.Duration) bool {
	timer.Reset(d)
	select {
	case <-timer.C:
		return true
	case <-sh.pacer.closed:
		return false
	}
}

func (sh *shard) drain() {
	sh.watch.drain()
	for _, slot := range sh.wheel {
		for _, s := range slot {
			if !s.watched {
				s.wire.Drain(s.onRTP, s.onRTCP)
			}
		}
	}
}

// endPlays returns the plays whose last frame is over at tick t.
func (sh *shard) endPlays(t int64) {
	slot := t % sh.pacer.slots
	for _, e := range sh.ending[slot] {
		e.stream.mu.Lock()
		if e.play.ended() {
			e.stream.end(e.play, nil)
		}
		e.stream.mu.Unlock()
	}
	clear(sh.ending[slot])
	sh.ending[slot] = sh.ending[slot][:0]
}

// send sends the frames of tick t, and drops the streams that have closed.
func (sh *shard) send(t int64, now time.Duration) {
	p := sh.pacer
	slot := t % p.slots
	kept := sh.wheel[slot][:0]
	for _, s := range sh.wheel[slot] {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			sh.watch.remove(s)
			continue
		}
		kept = append(kept, s)
		if s.due > t {
			s.mu.Unlock()
			continue
		}
		skipped := (t - s.due) / p.slots
		last := s.send(&sh.scratch, skipped, now, time.Duration(t)*p.poll)
		late := p.since() - time.Duration(s.due)*p.poll
		s.due = t + p.slots
		if late > lateAfter {
			s.stats.Late++
			sh.late.Add(1)
		}
		s.mu.Unlock()
		if last != nil {
			sh.ending[slot] = append(sh.ending[slot], ending{s, last})
		}
		sh.frames.Add(1)
		sh.skipped.Add(uint64(skipped))
		if uint64(late) > sh.worst.Load() {
			sh.worst.Store(uint64(late))
		}
	}
	if gone := len(sh.wheel[slot]) - len(kept); gone > 0 {
		clear(sh.wheel[slot][len(kept):])
		sh.mu.Lock()
		sh.count[slot] -= gone
		sh.mu.Unlock()
	}
	sh.wheel[slot] = kept
}

func (sh *shard) deliver(t int64, now time.Duration) {
	for _, s := range sh.wheel[t%sh.pacer.slots] {
		s.deliver(&sh.scratch, now)
	}
}
