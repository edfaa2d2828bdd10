package runtime

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newTestQueues() *queues {
	n := 0
	return newQueues(func(prefix string) string { n++; return prefix + strconv.Itoa(n) })
}

func newWaiting(sid string) *Waiting {
	return &Waiting{CallSID: sid, Taken: make(chan *Taking, 1), Gone: make(chan struct{})}
}

func newTaking(sid string) *Taking {
	return &Taking{CallSID: sid, Ready: make(chan bool, 1), Over: make(chan struct{})}
}

var line1 = QueueName{"AC1", "support"}

// enter lets them in, one after the other.
func enter(t *testing.T, q *queues, sids ...string) (all []*Waiting) {
	t.Helper()
	for _, sid := range sids {
		w := newWaiting(sid)
		if err := q.Enter(line1, w, 0); err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	return all
}

func waitingNow(t *testing.T, q *queues) (sids []string) {
	t.Helper()
	members, err := q.Members("AC1", "support")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range members {
		if m.Position != i+1 || m.QueueSID != "QU1" || m.Entered.IsZero() {
			t.Errorf("got member %+v at %d", m, i)
		}
		sids = append(sids, m.CallSID)
	}
	return sids
}

func TestWhoComesBackKeepsThePlace(t *testing.T) {
	q := newTestQueues()
	all := enter(t, q, "a", "b", "c")
	for range 2 { // a and b are taken by agents who are gone then
		if _, err := q.Take(t.Context(), line1, newTaking("x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range []*Waiting{all[0], all[1]} {
		<-w.Taken
		q.Return(w)
	}
	if got := waitingNow(t, q); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %v, want them as they came", got)
	}
}

func TestAnAgentWhoIsGoneTakesNobody(t *testing.T) {
	q := newTestQueues()
	enter(t, q, "a")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrHungUp)
	if w, err := q.Take(ctx, line1, newTaking("x")); w != nil || !errors.Is(err, ErrHungUp) {
		t.Errorf("got %v and %v, want nobody and the cause", w, err)
	}
	if got := waitingNow(t, q); len(got) != 1 {
		t.Errorf("%v wait, want a", got)
	}
}

func TestWhoWaitsLongestGetsTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		enter(t, q, "a")
		got := make(chan string, 3)
		for _, agent := range []string{"x", "y", "z"} {
			go func() {
				if w, err := q.Take(t.Context(), line1, newTaking(agent)); err == nil {
					got <- agent + w.CallSID
				}
			}()
			synctest.Wait()
		}
		enter(t, q, "b", "c")
		pairs := []string{<-got, <-got, <-got}
		slices.Sort(pairs)
		if want := []string{"xa", "yb", "zc"}; !slices.Equal(pairs, want) {
			t.Errorf("got %v, want %v", pairs, want)
		}
	})
}

