package flows

import (
	"errors"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		name, pattern, who string
		want               bool
	}{
		{"a number as written", "+4930123", "+4930123", true},
		{"a number called without its +", "+4930123", "4930123", true},
		{"a pattern without +", "4930123", "+4930123", true},
		{"a number inside a SIP URI", "+4930123", "sip:+4930123@192.0.2.1:5060;user=phone", true},
		{"a secure SIP URI", "+4930123", "SIPS:+4930123@example.com", true},
		{"a tel URI with separators", "+4930123", "tel:+49-30-123;phone-context=x", true},
		{"a name-addr", "+4930123", `"A < B" <sip:+4930123@h>;tag=1`, true},
		{"a pattern with separators", "+49(30)123", "+4930123", true},
		{"a longer number", "+4930123", "+49301234", false},
		{"a shorter number", "+4930123", "+493012", false},
		{"leading zeros count", "0123", "123", false},
		{"the beginning of a number", "+4930*", "+4930123", true},
		{"the beginning, called without +", "+4930*", "4930123", true},
		{"another beginning", "+4930*", "+4940123", false},
		{"the beginning is the whole", "+4930*", "+4930", true},
		{"a beginning with + wants a number", "+49*", "49ers", false},
		{"any number", "+*", "4930123", true},
		{"any number, but a name", "+*", "alice", false},
		{"everyone", "*", "alice", true},
		{"everyone, and nobody", "*", "", true},
		{"no pattern", "", "anonymous", true},
		{"a user", "alice", "alice", true},
		{"a user at any host", "alice", "sip:alice@pbx.example.com", true},
		{"a user counts by case", "alice", "Alice", false},
		{"an escaped user", "j@ne@example.com", "sip:j%40ne@example.com", true},
		{"the beginning of a user", "team-*", "sip:team-blue@h", true},
		{"a user at a host", "alice@pbx.example.com", "sip:alice@PBX.example.com:5080", true},
		{"a user at another host", "alice@pbx.example.com", "sip:alice@example.com", false},
		{"a user at a host that is not known", "alice@pbx.example.com", "alice", false},
		{"everyone at a host", "*@pbx.example.com", "sip:bob@pbx.example.com", true},
		{"a number at a host", "+49*@sip.example.com", "sip:4930123@sip.example.com;transport=tcp", true},
		{"a pattern written as URI", "sip:alice@example.com", "alice@example.com", true},
		{"an IPv6 host", "alice@[2001:db8::1]", "sip:alice@[2001:DB8::1]:5060", true},
		{"a URI without user", "example.com", "sip:example.com", false},
	} {
		table, err := NewTable([]Route{{To: c.pattern, Flow: "a.xml"}})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if _, got := table.Find(c.who, "+1"); got != c.want {
			t.Errorf("%s: %q matches %q: got %v, want %v", c.name, c.pattern, c.who, got, c.want)
		}
	}
}

func TestTheFirstMatchWins(t *testing.T) {
	table, err := NewTable([]Route{
		{To: "+4930123", From: "+1*", Flow: "american.xml"},
		{To: "+4930123", Flow: "exact.xml"},
		{To: "+4930*", Flow: "berlin.xml"},
		{From: "alice", Flow: "alice.xml"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, to, from, want string }{
		{"both match", "+4930123", "+1212555", "american.xml"},
		{"only To matches", "+4930123", "+33", "exact.xml"},
		{"the beginning", "+4930999", "+1212555", "berlin.xml"},
		{"only From is asked for", "bob", "sip:alice@h", "alice.xml"},
		{"nothing matches", "bob", "carol", ""},
	} {
		route, ok := table.Find(c.to, c.from)
		if route.Flow != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q %v, want %q", c.name, route.Flow, ok, c.want)
		}
	}
}

func TestEverySlipOfRoutesIsNamed(t *testing.T) {
	_, err := NewTable([]Route{
		{To: "+49*", Flow: "fine.xml"},
		{To: "+49*30", From: "a b", Flow: "a.xml"},
		{To: "alice@"},
		{To: "@host", VoiceURL: "https://example.com/", Flow: "a.xml"},
		{To: "bob@*.example.com", Flow: "a.xml"},
	})
	want := []string{
		`routes[1].to: "+49*30" has its * in the middle`,
		`routes[1].from: "a b" has " " in it`,
		`routes[2].to: "alice@" has no host`,
		`routes[2].voice_url: nothing answers`,
		`routes[3].to: "@host" has no user`,
		`routes[3].voice_url: 2 things answer`,
		`routes[4].to: "bob@*.example.com" has no host`,
	}
	var slips Errors
	if !errors.As(err, &slips) || len(slips) != len(want) {
		t.Fatalf("got %v, want %d slips", err, len(want))
	}
	for i, w := range want {
		if got := slips[i].Error(); !strings.HasPrefix(got, w) || !strings.Contains(got, "; ") {
			t.Errorf("got %s, want %s and a remedy", got, w)
		}
	}
}

func FuzzPatterns(f *testing.F) {
	for _, s := range []string{"+4930123", "+4930*", "alice@example.com", "*@h", "+*", "sip:a@[::1]:5060;x=y?z", `"x" <sip:%41@b>`, "tel:+1-2(3).4", "@", "<>"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, written, who string) {
		p, msg, fix := parsePattern(written)
		if (msg == "") != (fix == "") {
			t.Errorf("%q: message %q with remedy %q", written, msg, fix)
		}
		party := parseParty(who)
		_ = p.matches(party) // whatever it says, it says it
		if party.number && strings.Trim(party.user, "0123456789") != "" {
			t.Errorf("%q: a number of %q", who, party.user)
		}
		// A pattern without * matches the party that is written the same way.
		if msg == "" && !strings.Contains(written, "*") && strings.Contains(written, "@") && !p.matches(parseParty(written)) {
			t.Errorf("%q does not match itself", written)
		}
	})
}
