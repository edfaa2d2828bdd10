package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// redirect goes on with another document. It does not answer the call.
type redirect struct{ *texml.Redirect }

func (r redirect) Run(ctx context.Context, call Call) (Next, error) {
	return Next{Fetch: &Fetch{URL: r.URL, Method: r.Method}}, nil
}
