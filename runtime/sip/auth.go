package sip

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// maxRounds is how often the challenges of one request are answered.
const maxRounds = 2

// login answers the challenges of one request (RFC 3261 §22, RFC 8760).
type login struct {
	username, password string

	rounds   int
	accepted []challenge // one for each realm
}

type challenge struct {
	header string // Authorization or Proxy-Authorization
	uses   int
	*digest.Challenge
}

// take reads the challenges of a 401 or 407. It reports whether there is a
// point in asking again: for each realm one algorithm is known, and a password
// that was refused is not offered again.
func (g *login) take(res *sipgo.Response) bool {
	if g == nil || g.username == "" || g.rounds == maxRounds {
		return false
	}
	g.rounds++
	asked, answer := "WWW-Authenticate", "Authorization"
	if res.StatusCode == 407 {
		asked, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	var offered []challenge
	for _, h := range res.GetHeaders(asked) {
		c, err := digest.ParseChallenge(h.Value())
		if err != nil {
			continue
		}
		for i := range c.QOP {
			c.QOP[i] = strings.TrimSpace(c.QOP[i])
		}
		if c.Nonce != "" && digest.CanDigest(c) {
			offered = append(offered, challenge{answer, 0, c})
		}
	}
	// The strongest of each realm; of equals the first.
	slices.SortStableFunc(offered, func(a, b challenge) int { return strength(b) - strength(a) })
	var fresh []challenge
	for _, c := range offered {
		same := func(o challenge) bool { return o.header == c.header && o.Realm == c.Realm }
		if slices.ContainsFunc(fresh, same) {
			continue
		}
		if slices.ContainsFunc(g.accepted, same) && !c.Stale {
			return false
		}
		fresh = append(fresh, c)
		g.accepted = slices.DeleteFunc(g.accepted, same)
	}
	g.accepted = append(g.accepted, fresh...)
	return len(fresh) > 0
}

func strength(c challenge) int {
	if c.Algorithm == "" || strings.EqualFold(c.Algorithm, "MD5") {
		return 0
	}
	return 1
}

// sign adds to a request what the challenges ask for.
func (g *login) sign(req *sipgo.Request) {
	if g == nil {
		return
	}
	for i := range g.accepted {
		c := &g.accepted[i]
		c.uses++
		answer, err := digest.Digest(c.Challenge, digest.Options{Method: string(req.Method), URI: req.Recipient.String(), Count: c.uses,
			Username: g.username, Password: g.password,
			GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body())), nil }})
		if err == nil { // take has seen that it can be
			req.AppendHeader(sipgo.NewHeader(c.header, answer.String()))
		}
	}
}

// challenged tells whether an answer asks who we are.
func challenged(res *sipgo.Response) bool { return res.StatusCode == 401 || res.StatusCode == 407 }

// ask sends what next makes and returns the final answer, nil when none came
// before ctx is done. A challenge is answered with the call's credentials, in a
// request that next makes anew.
func (l *Leg) ask(ctx context.Context, next func() (*sipgo.Request, path)) *sipgo.Response {
	g := l.credentials()
	for {
		req, p := next()
		g.sign(req)
		res, err := l.server.send(ctx, req, p)
		if err != nil {
			return nil
		}
		if !challenged(res) || !g.take(res) {
			return res
		}
	}
}

// credentials are for requests within the call, nil when there are none.
func (l *Leg) credentials() *login {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out == nil || l.out.login == nil {
		return nil
	}
	return &login{username: l.out.login.username, password: l.out.login.password}
}
