package sip

import (
	"strings"
	"testing"
)

func TestTransferURI(t *testing.T) {
	for _, c := range []struct{ name, uri, want, wrong string }{
		{"a plain one stays", "sip:bob@example.com", "sip:bob@example.com", ""},
		{"port and parameters stay", "sips:bob@[2001:db8::1]:5061;transport=tcp", "sips:bob@[2001:db8::1]:5061;transport=tcp", ""},
		{"a number", "tel:+15551234", "tel:+15551234", ""},
		{"Replaces is escaped", "sip:bob@example.com?Replaces=1@h;to-tag=a;from-tag=b", "sip:bob@example.com?Replaces=1%40h%3Bto-tag%3Da%3Bfrom-tag%3Db", ""},
		{"what is escaped is not escaped again", "sip:bob@example.com?Replaces=1%40h%3bto-tag%3Da", "sip:bob@example.com?Replaces=1%40h%3bto-tag%3Da", ""},
		{"a lone percent sign is", "sip:bob@example.com?X-A=100%", "sip:bob@example.com?X-A=100%25", ""},
		{"two headers", "sip:bob@example.com?X-A=1 2&X-B=é", "sip:bob@example.com?X-A=1%202&X-B=%C3%A9", ""},
		{"brackets cannot end the header", "sip:bob@example.com?X-A=>;x", "sip:bob@example.com?X-A=%3E%3Bx", ""},
		{"a question mark in the name", "sip:a?b=c@example.com", "sip:a?b=c@example.com", ""},
		{"no scheme", "bob", "", "must be sip:"},
		{"another scheme", "http://example.com", "", "must be sip:"},
		{"no host", "sip:bob@", "", "must be sip:"},
		{"a space", "sip:bob smith@example.com", "", "must be escaped"},
		{"a bracket", "sip:bob@example.com>", "", "must be escaped"},
		{"a line end", "sip:bob@example.com?X=1\r\nVia: x", "", "line end"},
		{"a hidden line end", "sip:bob@example.com?X=1%0d%0AVia: x", "", "line end"},
		{"a hidden zero", "sip:b%00b@example.com", "", "line end"},
		{"a header without value", "sip:bob@example.com?Replaces", "", "name=value"},
		{"no header after the mark", "sip:bob@example.com?", "", "name=value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := transferURI(c.uri)
			if got != c.want || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestReferredTo(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []string
		want   string
		status int
	}{
		{"in brackets", []string{"<sip:bob@example.com>"}, "sip:bob@example.com", 0},
		{"without brackets", []string{"sip:bob@example.com"}, "sip:bob@example.com", 0},
		{"a parameter that is not the URI's", []string{"sip:bob@example.com;x=y"}, "sip:bob@example.com", 0},
		{"a parameter of each", []string{`"Bob, B. <x>" <sip:bob@example.com;transport=tcp>;x="a,b"`}, "sip:bob@example.com;transport=tcp", 0},
		{"an attended transfer", []string{"<sip:bob@example.com?Replaces=1%40h%3Bto-tag%3Da%3Bfrom-tag%3Db>"}, "sip:bob@example.com?Replaces=1%40h%3Bto-tag%3Da%3Bfrom-tag%3Db", 0},
		{"an INVITE, said plainly", []string{"<sip:bob@example.com;method=INVITE>"}, "sip:bob@example.com;method=INVITE", 0},
		{"another method", []string{"<sip:bob@example.com;method=BYE>"}, "", 603},
		{"none", nil, "", 400},
		{"two", []string{"<sip:bob@example.com>", "<sip:carol@example.com>"}, "", 400},
		{"two in one line", []string{"<sip:bob@example.com>, <sip:carol@example.com>"}, "", 400},
		{"two without brackets", []string{"sip:bob@example.com,sip:carol@example.com"}, "", 400},
		{"headers without brackets", []string{"sip:bob@example.com?Replaces=1"}, "", 400},
		{"an open bracket", []string{"<sip:bob@example.com"}, "", 400},
		{"nothing in brackets", []string{"<>"}, "", 400},
		{"something behind", []string{"<sip:bob@example.com> x"}, "", 400},
		{"empty", []string{""}, "", 400},
		{"not a telephone", []string{"<mailto:bob@example.com>"}, "", 400},
		{"a hidden line end", []string{"<sip:bob@example.com?X=%0D%0AY>"}, "", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &message{}
			for _, v := range c.values {
				m.fields = append(m.fields, field{"Refer-To", v})
			}
			got, f := referredTo(m)
			status := 0
			if f != nil {
				status = f.status
			}
			if got != c.want || status != c.status {
				t.Errorf("%q, status %d", got, status)
			}
		})
	}
}

// FuzzReferTo checks that what is taken can be written into a header again, and
// is then the same.
func FuzzReferTo(f *testing.F) {
	for _, s := range []string{"<sip:bob@example.com>", "sip:bob@example.com;x=y", `"B, \"x\" <b>" <sips:b@[::1]:5061;lr?Replaces=a%40b%3Bto-tag%3Dc&X=%zz>;a="b,c"`,
		"tel:+1555", "<sip:b?c@d?e=f", "<sip:a@b?X=\x00>", "<sip:a@b;method=REFER>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		uri, fault := referredTo(&message{fields: []field{{"Refer-To", v}}})
		if fault != nil {
			return
		}
		if strings.ContainsAny(uri, "<>\"\r\n\x00 ") {
			t.Errorf("%q is not safe to write", uri)
		}
		again, fault := referredTo(&message{fields: []field{{"Refer-To", "<" + uri + ">"}}})
		if fault != nil || again != uri {
			t.Errorf("%q became %q, %v", uri, again, fault)
		}
	})
}
