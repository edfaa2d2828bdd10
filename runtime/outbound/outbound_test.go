package outbound

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// full is a configuration with some of everything.
var full = Config{
	Trunks: []Trunk{
		{Name: "in only", Allow: []string{"192.0.2.0/24"}},
		{Name: "main", Server: "sip.example.com", Username: "u", Password: "p", Allow: []string{"198.51.100.1", "sip.example.com"}},
		{Name: "second", Server: "[2001:db8::1]:5070", Transport: "tcp"},
		{Name: "gateway", Server: "localhost:5090"},
		{Name: "safe", Server: "tls.example.com", Transport: "tls"},
	},
	Allow:     []string{"100", "20*", "+4990012*", "*@pbx.example.com", "alice@192.0.2.9:5080", "*@*.inner.example.com", "sales*@desk.example.com", "+1900*@pbx.example.com"},
	Deny:      []string{"+49301*", "mallory@pbx.example.com"},
	Countries: []string{"DE", "US"},
}

func TestRoute(t *testing.T) {
	p := policy(t, full)
	const trunk = "sip.example.com"
	for _, c := range []struct {
		name, target string
		code         int
		uri, proxy   string
	}{
		{"a number", "+493023456", 0, "sip:+493023456@sip.example.com", trunk},
		{"a number with separators", " +49 (30) 234-56 ", 0, "sip:+493023456@sip.example.com", trunk},
		{"00 is +", "00493023456", 0, "sip:+493023456@sip.example.com", trunk},
		{"011 is +", "011493023456", 0, "sip:+493023456@sip.example.com", trunk},
		{"a tel: URI", "tel:+49-30-23456", 0, "sip:+493023456@sip.example.com", trunk},
		{"an extension that a pattern names", "100", 0, "sip:100@sip.example.com", trunk},
		{"an extension by its beginning", "2001", 0, "sip:2001@sip.example.com", trunk},
		{"an extension without a pattern", "300", codeNumber, "", ""},
		{"a national number", "03023456", codeNumber, "", ""},
		{"a country that is not ours", "+33123456789", codeCountry, "", ""},
		{"no country at all", "+2101234567", codeCountry, "", ""},
		{"what is denied", "+4930123", codeBlocked, "", ""},
		{"what is denied, by 00", "004930123", codeBlocked, "", ""},
		{"premium", "+49900555555", codeBlocked, "", ""},
		{"premium that a pattern names", "+49900123456", 0, "sip:+49900123456@sip.example.com", trunk},
		{"satellite", "+881612345678", codeBlocked, "", ""},
		{"too short", "+491", codeNumber, "", ""},
		{"too long", "+491234567890123456", codeNumber, "", ""},
		{"no such area of the USA", "+11234567890", codeNumber, "", ""},
		{"no such exchange there", "+12121234567", codeNumber, "", ""},
		{"a pattern of digits names no number with +", "+201234567890", codeCountry, "", ""},
		{"a star code", "*31*+493023456", codeNumber, "", ""},
		{"letters", "+1800FLOWERS", codeNumber, "", ""},
		{"digits of another script", "+٤٩٣٠١٢٣٤٥", codeNumber, "", ""},
		{"nothing", "", codeNumber, "", ""},
		{"a name without a host", "alice", codeNumber, "", ""},
		{"a client", "client:alice", codeNumber, "", ""},
		{"another scheme", "http://127.0.0.1/", codeNumber, "", ""},
		{"sips", "sips:a@127.0.0.1", codeURI, "", ""},

		{"this machine", "sip:a@127.0.0.1", 0, "sip:a@127.0.0.1", ""},
		{"this machine, all of it", "SIP:a@127.9.8.7:5070;transport=TCP;x=1", 0, "sip:a@127.9.8.7:5070;transport=tcp;x=1", ""},
		{"this machine by IPv6", "sip:a@[::1]:5060", 0, "sip:a@[::1]:5060", ""},
		{"this machine by a mapped address", "sip:a@[::ffff:127.0.0.1]", 0, "sip:a@127.0.0.1", ""},
		{"this machine by name", "sip:a@LocalHost", 0, "sip:a@127.0.0.1", ""},
		{"nobody in particular on this machine", "sip:127.0.0.1", 0, "sip:127.0.0.1", ""},
		{"an emergency number on this machine", "sip:112@127.0.0.1", 0, "sip:112@127.0.0.1", ""},
		{"a number on this machine that is denied", "sip:+4930123@127.0.0.1", codeBlocked, "", ""},
		{"not quite this machine", "sip:a@127.0.0.1.example.com", codeBlocked, "", ""},
		{"the unspecified address", "sip:a@0.0.0.0", codeBlocked, "", ""},
		{"an address as one number", "sip:a@2130706433", codeURI, "", ""},
		{"a short address", "sip:a@127.1", codeURI, "", ""},
		{"a hexadecimal address", "sip:a@0x7f.0.0.1", codeURI, "", ""},
		{"an octal address", "sip:a@0177.0.0.1", codeURI, "", ""},
		{"an address with a zone", "sip:a@[::1%25eth0]", codeURI, "", ""},
		{"two hosts", "sip:a@evil.example.net@127.0.0.1", codeURI, "", ""},
		{"a host behind the user", "sip:a?@evil.example.net", codeURI, "", ""},
		{"a host behind a parameter", "sip:127.0.0.1;x=@evil.example.net", codeURI, "", ""},
		{"maddr", "sip:a@127.0.0.1;maddr=192.0.2.1", codeURI, "", ""},
		{"MADDR", "sip:a@127.0.0.1;MADDR=192.0.2.1", codeURI, "", ""},
		{"lr", "sip:a@127.0.0.1;lr", codeURI, "", ""},
		{"another method", "sip:a@127.0.0.1;method=REFER", codeURI, "", ""},
		{"another transport", "sip:a@127.0.0.1;transport=tls", codeURI, "", ""},
		{"a parameter twice", "sip:a@127.0.0.1;transport=udp;transport=tcp", codeURI, "", ""},
		{"headers", "sip:a@127.0.0.1?Route=%3Csip:192.0.2.1%3E", codeURI, "", ""},
		{"a password", "sip:a:b@127.0.0.1", codeURI, "", ""},
		{"a line break", "sip:a@127.0.0.1\r\nRoute: x", codeURI, "", ""},
		{"an escaped line break", "sip:a%0D%0A@127.0.0.1", codeURI, "", ""},
		{"angle brackets", "sip:a@127.0.0.1>,<sip:b@192.0.2.1", codeURI, "", ""},
		{"port 0", "sip:a@127.0.0.1:0", codeURI, "", ""},
		{"a port with a plus", "sip:a@127.0.0.1:+5060", codeURI, "", ""},
		{"an empty user", "sip:@127.0.0.1", codeURI, "", ""},

		{"a host that may be called", "sip:bob%20b@pbx.example.com.:5066", 0, "sip:bob%20b@pbx.example.com:5066", ""},
		{"a name that is denied there", "sip:mallory@pbx.example.com", codeBlocked, "", ""},
		{"the same, escaped", "sip:m%61llory@PBX.example.com", codeBlocked, "", ""},
		{"a number there that is denied", "sip:+4930123@pbx.example.com", codeBlocked, "", ""},
		{"premium there that a pattern names", "sip:+19005550100@pbx.example.com", 0, "sip:+19005550100@pbx.example.com", ""},
		{"premium there that no pattern names", "sip:+449123456789@pbx.example.com", codeBlocked, "", ""},
		{"premium there, by 00", "sip:00449123456789@pbx.example.com", codeBlocked, "", ""},
		{"premium there, escaped", "sip:%2B4491%32%33456789@pbx.example.com", codeBlocked, "", ""},
		{"user=phone and no number", "sip:+449123456789%3Bx@pbx.example.com;user=phone", codeNumber, "", ""},
		{"a host that may not be called", "sip:a@example.net", codeBlocked, "", ""},
		{"a private address", "sip:a@10.0.0.1", codeBlocked, "", ""},
		{"a user and port that may be called", "sip:alice@192.0.2.9:5080", 0, "sip:alice@192.0.2.9:5080", ""},
		{"another port there", "sip:alice@192.0.2.9", codeBlocked, "", ""},
		{"another user there", "sip:bob@192.0.2.9:5080", codeBlocked, "", ""},
		{"a host below", "sip:a@x.y.inner.example.com", 0, "sip:a@x.y.inner.example.com", ""},
		{"not the host above itself", "sip:a@inner.example.com", codeBlocked, "", ""},
		{"a host that only ends so", "sip:a@winner.example.com", codeBlocked, "", ""},
		{"the beginning of a user", "sip:sales-2@desk.example.com", 0, "sip:sales-2@desk.example.com", ""},
		{"not the beginning", "sip:presales@desk.example.com", codeBlocked, "", ""},

		{"a name at the trunk", "sip:agent@sip.example.com", 0, "sip:agent@sip.example.com", trunk},
		{"a number at the trunk", "sip:+493023456@SIP.example.com:5060;user=phone", 0, "sip:+493023456@sip.example.com", trunk},
		{"a port of the trunk that we do not know", "sip:+493023456@sip.example.com:9;transport=tcp", 0, "sip:+493023456@sip.example.com", trunk},
		{"another country at the trunk", "sip:+33123456789@sip.example.com", codeCountry, "", ""},
		{"premium at the trunk", "sip:+449123456789@sip.example.com", codeBlocked, "", ""},
		{"premium at the trunk without its +", "sip:449123456789@sip.example.com", codeNumber, "", ""},
		{"a number behind a prefix", "sip:x+449123456789@sip.example.com", codeBlocked, "", ""},
		{"a star code at the trunk", "sip:*31*449123@sip.example.com", codeBlocked, "", ""},
		{"an escaped # at the trunk", "sip:%2331%23449@sip.example.com", codeBlocked, "", ""},
		{"a name at the trunk that is said to be a phone", "sip:agent@sip.example.com;user=phone", codeBlocked, "", ""},
		{"nobody at the trunk", "sip:sip.example.com", codeBlocked, "", ""},
		{"another trunk's address", "sip:+493023456@[2001:DB8:0::1]:5070", 0, "sip:+493023456@[2001:db8::1]:5070", "[2001:db8::1]:5070;transport=tcp"},
		{"a trunk on this machine, by its address", "sip:+449123456789@127.0.0.1:5090", codeBlocked, "", ""},
		{"another port of this machine", "sip:+449123456789@127.0.0.1:5091", 0, "sip:+449123456789@127.0.0.1:5091", ""},
		{"a trunk that wants TLS", "sip:bob@tls.example.com", codeNumber, "", ""},
	} {
		r, err := p.Route(c.target)
		if got := outcome(t, p, c.target); got != c.code {
			t.Errorf("%s: %q got %d (%v), want %d", c.name, c.target, got, err, c.code)
		}
		if r.URI != c.uri || r.Proxy != c.proxy {
			t.Errorf("%s: %q goes to %q over %q, want %q over %q", c.name, c.target, r.URI, r.Proxy, c.uri, c.proxy)
		}
		if own := r.Trunk == "main"; own != (r.Password == "p") {
			t.Errorf("%s: %q is %+v", c.name, c.target, r)
		}
	}
}

