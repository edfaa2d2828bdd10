package verbs

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// Lengths of what is entered. Those of cards are their types'.
const (
	longestPostalCode          = 10
	shortestAccount, maxDigits = 4, 17 // of an account number
)

// enter plays a prompt and takes digits until # or full; what silence ends is taken
// as it is. The first digit stops the prompt. star is that the caller wants no
// more. Without full it is over with the prompt, and digits count for nothing.
func (s *paySession) enter(ctx context.Context, prompt []texml.Node, full func(string) bool) (digits string, star bool, err error) {
	var speaking sync.WaitGroup
	defer speaking.Wait() // the next prompt must not speak over this one
	prompting, hush := context.WithCancel(ctx)
	defer hush()
	said := make(chan error, 1)
	speaking.Go(func() { said <- Guard(func() error { return prompts(prompting, s.call, prompt, 0) }) })
	silence := time.NewTimer(s.Timeout)
	silence.Stop() // starts when the prompt ends, or with a digit
	for {
		select {
		case key, ok := <-s.keys:
			switch {
			case !ok || ctx.Err() != nil:
				return "", false, context.Cause(ctx)
			case key == '*':
				return "", true, nil
			case full == nil:
				continue
			case key == '#' && digits != "":
				return digits, false, nil
			case key < '0' || key > '9': // a # may be left over from the step before
				continue
			}
			hush()
			if digits += string(key); full(digits) {
				return digits, false, nil
			}
			silence.Reset(s.InterDigitTimeout)
		case err := <-said:
			switch {
			case err != nil && prompting.Err() == nil:
				return "", false, err
			case full == nil:
				return "", false, context.Cause(ctx)
			case digits == "":
				silence.Reset(s.Timeout)
			}
		case <-silence.C:
			return digits, false, nil
		case <-ctx.Done():
			return "", false, context.Cause(ctx)
		}
	}
}

// full reports whether nothing can follow the digits of the step.
func (s *paySession) full(digits string) bool {
	most := maxDigits
	switch s.step {
	case "payment-card-number":
		most = typeOf(digits).longest()
	case "expiration-date":
		most = 4
	case "security-code":
		if most = typeOf(s.is.CardNumber).code; most == 0 {
			most = 4
		}
	case "postal-code":
		most = max(longestPostalCode, s.MinPostalCodeLength)
	case "bank-routing-number":
		most = 9
	}
	return len(digits) >= most
}

// take takes the digits of the step in, or says what is wrong with them.
func (s *paySession) take(digits string) (wrong string) {
	if digits == "" {
		return "timeout"
	}
	n := len(digits)
	switch s.step {
	case "payment-card-number":
		switch kind := typeOf(digits); {
		case !kind.takes(digits):
			return "invalid-card-number"
		case !kind.among(s.ValidCardTypes):
			return "invalid-card-type"
		}
		s.is.CardNumber = digits
	case "expiration-date":
		if !good(digits, time.Now()) {
			return "invalid-date"
		}
		s.is.Expiry = digits
	case "security-code":
		if want := typeOf(s.is.CardNumber).code; n != want && (want != 0 || n < 3 || n > 4) {
			return "invalid-security-code"
		}
		s.is.SecurityCode = digits
	case "postal-code":
		if n < s.MinPostalCodeLength {
			return "invalid-postal-code"
		}
		s.is.PostalCode = digits
	case "bank-routing-number":
		if !routing(digits) {
			return "invalid-bank-routing-number"
		}
		s.is.BankRouting = digits
	case "bank-account-number":
		if n < shortestAccount {
			return "invalid-bank-account-number"
		}
		s.is.BankAccount = digits
	}
	return ""
}

// prompts are what the caller hears at the attempt: the document's, or our own.
func (s *paySession) prompts() []texml.Node {
	if p := s.prompt(s.step, s.wrong, s.attempt); p != nil {
		return p.Prompts
	}
	text := asks[s.step]
	if s.wrong != "" {
		text = sorry[s.wrong] + " " + text
	}
	say := s.Say(text)
	if !s.english() {
		say.Language = "en-US" // that of the text
	}
	return []texml.Node{say}
}

// prompt is the <Prompt> that says most of when it is meant, the last of equals;
// nil when there is none for the attempt.
func (s *paySession) prompt(step, wrong string, attempt int) (best *texml.Prompt) {
	most := -1
	for _, p := range s.Prompts {
		said, fits := 0, true
		for _, q := range []struct {
			values []string
			value  string
		}{{p.For, step}, {p.ErrorType, wrong}, {p.CardType, typeOf(s.is.CardNumber).name}, {p.Attempt, strconv.Itoa(attempt)}} {
			if len(q.values) > 0 {
				said++
				fits = fits && slices.Contains(q.values, q.value)
			}
		}
		if fits && said >= most {
			best, most = p, said
		}
	}
	return best
}

// asks are what is said at each step when the document does not say it.
var asks = map[string]string{
	"payment-card-number": "Please enter your card number, then press pound.",
	"expiration-date":     "Please enter the month and the year in which your card expires, with two digits each.",
	"postal-code":         "Please enter your postal code, then press pound.",
	"security-code":       "Please enter the security code of your card.",
	"bank-routing-number": "Please enter the nine digits of your bank's routing number.",
	"bank-account-number": "Please enter your account number, then press pound.",
	processing:            "Thank you. Please wait.",
}

// sorry are what is said before that when the last attempt was wrong.
var sorry = map[string]string{
	"timeout":                     "Sorry, nothing was entered in time.",
	"invalid-card-number":         "Sorry, that is no card number.",
	"invalid-card-type":           "Sorry, cards of this kind are not taken.",
	"invalid-date":                "Sorry, that date is not valid.",
	"invalid-security-code":       "Sorry, that is no security code.",
	"invalid-postal-code":         "Sorry, that postal code is too short.",
	"invalid-bank-routing-number": "Sorry, that is no routing number.",
	"invalid-bank-account-number": "Sorry, that account number is too short.",
}
