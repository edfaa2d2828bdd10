package runtime

import (
	"reflect"
	"testing"

	"github.com/hookswitch/hookswitch/verbs"
)

func TestReadPaid(t *testing.T) {
	for _, test := range []struct {
		name, method string
		status       int
		body         string
		want         verbs.Paid
		fails        bool
	}{
		{"a charge", "charge", 200, `{"charge_id":"ch_1","error_code":null,"error_message":null}`, verbs.Paid{ID: "ch_1"}, false},
		{"an id that is a number keeps its digits", "charge", 201, `{"charge_id":12345678901234567890}`, verbs.Paid{ID: "12345678901234567890"}, false},
		{"a token", "tokenize", 200, `{"token_id":"t","profile_id":"p"}`, verbs.Paid{ID: "t", ProfileID: "p"}, false},
		{"parameters", "charge", 200, `{"charge_id":"c","parameters":{"a":"x","b":2,"c":[1]}}`,
			verbs.Paid{ID: "c", Parameters: map[string]string{"a": "x", "b": "2", "c": "[1]"}}, false},
		{"an error wins over an id", "charge", 200, `{"charge_id":"c","error_code":"declined"}`, verbs.Paid{Code: "declined"}, false},
		{"an error of a failing status", "charge", 500, `{"error_message":"no"}`, verbs.Paid{Message: "no"}, false},
		{"a token is no charge", "charge", 200, `{"token_id":"t"}`, verbs.Paid{}, true},
		{"an id of a failing status", "charge", 500, `{"charge_id":"c"}`, verbs.Paid{}, true},
		{"nothing", "charge", 200, ``, verbs.Paid{}, true},
		{"no object", "charge", 200, `[1]`, verbs.Paid{}, true},
		{"too much", "charge", 200, string(make([]byte, longestAnswer+1)), verbs.Paid{}, true},
	} {
		got, err := readPaid(test.method, test.status, []byte(test.body))
		if (err != nil) != test.fails || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
}

func FuzzReadPaid(f *testing.F) {
	f.Add(200, []byte(`{"charge_id":"ch_1","error_code":null,"parameters":{"a":1}}`))
	f.Add(402, []byte(`{"token_id":{},"error_code":0}`))
	f.Add(200, []byte(`{"charge_id":[[1e999]]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for _, method := range []string{"charge", "tokenize"} {
			p, err := readPaid(method, status, body)
			if err == nil && (p.ID == "") == (p.Code == "" && p.Message == "") {
				t.Errorf("%s %d %q: neither paid nor refused, or both: %+v", method, status, body, p)
			}
		}
	})
}

func TestTimelinesHaveNothingEntered(t *testing.T) {
	for encoded, want := range map[string]string{
		"A=1&B=2%20x": "A=1&B=2%20x",
		"ExpirationDate=0831&PaymentCardNumber=xxxx-1111":       "ExpirationDate=%2A%2A%2A%2A&PaymentCardNumber=xxxx-1111",
		"BankRoutingNumber=021000021&PaymentCardPostalCode=941": "BankRoutingNumber=%2A%2A%2A%2A&PaymentCardPostalCode=%2A%2A%2A%2A",
		"%zz": "%zz",
	} {
		if got := withoutEntered(encoded); got != want {
			t.Errorf("%s: got %s, want %s", encoded, got, want)
		}
	}
}
