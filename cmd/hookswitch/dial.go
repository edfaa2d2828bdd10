package main

import (
	"cmp"
	"context"
	"maps"
	"strings"

	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/outbound"
	"github.com/hookswitch/hookswitch/runtime/sip"
)

// dial places a call for the runtime, if the policy of the configuration lets it.
func (p *program) dial(_ context.Context, to runtime.Destination) (runtime.Outgoing, error) {
	if name, ok := strings.CutPrefix(to.To, "client:"); ok {
		return nil, notRegistered(name)
	}
	hops, err := outbound.NextHop(to.Because)
	if err != nil {
		return nil, err
	}
	route, err := p.policy.Route(to.To)
	if err != nil {
		return nil, err
	}
	end, err := p.policy.Begin(route)
	if err != nil {
		return nil, err
	}
	headers := maps.Clone(to.Headers)
	if headers == nil {
		headers = map[string][]string{}
	}
	headers[outbound.Hops] = []string{hops}
	leg, err := p.sip.Dial(sip.Destination{
		URI: route.URI, Proxy: route.Proxy, From: fromUser(to.From), Display: to.Display, Headers: headers,
		Username: cmp.Or(to.Username, route.Username), Password: cmp.Or(to.Password, route.Password),
		Redirect: func(uri string) bool { return p.policy.Redirect(route, uri) },
	})
	if err != nil {
		end()
		return nil, err
	}
	p.placed.Go(func() {
		<-leg.Done()
		end()
	})
	p.log.Info("call out", "call", to.CallSID, "to", to.To, "trunk", route.Trunk)
	return leg, nil
}

// notRegistered is the error of a client that nobody has registered.
type notRegistered string

func (n notRegistered) Error() string {
	return "client:" + string(n) + " is not registered; phones cannot register with this version of hookswitch"
}

// Code is Twilio's "SIP user not registered".
func (notRegistered) Code() int { return 32009 }

// fromUser is the user part of From: a number, or that of a SIP URI.
func fromUser(from string) string {
	from = strings.TrimPrefix(strings.TrimPrefix(from, "sips:"), "sip:")
	user, _, _ := strings.Cut(strings.TrimPrefix(from, "client:"), "@")
	return user
}
