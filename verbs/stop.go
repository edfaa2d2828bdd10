package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// stop ends services that <Start> has begun.
type stop struct{ *texml.Stop }

func (s stop) Run(ctx context.Context, call Call) (Next, error) {
	for _, service := range s.Services {
		switch {
		case service.Kind != "Recording":
			call.Warn(s.Stop, 0, "<"+service.Kind+"> is not supported by this version of hookswitch and was skipped")
		case !call.StopRecording(ctx, service.Label):
			call.Warn(s.Stop, 0, "<Stop>: no such recording is under way")
		}
	}
	return Next{}, context.Cause(ctx)
}
