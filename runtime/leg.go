package runtime

import (
	"context"

	"github.com/hookswitch/hookswitch/media"
)

// Leg is one party's call as the signalling sees it. Package runtime/sip has
// the one that speaks SIP, runtime/calltest the one that is played from a
// script. All methods may be called from any goroutine.
type Leg interface {
	// Hangup ends the leg, whatever state it is in, and waits a bounded time
	// for the other side to agree. It does nothing on a leg that is over.
	Hangup(ctx context.Context) error

	// Stream is the sound and the keys of the leg: nil before the answer,
	// unless there is early media.
	Stream() *media.Stream

	// Done is closed when the leg is over, from whichever side; Err says why
	// and is nil before. An Err with a method Code() int, the platforms' code
	// or 0, is a leg that broke: nobody hung up.
	Done() <-chan struct{}
	Err() error

	// Refer asks the other side to call uri instead (RFC 3515). It returns the
	// status of the answer and, when that is 2xx, those that the other side
	// tells of the new call as they come; the channel is closed when no more
	// will come. The error is of a leg that cannot ask.
	Refer(ctx context.Context, uri string, headers map[string][]string) (status int, told <-chan int, err error)

	// OnRefer sets who decides whether the other side may have us call
	// somebody else; nil, at first, refuses all. decide is given the URI, and
	// tell for the outcome when it says yes: a status of 200 or more ends it.
	OnRefer(decide func(uri string, tell func(status int)) bool)
}

// Incoming is a leg that somebody has called us on.
type Incoming interface {
	Leg

	// Ring tells the caller that the phone rings (180). Only the first call
	// does anything.
	Ring(ctx context.Context) error

	// Early lets the caller hear us before the answer (183). Stream is there
	// from then on.
	Early(ctx context.Context) error

	// Answer takes the call and returns when the caller has confirmed it
	// (RFC 3261 §13.3.1.4). It does nothing on an answered leg.
	Answer(ctx context.Context) error

	// Reject refuses an unanswered call with a SIP status of 400 to 699.
	Reject(ctx context.Context, status int, reason string) error
}

// Outgoing is a leg that we have placed.
type Outgoing interface {
	Leg

	// Progress brings the statuses of the answers as they come, each once: 180,
	// 183, and a final one, after which it is closed. A final 408 is no answer
	// at all and 503 no way to get there, unless the other side says just that.
	// Nobody has to read it. Stream has the sound of an answer no sooner than
	// the status of that can be read.
	Progress() <-chan int

	// Headers are those of the final answer, nil before.
	Headers() map[string][]string

	// CallID is the dialog's (RFC 3261 §8.1.1.4).
	CallID() string
}

// Destination is whom to call, and as whom.
type Destination struct {
	CallSID    string // of the call that this becomes
	AccountSID string

	To      string // a number, a sip: URI without header parameters, or client:NAME
	From    string // a number or SIP user; "" is withheld
	Display string // display name beside From
	Headers map[string][]string

	// Because has the headers of the INVITE that this call is placed because of,
	// nil for none: a call that goes round in circles is known by them.
	Because map[string][]string

	// Username and Password answer a challenge; "" are those of the trunk.
	Username, Password string
}
