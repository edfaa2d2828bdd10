package verbs

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

const (
	// bargeIn is how long a voice lasts before it stops the prompts: longer
	// than a cough. Words that are understood stop them at once.
	bargeIn = 300 * time.Millisecond

	// firstPause ends speech with speechTimeout="auto", when the engine does
	// not say by itself that the caller has finished.
	firstPause = 700 * time.Millisecond

	// lastWords is how long the engine has for what was said at the end.
	lastWords = 3 * time.Second

	// partialEvery is the least time between two partial results.
	partialEvery = 100 * time.Millisecond
)

// gather collects keys or speech while its prompts play; the kind that comes
// first counts. Input stops the prompts. The silence that ends input is timed
// from the end of the prompts or the last of the input. With no input the call
// goes on with the verb below and no request is made.
type gather struct{ *texml.Gather }

func (g gather) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	warn(call, g.Gather)
	var speaking sync.WaitGroup
	defer speaking.Wait() // the next verb must not speak over our prompt
	ctx, stop := context.WithCancel(ctx)
	defer stop() // ends prompts, keys and ears; runs before Wait
	in := &input{gather: g, call: call, speaking: true}
	var keys <-chan rune // nil hears nothing
	if slices.Contains(g.Input, "dtmf") {
		keys = call.Keys(ctx)
	}
	deafen := func() {}
	if slices.Contains(g.Input, "speech") {
		var listening context.Context
		listening, deafen = context.WithCancel(ctx)
		in.heard, in.finish = call.Listen(listening, g.Gather)
	}
	defer func() {
		deafen()
		if in.heard != nil {
			for range in.heard { // until the ears have let go
			}
		}
	}()
	prompting, hush := context.WithCancel(ctx)
	defer hush()
	prompted := make(chan error, 1)
	speaking.Go(func() { prompted <- Guard(func() error { return prompts(prompting, call, g.Prompts, 13325) }) })
	in.hush = func() {
		if g.BargeIn {
			hush()
			speaking.Wait()
		}
	}

	in.timer = time.NewTimer(g.Timeout)
	in.timer.Stop() // starts when the prompts end or there is input
	in.longest = time.NewTimer(g.MaxSpeechTime)
	in.longest.Stop()
	for {
		select {
		case key := <-keys:
			if ctx.Err() != nil { // the call ended and its keys with it
				return Next{}, context.Cause(ctx)
			}
			if in.text() != "" {
				continue // words came first
			}
			deafen() // keys came first
			in.hush()
			if in.key(key) {
				keys = nil // nothing more counts
			}
		case what, ok := <-in.heard:
			switch {
			case ctx.Err() != nil:
				return Next{}, context.Cause(ctx)
			case !ok:
				in.heard = nil
				in.deaf()
			case in.digits == "" && !in.over:
				in.words(what)
			}
		case err := <-prompted:
			in.speaking = false
			switch {
			case err == nil:
				in.prompted()
			case prompting.Err() == nil: // not cut short by input
				return Next{}, err
			}
		case <-in.timer.C:
			in.timeout()
		case <-in.longest.C:
			in.end()
		case <-ctx.Done():
			return Next{}, context.Cause(ctx)
		}
		// A prompt that input does not stop is played to its end first.
		if in.over && (!in.speaking || g.BargeIn) {
			return g.done(call, in), nil
		}
	}
}

