package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// sms sends nothing: there is no network for text messages here. That has been
// noted when the document was read, and the call goes on below.
type sms struct{ *texml.Sms }

func (s sms) Run(ctx context.Context, call Call) (Next, error) { return Next{}, context.Cause(ctx) }
