package runtime

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hookswitch/hookswitch/verbs"
)

// referral is what the called side asks for by REFER (RFC 3515): that the call
// goes on with somebody else. As an error it is the end of a conversation that
// the document's referUrl goes on from.
type referral struct {
	uri  string
	tell func(status int)
}

func (*referral) Error() string { return "the called side moves the call elsewhere" }

var errMoved = errors.New("the call was moved to somebody else")

// converse joins the call with a until they are apart. While somebody is called
// to whom a moves the call the two stay together, and when that one cannot be
// reached they go on; when a does not wait for it, the caller hears ringing. It
// returns who is next, nil for nobody, and why the two are apart.
func (dl *dialing) converse(ctx, live context.Context, a *attempt) (next *attempt, err error) {
	live, part := context.WithCancelCause(live)
	defer part(nil)
	calling, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	asked := make(chan *referral, 1)
	var busy atomic.Bool // somebody is asked for, and not reached yet
	a.leg.OnRefer(func(uri string, tell func(int)) bool {
		switch {
		case dl.d.ReferURL != "":
			part(&referral{uri, tell})
			return true
		case !dl.set.Transfers:
			dl.Warn(dl.d, 13802, "the called side wants the call to go on elsewhere and may not move it; give <Dial> a referUrl, or the route transfers: true")
			return false
		case busy.Swap(true):
			return false
		}
		asked <- &referral{uri, tell}
		return true
	})
	defer a.leg.OnRefer(nil)
	var moving sync.WaitGroup
	moving.Go(func() {
		for {
			var r *referral
			select {
			case r = <-asked:
			case <-live.Done():
				select {
				case r = <-asked: // the other side said it and hung up
				default:
					return
				}
			}
			if next = dl.move(calling, r); next != nil {
				part(errMoved)
				return
			}
			busy.Store(false)
		}
	})
	dl.note("bridge", a.rec.SID, "", 0)
	dl.s.bridges.together(dl.bridge(), part)
	err = dl.together(live, dl.d, a.leg.Stream())
	dl.s.bridges.together(dl.bridge(), nil)
	_, taken := errors.AsType[*handover](err)
	switch {
	case err == errMoved:
	case taken, a.leg.Err() == nil || ctx.Err() != nil: // not the called side's wish
		giveUp(errLost)
	case busy.Load():
		dl.ringer = dl.ring(ctx, dl.d)
	}
	part(nil)
	moving.Wait()
	dl.ringer.stop()
	return next, err
}

// move calls whom the called side asks for, and tells it what became of that. It
// returns nil when that one was not reached.
func (dl *dialing) move(ctx context.Context, r *referral) (next *attempt) {
	dl.noteURI("transfer", r.uri)
	crash := verbs.Guard(func() error {
		if next = dl.consulted(ctx, r.uri); next != nil {
			r.tell(200)
			return nil
		}
		a := dl.race(ctx, []target{dl.moved(r.uri)}, nil)
		if a.err == nil {
			next = a
		}
		r.tell(a.outcome())
		return nil
	})
	if crash != nil {
		dl.s.Log.Error("a fault in hookswitch ended a transfer", "call", dl.rec.SID, "error", crash)
		r.tell(500)
	}
	return next
}

// moved is the target of a REFER. An attended transfer has a Replaces header
// (RFC 3891 §3), which documents may not set.
func (dl *dialing) moved(uri string) target {
	to := dl.to(dl.d, strings.TrimPrefix(uri, "tel:"))
	if replaces, ok := replacesOf(uri); ok {
		to.Headers["Replaces"] = []string{replaces}
	}
	return target{node: dl.d, to: []Destination{to}, sip: true}
}

// outcome is the status that tells what became of the attempt.
func (a *attempt) outcome() int {
	switch {
	case a.err == nil:
		return 200
	case a.sipStatus < 300:
		return 480
	}
	return a.sipStatus
}
