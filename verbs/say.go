package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// say speaks its text Loop times; Loop 0 speaks until the call ends. A text
// that cannot be spoken is skipped.
type say struct{ *texml.Say }

func (s say) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	sound, err := call.Voice(ctx, s.Say)
	if err != nil {
		return Next{}, context.Cause(ctx)
	}
	return Next{}, sound.rounds(ctx, s.Loop)
}
