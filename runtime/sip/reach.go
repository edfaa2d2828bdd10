package sip

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// maxRedirects is how many other places one call is led to.
const maxRedirects = 5

// ring invites until there is a final answer. It returns no Refused when the
// call is answered or over.
func (l *Leg) ring() (*answer, *Refused) {
	if err := l.open(); err != nil {
		return nil, &Refused{503, err.Error()}
	}
	res, f := l.reach(l.out.uri, l.out.at, true)
	seen := []string{l.out.uri.String()}
	for led := l.contacts(res); len(led) > 0; {
		uri := led[0]
		led = led[1:]
		if slices.Contains(seen, uri.String()) || len(seen) > maxRedirects {
			continue
		}
		if l.out.to.Redirect == nil || !l.out.to.Redirect(uri.String()) {
			continue
		}
		seen = append(seen, uri.String())
		res, f = l.reach(uri, uri, l.named(uri.Host))
		if f == nil || f.Status >= 600 {
			return res, f
		}
		led = append(l.contacts(res), led...)
	}
	return res, f
}

// named tells whether the destination itself names a host, so that it may see
// what the password makes of its challenges.
func (l *Leg) named(host string) bool {
	return strings.EqualFold(host, l.out.uri.Host) || strings.EqualFold(host, l.out.at.Host)
}

// contacts are the places that a 3xx leads to, most wanted first
// (RFC 3261 §20.10).
func (l *Leg) contacts(res *answer) []sipgo.Uri {
	if res == nil || res.StatusCode < 300 || res.StatusCode > 399 {
		return nil
	}
	type wanted struct {
		uri sipgo.Uri
		q   float64
	}
	var all []wanted
	for _, h := range res.GetHeaders("Contact") {
		c, ok := h.(*sipgo.ContactHeader)
		if !ok {
			continue
		}
		uri, err := parseURI(c.Address.String())
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(c.Params.GetOr("q", "1"), 64)
		if err != nil {
			q = 0
		}
		all = append(all, wanted{uri, q})
	}
	slices.SortStableFunc(all, func(a, b wanted) int { return cmp.Compare(b.q, a.q) })
	var uris []sipgo.Uri
	for _, w := range all {
		uris = append(uris, w.uri)
	}
	return uris
}

// reach invites uri at the addresses of another in turn, until one of them says
// something else than that it is out of service (RFC 3263 §4.3).
func (l *Leg) reach(uri, at sipgo.Uri, named bool) (res *answer, f *Refused) {
	hops, err := l.server.hops(l.ctx, at)
	if err != nil {
		return nil, &Refused{503, err.Error()}
	}
	for i, hop := range hops {
		p, err := l.server.pathTo(l.guest(hop.Addr()), hop, overTCP(at))
		if err != nil {
			f = &Refused{503, err.Error()}
		} else {
			res, f = l.try(uri, p, named, i+1 < len(hops))
		}
		if f == nil || f.Status != 503 && (f.Status != 408 || res != nil) {
			break
		}
	}
	return res, f
}

// guest makes an address a guest and returns the leg's context.
func (l *Leg) guest(ip netip.Addr) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Err() == nil {
		l.welcome(ip)
	}
	return l.ctx
}

// patience is how long a silent address is waited for when there is another.
const patience = 4 * time.Second

// try invites uri over p. No answer is 408.
func (l *Leg) try(uri sipgo.Uri, p path, named, more bool) (*answer, *Refused) {
	var g *login
	if named {
		g = &login{username: l.out.to.Username, password: l.out.to.Password}
	}
	for {
		a, err := l.invite(uri, p, g)
		if err != nil && p.line != nil && l.Err() == nil {
			// The line has ended since it was found.
			if p, err = l.server.pathTo(l.ctx, p.to, true); err == nil {
				a, err = l.invite(uri, p, g)
			}
		}
		if err != nil {
			return nil, &Refused{503, err.Error()}
		}
		var silent <-chan time.Time
		if more {
			silent = time.After(patience)
		}
		res, ok := l.await(a, silent)
		switch {
		case l.Err() != nil:
			return nil, nil
		case !ok:
			return nil, &Refused{408, "no answer"}
		case res.StatusCode < 300:
			return res, nil
		case challenged(res.Response) && g.take(res.Response):
			continue
		}
		return res, &Refused{res.StatusCode, printable(res.Reason)}
	}
}

// await returns the final answer to an INVITE. One that has had none at all
// when silent fires is abandoned.
func (l *Leg) await(a *attempt, silent <-chan time.Time) (*answer, bool) {
	for {
		select {
		case res, ok := <-a.final:
			return res, ok
		case <-l.ctx.Done():
			return nil, false
		case <-silent:
			l.mu.Lock()
			came := a.came || isClosed(a.over)
			if !came {
				a.abandon(&l.server.calling)
			}
			l.mu.Unlock()
			if !came {
				return nil, false
			}
			silent = nil
		}
	}
}
