package main

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/sip"
)

// Connector is a server that documents name by connectorName.
type Connector struct {
	Kind     string `yaml:"kind" oneof:"siprec pay stream" need:"yes"`
	URL      string `yaml:"url" need:"yes"`
	Username string `yaml:"username"`
	Password string `yaml:"password"`
	Token    string `yaml:"token"`
}

// check reports what is wrong with the URL, for its kind.
func (c Connector) check() error {
	if c.Kind == "siprec" {
		if err := (sip.Destination{URI: c.URL}).Check(); err != nil {
			return errors.New("is no place that a recording session can go to; write sip:HOST, with :port and ;transport=tcp where needed (TLS is for a later version)")
		}
		return nil
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil, u.Hostname() == "":
		return errors.New("is no URL; write it in full, with https:// for pay and wss:// for stream")
	case c.Kind == "pay" && u.Scheme != "https" && !(u.Scheme == "http" && onThisMachine(u.Hostname())):
		return errors.New("would have card numbers go in clear; write https://…, or http:// on this machine")
	case c.Kind == "stream" && u.Scheme != "wss" && u.Scheme != "ws":
		return errors.New("is no WebSocket; write wss://…")
	}
	return nil
}

func onThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// connectors are those of the configuration, as calls see them.
func (c *Config) connectors() map[string]runtime.Connector {
	all := make(map[string]runtime.Connector, len(c.Connectors))
	for name, each := range c.Connectors {
		all[name] = runtime.Connector(each)
	}
	return all
}

// abandonTime is how long the end of a session that nobody waits for any more may
// take here. The CANCEL goes on after it.
const abandonTime = time.Second

// record begins a recording session for the runtime. Where it goes is said by the
// configuration and by no document, so what documents may dial does not matter.
func (p *program) record(ctx context.Context, s runtime.RecordingSession) (runtime.RecordingLeg, error) {
	leg, err := p.sip.Record(sip.Recording{
		Destination: sip.Destination{URI: s.Server.URL, From: "hookswitch", Headers: s.Headers,
			Username: s.Server.Username, Password: s.Server.Password},
		Labels: s.Labels, Metadata: s.Metadata, Expires: s.Expires,
	})
	if err != nil {
		return nil, &runtime.RecordingError{Msg: strings.TrimPrefix(err.Error(), "sip: ")}
	}
	p.log.Info("recording session", "call", s.CallSID)
	for {
		select {
		case status := <-leg.Progress():
			switch {
			case status < 200:
			case status < 300:
				return leg, nil
			default:
				return nil, &runtime.RecordingError{Code: status, Msg: refusal(leg)}
			}
		case <-ctx.Done():
			hangup, done := context.WithTimeout(context.WithoutCancel(ctx), abandonTime)
			defer done()
			leg.Hangup(hangup)
			return nil, context.Cause(ctx)
		}
	}
}

// refusal is why the server took no session. Its final status comes right before
// the end of the leg.
func refusal(leg *sip.Leg) string {
	<-leg.Done()
	if refused, ok := errors.AsType[*sip.Refused](leg.Err()); ok {
		return "the server refused the session: " + refused.Reason
	}
	return leg.Err().Error()
}
