package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
)

// right checks a digest answer as a registrar does.
func right(t *testing.T, req, header, chal string) bool {
	t.Helper()
	c, err := digest.ParseCredentials(headerOf(req, header))
	if err != nil {
		t.Errorf("%s: %v", header, err)
		return false
	}
	want, err := digest.ParseChallenge(chal)
	if err != nil {
		t.Fatal(err)
	}
	method, uri, _ := strings.Cut(line1(req), " ")
	uri, _, _ = strings.Cut(uri, " ")
	if c.URI != uri {
		t.Errorf("uri %q, want %q", c.URI, uri)
	}
	d, err := digest.Digest(want, digest.Options{Method: method, URI: uri, Count: c.Nc, Cnonce: c.Cnonce, Username: "alice", Password: "secret"})
	return err == nil && d.Response == c.Response && c.Nonce == want.Nonce && c.Realm == want.Realm
}

func TestChallenges(t *testing.T) {
	const (
		md5    = `Digest realm="r", nonce="n1", qop="auth"`
		sha    = `Digest realm="r", nonce="n2", algorithm=SHA-256, qop="auth, auth-int"`
		odd    = `Digest realm="r", nonce="n3", algorithm=AKAv1-MD5`
		other  = `Digest realm="other", nonce="n4"`
		stale  = `Digest realm="r", nonce="n5", stale=true`
		staler = `Digest realm="r", nonce="n6", stale=true`
	)
	type round struct {
		status int
		offer  []string
	}
	for _, c := range []struct {
		name   string
		rounds []round
		header []string // of the last INVITE
		chosen []string
		want   string
	}{
		{"one", []round{{401, []string{md5}}}, []string{"Authorization"}, []string{md5}, "200"},
		{"an unknown algorithm, then MD5", []round{{401, []string{odd, md5}}}, []string{"Authorization"}, []string{md5}, "200"},
		{"MD5, then SHA-256", []round{{401, []string{md5, sha}}}, []string{"Authorization"}, []string{sha}, "200"},
		{"a proxy's", []round{{407, []string{md5}}}, []string{"Proxy-Authorization"}, []string{md5}, "200"},
		{"a proxy's, then the server's", []round{{407, []string{md5}}, {401, []string{other}}}, []string{"Proxy-Authorization", "Authorization"}, []string{md5, other}, "200"},
		{"two realms at once", []round{{407, []string{md5, other}}}, []string{"Proxy-Authorization"}, []string{md5}, "200"},
		{"stale", []round{{401, []string{md5}}, {401, []string{stale}}}, []string{"Authorization"}, []string{stale}, "200"},
		{"stale for ever", []round{{401, []string{md5}}, {401, []string{stale}}, {401, []string{staler}}}, nil, nil, "401"},
		{"the password is wrong", []round{{401, []string{md5}}, {401, []string{sha}}}, nil, nil, "401"},
		{"nothing that we know", []round{{401, []string{odd}}}, nil, nil, "401"},
		{"not a challenge", []round{{407, []string{"Basic x", "Digest ="}}}, nil, nil, "407"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				p := b.callee("192.0.2.7:5070")
				l := b.dial(Destination{URI: "sip:bob@192.0.2.7:5070;x=y", Username: "alice", Password: "secret"})
				seen := map[string]bool{}
				tag := ""
				next := func(i int) string {
					inv := p.want("INVITE ")
					if headerOf(inv, "CSeq") != fmt.Sprint(i+1, " INVITE") || seen[headerOf(inv, "Via")] || headerOf(inv, "Call-ID") != l.CallID() {
						t.Errorf("INVITE %d: %s", i+1, inv)
					}
					if tag != "" && tagOf(headerOf(inv, "From")) != tag || strings.Contains(headerOf(inv, "To"), "tag=") {
						t.Errorf("INVITE %d: %s", i+1, inv)
					}
					tag = tagOf(headerOf(inv, "From"))
					seen[headerOf(inv, "Via")] = true
					return inv
				}
				for i, r := range c.rounds {
					name := "WWW-Authenticate"
					if r.status == 407 {
						name = "Proxy-Authenticate"
					}
					var extra string
					for _, o := range r.offer {
						extra += name + ": " + o + "\r\n"
					}
					p.answer(next(i), fmt.Sprint(r.status, " Who are you"), "c", extra, "")
					p.want("ACK ")
				}
				if c.header != nil {
					inv := next(len(c.rounds))
					for i, h := range c.header {
						if !right(t, inv, h, c.chosen[i]) {
							t.Errorf("%s: %q", h, headerOf(inv, h))
						}
					}
					ack := p.takes(inv, "b")
					if got := headerOf(ack, c.header[0]); got != headerOf(inv, c.header[0]) {
						t.Errorf("ACK: %q", got)
					}
					l.hangs(p)
				}
				if got := progress(l); got != c.want {
					t.Errorf("progress %s, want %s", got, c.want)
				}
				p.silent(time.Minute)
			})
		})
	}
}

// A BYE that is challenged is sent again with the answer.
func TestChallengedBye(t *testing.T) {
	const chal = `Digest realm="r", nonce="n", qop="auth"`
	bubble(t, nil, func(b *bench) {
		p := b.callee("192.0.2.7:5070")
		l := b.dial(Destination{Username: "alice", Password: "secret"})
		p.takes(p.want("INVITE "), "b")
		go l.Hangup(context.Background())
		p.answer(p.want("BYE "), "407 Who are you", "", "Proxy-Authenticate: "+chal+"\r\n", "")
		bye := p.want("BYE ")
		if headerOf(bye, "CSeq") != "3 BYE" || !right(t, bye, "Proxy-Authorization", chal) {
			t.Errorf("BYE: %s", bye)
		}
		p.answer(bye, "200 OK", "", "", "")
		p.silent(time.Minute)
	})
}
