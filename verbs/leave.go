package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// leave takes the caller out of the queue whose wait document it stands in.
type leave struct{ *texml.Leave }

func (l leave) Run(ctx context.Context, call Call) (Next, error) {
	if !call.Leave() {
		call.Warn(l.Leave, 0, "<Leave> is for the waitUrl document of a queue; the call is in none and goes on below")
		return Next{}, context.Cause(ctx)
	}
	return Next{End: true}, context.Cause(ctx)
}
