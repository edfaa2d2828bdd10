package verbs

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

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

// tellPartial tells what is understood so far, where that is asked for.
func (in *input) tellPartial(h Heard) {
	if in.PartialResultCallback == "" {
		return
	}
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
	case in.finishing || in.text() != "":
		in.over = true
	case !in.over && in.digits == "":
		in.voice = false
		in.wait(in.Timeout)
	}
}
