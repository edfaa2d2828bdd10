package runtime

import (
	"context"

	"github.com/hookswitch/hookswitch/media"
)

// Leg is one party's call as the signalling sees it. Package runtime/sip has
// the one that speaks SIP, runtime/calltest the one that is played from a
// script. All methods may be called from any goroutine.
type Leg interface {
	// Ring tells the caller that the phone rings (180). Only the first call
	// does anything.
	Ring(ctx context.Context) error

	// Answer takes the call and returns when the caller has confirmed it
	// (RFC 3261 §13.3.1.4). It does nothing on an answered leg.
	Answer(ctx context.Context) error

	// Reject refuses an unanswered call with a SIP status of 400 to 699.
	Reject(ctx context.Context, status int, reason string) error

	// Hangup ends the leg, whatever state it is in, and waits a bounded time
	// for the other side to agree. It does nothing on a leg that is over.
	Hangup(ctx context.Context) error

	// Stream is the sound and the keys of an answered leg, nil before.
	Stream() *media.Stream

	// Done is closed when the leg is over, from whichever side; Err says why
	// and is nil before. An Err with a method Code() int, the platforms' code
	// or 0, is a leg that broke: nobody hung up.
	Done() <-chan struct{}
	Err() error
}
