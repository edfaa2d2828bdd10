package verbs

import (
	"cmp"
	"context"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/texml"
)

// Payment is what a caller has entered. All of it is secret; what was not asked
// for is "".
type Payment struct {
	CardNumber   string
	Expiry       string // MMYY
	SecurityCode string
	PostalCode   string
	BankRouting  string
	BankAccount  string
}

// Charge has the connector of a <Pay> charge what was entered, or make a token of
// it. It is asked once, and Charge blocks until it has answered, for 15 s at most,
// also when ctx is over: a charge that has been made must not be lost. An error is
// why nothing is known of the outcome.
type Charge func(ctx context.Context, what Payment) (Paid, error)

// Paid is what a connector answers.
type Paid struct {
	ID         string // of the charge, or the token; "" when the connector refused
	ProfileID  string // of the payer
	Code       string // why it refused; "" when it did not
	Message    string
	Parameters map[string]string // for the action
}

// The outcomes of a <Pay>, as Twilio has them.
const (
	paid        = "success"
	tooMany     = "too-many-failed-attempts"
	refused     = "payment-connector-error"
	interrupted = "caller-interrupted-with-star"
	hungUp      = "caller-hung-up"
	noPayee     = "validation-error"
)

// processing is the step in which the connector is asked.
const processing = "payment-processing"

// pay asks for a card or a bank account step by step, with keys that nobody else
// hears of, and has a connector charge it or make a token of it. Its action is
// told how it ended, also when the caller has hung up; without one that is the
// current document. Numbers are told masked.
type pay struct{ *texml.Pay }

func (p pay) Run(ctx context.Context, call Call) (Next, error) {
	if err := call.Answer(ctx); err != nil {
		return Next{}, err
	}
	warn(call, p.Pay)
	s := &paySession{pay: p, call: call, is: Payment{PostalCode: p.KnownPostalCode}}
	charge, err := call.Payee(p.Pay)
	if err != nil {
		s.result, s.code, s.message = noPayee, noConnector, "there is no such payment connector"
		err = context.Cause(ctx)
	} else {
		err = s.run(ctx, charge)
	}
	s.complete()
	method := p.Method
	if call.Dialect() == texml.Twilio {
		method = "POST" // whatever is written
	}
	return Next{Fetch: &Fetch{URL: p.Action, Method: method, Form: s.form(), Outcome: true}}, err
}

func (all *limits) ofPay(p *texml.Pay) {
	steps, english := append(pay{p}.steps(), processing), pay{p}.english()
	for _, step := range steps {
		all.add(p, 0, `<Pay language="`+p.Language+`">: what is said without a <Prompt> is English; write one for each of `+strings.Join(steps, ", "),
			!english && (&paySession{pay: pay{p}}).prompt(step, "", 1) == nil)
	}
	for _, each := range p.Prompts {
		all.ignore(each, "requireMatchingInputs", each.RequireMatchingInputs)
	}
	all.ignore(p, "serviceLevel "+p.ServiceLevel, p.ServiceLevel != "premium")
}

// english reports whether prompts of our own can be in the language of p.
func (p pay) english() bool { return strings.HasPrefix(strings.ToLower(p.Language), "en") }

// steps are what the caller is asked for, in order; nothing when there is a token.
func (p pay) steps() (names []string) {
	switch {
	case p.PaymentToken != "":
		return nil
	case p.PaymentMethod == "ach-debit":
		return []string{"bank-routing-number", "bank-account-number"}
	}
	names = []string{"payment-card-number", "expiration-date"}
	if p.PostalCode {
		names = append(names, "postal-code")
	}
	if p.SecurityCode {
		names = append(names, "security-code")
	}
	return names
}

// paySession is a <Pay> under way.
type paySession struct {
	pay
	call Call
	keys <-chan rune

	is      Payment // entered so far
	step    string
	attempt int    // at the step, from 1
	wrong   string // with the last attempt, in the words of <Prompt errorType>; "" is nothing

	result  string
	paid    Paid
	code    int    // Twilio's, of what went wrong at the connector
	message string // what that was
}

// Twilio's codes of what goes wrong at the connector.
const (
	notAnswered   = 64002
	noConnector   = 64004
	tokenRefused  = 64010
	chargeRefused = 64012
)

// run asks for everything and pays. The error is that of a call that is over.
func (s *paySession) run(ctx context.Context, charge Charge) (err error) {
	private, end := context.WithCancel(ctx)
	defer end()
	s.keys = s.call.Secrets(private)
	for _, step := range s.steps() {
		if s.result, err = s.ask(ctx, step); s.result != "" {
			return err
		}
	}
	s.step, s.attempt, s.wrong = processing, 1, ""
	s.tell()
	_, star, err := s.enter(ctx, s.prompts(), nil)
	switch {
	case err != nil:
		s.result = hungUp
		return err
	case star:
		s.result = interrupted
		return nil
	}
	s.paid, err = charge(ctx, s.is)
	s.hide()
	switch {
	case err != nil:
		s.result, s.code, s.message = refused, notAnswered, "the payment connector gave no answer that can be used"
	case s.paid.ID == "":
		s.result, s.code, s.message = refused, tokenRefused, cmp.Or(s.paid.Message, "the payment connector refused")
		if s.charges() {
			s.code = chargeRefused
		}
	default:
		s.result = paid
	}
	return context.Cause(ctx)
}

