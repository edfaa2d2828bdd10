package verbs

import (
	"context"

	"github.com/hookswitch/hookswitch/texml"
)

// play plays keys, a ringing tone or a sound, Loop times.
type play struct{ *texml.Play }

func (p play) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	switch {
	case p.Digits != "": // the text is ignored then
		return Next{}, rounds(ctx, p.Loop, func() error { return call.Send(ctx, p.Digits) })
	case p.URL == "" && p.RingTone != "":
		return Next{}, rounds(ctx, p.Loop, func() error { return call.Ringback(ctx, p.RingTone) })
	case p.URL == "":
		call.Warn(p.Play, 13420, "<Play> has no URL and was skipped")
		return Next{}, nil
	}
	sound, err := p.load(ctx, call)
	if err == nil {
		return Next{}, rounds(ctx, p.Loop, func() error { return sound(ctx) })
	}
	if cause := context.Cause(ctx); cause != nil {
		return Next{}, cause
	}
	// Twilio goes on below; Telnyx ends the flow unless told to go on
	// (TeXML <Play> continueOnError).
	return Next{End: call.Dialect() == texml.Telnyx && !p.ContinueOnError}, nil
}

// load fetches the sound, or the second source when the first cannot be had.
func (p play) load(ctx context.Context, call Call) (Sound, error) {
	sound, err := call.Load(ctx, p.URL)
	if err != nil && p.FailoverURL != "" && ctx.Err() == nil {
		sound, err = call.Load(ctx, p.FailoverURL)
	}
	return sound, err
}
