package calltest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/runtime"
)

// stage is where the parties of a script act. One goroutine, in run, lets one
// thing happen at a time: an action, an answer of the web server, a dialled
// telephone that begins to ring. It waits before each until all that the last
// one led to has happened. So nothing depends on which of two goroutines is
// faster, and the trace can tell whose doing it was.
type stage struct {
	script *Script
	trace  *trace
	pacer  *media.Pacer
	ids    *ids
	begin  func(p *phone, call action) // takes a call until it is over; has a goroutine for each
	wake   chan struct{}               // holds one value when there may be something new
	calls  sync.WaitGroup              // goroutines of begin

	mu      sync.Mutex
	steps   []step            // to come, in order of time
	quiet   time.Duration     // since when nothing was to be done
	running int               // callers whose calls are taken
	phones  map[string]*phone // by letter
	sockets map[string]*socket
	waiting []*turn
	open    bool // nobody waits any more: the script is over
}

// turn is somebody who waits for its turn on the stage.
type turn struct {
	sid  string // of the call it is for; "" when that is not known
	what string // is asked for
	now  chan struct{}
}

func newStage(s *Script, tr *trace, pacer *media.Pacer, ids *ids) *stage {
	return &stage{script: s, trace: tr, pacer: pacer, ids: ids, wake: make(chan struct{}, 1),
		steps: s.steps(), phones: map[string]*phone{}, sockets: map[string]*socket{}}
}

// news wakes run.
func (st *stage) news() {
	select {
	case st.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run lets everybody act until all calls are over and nothing is to come.
func (st *stage) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		synctest.Wait()
		if st.letOn() || st.next() {
			continue
		}
		until, over := st.rest()
		if over {
			break
		}
		if until <= 0 {
			st.giveUp()
			continue
		}
		timer.Reset(until)
		select {
		case <-timer.C:
		case <-st.wake:
		}
	}
	st.calls.Wait()
}

// letOn lets on who waits for its turn: of the call that began first; those of no
// known call at the end. Of one call's requests, which are made at once when
// they are callbacks to several URLs, those for one thing are let on, in the
// order of what they are for. It reports whether anybody waited.
func (st *stage) letOn() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.waiting) == 0 {
		return false
	}
	order := func(a, b *turn) int {
		return cmp.Or(st.ids.age(a.sid)-st.ids.age(b.sid), cmp.Compare(a.what, b.what))
	}
	first := slices.MinFunc(st.waiting, order)
	st.trace.moment(first.sid)
	st.waiting = slices.DeleteFunc(st.waiting, func(t *turn) bool {
		if order(t, first) == 0 {
			close(t.now)
			return true
		}
		return false
	})
	return true
}

// enter waits for the turn of the call sid to do what.
func (st *stage) enter(ctx context.Context, sid, what string) error {
	st.mu.Lock()
	if st.open {
		st.mu.Unlock()
		return context.Cause(ctx)
	}
	t := &turn{sid, what, make(chan struct{})}
	st.waiting = append(st.waiting, t)
	st.mu.Unlock()
	st.news()
	select {
	case <-t.now:
		return context.Cause(ctx)
	case <-ctx.Done():
		st.mu.Lock()
		defer st.mu.Unlock()
		st.waiting = slices.DeleteFunc(st.waiting, func(x *turn) bool { return x == t })
		return context.Cause(ctx)
	}
}

// free ends all waiting, now and from now on.
func (st *stage) free() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.open = true
	for _, t := range st.waiting {
		close(t.now)
	}
	st.waiting = nil
}

// add adds steps to those to come, behind the ones of the same time.
func (st *stage) add(steps ...step) {
	st.mu.Lock()
	st.steps = append(st.steps, steps...)
	slices.SortStableFunc(st.steps, func(a, b step) int { return int(a.at - b.at) })
	st.mu.Unlock()
	st.news()
}

