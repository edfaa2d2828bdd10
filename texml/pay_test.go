package texml

import (
	"slices"
	"testing"
	"time"
)

func TestPayReadsJSON(t *testing.T) {
	p := parseOne[*Pay](t, `<Pay prompts='{"security-code": "Code?", "payment-card-number": [{"text": "Card?"}, {"text": "Again?", "attempt": "2 3", "errorType": "timeout"}]}'
		parameters='{"a": "1", "n": 2, "b": "3"}'><Parameter name="a" value="inside"/><Prompt for="postal-code"><Say>Code.</Say></Prompt></Pay>`, Telnyx)
	var got []string
	for _, each := range p.Prompts {
		got = append(got, each.For[0]+" "+each.Prompts[0].(*Say).Text())
	}
	if want := []string{"payment-card-number Card?", "payment-card-number Again?", "security-code Code?", "postal-code Code."}; !slices.Equal(got, want) {
		t.Errorf("prompts %q, want %q", got, want)
	}
	if again := p.Prompts[1]; !slices.Equal(again.Attempt, []string{"2", "3"}) || !slices.Equal(again.ErrorType, []string{"timeout"}) {
		t.Errorf("the second is for %q %q", again.Attempt, again.ErrorType)
	}
	if want := []Parameter{{"a", "1"}, {"b", "3"}, {"n", "2"}, {"a", "inside"}}; !slices.Equal(p.Parameters, want) {
		t.Errorf("parameters %v, want %v", p.Parameters, want)
	}
}

func TestPayDefaults(t *testing.T) {
	for _, test := range []struct {
		name, xml string
		dialect   Dialect
		between   time.Duration
		types     []string
		method    string
	}{
		{"Twilio", `<Pay timeout="7"/>`, Twilio, 7 * time.Second, []string{"visa", "mastercard", "amex"}, "tokenize"},
		{"Telnyx", `<Pay timeout="7" chargeAmount="1.5"/>`, Telnyx, 5 * time.Second, nil, "charge"},
		{"what is written", `<Pay interDigitTimeout="2" validCardTypes="jcb" chargeAmount="0.00"/>`, Twilio, 2 * time.Second, []string{"jcb"}, "tokenize"},
	} {
		p := parseOne[*Pay](t, test.xml, test.dialect)
		if p.InterDigitTimeout != test.between || !slices.Equal(p.ValidCardTypes, test.types) || p.TransactionType != test.method {
			t.Errorf("%s: %v %q %s", test.name, p.InterDigitTimeout, p.ValidCardTypes, p.TransactionType)
		}
	}
}
