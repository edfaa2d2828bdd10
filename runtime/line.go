package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media"
)

// Queues are lines of callers, by account and name. A server has those of its own
// process. Behind this interface a line may live on another node: [Waiting] and
// [Taking] are values, a stream and channels, so that a node can hold a stand-in
// for either, whose stream is a leg between the two nodes, and pass on what
// comes on the channels.
//
// Where a queue is named by account and nameOrSID, the error is ErrNoQueue when
// the account has none.
type Queues interface {
	// Enter puts w at the end of a line, which is made when there is none. It
	// fails with errFull when as many callers wait already as it takes: max from
	// now on, unless max is 0.
	Enter(of QueueName, w *Waiting, max int) error

	// Return puts w, whom Take gave away and who was not spoken to, back in front
	// of all who came later.
	Return(w *Waiting)

	// Quit takes w out. It is false when somebody has taken w already; w.Taken
	// then has that one.
	Quit(w *Waiting) bool

	// Take gives the first of a line, whom it waits for until ctx is done; from
	// then on it gives nobody away. Of several who wait so the first gets the next
	// caller. It fails with ErrNoQueue when there is none, by name or SID.
	Take(ctx context.Context, of QueueName, by *Taking) (*Waiting, error)

	// Place is where w stands.
	Place(w *Waiting) Place

	// Members are those who wait, the first first.
	Members(account, nameOrSID string) ([]Member, error)

	// Redirect takes one who waits out of the line, the first for callSID "", and
	// lets the call go on with the document that to brings. ErrNotQueued is the
	// error when that one does not wait, or no longer.
	Redirect(account, nameOrSID, callSID string, to Request) error

	// Resize sets how many callers the line takes, 1 to 5000. Those who wait
	// already stay.
	Resize(account, nameOrSID string, max int) error
}

// QueueName names a line.
type QueueName struct{ Account, Name string }

// Waiting is a caller in a line.
type Waiting struct {
	CallSID string
	Stream  *media.Stream
	Taken   chan *Taking  // gets the one that has taken the caller; holds one
	Gone    chan struct{} // closed when the caller is no longer there

	entered time.Time
	line    *line
	number  int // in the order in which they came
}

// Taking is what takes the first of a line: another call that is to be joined
// with it, or a document that the call goes on with.
type Taking struct {
	CallSID string
	Whisper Request       // heard by the one who waited before they are joined; URL "" is none
	Ready   chan bool     // gets whether the one who waited can be joined; holds one
	Over    chan struct{} // closed when the two are apart again, or never come together
	joined  bool          // they were; set before Over is closed

	move Request // the document; URL "" is none, and the above counts
}

// Place is where in a line a caller stands, and how long the line is.
type Place struct {
	SID      string
	Position int           // from 1; 0 is in it no longer
	Size     int           // callers in the line
	Max      int           // that it takes
	Average  time.Duration // that those in it have waited
}

// Member is one who waits, as the API sees it.
type Member struct {
	QueueSID string
	CallSID  string
	Position int // from 1
	Entered  time.Time
}

// mostWaiting is how many callers a line takes when nothing else is said
// (Twilio, Queue resource).
const mostWaiting = 1000

var (
	errFull = errors.New("the queue is full")

	// ErrNoQueue is the error for a queue that nobody has ever been in.
	ErrNoQueue = errors.New("there is no such queue")

	// ErrNotQueued is the error for a call that does not wait in the queue.
	ErrNotQueued = errors.New("the call does not wait in this queue")
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
	entered int // callers so far
	waiting []*Waiting
	takers  []*taker // in the order in which they came; only while nobody waits
}

// taker waits for somebody to come.
type taker struct {
	by  *Taking
	got chan *Waiting
}

// Queues are the lines of callers.
func (s *Server) Queues() Queues { return s.queues }

func newQueues(newID func(string) string) *queues {
	return &queues{newID: newID, lines: map[QueueName]*line{}}
}

func (q *queues) Enter(of QueueName, w *Waiting, max int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[of]
	if l == nil {
		l = &line{sid: q.newID("QU"), max: mostWaiting}
		q.lines[of] = l
	}
	if max > 0 {
		l.max = max
	}
	l.entered++
	w.line, w.entered, w.number = l, time.Now(), l.entered
	if len(l.waiting) >= l.max {
		return errFull
	}
	l.waiting = append(l.waiting, w)
	l.match()
	return nil
}

func (q *queues) Return(w *Waiting) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := w.line
	at := slices.IndexFunc(l.waiting, func(other *Waiting) bool { return other.number > w.number })
	if at < 0 {
		at = len(l.waiting)
	}
	l.waiting = slices.Insert(l.waiting, at, w)
	l.match()
}

func (q *queues) Quit(w *Waiting) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(w.line.waiting, w)
	if i < 0 {
		return false
	}
	w.line.take(i)
	return true
}

func (q *queues) Take(ctx context.Context, of QueueName, by *Taking) (*Waiting, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	q.mu.Lock()
	l, err := q.find(of.Account, of.Name)
	if err != nil {
		q.mu.Unlock()
		return nil, err
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
		t := l.takers[0]
		l.takers = slices.Delete(l.takers, 0, 1)
		w := l.take(0)
		w.Taken <- t.by // has room: w is in the line at most once
		t.got <- w
	}
}

// take takes one out.
func (l *line) take(i int) *Waiting {
	w := l.waiting[i]
	l.waiting = slices.Delete(l.waiting, i, i+1)
	return w
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

// find is the line of that name or SID. q.mu is held.
func (q *queues) find(account, nameOrSID string) (*line, error) {
	if l := q.lines[QueueName{account, nameOrSID}]; l != nil {
		return l, nil
	}
	for of, l := range q.lines {
		if of.Account == account && l.sid == nameOrSID {
			return l, nil
		}
	}
	return nil, ErrNoQueue
}

func (q *queues) Members(account, nameOrSID string) ([]Member, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l, err := q.find(account, nameOrSID)
	if err != nil {
		return nil, err
	}
	all := make([]Member, len(l.waiting))
	for i, w := range l.waiting {
		all[i] = Member{QueueSID: l.sid, CallSID: w.CallSID, Position: 1 + i, Entered: w.entered}
	}
	return all, nil
}

func (q *queues) Redirect(account, nameOrSID, callSID string, to Request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	l, err := q.find(account, nameOrSID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(l.waiting, func(w *Waiting) bool { return callSID == "" || w.CallSID == callSID })
	if i < 0 {
		return ErrNotQueued
	}
	l.take(i).Taken <- &Taking{move: to}
	return nil
}

func (q *queues) Resize(account, nameOrSID string, max int) error {
	if max < 1 || max > 5000 {
		return fmt.Errorf("a queue takes 1 to 5000 callers, not %d", max)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	l, err := q.find(account, nameOrSID)
	if err == nil {
		l.max = max
	}
	return err
}
