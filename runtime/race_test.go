package runtime

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/texml"
)

// ready is a placed leg that has been answered already.
type ready struct {
	Outgoing
	progress chan int
}

func (ready) CallID() string         { return "" }
func (r ready) Progress() <-chan int { return r.progress }
func (ready) Stream() *media.Stream  { return nil }
func (ready) Err() error             { return nil }
func (ready) Done() <-chan struct{}  { return nil }

// TestTheSecondAnswerLoses holds that of two answers that are at hand in one
// instant, before anybody has been told to stop, one has the call.
func TestTheSecondAnswerLoses(t *testing.T) {
	keep := &shelf{}
	s := testScript(t, keep, keep)
	s.s.Dial = func(context.Context, Destination) (Outgoing, error) {
		leg := ready{progress: make(chan int, 1)}
		leg.progress <- 200
		return leg, nil
	}
	dl := &dialing{script: s, d: &texml.Dial{}}
	to := target{to: []Destination{{To: "+15550101"}}}
	var won atomic.Bool
	first := dl.try(t.Context(), dl.attempt(to, to.to), &won, nil)
	second := dl.try(t.Context(), dl.attempt(to, to.to), &won, nil)
	if first.err != nil || first.rec.Status != "in-progress" {
		t.Errorf("the first ended as %s, %v; want it in progress", first.rec.Status, first.err)
	}
	if !errors.Is(second.err, errLost) || second.rec.Status != "canceled" || !second.rec.Answered.IsZero() {
		t.Errorf("the second ended as %s, %v, answered at %v; want canceled, %v, never", second.rec.Status, second.err, second.rec.Answered, errLost)
	}
}
