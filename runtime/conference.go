package runtime

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// Confer takes the call into a conference (verbs.Call).
func (c *script) Confer(ctx context.Context, d *texml.Dial, conf *texml.Conference) (verbs.Dialed, error) {
	c.Warn(conf, 0, "<Conference> is not supported by this version of hookswitch and was skipped")
	return verbs.Dialed{Status: "failed"}, context.Cause(ctx)
}
