package sip

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// maxQueued is how many messages wait for a line that does not take them.
const maxQueued = 256

var errClogged = errors.New("the other side does not read what it is sent")

// line is a TCP connection. What is sent is written by a goroutine of its own:
// who sends holds a leg's lock, and must not wait for the other side to read.
type line struct {
	net.Conn
	legs atomic.Int32  // calls on it
	done chan struct{} // closed when nothing is written any more

	mu   sync.Mutex
	out  chan []byte // closed with shut
	shut bool
}

func newLine(c net.Conn) *line {
	return &line{Conn: c, done: make(chan struct{}), out: make(chan []byte, maxQueued)}
}

// send has b written after what was sent before. It does not wait. A line with
// too much on it is closed.
func (l *line) send(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut {
		return net.ErrClosed
	}
	select {
	case l.out <- b:
		return nil
	default:
		l.Close()
		return errClogged
	}
}

// finish closes the line as soon as what has been sent is written.
func (l *line) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.shut {
		l.shut = true
		close(l.out)
	}
}

func (l *line) finished() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shut
}

// write writes what is sent until finish is called or the other side does not
// take a message in time. It closes the connection.
func (l *line) write() {
	defer close(l.done)
	defer l.Close()
	defer l.finish()
	for b := range l.out {
		l.SetWriteDeadline(time.Now().Add(messageTime))
		if _, err := l.Write(b); err != nil {
			return // half a message may be out; nothing can follow it
		}
	}
}
