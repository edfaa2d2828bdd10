package runtime

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/texml"
)

// RecordingSession is what a session recording server is sent of a call
// (RFC 7866).
type RecordingSession struct {
	CallSID  string
	Server   Connector
	Labels   []string            // of the streams, one for each (RFC 4574)
	Metadata []byte              // application/rs-metadata+xml (RFC 7865)
	Headers  map[string][]string // further ones of the INVITE
	Expires  time.Duration       // the session timer (RFC 4028); 0 is none
}

// RecordingLeg is a recording session that the server has agreed to. All
// methods may be called from any goroutine.
type RecordingLeg interface {
	// Streams send to the server, in the order of the labels. One that the
	// server did not want is nil.
	Streams() []*media.Stream

	// Hangup ends the session and waits a bounded time for the server to
	// agree. It does nothing on one that is over.
	Hangup(ctx context.Context) error

	// Done is closed when the session is over, from whichever side; Err says
	// why and is nil before.
	Done() <-chan struct{}
	Err() error
}

// RecordingError is why there is no recording session.
type RecordingError struct {
	Code int // a SIP status, or the platforms' code
	Msg  string
}

func (e *RecordingError) Error() string { return e.Msg }

// startSiprec begins to send the call's sound to a session recording server. It
// returns nil when that cannot be, which is noted at n and told.
func (c *script) startSiprec(n *texml.Siprec) service {
	c.Warn(n, 0, "no recorder")
	return nil
}