func TestQueueSize(t *testing.T) {
	q := newTestQueues()
	enter(t, q, "a", "b")
	if got := q.Place(newInLine(t, q, "c")).Max; got != 1000 {
		t.Errorf("a queue takes %d, want 1000 unless said otherwise", got)
	}
	if err := q.Resize("AC1", "QU1", 2); err != nil {
		t.Fatal(err)
	}
	if got := waitingNow(t, q); len(got) != 3 {
		t.Errorf("%v wait, want those who waited to stay", got)
	}
	if err := q.Enter(line1, newWaiting("d"), 0); !errors.Is(err, errFull) {
		t.Errorf("got %v, want it to be full", err)
	}
	if err := q.Enter(line1, newWaiting("d"), 4); err != nil {
		t.Errorf("got %v; the document's size counts", err)
	}
	for _, c := range []struct {
		name, account, queue string
		max                  int
		want                 error // nil is any
	}{
		{"of another account", "AC2", "QU1", 5, ErrNoQueue},
		{"of another name", "AC1", "sales", 5, ErrNoQueue},
		{"too small", "AC1", "support", 0, nil},
		{"too big", "AC1", "support", 5001, nil},
	} {
		if err := q.Resize(c.account, c.queue, c.max); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func newInLine(t *testing.T, q *queues, sid string) *Waiting {
	t.Helper()
	return enter(t, q, sid)[0]
}

func TestRedirectFromAQueue(t *testing.T) {
	q := newTestQueues()
	all := enter(t, q, "a", "b", "c")
	to := Request{URL: "http://a.test/elsewhere", Method: "GET"}
	for _, c := range []struct {
		name, account, sid string
		want               error
		left               []string
	}{
		{"one by its SID", "AC1", "b", nil, []string{"a", "c"}},
		{"the same once more", "AC1", "b", ErrNotQueued, []string{"a", "c"}},
		{"another account's", "AC2", "a", ErrNoQueue, []string{"a", "c"}},
		{"the first", "AC1", "", nil, []string{"c"}},
		{"the next first", "AC1", "", nil, nil},
		{"nobody is left", "AC1", "", ErrNotQueued, nil},
	} {
		if err := q.Redirect(c.account, "support", c.sid, to); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if got := waitingNow(t, q); !slices.Equal(got, c.left) {
			t.Errorf("%s: %v wait, want %v", c.name, got, c.left)
		}
	}
	for _, w := range all {
		if got := (<-w.Taken).move; got.URL != to.URL || got.Method != "GET" {
			t.Errorf("%s goes to %v, want %v", w.CallSID, got, to)
		}
		if q.Quit(w) {
			t.Errorf("%s could still quit", w.CallSID)
		}
	}
}

// TestManyInALine lets 200 callers and 50 agents loose on one line: callers lose
// patience, agents are gone before they have spoken to whom they took.
func TestManyInALine(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { manyInALine(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func manyInALine(t *testing.T, r *rand.Rand) {
	const callers, agents = 200, 50
	q := newTestQueues()
	var mu sync.Mutex
	joined, left := map[string]int{}, map[string]int{}
	count := func(m map[string]int, sid string) { mu.Lock(); m[sid]++; mu.Unlock() }
	var all sync.WaitGroup
	for i := range callers {
		w := newWaiting(strconv.Itoa(i))
		arrives := time.Duration(r.IntN(60_000)) * time.Millisecond
		stays := time.Duration(r.IntN(120_000)) * time.Millisecond
		all.Go(func() {
			time.Sleep(arrives)
			if q.Enter(line1, w, 0) != nil {
				t.Error("the line is full")
			}
			defer close(w.Gone)
			patience := time.NewTimer(stays)
			for {
				var by *Taking
				select {
				case by = <-w.Taken:
				case <-patience.C:
					if q.Quit(w) {
						count(left, w.CallSID)
						return
					}
					by = <-w.Taken
				}
				by.Ready <- true
				<-by.Over
				if by.joined {
					count(joined, w.CallSID)
					return
				}
				q.Return(w)
			}
		})
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Minute)
	defer stop()
	for i := range agents {
		r := rand.New(rand.NewPCG(uint64(i), r.Uint64()))
		all.Go(func() {
			time.Sleep(30*time.Second + time.Duration(r.IntN(60_000))*time.Millisecond)
			for {
				by := newTaking("agent " + strconv.Itoa(i))
				patience, done := context.WithTimeout(ctx, time.Duration(r.IntN(40_000))*time.Millisecond)
				w, err := q.Take(patience, line1, by)
				done()
				if ctx.Err() != nil && err != nil {
					return
				}
				if err != nil {
					time.Sleep(time.Second)
					continue
				}
				time.Sleep(time.Duration(r.IntN(3)) * time.Second)
				if <-by.Ready; r.IntN(3) > 0 {
					by.joined = true
					time.Sleep(time.Duration(r.IntN(10)) * time.Second)
				}
				close(by.Over)
				if by.joined {
					<-w.Gone
				}
			}
		})
	}
	all.Wait()
	for i := range callers {
		sid := strconv.Itoa(i)
		if joined[sid]+left[sid] != 1 {
			t.Errorf("caller %s was joined %d times and left %d times, want one of the two once", sid, joined[sid], left[sid])
		}
	}
	if len(joined) < callers/10 || len(left) < 5 {
		t.Errorf("%d joined and %d left: the test shows too little", len(joined), len(left))
	}
	if got := waitingNow(t, q); len(got) != 0 {
		t.Errorf("%v still wait", got)
	}
}

// TestTheOrderIsKept lets agents take, give back and keep at random: whoever is
// taken is the one that came first of those who wait.
func TestTheOrderIsKept(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	q := newTestQueues()
	var waits, held []*Waiting // in the order in which they came; held by agents
	for i := range 20_000 {
		switch r.IntN(4) {
		case 0:
			if len(waits) < 500 {
				waits = append(waits, newInLine(t, q, strconv.Itoa(i)))
			}
		case 1:
			if len(waits) > 0 {
				w, err := q.Take(t.Context(), line1, newTaking("x"))
				if err != nil || w != waits[0] {
					t.Fatalf("got %v (%v), want %s", w, err, waits[0].CallSID)
				}
				<-w.Taken
				waits, held = waits[1:], append(held, w)
			}
		case 2:
			if len(held) > 0 {
				n := r.IntN(len(held))
				q.Return(held[n])
				waits = append(waits, held[n])
				slices.SortFunc(waits, func(a, b *Waiting) int { return a.number - b.number })
				held = slices.Delete(held, n, n+1)
			}
		case 3:
			if len(waits) > 0 && r.IntN(4) == 0 {
				n := r.IntN(len(waits))
				if p := q.Place(waits[n]); p.Position != n+1 || p.Size != len(waits) {
					t.Fatalf("got place %+v, want %d of %d", p, n+1, len(waits))
				}
				if !q.Quit(waits[n]) {
					t.Fatal("one who waits could not quit")
				}
				waits = slices.Delete(waits, n, n+1)
			}
		}
	}
}
