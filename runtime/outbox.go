package runtime

import (
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime/stream"
)

// What waits for a socket that is slow. The oldest sound is lost first: what is
// said now matters more.
const (
	outboxTime  = 3 * time.Second
	outboxBytes = 256 << 10 // of samples
	outboxNews  = 1000      // other messages
)

// outbox is what a stream has to send: sound of its tracks, and news between.
// All methods may be called from any goroutine; only one may take.
type outbox struct {
	ready chan struct{} // holds a value when there is something to take
	loss  chan struct{} // holds a value when something was lost

	mu     sync.Mutex
	ring   []sound // of which count from head on are taken up
	head   int
	count  int
	most   int // sounds
	news   []news
	order  int                            // of what came last
	heard  map[stream.Track]time.Duration // so far
	lost   int                            // sounds and news since they were told
	closed bool
}

// sound is 20 ms of a track.
type sound struct {
	order   int
	track   stream.Track
	at      time.Duration // when it began, since the stream's start
	samples pcm.Frame
}

// news is any other message.
type news struct {
	order int
	write func(*stream.Wire) []byte
}

// newOutbox is for the sound of so many tracks at rate, in Hz.
func newOutbox(tracks, rate int) *outbox {
	return &outbox{
		ready: make(chan struct{}, 1), loss: make(chan struct{}, 1),
		most:  min(tracks*int(outboxTime/pcm.FrameTime), outboxBytes/(2*pcm.FrameLen(rate))),
		heard: map[stream.Track]time.Duration{},
	}
}

// hear takes the next 20 ms of a track.
func (o *outbox) hear(track stream.Track, f pcm.Frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.heard[track]
	o.heard[track] = at + pcm.FrameTime
	if o.closed {
		return
	}
	switch {
	case o.count == o.most:
		o.head = (o.head + 1) % len(o.ring)
		o.count--
		o.lose()
	case o.count == len(o.ring):
		o.grow()
	}
	s := &o.ring[(o.head+o.count)%len(o.ring)]
	o.count++
	o.order++
	s.order, s.track, s.at, s.samples = o.order, track, at, append(s.samples[:0], f...)
	signal(o.ready)
}

// grow makes the ring longer. Most streams never have more than a few sounds
// waiting. o.mu is held, here and below.
func (o *outbox) grow() {
	longer := make([]sound, min(max(4, 2*len(o.ring)), o.most))
	n := copy(longer, o.ring[o.head:])
	copy(longer[n:], o.ring[:o.head])
	o.ring, o.head = longer, 0
}

func (o *outbox) lose() {
	o.lost++
	signal(o.loss)
}

// tell takes a message that is written when its turn has come.
func (o *outbox) tell(write func(*stream.Wire) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
	case len(o.news) == outboxNews:
		o.lose()
	default:
		o.order++
		o.news = append(o.news, news{o.order, write})
		signal(o.ready)
	}
}

// take gives what came first: a message, or else the sound that it copies into
// s. ok is false when there is nothing.
func (o *outbox) take(s *sound) (write func(*stream.Wire) []byte, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(o.news) > 0 && (o.count == 0 || o.news[0].order < o.ring[o.head].order):
		write = o.news[0].write
		if o.news = o.news[1:]; len(o.news) == 0 {
			o.news = nil
		}
		return write, true
	case o.count > 0:
		first := &o.ring[o.head]
		s.track, s.at, s.samples = first.track, first.at, append(s.samples[:0], first.samples...)
		o.head = (o.head + 1) % len(o.ring)
		o.count--
		return nil, true
	}
	return nil, false
}

// losses is how much was lost since the last time it was asked.
func (o *outbox) losses() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.lost
	o.lost = 0
	return n
}

// close says that nothing more is taken up. What is there can be taken.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// signal leaves a value in c, which holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
