package verbs

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// gather collects keys while its prompts play. The first key stops the prompts.
// The silence that ends input is timed from the end of the prompts or the last
// key. With no keys the call goes on with the verb below and no request is made.
type gather struct{ *texml.Gather }

func (g gather) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	warn(call, g.Gather)
	var prompts sync.WaitGroup
	defer prompts.Wait() // the next verb must not speak over our prompt
	ctx, stop := context.WithCancel(ctx)
	defer stop()         // ends prompts and keys; runs before Wait
	var keys <-chan rune // nil hears nothing
	if slices.Contains(g.Input, "dtmf") {
		keys = call.Keys(ctx)
	}
	prompting, hush := context.WithCancel(ctx)
	defer hush()
	prompted := make(chan error, 1)
	prompts.Go(func() { prompted <- Guard(func() error { return g.prompt(prompting, call) }) })

	silence := time.NewTimer(g.Timeout)
	silence.Stop() // starts when the prompts end or a key comes
	speaking := true
	var in entry
	for {
		select {
		case key := <-keys:
			if ctx.Err() != nil { // the call ended and its keys with it
				return Next{}, context.Cause(ctx)
			}
			if g.BargeIn {
				hush()
				prompts.Wait()
			}
			if g.take(&in, key) {
				keys = nil // nothing more counts
				if speaking && !g.BargeIn {
					continue // the prompt is played to its end first
				}
				return g.done(call, in), nil
			}
			if !speaking || g.BargeIn {
				silence.Reset(g.Timeout)
			}
		case err := <-prompted:
			speaking = false
			switch {
			case in.over:
				return g.done(call, in), nil
			case err == nil:
				silence.Reset(g.Timeout)
			case prompting.Err() == nil: // not cut short by a key
				return Next{}, err
			}
		case <-silence.C:
			return g.done(call, in), nil
		case <-ctx.Done():
			return Next{}, context.Cause(ctx)
		}
	}
}

// entry is what was keyed in so far.
type entry struct {
	digits, endKey string
	over           bool
}

// take adds a key to in and reports whether that ends the input.
func (g gather) take(in *entry, key rune) bool {
	if strings.ContainsRune(g.FinishOnKey, key) {
		in.endKey, in.over = string(key), true
		return true
	}
	in.digits += string(key)
	in.over = len(in.digits) == g.NumDigits || len(in.digits) == g.MaxDigits
	return in.over
}

// prompt plays the nested verbs. All sounds are fetched before the first verb
// runs, so that no pause falls between them; one that cannot be had is left
// out.
func (g gather) prompt(ctx context.Context, call Call) error {
	sounds := map[texml.Node]Sound{}
	for _, n := range g.Prompts {
		if p, ok := n.(*texml.Play); ok {
			sounds[n], _ = play{p, 13325}.sound(ctx, call)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	for _, n := range g.Prompts {
		var err error
		if p, ok := n.(*texml.Play); !ok {
			_, err = For(n).Run(ctx, call)
		} else if sound := sounds[n]; sound != nil {
			err = sound.rounds(ctx, p.Loop)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// done says what follows the input.
func (g gather) done(call Call, in entry) Next {
	form := url.Values{"Digits": {in.digits}}
	switch {
	case in.digits == "" && !g.ActionOnEmptyResult:
		return Next{}
	case !g.valid(in.digits):
		if g.InvalidDigitsAction == "" {
			call.Warn(g.Gather, 0, "the keys pressed are not the ones <Gather> takes; going on below it")
			return Next{}
		}
		return Next{Fetch: &Fetch{URL: g.InvalidDigitsAction, Method: g.Method, Form: form}}
	case !g.HasAction && call.Dialect() == texml.Telnyx:
		return Next{}
	}
	if call.Dialect() == texml.Twilio {
		form.Set("FinishedOnKey", in.endKey)
	}
	return Next{Fetch: &Fetch{URL: g.Action, Method: g.Method, Form: form}}
}

// valid reports whether digits are what validDigits and minDigits allow. Both
// are of Telnyx; elsewhere everything is.
func (g gather) valid(digits string) bool {
	if digits != "" && len(digits) < g.MinDigits {
		return false
	}
	return g.ValidDigits == "" || strings.Trim(digits, g.ValidDigits) == ""
}
