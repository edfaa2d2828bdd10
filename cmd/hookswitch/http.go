package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/api"
)

// usualHTTP is the default of http.listen.
const usualHTTP = "127.0.0.1:8080"

// listenHTTP begins to answer over HTTP where the configuration says.
func (p *program) listenHTTP(key runtime.URLKey) error {
	if p.cfg.HTTP.Listen == "off" {
		return nil
	}
	l, err := net.Listen("tcp", p.cfg.HTTP.Listen)
	if errors.Is(err, syscall.EADDRINUSE) && p.cfg.HTTP.Listen == usualHTTP {
		// The port is a popular one, not least for the webhooks of who tries this.
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
			p.log.Warn("another program has "+usualHTTP+"; --http names a port that stays the same", "instead", l.Addr().String())
		}
	}
	if err != nil {
		return fmt.Errorf("http: %w; is another program on that port? --http 127.0.0.1:8081 takes another one, --http off none", err)
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		l.Close()
		return fmt.Errorf("http: %w", err)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if p.cfg.HTTP.PublicURL == "" {
			p.log.Warn("the URLs of recordings begin with an address of this machine; http.public_url in the configuration names one for others")
		}
	}
	p.httpURL = "http://" + net.JoinHostPort(host, port)
	tokens := make(map[string][]string)
	for sid, a := range p.accounts {
		tokens[sid] = a.AuthTokens
	}
	p.http = api.New(api.Config{Tokens: tokens, Store: p.store, Recordings: p.recordings, URLKey: key, Log: p.log})
	p.serving.Go(func() {
		if err := p.http.Serve(l); err != nil {
			p.log.Error("nothing is answered over HTTP any more", "error", err)
		}
	})
	return nil
}

// publicURL is what the URLs of recordings begin with. Without a listener it is
// but a name, by which documents can play them.
func (p *program) publicURL() string {
	switch {
	case p.cfg.HTTP.PublicURL != "":
		return p.cfg.HTTP.PublicURL
	case p.httpURL != "":
		return p.httpURL
	}
	return "http://127.0.0.1:8080"
}

// shownHTTP says where recordings are fetched, for people.
func (p *program) shownHTTP() string {
	switch {
	case p.httpURL == "":
		return "off: RecordingUrl leads nowhere"
	case p.cfg.HTTP.PublicURL != "":
		return p.cfg.HTTP.PublicURL + "  (recordings; here at " + p.httpURL + ")"
	}
	return p.httpURL + "  (recordings, for account and token)"
}
