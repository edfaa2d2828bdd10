package runtime

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Queues are lines of callers, by account and name. A server has one of its own
// process; behind this interface a line may live elsewhere.
type Queues interface {
	// Enter puts w at the end of a line, which is made when there is none. It
	// fails with errFull when max callers wait already.
	Enter(of QueueName, w *Waiting, max int) error

	// Return puts w, whom Take gave away and who was not spoken to, at the front.
	Return(w *Waiting)

	// Quit takes w out. It is false when somebody has taken w already; w.Taken
	// then has that one, or has it at once.
	Quit(w *Waiting) bool

	// Take gives the first of a line, whom it waits for until ctx is done. It
	// fails with errNoQueue when nobody has ever been in a line of that name.
	Take(ctx context.Context, of QueueName, by *Taking) (*Waiting, error)

	// Place is where w stands.
	Place(w *Waiting) Place
}

// QueueName names a line.
type QueueName struct{ Account, Name string }

// Waiting is a caller in a line.
type Waiting struct {
	call    *call
	entered time.Time
	Taken   chan *Taking  // gets the one that has taken the caller
	gone    chan struct{} // closed when the caller is no longer there
	line    *line
}

// Taking is a caller, or another leg, that takes the first of a line.
type Taking struct {
	call    *call
	whisper Request       // heard by the one who waited before they are joined; URL "" is none
	ready   chan bool     // gets whether the one who waited can be joined
	over    chan struct{} // closed when the two are apart again, or never come together
	joined  bool          // they were; set before over is closed
}

// Place is where in a line a caller stands, and how long the line is.
type Place struct {
	SID      string
	Position int           // from 1
	Size     int           // callers in the line
	Max      int           // that it takes
	Average  time.Duration // that those in it have waited
}

var (
	errFull    = errors.New("the queue is full")
	errNoQueue = errors.New("there is no queue of this name")
)

// queues are the lines of one process.
type queues struct {
	newID func(prefix string) string
	mu    sync.Mutex // guards all lines
	lines map[QueueName]*line
}

// line is one of them. It stays when the last caller has left it: it is then
// empty, and not unknown.
type line struct {
	sid     string
	max     int
	waiting []*Waiting
	takers  []*taker // in the order in which they came; only while nobody waits
}

// taker waits for somebody to come.
type taker struct {
	by  *Taking
	got chan *Waiting
}

func newQueues(newID func(string) string) *queues {
	return &queues{newID: newID, lines: map[QueueName]*line{}}
}

func (q *queues) Enter(of QueueName, w *Waiting, max int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[of]
	if l == nil {
		l = &line{sid: q.newID("QU")}
		q.lines[of] = l
	}
	l.max = max
	w.line, w.entered = l, time.Now()
	if len(l.waiting) >= max {
		return errFull
	}
	l.waiting = append(l.waiting, w)
	l.match()
	return nil
}

func (q *queues) Return(w *Waiting) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w.line.waiting = slices.Insert(w.line.waiting, 0, w)
	w.line.match()
}

func (q *queues) Quit(w *Waiting) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(w.line.waiting, w)
	if i < 0 {
		return false
	}
	w.line.waiting = slices.Delete(w.line.waiting, i, i+1)
	return true
}

func (q *queues) Take(ctx context.Context, of QueueName, by *Taking) (*Waiting, error) {
	q.mu.Lock()
	l := q.lines[of]
	if l == nil {
		q.mu.Unlock()
		return nil, errNoQueue
	}
	t := &taker{by, make(chan *Waiting, 1)}
	l.takers = append(l.takers, t)
	l.match()
	q.mu.Unlock()
	select {
	case w := <-t.got:
		return w, nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(l.takers, t); i >= 0 {
		l.takers = slices.Delete(l.takers, i, i+1)
		return nil, context.Cause(ctx)
	}
	return <-t.got, nil // at the last moment
}

// match brings together who waits longest on either side.
func (l *line) match() {
	for len(l.waiting) > 0 && len(l.takers) > 0 {
		w, t := l.waiting[0], l.takers[0]
		l.waiting, l.takers = l.waiting[1:], l.takers[1:]
		w.Taken <- t.by // holds one: w is in the line at most once
		t.got <- w
	}
}

func (q *queues) Place(w *Waiting) Place {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := w.line
	p := Place{SID: l.sid, Position: 1 + slices.Index(l.waiting, w), Size: len(l.waiting), Max: l.max}
	for _, other := range l.waiting {
		p.Average += time.Since(other.entered) / time.Duration(len(l.waiting))
	}
	return p
}
