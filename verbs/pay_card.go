package verbs

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// cardType is a brand of cards, as its numbers show it (ISO/IEC 7812).
type cardType struct {
	name     string
	prefixes []span // of its numbers
	lengths  []int  // of its numbers, the longest last
	code     int    // digits of its security code; 0 has three or four
	noLuhn   bool   // its numbers have no check digit
}

// span is a range of prefixes of one length.
type span struct{ from, to string }

// anyCard stands for a brand that is not known.
var anyCard = cardType{lengths: []int{12, 13, 14, 15, 16, 17, 18, 19}}

// cardTypes are the brands that validCardTypes can name, the more special first.
// Numbers of the brand optima are those of amex.
var cardTypes = []cardType{
	{name: "enroute", prefixes: []span{{"2014", "2014"}, {"2149", "2149"}}, lengths: []int{15}, noLuhn: true},
	{name: "amex", prefixes: []span{{"34", "34"}, {"37", "37"}}, lengths: []int{15}, code: 4},
	{name: "diners-club", prefixes: []span{{"30", "30"}, {"36", "36"}, {"38", "39"}}, lengths: []int{14, 16}, code: 3},
	{name: "jcb", prefixes: []span{{"3528", "3589"}}, lengths: []int{16}, code: 3},
	{name: "visa", prefixes: []span{{"4", "4"}}, lengths: []int{13, 16}, code: 3},
	{name: "mastercard", prefixes: []span{{"51", "55"}, {"2221", "2720"}}, lengths: []int{16}, code: 3},
	{name: "discover", prefixes: []span{{"6011", "6011"}, {"644", "649"}, {"65", "65"}}, lengths: []int{16}, code: 3},
	{name: "maestro", prefixes: []span{{"50", "50"}, {"56", "58"}, {"63", "63"}, {"67", "67"}}, lengths: []int{12, 13, 14, 15, 16, 17, 18, 19}, code: 3},
}

// typeOf is the brand of a number, or of its beginning.
func typeOf(number string) cardType {
	for _, t := range cardTypes {
		for _, s := range t.prefixes {
			if n := len(s.from); len(number) >= n && number[:n] >= s.from && number[:n] <= s.to {
				return t
			}
		}
	}
	return anyCard
}

// longest is the greatest length of the brand's numbers.
func (t cardType) longest() int { return t.lengths[len(t.lengths)-1] }

// takes reports whether number can be one of the brand.
func (t cardType) takes(number string) bool {
	return slices.Contains(t.lengths, len(number)) && (t.noLuhn || luhn(number))
}

// among reports whether the brand is one of names. No names are all brands.
func (t cardType) among(names []string) bool {
	return names == nil || slices.Contains(names, t.name) || t.name == "amex" && slices.Contains(names, "optima")
}

// luhn checks the last digit of a number (ISO/IEC 7812-1, annex B).
func luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// routing checks a routing number of the American Bankers Association: nine digits,
// the last of which checks the others.
func routing(number string) bool {
	sum := 0
	for i, d := range number {
		sum += int(d-'0') * [...]int{3, 7, 1}[i%3]
	}
	return len(number) == 9 && sum > 0 && sum%10 == 0
}

// good reports whether a card of that MMYY can pay at now: until its month is over.
// A year is of the next fifty, or of the past.
func good(mmyy string, now time.Time) bool {
	if len(mmyy) != 4 {
		return false
	}
	month, _ := strconv.Atoi(mmyy[:2]) // they are digits
	year, _ := strconv.Atoi(mmyy[2:])
	ahead := (year - now.Year()%100 + 100) % 100
	return month >= 1 && month <= 12 && ahead <= 50 && (ahead > 0 || month >= int(now.Month()))
}

// masked shows the last digits of a number, in groups as they stand on a card.
func masked(number string) string {
	shown := strings.Repeat("x", max(0, len(number)-4)) + number[max(0, len(number)-4):]
	groups := []int{4, 4, 4, 4, 4}
	if len(number) == 15 { // American Express
		groups = []int{4, 6, 5}
	}
	var parts []string
	for _, n := range groups {
		n = min(n, len(shown))
		if n > 0 {
			parts = append(parts, shown[:n])
		}
		shown = shown[n:]
	}
	return strings.Join(parts, "-")
}
