package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// stop ends services that <Start> has begun.
type stop struct{ *texml.Stop }

func (s stop) Run(ctx context.Context, call Call) (Next, error) {
	warn(call, s.Stop)
	for _, service := range s.Services {
		if started(service.Kind) && !call.Stop(ctx, service.Kind, service.Label) {
			call.Warn(s.Stop, 0, "<Stop>: no such <"+service.Kind+"> is under way")
		}
	}
	return Next{}, context.Cause(ctx)
}
