package outbound

import (
	"slices"
	"strings"
)

// number is what is dialled on a telephone.
type number struct {
	digits        string
	international bool // digits begin with a country code (E.164)
}

func (n number) String() string {
	if n.international {
		return "+" + n.digits
	}
	return n.digits
}

// parseNumber reads a number with visual separators (RFC 3966 §5.1.1). 00 and
// 011 before a number stand for +.
func parseNumber(s string) (n number, ok bool) {
	s = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "", "/", "", "\u00a0", "").Replace(s)
	s, n.international = strings.CutPrefix(s, "+")
	if s == "" || len(s) > 32 || strings.Trim(s, "0123456789") != "" {
		return n, false
	}
	n.digits = s
	for _, abroad := range []string{"00", "011"} {
		rest := strings.TrimPrefix(s, abroad)
		if !n.international && rest != s && rest != "" && rest[0] != '0' {
			return number{rest, true}, true
		}
	}
	return n, true
}

// flaw is what makes n impossible, or "".
func (n number) flaw() string {
	switch d := n.digits; {
	case !n.international && len(d) > 15, n.international && (len(d) < 5 || len(d) > 15):
		return "a number has 5 to 15 digits (E.164)"
	case n.international && d[0] == '0':
		return "no country code begins with 0"
	case n.international && d[0] == '1' && (len(d) != 11 || d[1] < '2' || d[4] < '2'):
		return "a number of +1 has ten digits after it, and neither its area code nor the rest begins with 0 or 1"
	}
	return ""
}

// Emergency numbers. Those everywhere are refused whatever the countries of the
// account are: 112 and 911 are emergency calls in any network (3GPP TS 22.101
// §10.1), a caller to 999 or 000 is no less in need because the account is of
// another country, and 933 says where in the US 911 would send help. Those of a
// country are numbers of extensions elsewhere.
var (
	helpEverywhere = []string{"112", "911", "999", "000", "933", "110", "111", "113", "115", "117", "118", "119"}

	helpIn = map[string]string{
		"15": "FR GP GF MQ RE PK", "17": "FR GP GF MQ RE", "18": "FR GP GF MQ RE", "114": "FR VN", "191": "FR TH", "196": "FR",
		"100": "IN IL GR AR BE NP", "101": "IN IL AR BE NP RU BY UA KZ", "102": "IN IL NP RU BY UA KZ", "103": "RU BY UA KZ",
		"104": "HU RU BY UA KZ", "105": "HU PE", "106": "AU PE", "107": "HU AR", "108": "IN GR", "116": "PE",
		"120": "CN", "122": "CN AT EG", "123": "EG CO", "128": "AT", "131": "CL", "132": "CL", "133": "AT CL", "140": "AT", "141": "AT",
		"144": "AT CH LI", "1414": "CH LI", "150": "CZ SK", "155": "CZ SK TR", "156": "CZ TR", "158": "CZ SK", "159": "SK", "166": "GR",
		"177": "TR", "180": "EG", "190": "BR TN", "192": "BR", "193": "BR", "197": "TN", "198": "TN", "199": "GR TH",
		"988": "US CA", "993": "SA", "995": "SG", "996": "SA", "997": "PL SA", "998": "PL SA AE",
		"1122": "PK", "1669": "TH", "10111": "ZA", "10177": "ZA",
		"061": "ES", "062": "ES", "066": "MX", "080": "ES", "085": "ES", "088": "ES", "091": "ES", "092": "ES",
	}
)

// emergency reports whether n is an emergency number, and how it is dialled:
// +49 110 is 110 in another dress.
func (p *Policy) emergency(n number) (digits string, ok bool) {
	if helps(n.digits, p.countries) {
		return n.digits, true
	}
	for i := 1; i <= 3 && i < len(n.digits) && n.international; i++ {
		if isos, ok := regions[n.digits[:i]]; ok && helps(n.digits[i:], strings.Fields(isos)) {
			return n.digits[i:], true
		}
	}
	return "", false
}

// helps reports whether digits are an emergency number in one of the countries.
func helps(digits string, countries []string) bool {
	return slices.Contains(helpEverywhere, digits) || slices.ContainsFunc(strings.Fields(helpIn[digits]), func(iso string) bool {
		return slices.Contains(countries, iso)
	})
}