// hide takes numbers that were entered out of what the connector says of them.
func (s *paySession) hide() {
	for _, number := range []string{s.is.CardNumber, s.is.BankAccount} {
		if number == "" {
			continue
		}
		for name, value := range s.paid.Parameters {
			s.paid.Parameters[name] = strings.ReplaceAll(value, number, "***")
		}
		s.paid.Code = strings.ReplaceAll(s.paid.Code, number, "***")
		s.paid.Message = strings.ReplaceAll(s.paid.Message, number, "***")
	}
	// Three digits may be anything: in parameters they stay.
	if code := s.is.SecurityCode; code != "" {
		alone := regexp.MustCompile(`\b` + code + `\b`)
		s.paid.Code = alone.ReplaceAllString(s.paid.Code, "***")
		s.paid.Message = alone.ReplaceAllString(s.paid.Message, "***")
	}
}

// ask takes one step, in as many attempts as there are. The result is "" when it
// is done.
func (s *paySession) ask(ctx context.Context, step string) (result string, err error) {
	s.step, s.wrong = step, ""
	for s.attempt = 1; ; s.attempt++ {
		digits, star, err := s.enter(ctx, s.prompts(), s.full)
		switch {
		case err != nil:
			return hungUp, err
		case star:
			return interrupted, nil
		}
		s.wrong = s.take(digits)
		s.tell()
		switch {
		case s.wrong == "":
			return "", nil
		case s.attempt >= s.MaxAttempts:
			s.call.Warn(s.Pay, 0, "<Pay> got no "+step+" from the caller; the last attempt: "+s.wrong)
			return tooMany, nil
		}
	}
}

// charges reports whether money is to be taken, and not only a token.
func (s *paySession) charges() bool { return s.TransactionType == "charge" }

// telnyx reports whether the call speaks that dialect.
func (s *paySession) telnyx() bool { return s.call.Dialect() == texml.Telnyx }

// fields are what has been entered so far, as it may be told.
func (s *paySession) fields() url.Values {
	f := url.Values{"PaymentMethod": {s.PaymentMethod}}
	set := func(name, value string) {
		if value != "" {
			f.Set(name, value)
		}
	}
	set("PaymentCardNumber", masked(s.is.CardNumber))
	set("PaymentCardType", typeOf(s.is.CardNumber).name)
	set("ExpirationDate", s.is.Expiry)
	set("SecurityCode", strings.Repeat("*", len(s.is.SecurityCode)))
	set("PaymentCardPostalCode", s.is.PostalCode)
	set("BankRoutingNumber", s.is.BankRouting)
	if n := len(s.is.BankAccount); n > 2 {
		f.Set("BankAccountNumber", strings.Repeat("*", n-2)+s.is.BankAccount[n-2:])
	}
	if s.PaymentMethod == "ach-debit" {
		set("BankAccountType", s.BankAccountType)
	}
	if s.telnyx() {
		f.Set("PaymentConnector", s.PaymentConnector)
	}
	return f
}

// tell posts what became of an attempt at a step (Twilio and Telnyx,
// statusCallback of <Pay>).
func (s *paySession) tell() {
	if s.StatusCallback == "" {
		return
	}
	f := s.fields()
	f.Set("For", s.step)
	f.Set("Attempt", strconv.Itoa(s.attempt))
	wrong := s.wrong
	if s.telnyx() {
		f.Set("Status", "processing")
		f.Set("Result", "pending")
	} else if wrong == "timeout" {
		wrong = "input-timeout"
	}
	if wrong != "" {
		f.Set("ErrorType", wrong)
	}
	s.call.Post(s.Pay, s.StatusCallback, s.StatusCallbackMethod, f)
}

// complete posts how it ended, which Telnyx tells there too.
func (s *paySession) complete() {
	if s.StatusCallback == "" || !s.telnyx() {
		return
	}
	f := s.fields()
	f.Set("Status", "completed")
	f.Set("Result", s.outcome())
	if s.step != "" {
		f.Set("For", s.step)
		f.Set("Attempt", strconv.Itoa(s.attempt))
	}
	if s.wrong != "" {
		f.Set("ErrorType", s.wrong)
	}
	s.addConnector(f)
	s.call.Post(s.Pay, s.StatusCallback, s.StatusCallbackMethod, f)
}

// outcome is the result as Telnyx sums it up.
func (s *paySession) outcome() string {
	if s.result == paid {
		return "success"
	}
	return "failed"
}

// form is what the action is told (Twilio and Telnyx, action of <Pay>).
func (s *paySession) form() url.Values {
	f := s.fields()
	f.Set("Result", s.result)
	if s.telnyx() {
		f.Set("PayResult", s.outcome())
		if s.result == interrupted || s.result == hungUp {
			f.Set("Result", "cancelled")
		}
		if s.step != "" {
			f.Set("PaymentStep", s.step)
		}
		if s.wrong != "" {
			f.Set("ErrorCode", s.wrong)
		}
	}
	s.addConnector(f)
	switch {
	case s.paid.ID == "":
	case s.charges():
		f.Set("PaymentConfirmationCode", s.paid.ID)
	default:
		f.Set("PaymentToken", s.paid.ID)
		if s.paid.ProfileID != "" {
			f.Set("ProfileId", s.paid.ProfileID)
		}
	}
	for name, value := range s.paid.Parameters {
		f.Set("PayConnector_"+name, value)
	}
	return f
}

// addConnector adds what the connector had to say.
func (s *paySession) addConnector(f url.Values) {
	if s.message != "" {
		f.Set("PaymentError", s.message)
	}
	code := s.paid.Code
	switch {
	case !s.telnyx() && s.code != 0:
		f.Set("PayErrorCode", strconv.Itoa(s.code))
		f.Set("ConnectorError", cmp.Or(code, s.message))
	case s.telnyx() && s.code != 0:
		f.Set("PayErrorCode", cmp.Or(code, strconv.Itoa(s.code)))
	case s.telnyx() && s.paid.ID != "" && s.charges():
		f.Set("ChargeId", s.paid.ID)
	case s.telnyx() && s.paid.ID != "":
		f.Set("TokenId", s.paid.ID)
	}
}
