package verbs

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// till is a call that pays.
type till struct {
	script
	missing bool // there is no connector
	fails   bool // it gives no answer
	took    []Payment
	told    []url.Values
}

func (c *till) Secrets(context.Context) <-chan rune { return c.keys }

func (c *till) Payee(*texml.Pay) (Charge, error) {
	if c.missing {
		return nil, errors.New("none")
	}
	return func(_ context.Context, what Payment) (Paid, error) {
		c.took = append(c.took, what)
		if c.fails {
			return Paid{}, errors.New("no answer")
		}
		return Paid{ID: "id"}, nil
	}, nil
}

func (c *till) Post(_ texml.Node, _, _ string, form url.Values) { c.told = append(c.told, form) }

// pressed is a channel with keys waiting on it.
func pressed(keys string) chan rune {
	c := make(chan rune, len(keys))
	for _, k := range keys {
		c <- k
	}
	return c
}

func TestPay(t *testing.T) {
	for _, test := range []struct {
		name, xml, keys string
		call            till
		result          string
		took            *Payment
	}{
		{"a card", `<Pay method="GET"/>`, "411111111111111101309#123", till{}, paid, &Payment{CardNumber: "4111111111111111", Expiry: "0130", PostalCode: "9", SecurityCode: "123"}},
		{"a known postal code goes along", `<Pay postalCode="94105" securityCode="false"/>`, "41111111111111110130", till{}, paid,
			&Payment{CardNumber: "4111111111111111", Expiry: "0130", PostalCode: "94105"}},
		{"13 digits and #", `<Pay postalCode="false" securityCode="false"/>`, "4222222222222#0130", till{}, paid, &Payment{CardNumber: "4222222222222", Expiry: "0130"}},
		{"a bank account", `<Pay paymentMethod="ach-debit"/>`, "0210000211234#", till{}, paid, &Payment{BankRouting: "021000021", BankAccount: "1234"}},
		{"17 digits of one are all", `<Pay paymentMethod="ach-debit"/>`, "02100002112345678901234567", till{}, paid, &Payment{BankRouting: "021000021", BankAccount: "12345678901234567"}},
		{"three digits of one are none", `<Pay paymentMethod="ach-debit"/>`, "021000021123#", till{}, tooMany, nil},
		{"letters count for nothing", `<Pay postalCode="false" securityCode="false"/>`, "A4111D111111111111#0130", till{}, paid, &Payment{CardNumber: "4111111111111111", Expiry: "0130"}},
		{"star at the first key", `<Pay/>`, "*", till{}, interrupted, nil},
		{"silence", `<Pay/>`, "", till{}, tooMany, nil},
		{"the second attempt", `<Pay maxAttempts="2" postalCode="false" securityCode="false"/>`, "42#41111111111111110130", till{}, paid,
			&Payment{CardNumber: "4111111111111111", Expiry: "0130"}},
		{"no answer", `<Pay postalCode="false" securityCode="false"/>`, "41111111111111110130", till{fails: true}, refused, &Payment{CardNumber: "4111111111111111", Expiry: "0130"}},
		{"no connector", `<Pay/>`, "4111111111111111", till{missing: true}, noPayee, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				call := &test.call
				call.dialect, call.keys = texml.Twilio, pressed(test.keys)
				next, err := verb(t, texml.Twilio, test.xml).Run(t.Context(), call)
				if err != nil || next.Fetch == nil {
					t.Fatal(next, err)
				}
				if got := next.Fetch.Form.Get("Result"); got != test.result || next.Fetch.Method != "POST" || !next.Fetch.Outcome {
					t.Errorf("%s, result %s, want %s", next, got, test.result)
				}
				switch {
				case test.took == nil && len(call.took) > 0, test.took != nil && (len(call.took) != 1 || call.took[0] != *test.took):
					t.Errorf("paid with %+v, want %+v", call.took, test.took)
				}
			})
		})
	}
}

// TestPayEndsWithTheCall holds that nothing is paid on a call that ended before all
// was entered, and that the action is told.
func TestPayEndsWithTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancelCause(t.Context())
		call := &till{script: script{dialect: texml.Twilio, keys: pressed("411111111111111101309#123")}}
		// The prompts that keys stop take no time; the last lasts a second.
		time.AfterFunc(500*time.Millisecond, func() { end(errOver) })
		next, err := verb(t, texml.Twilio, `<Pay chargeAmount="1"/>`).Run(ctx, call)
		if err != errOver || next.Fetch == nil || next.Fetch.Form.Get("Result") != hungUp {
			t.Errorf("goes to %v, %v", next, err)
		}
		if len(call.took) > 0 {
			t.Error("it has paid")
		}
	})
}

