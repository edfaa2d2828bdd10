package media

import (
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// Playlist is a [Source] that is filled while it plays: speech that comes as it
// is made, sound from a socket. It gives silence while it has nothing, until
// End. Its methods may be called from any goroutine.
type Playlist struct {
	rate int

	mu       sync.Mutex
	queue    [][]int16 // not yet taken, from head on
	head     int
	appended int64 // samples, less those that Flush dropped
	taken    int64 // samples
	marks    []mark
	over     time.Time // when the last frame taken is over
	paused   bool
	ended    bool
}

// mark is what waits for the sound before it to be played out.
type mark struct {
	at     int64 // samples appended before it
	played func()
}

// NewPlaylist makes an empty playlist for a stream of that rate, in Hz.
func NewPlaylist(rate int) *Playlist { return &Playlist{rate: rate} }

// Rate is that of its samples, in Hz.
func (p *Playlist) Rate() int { return p.rate }

// Append adds samples to the end, any number of them. They are the playlist's
// from now on. After End they are dropped.
func (p *Playlist) Append(samples []int16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || len(samples) == 0 {
		return
	}
	if p.head > 0 && len(p.queue) == cap(p.queue) {
		n := copy(p.queue, p.queue[p.head:])
		clear(p.queue[n:])
		p.queue, p.head = p.queue[:n], 0
	}
	p.queue = append(p.queue, samples)
	p.appended += int64(len(samples))
}

// Mark has played called once when all that has been appended so far is played
// out: at once when nothing of it is left, or else when the last frame of it is
// over, or by Flush. While the playlist is not being played nothing is over.
// played is called from here, from the pacer's goroutine, from that of the
// Play that has ended, or from Flush; it must not block, nor call the
// playlist.
func (p *Playlist) Mark(played func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.marks) == 0 && p.appended == p.taken && !time.Now().Before(p.over) {
		played()
		return
	}
	p.marks = append(p.marks, mark{p.appended, played})
}

// Flush drops all that has not been played and returns how much that was.
// Nothing of it is heard from the next frame on. The marks that wait are
// called, in order.
func (p *Playlist) Flush() (dropped time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dropped = p.length(p.appended - p.taken)
	clear(p.queue)
	p.queue, p.head = p.queue[:0], 0
	p.pass(p.appended)
	p.appended = p.taken
	return dropped
}

// End says that nothing more comes: the playlist ends with its last sample.
func (p *Playlist) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

// Pause gives silence from the next frame on, until Resume, and keeps the place.
func (p *Playlist) Pause() { p.pause(true) }

// Resume goes on after Pause with the very next sample.
func (p *Playlist) Resume() { p.pause(false) }

func (p *Playlist) pause(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = paused
}

// Buffered is how much has been appended and not been played yet.
func (p *Playlist) Buffered() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.length(p.appended - p.taken)
}

// Played is how much of what was appended has been sent, to the last frame
// begun. Silence for want of sound does not count.
func (p *Playlist) Played() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.length(p.taken)
}

// Next takes the next 20 ms; a frame for which there is too little sound is
// filled up with silence.
func (p *Playlist) Next(f pcm.Frame) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pass(p.taken)
	if p.finished() {
		return false
	}
	n := 0
	for !p.paused && n < len(f) && p.head < len(p.queue) {
		first := p.queue[p.head]
		m := copy(f[n:], first)
		n += m
		if m < len(first) {
			p.queue[p.head] = first[m:]
			continue
		}
		p.queue[p.head] = nil
		p.head++
	}
	clear(f[n:])
	if n > 0 {
		p.taken += int64(n)
		p.over = time.Now().Add(pcm.FrameTime)
	}
	return true
}

// Ended reports whether End was called and every sample has been taken.
func (p *Playlist) Ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.finished()
}

func (p *Playlist) finished() bool { return p.ended && p.appended == p.taken }

// playedOut is told by the Play of p when the last frame is over.
func (p *Playlist) playedOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = time.Time{}
	p.pass(p.taken)
}

// pass calls the marks up to a place. p.mu is held, here and below.
func (p *Playlist) pass(to int64) {
	n := 0
	for n < len(p.marks) && p.marks[n].at <= to {
		p.marks[n].played()
		n++
	}
	left := copy(p.marks, p.marks[n:])
	clear(p.marks[left:])
	p.marks = p.marks[:left]
}

func (p *Playlist) length(samples int64) time.Duration {
	return time.Duration(samples) * time.Second / time.Duration(p.rate)
}
