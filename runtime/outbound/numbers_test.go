package outbound

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

var provider = []Trunk{{Name: "main", Server: "sip.example.com", Username: "u", Password: "p"}}

func policy(t testing.TB, c Config) *Policy {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// outcome is how Route ends: 0 for a route, or the code.
func outcome(t testing.TB, p *Policy, target string) int {
	t.Helper()
	r, err := p.Route(target)
	if err == nil {
		if r.URI == "" {
			t.Errorf("%s: a route to nowhere", target)
		}
		return 0
	}
	var d *Denied
	if !errors.As(err, &d) {
		t.Fatalf("%s: %v is no *Denied", target, err)
	}
	if d.Msg == "" || d.Fix == "" {
		t.Errorf("%s: %q has no remedy", target, d.Error())
	}
	return d.Code()
}

// allCountries are the codes in regions.
func allCountries() []string {
	var all []string
	for _, isos := range regions {
		all = append(all, strings.Fields(isos)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestNumbersOfTheWorld: an ordinary number of each country is called when the
// country may be, and not when only the others may; a costly one never is, until
// a pattern names it.
func TestNumbersOfTheWorld(t *testing.T) {
	list, err := os.ReadFile("testdata/numbers.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := allCountries()
	nobody, everybody := policy(t, Config{Trunks: provider}), policy(t, Config{Trunks: provider, Countries: all})
	anyNumber := policy(t, Config{Trunks: provider, Allow: []string{"+*"}})
	seen := 0
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		seen++
		f := strings.Fields(line)
		iso, kind, n := f[0], f[1], f[2]
		named := policy(t, Config{Trunks: provider, Allow: []string{n}})
		want := func(who string, p *Policy, code int) {
			if got := outcome(t, p, n); got != code {
				t.Errorf("%s %s %s: got %d, want %d for %s", iso, kind, n, got, code, who)
			}
		}
		want("a pattern that names it", named, 0)
		if kind == "costly" {
			want("no country", nobody, codeBlocked)
			want("every country", everybody, codeBlocked)
			want("a pattern for any number", anyNumber, codeBlocked)
			continue
		}
		isos, _ := countriesOf(n[1:])
		others := slices.DeleteFunc(slices.Clone(all), func(o string) bool { return slices.Contains(isos, o) })
		want("no country", nobody, codeCountry)
		want("its own country", policy(t, Config{Trunks: provider, Countries: []string{iso}}), 0)
		want("all other countries", &Policy{trunks: everybody.trunks, countries: others}, codeCountry)
		want("a pattern for any number", anyNumber, 0)
	}
	if seen < 500 {
		t.Errorf("there are %d numbers", seen)
	}
	if len(all) < 235 {
		t.Errorf("there are %d countries", len(all))
	}
}

// TestNeighbours: countries that share a code are told apart.
func TestNeighbours(t *testing.T) {
	for _, c := range []struct{ name, country, number, allowed string }{
		{"the USA", "US", "+12125550100", "yes"},
		{"Canada is not the USA", "US", "+14165550100", ""},
		{"the USA is not Canada", "CA", "+12125550100", ""},
		{"Jamaica is not the USA", "US", "+18765550100", ""},
		{"Jamaica by its other area code", "JM", "+16585550100", "yes"},
		{"the Dominican Republic is not the USA", "US", "+18095550100", ""},
		{"Puerto Rico is not the USA", "US", "+17875550100", ""},
		{"a free number is of the USA", "US", "+18005550100", "yes"},
		{"and of Canada", "CA", "+18005550100", "yes"},
		{"Russia", "RU", "+74951234567", "yes"},
		{"Kazakhstan is not Russia", "RU", "+77271234567", ""},
		{"Kazakhstan", "KZ", "+77271234567", "yes"},
		{"Guernsey is not Great Britain", "GB", "+441481123456", ""},
		{"a mobile of Jersey is not of Great Britain", "GB", "+447797123456", ""},
		{"Great Britain", "GB", "+442071234567", "yes"},
		{"Curaçao is not Bonaire", "BQ", "+59991234567", ""},
		{"the Vatican is not Italy", "IT", "+390669812345", ""},
		{"Rome is", "IT", "+390612345678", "yes"},
		{"Åland is not Finland", "FI", "+35818123456", ""},
		{"Mayotte is not Réunion", "RE", "+262269601234", ""},
	} {
		want := codeCountry
		if c.allowed == "yes" {
			want = 0
		}
		if got := outcome(t, policy(t, Config{Trunks: provider, Countries: []string{c.country}}), c.number); got != want {
			t.Errorf("%s: %s got %d, want %d", c.name, c.number, got, want)
		}
	}
}

// TestCostly: a costly number is told from its neighbours, and called only if a
// pattern names what makes it costly.
func TestCostly(t *testing.T) {
	for _, c := range []struct {
		name, number, pattern string
		want                  int
	}{
		{"a pattern for the country is not enough", "+449123456789", "+44*", codeBlocked},
		{"one that names it is", "+449123456789", "+449*", 0},
		{"the number itself is", "+449123456789", "+449123456789", 0},
		{"pay-per-call in any area", "+12129761234", "+1212*", codeBlocked},
		{"named", "+12129761234", "+1212976*", 0},
		{"a free number with the same digits", "+18009761234", "+1*", 0},
		{"Dublin is no premium number", "+35315201234", "+353*", 0},
		{"which has more digits", "+3531520123456", "+353*", codeBlocked},
		{"a satellite", "+8816", "+8816*", codeNumber},
		{"a satellite that is named", "+881631550000", "+8816*", 0},
	} {
		if got := outcome(t, policy(t, Config{Trunks: provider, Allow: []string{c.pattern}}), c.number); got != c.want {
			t.Errorf("%s: %s with %s got %d, want %d", c.name, c.number, c.pattern, got, c.want)
		}
	}
}

func TestKnownCountry(t *testing.T) {
	for iso, want := range map[string]bool{"DE": true, "XK": true, "GP": true, "MF": true, "UK": false, "de": false, "": false, "D": false, "DEU": false, "EU": false, " D": false, "P ": false, "PB": false} {
		if got := KnownCountry(iso); got != want {
			t.Errorf("%q: got %v, want %v", iso, got, want)
		}
	}
}

// TestRegionsAreReachable: the longest beginning is looked for.
func TestRegionsAreReachable(t *testing.T) {
	longest := 0
	for begin, isos := range regions {
		longest = max(longest, len(begin))
		for _, iso := range strings.Fields(isos) {
			if len(iso) != 2 || strings.ToUpper(iso) != iso {
				t.Errorf("+%s is of %q", begin, iso)
			}
		}
		if strings.Trim(begin, "0123456789") != "" {
			t.Errorf("%q is no beginning of a number", begin)
		}
	}
	if longest != longestRegion {
		t.Errorf("the longest beginning has %d digits, not %d", longest, longestRegion)
	}
	for code := range premium {
		if _, ok := regions[code]; !ok {
			t.Errorf("+%s has premium numbers and no country", code)
		}
	}
	for help, isos := range helpIn {
		for _, iso := range strings.Fields(isos) {
			if !KnownCountry(iso) {
				t.Errorf("%s is for emergencies in %q", help, iso)
			}
		}
	}
}

func TestEmergency(t *testing.T) {
	none := policy(t, Config{Trunks: provider, Allow: []string{"+*", "1*", "9*", "*@sip.example.com", "*@pbx.example.com", "112@gate.example.com"}, Countries: []string{"IN", "DE"}})
	able := policy(t, Config{Trunks: append(slices.Clone(provider), Trunk{Name: "help", Server: "sip.example.net:5070", Emergency: true, MaxCalls: 1}), Deny: []string{"*"}})
	for _, target := range []string{"112", "911", "999", "000", "933", "110", "113", "118", "119", "+112", "00112", "011911", "+49110", "+49 112", "+1911", "+44-999", "+61000", "0049110",
		"tel:112", "tel:+49112", "+33 15", "+33 17", "+55190", "+27 10111",
		"1 1 2", "(911)", "9.1.1"} {
		if got := outcome(t, none, target); got != codeEmergency {
			t.Errorf("%s without a trunk for it: got %d, want %d", target, got, codeEmergency)
		}
		r, err := able.Route(target)
		if err != nil || r.Trunk != "help" || !r.Emergency || strings.Contains(r.URI, "+") || !strings.HasSuffix(r.URI, "@sip.example.net:5070") {
			t.Errorf("%s with a trunk for it: got %+v, %v", target, r, err)
		}
		if strings.ContainsAny(target, " ()") || strings.HasPrefix(target, "tel:") {
			continue
		}
		if got := outcome(t, none, "sip:"+target+"@sip.example.com"); got != codeEmergency {
			t.Errorf("%s at the trunk: got %d, want %d", target, got, codeEmergency)
		}
		if got := outcome(t, none, "sip:"+target+"@pbx.example.com"); got != codeEmergency {
			t.Errorf("%s at a host that may be called: got %d, want %d", target, got, codeEmergency)
		}
	}
	for _, c := range []struct {
		name, target string
		want         int
	}{
		{"of a country of the account", "100", codeEmergency},
		{"of a country that is not the account's", "190", 0},
		{"as an extension that is written out", "sip:112@gate.example.com", 0},
		{"a number that only begins so", "1125", 0},
		{"a number of Germany that begins so", "+4911234567", 0},
		{"this machine", "sip:112@127.0.0.1", 0},
		{"escaped", "sip:%31%31%32@sip.example.com", codeEmergency},
		{"with user=phone", "sip:112@sip.example.com;user=phone", codeEmergency},
	} {
		if got := outcome(t, none, c.target); got != c.want {
			t.Errorf("%s: %s got %d, want %d", c.name, c.target, got, c.want)
		}
	}
	if got := outcome(t, able, "+4930123456"); got != codeBlocked {
		t.Errorf("another number while all are denied: got %d", got)
	}
}
