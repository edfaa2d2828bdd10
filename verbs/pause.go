package verbs

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// pause waits in silence.
type pause struct{ *texml.Pause }

func (p pause) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	return Next{}, wait(ctx, p.Length)
}

// wait returns after d, or at once with the cause when ctx is done.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
