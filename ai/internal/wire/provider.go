// Package wire is what the wires of speech providers have in common: a
// WebSocket that is read ahead ([Dial]), one that hears ([Ears]), a request
// whose answer is sound ([Provider.Speak]), bytes that become frames ([Sound]),
// and faults that say what to do about them ([Provider.Fault]).
package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Patience is how long a provider may take when nothing else is configured:
// to let a connection stand, and to say the next thing that it owes.
const Patience = 10 * time.Second

// Provider is one provider as it is configured: whom faults name, and the
// connections to it. Close lets go of those.
type Provider struct {
	name    string
	key     string // where it stands in the configuration: "ai.asr.NAME"
	timeout time.Duration
	http    *http.Client
	own     bool // http is ours to close

	// Picky says that a 403 is about the voice that is asked for, not the key.
	Picky bool
}

// NewProvider is the provider of a section, "asr" or "tts". A timeout of 0 is
// Patience; a nil client is one of its own.
func NewProvider(section, name string, timeout time.Duration, client *http.Client) Provider {
	return Provider{name: name, key: "ai." + section + "." + name, timeout: cmp.Or(timeout, Patience), http: Client(client), own: client == nil}
}

// Client is c, or for nil one with warm connections, made to follow no
// redirects: one would make a GET of a POST, and may lead text and key astray.
//
// Its connections stay for as long as the pauses of a call last, and TLS
// sessions are remembered for when they are longer. It has no time limit of its
// own, which would cut streams.
func Client(c *http.Client) *http.Client {
	var own http.Client
	if c != nil {
		own = *c
	} else {
		own.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        5 * time.Minute,
			TLSHandshakeTimeout:    5 * time.Second,
			TLSClientConfig:        &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(16)},
			MaxResponseHeaderBytes: 64 << 10,
			// A warm connection that died unseen is found before it is needed.
			HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
		}
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// Close lets go of warm connections. What is under way goes on.
func (p Provider) Close() error {
	if p.own {
		p.http.CloseIdleConnections()
	}
	return nil
}

// Warm opens a connection to the host of base and keeps it, so that the next
// request needs no handshakes. What the host answers does not matter.
func (p Provider) Warm(ctx context.Context, base string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.timeout, errSilent)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, URL(base, "", nil), nil)
	if err != nil {
		return p.badURL(err)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return p.unreachable(ctx, err)
	}
	io.Copy(io.Discard, io.LimitReader(resp.Body, 4096))
	resp.Body.Close()
	return nil
}

// URL is path below base with query. A ws or wss base becomes http or https,
// which serve for WebSockets as well.
func URL(base, path string, query url.Values) string {
	base = strings.TrimRight(base, "/")
	if rest, ok := strings.CutPrefix(base, "ws"); ok {
		base = "http" + rest
	}
	if len(query) > 0 {
		return base + path + "?" + query.Encode()
	}
	return base + path
}

// Over puts extra over query.
func Over(query url.Values, extra map[string]string) url.Values {
	for name, value := range extra {
		query.Set(name, value)
	}
	return query
}

// Timeout is how long the provider may be silent when it owes something.
func (p Provider) Timeout() time.Duration { return p.timeout }
