package runtime

import (
	"cmp"
	"context"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// patience is how long a placed call rings when nothing else is said.
const patience = time.Minute

// Place calls to and takes the call through its documents once it is answered.
// It returns when the call is over and its record is handed to the store. When
// ctx ends, the call is hung up.
func (s *Server) Place(ctx context.Context, to Destination, set Setup) CallRecord {
	c := newCall(s, nil, set)
	c.rec.Status = "queued"
	ringing, stop := context.WithTimeoutCause(ctx, cmp.Or(set.Patience, patience), errNoAnswer)
	err := verbs.Guard(func() error { return c.place(ringing, to, func(int, *media.Stream) error { return nil }) })
	stop()
	if err != nil {
		c.over(ctx, err)
		return c.rec
	}
	live, end := alive(ctx, c.leg, s.MaxCall)
	main := c.main()
	if set.Record {
		main.beside(&texml.Recording{Channels: "dual", Track: "both", Format: "wav"}, "OutboundAPI")
	}
	err = verbs.Guard(func() error {
		if set.AMD.waits() {
			main.first = c.whoAnswers(live, main.first)
		}
		if cause := context.Cause(live); cause != nil {
			return cause
		}
		return main.run(live)
	})
	if cause := end(); cause != nil {
		err = cause
	} else if err != nil {
		c.fail(err)
	}
	c.over(ctx, err)
	return c.rec
}
