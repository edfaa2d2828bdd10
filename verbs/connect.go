package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// connect hands the call to a service and waits for its end. Its action is told
// even when the call ended first; without one the verb below runs. Telnyx asks
// for none after a <Stream>.
type connect struct{ *texml.Connect }

func (c connect) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	form, err := call.Connect(ctx, c.Service)
	if c.Action == "" || call.Dialect() == texml.Telnyx && c.Service.Name() == "Stream" {
		return Next{}, err
	}
	return Next{Fetch: &Fetch{URL: c.Action, Method: c.Method, Form: form, Outcome: true}}, err
}
