package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// say speaks its text Loop times; Loop 0 speaks until the call ends.
type say struct{ *texml.Say }

func (s say) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	if s.Text() == "" {
		call.Warn(s.Say, 13520, "<Say> has nothing to say and was skipped")
		return Next{}, nil
	}
	return Next{}, rounds(ctx, s.Loop, func() error { return call.Say(ctx, s.Say) })
}

// rounds calls f n times, or until the call ends when n is 0. A round is never
// begun on a call that is over.
func rounds(ctx context.Context, n int, f func() error) error {
	for i := 0; n == 0 || i < n; i++ {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}