// TestWhatAConnectorQuotesIsHidden: its words go to the action, and into the store
// when the call is over.
func TestWhatAConnectorQuotesIsHidden(t *testing.T) {
	for _, test := range []struct{ name, says, want string }{
		{"the number", "no 4111111111111111", "no ***"},
		{"the code", `{"cvv":"737"}`, `{"cvv":"***"}`},
		{"the code within another number", "error 17370, call 0737", "error 17370, call 0737"},
	} {
		s := &paySession{is: Payment{CardNumber: "4111111111111111", SecurityCode: "737"},
			paid: Paid{Message: test.says, Code: test.says, Parameters: map[string]string{"receipt": "737", "card": "4111111111111111"}}}
		s.hide()
		if s.paid.Message != test.want || s.paid.Code != test.want {
			t.Errorf("%s: %q and %q, want %q", test.name, s.paid.Message, s.paid.Code, test.want)
		}
		if p := s.paid.Parameters; p["receipt"] != "737" || p["card"] != "***" {
			t.Errorf("%s: parameters %v", test.name, p)
		}
	}
}

func TestPromptsOfPay(t *testing.T) {
	doc, err := texml.Parse("", []byte(`<Response><Pay>
<Prompt for="security-code"><Say>code</Say></Prompt>
<Prompt for="security-code" cardType="amex visa"><Say>code of visa</Say></Prompt>
<Prompt for="security-code postal-code" attempt="2"><Say>second</Say></Prompt>
<Prompt for="security-code" attempt="2" errorType="timeout"><Say>second in time</Say></Prompt>
<Prompt errorType="timeout"><Say>any</Say></Prompt>
<Prompt for="payment-card-number"><Say>card</Say></Prompt>
<Prompt for="payment-card-number"><Say>card, later</Say></Prompt>
</Pay></Response>`), texml.Twilio)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, number, step, wrong string
		attempt                   int
		want                      string
	}{
		{"the step", "5", "security-code", "", 1, "code"},
		{"the type of card", "4", "security-code", "", 1, "code of visa"},
		{"of equals the last", "4", "security-code", "invalid-security-code", 2, "second"},
		{"the one that says most", "5", "security-code", "timeout", 2, "second in time"},
		{"another step of it", "5", "postal-code", "", 2, "second"},
		{"no step, so all", "5", "expiration-date", "timeout", 1, "any"},
		{"none", "5", "expiration-date", "", 1, ""},
		{"the later", "", "payment-card-number", "", 1, "card, later"},
	} {
		s := &paySession{pay: pay{doc.Verbs[0].(*texml.Pay)}, is: Payment{CardNumber: test.number}}
		if s.is.CardNumber == "5" {
			s.is.CardNumber = "51"
		}
		got := ""
		if p := s.prompt(test.step, test.wrong, test.attempt); p != nil {
			got = p.Prompts[0].(*texml.Say).Text()
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestLimitsOfPay(t *testing.T) {
	for _, test := range []struct{ name, xml, want string }{
		{"none", `<Pay/>`, ""},
		{"matching inputs", `<Pay><Prompt for="postal-code" requireMatchingInputs="true"><Say>a</Say></Prompt></Pay>`, "requireMatchingInputs"},
		{"another language", `<Pay language="fr-FR" paymentToken="t"/>`, `<Pay language="fr-FR">: what is said without a <Prompt> is English`},
		{"another language with prompts", `<Pay language="fr-FR" paymentToken="t"><Prompt for="payment-processing"><Say>a</Say></Prompt></Pay>`, ""},
		{"a level of service", `<Pay serviceLevel="basic"/>`, "serviceLevel basic"},
	} {
		doc, err := texml.Parse("", []byte("<Response>"+test.xml+"</Response>"), texml.Telnyx)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range Limits(doc.Verbs[0]) {
			got = append(got, l.Msg)
		}
		if all := strings.Join(got, ", "); (test.want == "") != (all == "") || !strings.HasPrefix(all, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