// prompts plays nested verbs. All sounds are fetched before the first verb runs,
// so that no pause falls between them; one that cannot be had is left out.
// WrongType is Twilio's code for a sound of a type that is not played.
func prompts(ctx context.Context, call Call, nested []texml.Node, wrongType int) error {
	sounds := map[texml.Node]Sound{}
	for _, n := range nested {
		if p, ok := n.(*texml.Play); ok {
			sounds[n], _ = play{p, wrongType}.sound(ctx, call)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	for _, n := range nested {
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
func (g gather) done(call Call, in *input) Next {
	text := in.text()
	form := url.Values{}
	if text == "" {
		form.Set("Digits", in.digits)
	}
	if text != "" || slices.Contains(g.Input, "speech") && in.digits == "" {
		form.Set("SpeechResult", text)
		if in.confidence > 0 {
			form.Set("Confidence", strconv.FormatFloat(in.confidence, 'g', 4, 64))
		}
	}
	switch {
	case in.digits == "" && text == "" && !g.ActionOnEmptyResult:
		return Next{}
	case text == "" && !g.valid(in.digits):
		if g.InvalidDigitsAction == "" {
			call.Warn(g.Gather, 0, "the keys pressed are not the ones <Gather> takes; going on below it")
			return Next{}
		}
		return Next{Fetch: &Fetch{URL: g.InvalidDigitsAction, Method: g.Method, Form: form}}
	case !g.HasAction && call.Dialect() == texml.Telnyx:
		return Next{}
	}
	if call.Dialect() == texml.Twilio && text == "" {
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

// input is what a <Gather> has got so far.
type input struct {
	gather
	call Call

	digits, endKey string

	heard      <-chan Heard // nil without ears
	finish     func()       // asks them for what was said last
	voice      bool         // somebody speaks now
	barged     bool         // and has done so for long enough
	begun      bool         // speech is under way, or was
	silent     time.Time    // when they last stopped; zero while none was heard
	finals     []string     // texts that stay
	partial    string       // text after them that may change
	confidence float64      // of finals, 0 is not known
	told       int          // partial results
	toldAt     time.Time    // the last of them
	finishing  bool         // finish has been called

	speaking bool   // the prompts play
	hush     func() // stops them, where input may
	timer    *time.Timer
	longest  *time.Timer // until speech has taken its greatest length
	over     bool        // nothing more counts
}

// text is all that was said.
func (in *input) text() string {
	return strings.TrimSpace(strings.Join(append(in.finals[:len(in.finals):len(in.finals)], in.partial), " "))
}

// key adds a key and reports whether that ends the input.
func (in *input) key(key rune) bool {
	in.longest.Stop() // it was no speech
	if strings.ContainsRune(in.FinishOnKey, key) {
		in.endKey, in.over = string(key), true
		return true
	}
	in.digits += string(key)
	in.over = len(in.digits) == in.NumDigits || len(in.digits) == in.MaxDigits
	in.wait(in.Timeout)
	return in.over
}

// wait starts the timer, unless prompts that nothing stops still play.
func (in *input) wait(d time.Duration) {
	if !in.speaking || in.BargeIn {
		in.timer.Reset(d)
	}
}

// prompted is the end of the prompts: now the caller is waited for.
func (in *input) prompted() {
	if !in.over && !in.voice && in.text() == "" {
		in.timer.Reset(in.Timeout)
	}
}

// begin is the beginning of speech.
func (in *input) begin() {
	if !in.begun {
		in.begun = true
		in.longest.Reset(in.MaxSpeechTime)
	}
	in.hush()
}

// pause is the silence that ends speech.
func (in *input) pause() time.Duration {
	if in.SpeechTimeoutAuto {
		return firstPause
	}
	return in.SpeechTimeout
}

// words takes what the ears tell.
func (in *input) words(h Heard) {
	switch {
	case h.Voice == Speaking:
		in.voice, in.barged = true, false
		if !in.finishing {
			in.timer.Reset(bargeIn - h.Since)
		}
	case h.Voice == Silent:
		in.voice, in.silent = false, time.Now().Add(-h.Since)
		switch {
		case in.finishing:
		case in.text() != "":
			in.timer.Reset(in.pause() - h.Since)
		default: // the words may still come; a noise has none
			in.wait(max(in.Timeout, lastWords))
		}
	case h.Err != nil:
		in.deaf()
	default:
		in.understood(h)
	}
}

// understood takes words.
func (in *input) understood(h Heard) {
	first := in.text() == ""
	changed := h.Text != "" && h.Text != in.partial
	switch {
	case h.Final && h.Text != "":
		in.score(h)
		in.finals, in.partial = append(in.finals, h.Text), ""
	case h.Text != "":
		in.partial = h.Text
		in.tellPartial(h)
	}
	if in.finishing {
		return
	}
	if first && in.text() != "" {
		in.begin()
	}
	switch {
	case in.text() == "":
	case h.Over && in.SpeechTimeoutAuto:
		in.end()
	case in.voice: // the pause begins when that ends
	case in.silent.IsZero(), changed && !h.Final: // a voice too low to be heard as one
		in.timer.Reset(in.pause())
	case first: // of what was said until then
		in.timer.Reset(in.pause() - time.Since(in.silent))
	}
}

// score takes the confidence of a final text into the mean by length.
func (in *input) score(h Heard) {
	before := len(strings.Join(in.finals, ""))
	if h.Confidence == 0 || before > 0 && in.confidence == 0 {
		in.confidence = 0 // of a part nothing is known
		return
	}
	n := float64(len(h.Text))
	in.confidence = (in.confidence*float64(before) + h.Confidence*n) / (float64(before) + n)
}

// tellPartial tells what is understood so far, where that is asked for and was
// not just told: each is a callback, and an engine may change its mind at any rate.
func (in *input) tellPartial(h Heard) {
	if in.PartialResultCallback == "" || in.told > 0 && time.Since(in.toldAt) < partialEvery {
		return
	}
	in.toldAt = time.Now()
	form := url.Values{
		"UnstableSpeechResult": {in.text()}, "StableSpeechResult": {strings.Join(in.finals, " ")},
		"SequenceNumber": {strconv.Itoa(in.told)},
	}
	if h.Stability > 0 {
		form.Set("Stability", strconv.FormatFloat(h.Stability, 'g', 4, 64))
	}
	in.told++
	in.call.Post(in.Gather, in.PartialResultCallback, in.PartialResultCallbackMethod, form)
}

// timeout is the end of a silence, or of the time that a voice needs to stop the
// prompts.
func (in *input) timeout() {
	switch {
	case in.voice && !in.barged && !in.finishing:
		in.barged = true
		in.begin()
	case in.finishing || in.text() == "":
		in.over = true
	default:
		in.end()
	}
}

// end asks for what was said last; then the input is over.
func (in *input) end() {
	if in.finishing || in.heard == nil {
		in.over = true
		return
	}
	in.finishing = true
	in.finish()
	in.timer.Reset(lastWords)
}

// deaf is the end of what the ears can tell.
func (in *input) deaf() {
	switch {
	case in.over, in.digits != "": // keys have their own end
	case in.finishing || in.text() != "":
		in.over = true
	default:
		in.voice = false
		in.wait(in.Timeout)
	}
}