// next does the next step that is due, if there is one.
func (st *stage) next() bool {
	st.mu.Lock()
	if len(st.steps) == 0 || st.steps[0].at > st.trace.now() {
		st.mu.Unlock()
		return false
	}
	s := st.steps[0]
	st.steps = st.steps[1:]
	p := st.phones[s.leg]
	if !s.behind {
		st.quiet = st.trace.now()
	}
	st.mu.Unlock()
	st.trace.moment(s.leg)
	s.take(st, p)
	return true
}

// rest is how long nothing is to be done, 0 when everybody's patience is at
// its end; over reports that the script is.
func (st *stage) rest() (until time.Duration, over bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	now := st.trace.now()
	if len(st.steps) > 0 {
		until = st.steps[0].at - now
	}
	if slices.ContainsFunc(st.steps, func(s step) bool { return !s.behind }) {
		return until, false
	}
	alive := slices.ContainsFunc(st.letters(), func(letter string) bool { return st.phones[letter].Err() == nil })
	if !alive && st.running == 0 {
		return 0, true
	}
	left := st.quiet + patience + tie - now
	switch {
	case left <= 0 && !alive: // what still runs ends without us
		left = patience
	case left <= 0:
		return 0, false
	}
	if len(st.steps) > 0 {
		left = min(left, until)
	}
	return left, false
}

// socket is the connection of that name, nil when there is none.
func (st *stage) socket(name string) *socket {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.sockets[name]
}

// letters are those of the phones there are, in order. st.mu is held.
func (st *stage) letters() []string {
	var list []string
	for c := byte('A'); c <= 'Z'; c++ {
		if st.phones[string(c)] != nil {
			list = append(list, string(c))
		}
	}
	return list
}

// giveUp hangs up the first phone that is not over.
func (st *stage) giveUp() {
	st.mu.Lock()
	var p *phone
	for _, letter := range st.letters() {
		if p = st.phones[letter]; p.Err() == nil {
			break
		}
	}
	st.mu.Unlock()
	st.trace.moment(p.letter)
	p.hangup()
}

// call is the call of a caller.
func (st *stage) call(a action) {
	p := newPhone(st, a.leg)
	p.sid = st.ids.make("CA")
	st.trace.name(p.sid, a.leg)
	st.mu.Lock()
	st.phones[a.leg] = p
	st.running++
	st.mu.Unlock()
	st.calls.Go(func() {
		st.begin(p, a)
		st.mu.Lock()
		st.running--
		st.mu.Unlock()
		st.news()
	})
}

// refused is why nobody may be called at some place, with the platforms' code.
type refused struct {
	code int
	msg  string
}

func (r *refused) Error() string { return r.msg }
func (r *refused) Code() int     { return r.code }

var errNoLetters = errors.New("this script has dialled all of its legs, B to Z")

// dial is runtime.Config.Dial.
func (st *stage) dial(ctx context.Context, to runtime.Destination) (runtime.Outgoing, error) {
	if err := st.enter(ctx, to.CallSID, ""); err != nil {
		return nil, err
	}
	st.mu.Lock()
	letter := st.script.letterFor(to.To, func(letter string) bool { return st.phones[letter] != nil })
	if letter == "" {
		st.mu.Unlock()
		return nil, errNoLetters
	}
	p := newPhone(st, letter)
	p.sid, p.progress = to.CallSID, make(chan int, 4)
	st.phones[letter] = p
	st.quiet = st.trace.now()
	st.mu.Unlock()
	st.trace.name(to.CallSID, letter)
	if st.trace.shows("INVITE") {
		st.trace.note(letter, "INVITE"+invite(to))
	}
	if code := st.script.known(letter).denied; code != 0 {
		err := &refused{code, "the script says that " + to.To + " may not be called"}
		p.end(err)
		return nil, err
	}
	for _, a := range st.script.planOf(letter) {
		a.leg, a.at = letter, a.at+st.trace.now()
		for _, s := range st.script.stepsOf(a) {
			s.begins = false // a setting is not missed
			st.add(s)
		}
	}
	return p, nil
}

// close waits for everybody and frees the sound of all phones.
func (st *stage) close() {
	st.free()
	for _, letter := range st.letters() {
		st.phones[letter].close()
	}
}
