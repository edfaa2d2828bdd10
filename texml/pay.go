package texml

import (
	"encoding/json"
	"maps"
	"slices"
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
	InterDigitTimeout    time.Duration // Timeout where it is not written
	MaxAttempts          int           // 1 to 3
	SecurityCode         bool
	PostalCode           bool   // is asked for
	KnownPostalCode      string // is not asked for
	MinPostalCodeLength  int
	ValidCardTypes       []string // nil: all
	Voice                string
	Language             string
	ServiceLevel         string
	Metadata             string      // a JSON object; "" if not written
	Prompts              []*Prompt   // those of the prompts attribute, then those inside, which win
	Parameters           []Parameter // those of the parameters attribute, then those inside, which win
}

// Say gives what speaks text in the voice and language of p, at its place.
func (p *Pay) Say(text string) *Say {
	return &Say{base: p.base, Parts: []Part{{Text: text}}, Voice: p.Voice, Language: p.Language, Loop: 1, VoiceSpeed: 1}
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
		MaxAttempts:          e.attr("maxAttempts", 0).whole(1, 1, 3),
		SecurityCode:         e.attr("securityCode", 0).on(Twilio).boolean(true),
		MinPostalCodeLength:  e.attr("minPostalCodeLength", 0).whole(0, 0, 20),
		ValidCardTypes: e.attr("validCardTypes", 0).words("visa", "mastercard", "amex", "maestro", "discover", "optima", "jcb", "diners-club",
			"enroute"),
		Voice:        e.attr("voice", 0).on(Telnyx).or("female"),
		Language:     e.attr("language", 0).or("en-US"),
		ServiceLevel: e.attr("serviceLevel", 0).on(Telnyx).or("premium"),
	}
	between := e.attr("interDigitTimeout", 0).on(Telnyx)
	if p.InterDigitTimeout = p.Timeout; is(e, true, between.written()) {
		p.InterDigitTimeout = between.seconds(5, 1, 600)
	}
	if p.ValidCardTypes == nil {
		p.ValidCardTypes = is(e, nil, []string{"visa", "mastercard", "amex"})
	}
	switch p.Voice {
	case "female":
		p.Voice = "woman"
	case "male":
		p.Voice = "man"
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
	p.objects(e)
	p.children(e)
	return p
}

// objects reads the attributes that are JSON objects.
func (p *Pay) objects(e *element) {
	metadata := e.attr("metadata", 0).on(Telnyx)
	if metadata.object() != nil {
		p.Metadata = metadata.text()
	}
	parameters := e.attr("parameters", 0).on(Telnyx)
	values := parameters.object()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		p.Parameters = append(p.Parameters, Parameter{name, valueText(values[name])})
	}
	prompts := e.attr("prompts", 0).on(Telnyx)
	steps := prompts.object()
	for _, step := range slices.Sorted(maps.Keys(steps)) {
		if err := p.promptsOf(step, steps[step]); err != nil {
			prompts.bad("has no prompts in "+quoted(step)+", which is left out", `write {"`+step+`": [{"text": "…", "attempt": "1"}]}`)
		}
	}
}

// promptsOf reads what one step has in the attribute prompts: a text, or a list of
// texts with what they are for.
func (p *Pay) promptsOf(step string, value json.RawMessage) error {
	type prompt struct{ Text, Attempt, ErrorType, CardType string }
	var list []prompt
	if text := ""; json.Unmarshal(value, &text) == nil {
		list = []prompt{{Text: text}}
	} else if err := json.Unmarshal(value, &list); err != nil {
		return err
	}
	for _, each := range list {
		if strings.TrimSpace(each.Text) == "" {
			continue
		}
		p.Prompts = append(p.Prompts, &Prompt{base: p.base, For: []string{step}, ErrorType: strings.Fields(each.ErrorType),
			CardType: strings.Fields(each.CardType), Attempt: strings.Fields(each.Attempt), Prompts: []Node{p.Say(each.Text)}})
	}
	return nil
}

// valueText is a JSON value as text.
func valueText(value json.RawMessage) string {
	if text := ""; json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// object gives the members of a JSON object; nil if none is written.
func (a attr) object() map[string]json.RawMessage {
	if strings.TrimSpace(a.value) == "" {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(a.value), &members); err != nil {
		a.bad("is no JSON object and is ignored", `write it as {"name": "value"}`)
		return nil
	}
	return members
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
