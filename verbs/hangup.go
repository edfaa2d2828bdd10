package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// hangup ends the call. As a first verb it answers it before, as both
// platforms do.
type hangup struct{ *texml.Hangup }

func (h hangup) Run(ctx context.Context, call Call) (Next, error) {
	return Next{End: true}, call.Answer(ctx)
}
