package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/flows"
	"github.com/hookswitch/hookswitch/runtime/outbound"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// A rule looks at a value. Its error reads on from the name of the key, says
// after a semicolon what to write, and does not repeat the value, which may be
// a secret. notYet is the error of a value that is right and not used.
type rule func(value string) error

type notYet string

func (n notYet) Error() string { return string(n) }

// ruleOf is the rule that a tag of Config names; nil for none.
func ruleOf(name string) rule {
	switch name {
	case "listen":
		return listenRule
	case "url":
		return urlRule
	case "http_listen":
		return httpListenRule
	case "public_url":
		return publicURLRule
	case "host":
		return hostRule
	case "allow_host":
		return allowHostRule
	case "server":
		return outbound.CheckServer
	case "transport":
		return transportRule
	case "dial_allow":
		return func(v string) error { return outbound.CheckPattern(v, true) }
	case "dial_deny":
		return func(v string) error { return outbound.CheckPattern(v, false) }
	case "country":
		return countryRule
	case "codec":
		return codecRule
	case "sid":
		return sidRule
	case "flow":
		return flowRule
	case "store":
		return storeRule
	}
	return nil
}

func listenRule(v string) error {
	const remedy = "; write it as udp://0.0.0.0:5060 (udp, tcp, tls, ws or wss)"
	transport, addr, ok := strings.Cut(v, "://")
	if !ok {
		return errors.New("has no transport" + remedy)
	}
	if err := hostPortRule(addr); err != nil {
		return err
	}
	switch transport {
	case "udp", "tcp":
		return nil
	case "tls", "ws", "wss":
		return notYet("the transport " + transport)
	}
	return errors.New("has an unknown transport" + remedy)
}

func hostPortRule(v string) error {
	const remedy = "; write host:port, as in 127.0.0.1:8080"
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return errors.New("is no address" + remedy)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return errors.New("has no port from 0 to 65535" + remedy)
	}
	return nil
}

func httpListenRule(v string) error {
	if v == "off" || hostPortRule(v) == nil {
		return nil
	}
	return fmt.Errorf("%w, or off", hostPortRule(v))
}

func publicURLRule(v string) error {
	if strings.ContainsAny(v, "?#@") {
		return errors.New("has more than host and path; write https://voice.example.com")
	}
	return urlRule(v)
}

func urlRule(v string) error {
	const remedy = "; write it in full, as in https://example.com/voice"
	u, err := url.Parse(v)
	switch {
	case err != nil:
		return errors.New("is no URL" + remedy)
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("is no http or https URL" + remedy)
	case u.Hostname() == "":
		return errors.New("is a URL without host" + remedy)
	}
	return nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?$`)

func hostRule(v string) error {
	if _, err := netip.ParsePrefix(v); err == nil {
		return nil
	}
	if _, err := netip.ParseAddr(v); err == nil {
		return nil
	}
	if strings.Contains(v, "/") || !hostName.MatchString(v) || strings.Trim(v, "0123456789.") == "" {
		return errors.New("is neither a host nor a range of addresses; write sip.example.com or 192.0.2.0/24")
	}
	return nil
}

func allowHostRule(v string) error {
	if webhook.CheckAllowHosts([]string{v}) != nil {
		return errors.New("is not a host, host:port, *.suffix, address or range; write intranet.example.com, *.example.com or 10.1.0.0/16")
	}
	return nil
}

func countryRule(v string) error {
	switch {
	case outbound.KnownCountry(v):
		return nil
	case outbound.KnownCountry(strings.ToUpper(v)):
		return errors.New("is no country; write " + strings.ToUpper(v))
	case strings.EqualFold(v, "UK"):
		return errors.New("is no country; write GB")
	}
	return errors.New("is no country; write its ISO 3166 code of two capitals, as in DE")
}

func transportRule(v string) error {
	if v == "tls" {
		return notYet("the transport tls")
	}
	return nil
}

func codecRule(v string) error {
	if v == "opus" {
		return notYet("the codec " + v)
	}
	return nil
}

var sidForm = regexp.MustCompile(`^AC[0-9a-f]{32}$`)

func sidRule(v string) error {
	if !sidForm.MatchString(v) {
		return errors.New("is no SID of an account; write AC and 32 hexadecimal digits in lower case")
	}
	return nil
}

// flowRule gets the path already joined to the folder of the file.
func flowRule(v string) error {
	var files flows.Files
	if _, err := files.Add(v); err != nil {
		return fmt.Errorf("cannot be used: %w; write the path of a TeXML file or of a folder with an index.xml, or embed:hello.xml", err)
	}
	return files.Close()
}

func storeRule(v string) error {
	if scheme, path, ok := strings.Cut(v, "://"); ok && (scheme != "sqlite" || path == "") {
		return errors.New("is not a kind of store we have; write sqlite:///path/of/file.db")
	}
	return nil
}

func (p *PortRange) UnmarshalText(text []byte) error {
	lo, hi, ok := strings.Cut(string(text), "-")
	a, errA := strconv.Atoi(strings.TrimSpace(lo))
	b, errB := strconv.Atoi(strings.TrimSpace(hi))
	switch {
	case !ok || errA != nil || errB != nil:
		return errors.New("is no range of ports; write it as 10000-20000")
	case a < 1024 || b > 65535:
		return errors.New("leaves the ports from 1024 to 65535; write it as 10000-20000")
	case b <= a:
		return errors.New("has no room for a pair of ports; write the lower port first, as in 10000-20000")
	}
	*p = PortRange{a, b}
	return nil
}
