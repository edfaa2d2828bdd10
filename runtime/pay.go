package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// longestAnswer is how much a payment connector may answer.
const longestAnswer = 64 << 10

// Secrets are keys that nobody else gets (verbs.Call).
func (c *script) Secrets(ctx context.Context) <-chan rune { return c.leg.Stream().Private(ctx) }

// Payee finds the connector that p names (verbs.Call).
func (c *script) Payee(p *texml.Pay) (verbs.Charge, error) {
	to, known := c.s.Connectors[p.PaymentConnector]
	var err error
	switch {
	case !known:
		err = fmt.Errorf("no connector is called %q; the configuration names them under connectors", p.PaymentConnector)
	case to.Kind != "pay":
		err = fmt.Errorf("the connector %q is of the kind %s, not pay", p.PaymentConnector, to.Kind)
	}
	if err != nil {
		c.note("error", c.at(p)+"<Pay>: "+err.Error(), "", 64004)
		return nil, err
	}
	return func(ctx context.Context, what verbs.Payment) (verbs.Paid, error) {
		over := make(chan time.Time, 1)
		goesOn := context.AfterFunc(ctx, func() { over <- time.Now() })
		done, err := c.charge(context.WithoutCancel(ctx), p, to, what)
		if !goesOn() {
			c.rec.Ended = <-over // and not only when the connector has answered
		}
		switch {
		case err != nil:
			c.note("error", c.at(p)+"<Pay>: "+err.Error(), "", 64002)
		case done.ID == "":
			code := 64010
			if p.TransactionType == "charge" {
				code = 64012
			}
			c.note("warning", c.at(p)+"<Pay>: the payment connector refused", "", code) // why may have digits in it
		}
		return done, err
	}, nil
}

// paymentRequest is what a connector is sent, in the shape of Twilio's Generic Pay
// Connector. Beyond it are token_type, bank_account_type, and what only Telnyx has:
// token_id, for a payment with a token, and metadata.
type paymentRequest struct {
	Method          string            `json:"method"` // charge or tokenize
	TransactionID   string            `json:"transaction_id"`
	CardNumber      string            `json:"cardnumber,omitempty"`
	SecurityCode    string            `json:"cvv,omitempty"`
	ExpiryMonth     string            `json:"expiry_month,omitempty"` // two digits each
	ExpiryYear      string            `json:"expiry_year,omitempty"`
	PostalCode      string            `json:"postal_code,omitempty"`
	BankAccount     string            `json:"bankaccountnumber,omitempty"`
	BankRouting     string            `json:"routingnumber,omitempty"`
	BankAccountType string            `json:"bank_account_type,omitempty"`
	TokenID         string            `json:"token_id,omitempty"`
	TokenType       string            `json:"token_type,omitempty"`
	Amount          string            `json:"amount,omitempty"`
	Currency        string            `json:"currency_code,omitempty"`
	Description     string            `json:"description,omitempty"`
	Parameters      map[string]string `json:"parameters,omitempty"`
	Metadata        json.RawMessage   `json:"metadata,omitempty"`
}

func newPaymentRequest(id string, p *texml.Pay, what verbs.Payment) paymentRequest {
	r := paymentRequest{
		Method: p.TransactionType, TransactionID: id,
		CardNumber: what.CardNumber, SecurityCode: what.SecurityCode, PostalCode: what.PostalCode,
		BankAccount: what.BankAccount, BankRouting: what.BankRouting,
		TokenID: p.PaymentToken, Description: p.Description, Metadata: json.RawMessage(p.Metadata),
	}
	if len(what.Expiry) == 4 {
		r.ExpiryMonth, r.ExpiryYear = what.Expiry[:2], what.Expiry[2:]
	}
	if what.BankAccount != "" {
		r.BankAccountType, r.PostalCode = p.BankAccountType, ""
	}
	if r.Method == "charge" {
		r.Amount, r.Currency = p.ChargeAmount, strings.ToUpper(p.Currency)
	} else {
		r.TokenType = p.TokenType
	}
	for _, each := range p.Parameters {
		if r.Parameters == nil {
			r.Parameters = map[string]string{}
		}
		r.Parameters[each.Name] = each.Value
	}
	return r
}

// charge asks the connector, once.
func (c *script) charge(ctx context.Context, p *texml.Pay, to Connector, what verbs.Payment) (verbs.Paid, error) {
	id := c.s.NewID("PK")
	body, err := json.Marshal(newPaymentRequest(id, p, what))
	if err != nil {
		return verbs.Paid{}, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	to.authorize(header)
	c.note("pay", p.TransactionType+" "+id+" at "+webhook.Redact(to.URL), "", 0)
	resp, err := c.s.Web.Do(ctx, webhook.Request{URL: to.URL, Method: "POST", Header: header, Own: true, Once: true, Body: body})
	if err != nil {
		return verbs.Paid{}, fmt.Errorf("the payment connector: %w", err)
	}
	return readPaid(p.TransactionType, resp.Status, resp.Body)
}

// readPaid reads the answer of a connector. An error is that it says neither that
// it has paid nor that it has not.
func readPaid(method string, status int, body []byte) (verbs.Paid, error) {
	if len(body) > longestAnswer {
		return verbs.Paid{}, fmt.Errorf("the payment connector answered more than %d KB", longestAnswer>>10)
	}
	var answer struct {
		ChargeID     any            `json:"charge_id"`
		TokenID      any            `json:"token_id"`
		ProfileID    any            `json:"profile_id"`
		ErrorCode    any            `json:"error_code"`
		ErrorMessage any            `json:"error_message"`
		Parameters   map[string]any `json:"parameters"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()                 // an id is no float
	if d.Decode(&answer) != nil { // the error would quote it
		return verbs.Paid{}, fmt.Errorf("the payment connector answered %d, and no JSON object as is expected", status)
	}
	done := verbs.Paid{Code: verbs.Plain(answer.ErrorCode), Message: verbs.Plain(answer.ErrorMessage), ProfileID: verbs.Plain(answer.ProfileID)}
	for name, value := range answer.Parameters {
		if done.Parameters == nil {
			done.Parameters = map[string]string{}
		}
		done.Parameters[name] = verbs.Plain(value)
	}
	field, id := "charge_id", verbs.Plain(answer.ChargeID)
	if method == "tokenize" {
		field, id = "token_id", verbs.Plain(answer.TokenID)
	}
	switch {
	case done.Code != "" || done.Message != "":
		return done, nil
	case status < 200 || status > 299:
		return verbs.Paid{}, fmt.Errorf("the payment connector answered %d without error_code", status)
	case id == "":
		return verbs.Paid{}, errors.New("the payment connector answered neither " + field + " nor error_code")
	}
	done.ID = id
	return done, nil
}

// enteredFields are parameters that the platforms tell as they were entered in a
// <Pay>. Timelines have none of them.
var enteredFields = []string{"ExpirationDate", "PaymentCardPostalCode", "BankRoutingNumber"}

// withoutEntered is an encoded form as a timeline may show it.
func withoutEntered(encoded string) string {
	form, err := url.ParseQuery(encoded)
	hidden := false
	for _, name := range enteredFields {
		if err == nil && form.Has(name) {
			form.Set(name, "****")
			hidden = true
		}
	}
	if !hidden {
		return encoded
	}
	return form.Encode()
}
