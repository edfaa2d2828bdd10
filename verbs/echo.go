package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// echo sends the caller's sound back until the call ends.
type echo struct{ *texml.Echo }

func (e echo) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	return Next{}, call.Echo(ctx)
}
