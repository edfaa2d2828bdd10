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
		if service.Kind == "Recording" && !call.StopRecording(ctx, service.Label) {
			call.Warn(s.Stop, 0, "<Stop>: no such recording is under way")
		}
	}
	return Next{}, context.Cause(ctx)
}
