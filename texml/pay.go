package texml

import (
	"strings"
	"time"
)

// Pay asks for a card or a bank account and charges it.
type Pay struct {
	base
	Action               string // "" without HasAction: Twilio asks for the current document again
	HasAction            bool
	Method               string
	Input                string // dtmf
	StatusCallback       string
	StatusCallbackMethod string
	PaymentMethod        string // credit-card or ach-debit
	BankAccountType      string
	TokenType            string // one-time, reusable, payment-method
	TransactionType      string // charge or tokenize
	PaymentToken         string // skips the questions
	ChargeAmount         string // decimal; "" or 0: only a token
	Currency             string
	Description          string
	PaymentConnector     string
	Timeout              time.Duration
	InterDigitTimeout    time.Duration
	MaxAttempts          int // 1 to 3
	SecurityCode         bool
	PostalCode           bool   // is asked for
	KnownPostalCode      string // is not asked for
	MinPostalCodeLength  int
	ValidCardTypes       []string
	Voice                string
	Language             string
	ServiceLevel         string
	ParametersJSON       string // parameters attribute
	PromptsJSON          string
	Metadata             string
	Prompts              []*Prompt
	Parameters           []Parameter
}

func pay(e *element) Node {
	action := e.attr("action", 64016)
	p := &Pay{
		base:                 e.base(),
		Action:               action.url(),
		HasAction:            action.written(),
		Method:               e.attr("method", 0).on(Telnyx).method("POST"),
		Input:                e.attr("input", 0).on(Twilio).oneOf("dtmf", "dtmf"),
		StatusCallback:       e.attr("statusCallback", 0).url(),
		StatusCallbackMethod: e.attr("statusCallbackMethod", 0).method("POST"),
		PaymentMethod:        e.attr("paymentMethod", 0).oneOf("credit-card", "credit-card", "ach-debit"),
		BankAccountType:      e.attr("bankAccountType", 0).on(Twilio).oneOf("consumer-checking", "consumer-checking", "consumer-savings", "commercial-checking", "commercial-savings"),
		TokenType:            e.attr("tokenType", 0).on(Twilio).oneOf("reusable", "one-time", "reusable", "payment-method"),
		PaymentToken:         e.attr("paymentToken", 0).on(Telnyx).text(),
		ChargeAmount:         amount(e.attr("chargeAmount", 64003)),
		Currency:             e.attr("currency", 0).or(is(e, "USD", "usd")),
		Description:          e.attr("description", 0).text(),
		PaymentConnector:     e.attr("paymentConnector", 0).or("Default"),
		Timeout:              e.attr("timeout", 0).seconds(5, 1, 600),
		InterDigitTimeout:    e.attr("interDigitTimeout", 0).on(Telnyx).seconds(5, 1, 600),
		MaxAttempts:          e.attr("maxAttempts", 0).whole(1, 1, 3),
		SecurityCode:         e.attr("securityCode", 0).on(Twilio).boolean(true),
		MinPostalCodeLength:  e.attr("minPostalCodeLength", 0).whole(0, 0, 20),
		ValidCardTypes: e.attr("validCardTypes", 0).words("visa", "mastercard", "amex", "maestro", "discover", "optima", "jcb", "diners-club",
			"enroute"),
		Voice:          e.attr("voice", 0).on(Telnyx).or("female"),
		Language:       e.attr("language", 0).or("en-US"),
		ServiceLevel:   e.attr("serviceLevel", 0).on(Telnyx).or("premium"),
		ParametersJSON: e.attr("parameters", 0).on(Telnyx).text(),
		PromptsJSON:    e.attr("prompts", 0).on(Telnyx).text(),
		Metadata:       e.attr("metadata", 0).on(Telnyx).text(),
	}
	if p.ValidCardTypes == nil {
		p.ValidCardTypes = []string{"visa", "mastercard", "amex"}
	}
	charge := "tokenize"
	if strings.Trim(p.ChargeAmount, "0.") != "" {
		charge = "charge"
	}
	p.TransactionType = e.attr("transactionType", 0).on(Telnyx).oneOf(charge, "charge", "tokenize")
	p.postalCode(e)
	if e.p.dialect == Twilio && strings.HasPrefix(strings.ToLower(p.Action), "http:") {
		action.bad("is not https, which Twilio wants", "write https://…")
	}
	p.children(e)
	return p
}

// postalCode reads true, false, or the code itself.
func (p *Pay) postalCode(e *element) {
	a := e.attr("postalCode", 0)
	if v := strings.TrimSpace(a.value); a.written() && !equalFold(v, "true") && !equalFold(v, "false") {
		p.KnownPostalCode = v
		return
	}
	p.PostalCode = a.boolean(true)
}

func (p *Pay) children(e *element) {
	for c := e.kids(); c != nil; c = c.next {
		switch {
		case !c.allowed(0, "Prompt", "Parameter"):
		case c.name == "Parameter":
			p.Parameters = append(p.Parameters, c.pair())
		default:
			if n, ok := c.noun().(*Prompt); ok {
				p.Prompts = append(p.Prompts, n)
			}
		}
	}
}

// amount reads a decimal number.
func amount(a attr) string {
	v := strings.TrimSpace(a.value)
	whole, cents, _ := strings.Cut(v, ".")
	if strings.Trim(whole+cents, "0123456789") != "" || v == "." {
		a.bad("is no amount and is ignored", "write it as 10.50")
		return ""
	}
	return v
}
