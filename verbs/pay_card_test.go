package verbs

import (
	"strings"
	"testing"
	"time"
)

func TestCardTypes(t *testing.T) {
	for _, test := range []struct {
		number, name string
		takes        bool
	}{
		{"4111111111111111", "visa", true},
		{"4222222222222", "visa", true}, // 13 digits
		{"411111111111111", "visa", false},
		{"4111111111111112", "visa", false},
		{"5555555555554444", "mastercard", true},
		{"2221000000000009", "mastercard", true},
		{"2720990000000007", "mastercard", true},
		{"2721000000000004", "", true},
		{"378282246310005", "amex", true},
		{"3782822463100050", "amex", false},
		{"6011111111111117", "discover", true},
		{"3056930009020004", "diners-club", true},
		{"30569309025904", "diners-club", true},
		{"3566002020360505", "jcb", true},
		{"6771798021000008", "maestro", true},
		{"6200000000000005", "", true}, // UnionPay
		{"201400000000001", "enroute", true},
		{"0000", "", false},
	} {
		kind := typeOf(test.number)
		if kind.name != test.name || kind.takes(test.number) != test.takes {
			t.Errorf("%s: %q %v, want %q %v", test.number, kind.name, kind.takes(test.number), test.name, test.takes)
		}
	}
}

func TestCardsAmongNames(t *testing.T) {
	for _, test := range []struct {
		number string
		names  []string
		want   bool
	}{
		{"4", []string{"amex", "visa"}, true},
		{"4", []string{"amex"}, false},
		{"37", []string{"optima"}, true},
		{"62", nil, true},
		{"62", []string{"visa"}, false},
	} {
		if got := typeOf(test.number).among(test.names); got != test.want {
			t.Errorf("%s among %q: %v", test.number, test.names, got)
		}
	}
}

func TestRoutingNumbers(t *testing.T) {
	for number, want := range map[string]bool{"021000021": true, "111000025": true, "021000022": false, "02100002": false, "000000000": false, "0210000210": false} {
		if got := routing(number); got != want {
			t.Errorf("%s: %v", number, got)
		}
	}
}

func TestCardsPayUntilTheirMonthIsOver(t *testing.T) {
	now := time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)
	for date, want := range map[string]bool{"1126": true, "1226": true, "0127": true, "1026": false, "1225": false, "1327": false, "0027": false, "127": false, "0176": true, "0177": false, "0199": false} {
		if got := good(date, now); got != want {
			t.Errorf("%s: %v", date, got)
		}
	}
}

func TestMasked(t *testing.T) {
	for number, want := range map[string]string{
		"4111111111111111": "xxxx-xxxx-xxxx-1111", "378282246310005": "xxxx-xxxxxx-x0005",
		"4222222222222": "xxxx-xxxx-x222-2", "6771798021000000008": "xxxx-xxxx-xxxx-xxx0-008", "": "",
	} {
		if got := masked(number); got != want {
			t.Errorf("%s: got %s, want %s", number, got, want)
		}
	}
}

// FuzzCard holds that whatever is pressed is taken or not without a fault, and that
// no more than four digits of it are shown.
func FuzzCard(f *testing.F) {
	for _, seed := range []string{"", "4", "4111111111111111", "378282246310005", "21490000000000000000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, text)
		digits = digits[:min(len(digits), 19)]
		typeOf(digits).takes(digits)
		routing(digits)
		good(digits, time.Unix(0, 0))
		shown := strings.NewReplacer("-", "", "x", "").Replace(masked(digits))
		if len(shown) > 4 || !strings.HasSuffix(digits, shown) {
			t.Errorf("%s is shown as %s", digits, masked(digits))
		}
	})
}
