package verbs

import (
	"context"
	"errors"

	"github.com/hookswitch/hookswitch/texml"
)

// play plays keys, a ringing tone or a sound, Loop times. The first of these
// that the document has is the one that counts.
type play struct {
	*texml.Play
	wrongType int // Twilio's code for a sound of a type that is not played
}

func (p play) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	sound, err := p.sound(ctx, call)
	if err == nil {
		return Next{}, sound.rounds(ctx, p.Loop)
	}
	// Twilio goes on below; Telnyx ends the flow unless told to go on
	// (TeXML <Play> continueOnError).
	return Next{End: call.Dialect() == texml.Telnyx && !p.ContinueOnError}, context.Cause(ctx)
}

// sound fetches what is to be played, where it has to be fetched.
func (p play) sound(ctx context.Context, call Call) (Sound, error) {
	switch {
	case p.Digits != "":
		return func(ctx context.Context) error { return call.Send(ctx, p.Digits) }, nil
	case p.RingTone != "":
		return func(ctx context.Context) error { return call.Ringback(ctx, p.RingTone) }, nil
	}
	code := p.wrongType
	if call.Dialect() == texml.Telnyx {
		code = 90040
	}
	var sound Sound
	var err error
	if p.MediaStorage {
		err = errors.New("there is no media storage")
		warn(call, p.Play)
	} else {
		sound, err = call.Load(ctx, p.Play, p.URL, code)
	}
	if err != nil && p.FailoverURL != "" && ctx.Err() == nil {
		return call.Load(ctx, p.Play, p.FailoverURL, code)
	}
	return sound, err
}
