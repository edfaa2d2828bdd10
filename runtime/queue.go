package runtime

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// Dequeue joins the call to the first of a queue (verbs.Call).
func (c *script) Dequeue(ctx context.Context, d *texml.Dial, q *texml.Queue) (verbs.Dialed, error) {
	c.Warn(q, 0, "<Queue> is not supported by this version of hookswitch and was skipped")
	return verbs.Dialed{Status: "failed"}, context.Cause(ctx)
}
