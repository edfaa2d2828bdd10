package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// reject refuses the call unanswered; later in a call it hangs up.
type reject struct{ *texml.Reject }

func (r reject) Run(ctx context.Context, call Call) (Next, error) {
	return Next{End: true}, call.Reject(ctx, r.Reason)
}
