package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// start begins services that go on beside the verbs below.
type start struct{ *texml.Start }

func (s start) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	warn(call, s.Start)
	for _, n := range s.Services {
		if started(n.Name()) {
			call.Start(n)
		}
	}
	return Next{}, context.Cause(ctx)
}

// started reports whether <Start> can begin a service, by the name of its element.
func started(kind string) bool {
	switch kind {
	case "Recording", "Siprec", "Stream", "Transcription":
		return true
	}
	return false
}