func TestDeniedSaysWhatToWrite(t *testing.T) {
	for _, c := range []struct {
		name, target string
		cfg          Config
		want         string
	}{
		{"no trunk", "+493023456", Config{}, "there is no trunk to call numbers with; write its server and credentials under sip.trunks"},
		{"no countries", "+493023456", Config{Trunks: provider}, "numbers of DE (+49) may not be called; write countries: [DE] under dial, or a pattern into dial.allow"},
		{"other countries", "+18765550100", Config{Trunks: provider, Countries: []string{"DE"}}, "numbers of JM (+1876) may not be called; add JM to dial.countries, or a pattern into dial.allow"},
		{"premium", "+449123456789", Config{Trunks: provider}, `this is a premium or shared-cost number (+449); if it should be called, write a pattern that names it into dial.allow, as in "+449*"`},
		{"a host", "sip:a@pbx.example.com", Config{}, `the host pbx.example.com may not be called; add "a@pbx.example.com" to dial.allow, or "*@pbx.example.com" for all of that host`},
		{"a host alone", "sip:pbx.example.com", Config{}, `the host pbx.example.com may not be called; add "*@pbx.example.com" to dial.allow`},
		{"a user that a pattern would read otherwise", "sip:a*@pbx.example.com", Config{}, `the host pbx.example.com may not be called; add "*@pbx.example.com" to dial.allow`},
		{"with the file, a host", "sip:a@pbx.example.com", Config{File: "pbx.yaml"}, `the host pbx.example.com may not be called; add "a@pbx.example.com" to dial.allow in pbx.yaml, or "*@pbx.example.com" for all of that host`},
		{"with the file, a country", "+493023456", Config{File: "pbx.yaml", Trunks: provider}, "numbers of DE (+49) may not be called; write countries: [DE] under dial in pbx.yaml, or a pattern into dial.allow"},
		{"with the file, no trunk", "+493023456", Config{File: "pbx.yaml"}, "there is no trunk to call numbers with; write its server and credentials under sip.trunks in pbx.yaml"},
		{"an extension", "100", Config{Trunks: provider}, `digits without + and country code are called only if a pattern names them; write the number as +14155550100, or add it to dial.allow, as in allow: ["100"]`},
	} {
		_, err := policy(t, c.cfg).Route(c.target)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestRedirect(t *testing.T) {
	p := policy(t, full)
	for _, c := range []struct {
		name, from, to string
		want           bool
	}{
		{"from a PBX to another host that may be called", "sip:a@pbx.example.com", "sip:a@x.inner.example.com", true},
		{"from a PBX to a stranger", "sip:a@pbx.example.com", "sip:a@example.net", false},
		{"from a PBX to our trunk", "sip:a@pbx.example.com", "sip:+493023456@sip.example.com", false},
		{"from a PBX into this machine", "sip:a@pbx.example.com", "sip:a@127.0.0.1", false},
		{"within this machine", "sip:a@127.0.0.1", "sip:b@127.0.0.1:5070", true},
		{"from this machine to our trunk", "sip:a@127.0.0.1", "sip:+493023456@sip.example.com", false},
		{"within a trunk", "+493023456", "sip:+493023457@sip.example.com", true},
		{"within a trunk to a premium number", "+493023456", "sip:+449123456789@sip.example.com", false},
		{"to another trunk", "+493023456", "sip:+493023456@[2001:db8::1]:5070", false},
		{"from a trunk into this machine", "+493023456", "sip:a@localhost", false},
		{"to a bare number", "+493023456", "+493023457", false},
		{"with headers", "sip:a@127.0.0.1", "sip:b@127.0.0.1?Route=x", false},
	} {
		from, err := p.Route(c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Redirect(from, c.to); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{"+4930*", ""}, {"+49 30 1", ""}, {"+*", ""}, {"100", ""}, {"0*", ""}, {"sip:*@pbx.example.com", ""}, {"alice@[2001:db8::1]:5070", ""},
		{"*@*.example.com", ""}, {"tel:+4930*", ""},
		{"", "names nobody; write"}, {"@example.com", "names nobody; write"}, {"*", "would allow every call there is; write"},
		{"+49*3", "has its * in the middle"}, {"**", "has its * in the middle"}, {"*@*", "has no host after its @"}, {"*@", "has no host after its @"},
		{"a@b*", "has no host after its @"}, {"*@10.0.0.0/8", "has no host after its @"}, {"pbx.example.com", "is neither a number nor an address; write"},
		{"alice", "is neither a number nor an address"}, {"0049*", "begins with a prefix for calls abroad; write +"}, {"a b@example.com", "has a user that no SIP address has"},
	} {
		got := ""
		if err := CheckPattern(c.pattern, true); err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%q: got %q, want %q", c.pattern, got, c.want)
		}
		if got != "" && !strings.Contains(got, "; ") {
			t.Errorf("%q: no remedy in %q", c.pattern, got)
		}
	}
	if err := CheckPattern("*", false); err != nil {
		t.Errorf("everything may be denied, but: %v", err)
	}
}

func TestNewNamesEverySlip(t *testing.T) {
	_, err := New(Config{
		Trunks: []Trunk{{Name: "a", Server: "sip.example.com/x"}, {Name: "a"}},
		Allow:  []string{"*", "x"}, Deny: []string{"", "*"}, Countries: []string{"UK"},
	})
	if err == nil {
		t.Fatal("there are none")
	}
	for _, want := range []string{`trunk "a": its server is no host`, `two trunks are called "a"`, `pattern "*" would allow`, `pattern "x" is neither`, `pattern "" names nobody`, `no country "UK"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 6 {
		t.Errorf("%d slips, want 6:\n%v", n, err)
	}
}

func TestPeers(t *testing.T) {
	if got := strings.Join(policy(t, full).Peers(), " "); got != "192.0.2.0/24 198.51.100.1 sip.example.com" {
		t.Errorf("got %s", got)
	}
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := policy(t, Config{Trunks: []Trunk{{Name: "main", Server: "a.example.com", MaxCalls: 3, MaxCPS: 2, Emergency: true}}, Allow: []string{"+*"}})
		begin := func(target string, want bool) (end func()) {
			t.Helper()
			r, err := p.Route(target)
			if err != nil {
				t.Fatal(err)
			}
			end, err = p.Begin(r)
			if got := err == nil; got != want {
				t.Errorf("%s begins: %v (%v), want %v", target, got, err, want)
			}
			return end
		}
		const n = "+493023456"
		begin(n, true)
		end := begin(n, true)
		begin(n, false) // two a second
		time.Sleep(500 * time.Millisecond)
		begin(n, true)
		time.Sleep(10 * time.Second)
		begin(n, false) // three at a time
		end()
		end() // counts once
		begin(n, true)
		begin(n, false)
		begin("112", true) // whatever the limits are
		begin("sip:a@127.0.0.1", true)
	})
}

func TestNextHop(t *testing.T) {
	for _, c := range []struct {
		name    string
		headers map[string][]string
		want    string // "" is refused
	}{
		{"a call of our own", nil, "1"},
		{"a call from a phone", map[string][]string{"X-Other": {"9"}}, "1"},
		{"the second time", map[string][]string{"x-hookswitch-hops": {"1"}}, "2"},
		{"the third time", map[string][]string{Hops: {" 2 "}}, "3"},
		{"the fourth time", map[string][]string{Hops: {"3"}}, ""},
		{"the worst of two", map[string][]string{Hops: {"1", "3"}}, ""},
		{"nonsense", map[string][]string{Hops: {"-1"}}, ""},
		{"a large number", map[string][]string{Hops: {"256"}}, ""},
	} {
		got, err := NextHop(c.headers)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}
