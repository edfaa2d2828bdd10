package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// guard decides which addresses may be connected to. It looks at the address
// that a name was resolved to, at the moment of connecting, so neither odd
// spellings nor a name server that changes its mind get past it.
type guard struct {
	public   *ssrf.Guardian
	prefixes []prefixRule
	names    []nameRule
	resolver *net.Resolver // nil: the system's
}

type prefixRule struct {
	prefix netip.Prefix
	port   uint16 // 0: any
}

type nameRule struct {
	name string // lower case, no final dot; ".example.com" for a suffix
	port uint16 // 0: any
}

// CheckAllowHosts says which entries of Config.AllowHosts mean nothing.
func CheckAllowHosts(hosts []string) error {
	_, err := newGuard(hosts)
	return err
}

// newGuard makes a guard of the entries that can be read; the error names the
// others.
func newGuard(hosts []string) (*guard, error) {
	g := &guard{public: ssrf.New(ssrf.WithAnyPort())}
	var errs []error
	for _, h := range hosts {
		if !g.allow(strings.ToLower(strings.TrimSpace(h))) {
			errs = append(errs, fmt.Errorf("%q is not a host, host:port, *.suffix, IP address or CIDR", h))
		}
	}
	return g, errors.Join(errs...)
}

func (g *guard) allow(entry string) bool {
	if p, err := netip.ParsePrefix(entry); err == nil {
		g.prefixes = append(g.prefixes, prefixRule{prefix: p.Masked()})
		return true
	}
	host, port, err := entry, uint16(0), error(nil)
	if h, p, splitErr := net.SplitHostPort(entry); splitErr == nil {
		var n uint64
		n, err = strconv.ParseUint(p, 10, 16)
		host, port = h, uint16(n)
		if err != nil || port == 0 {
			return false
		}
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		a = a.Unmap().WithZone("")
		g.prefixes = append(g.prefixes, prefixRule{netip.PrefixFrom(a, a.BitLen()), port})
		return true
	}
	host = strings.TrimSuffix(host, ".")
	name, suffix := strings.CutPrefix(host, "*")
	if suffix && len(name) < 2 || name == "" || suffix != strings.HasPrefix(name, ".") || strings.ContainsAny(name, "*/:@ []") {
		return false
	}
	g.names = append(g.names, nameRule{name, port})
	return true
}

// refusal is an address that is not connected to.
type refusal struct {
	host   string // as the URL names it, with the port
	addr   netip.Addr
	always bool // a host name does not open it
}

func (r *refusal) Error() string {
	kind := "not a public address"
	switch a := r.addr; {
	case a.IsLoopback():
		kind = "this machine"
	case a.IsPrivate():
		kind = "a private address"
	case a.IsLinkLocalUnicast():
		kind = "a link-local address, where clouds keep credentials"
	}
	entry := r.host
	if r.always {
		entry = r.addr.String()
	}
	return fmt.Sprintf("%s leads to %s, %s, and webhooks go to public ones only; if the server is yours, add %q to webhooks.allow_hosts", r.host, r.addr, kind, entry)
}

// check returns a *refusal when a connection to addr, found for host, must not
// be made.
func (g *guard) check(host string, port uint16, addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	for _, r := range g.prefixes {
		if r.prefix.Contains(addr) && (r.port == 0 || r.port == port) {
			return nil
		}
	}
	if g.public.SafeAddr(addr) == nil {
		return nil
	}
	credentials := keepsCredentials(addr)
	if g.named(host, port) && !credentials {
		return nil
	}
	return &refusal{net.JoinHostPort(host, strconv.Itoa(int(port))), addr, credentials}
}

func (g *guard) named(host string, port uint16) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, r := range g.names {
		matches := r.name == host || r.name[0] == '.' && strings.HasSuffix(host, r.name)
		if matches && (r.port == 0 || r.port == port) {
			return true
		}
	}
	return false
}

// keepsCredentials tells addresses at which clouds hand out credentials to
// whoever asks. A name opens none of them, only the address itself: else the
// name's owner could open them too.
func keepsCredentials(addr netip.Addr) bool {
	if b := addr.As16(); ssrf.IPv6NAT64Prefix.Contains(addr) {
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch addr.String() {
	case "fd00:ec2::254", "100.100.100.200", "192.0.0.192":
		return true
	}
	return addr.IsLinkLocalUnicast()
}

// dialing goes with a request's context to the dialer.
type dialing struct {
	ctx     context.Context // the request's own; the transport's outlives it
	connect time.Duration
}

type dialingKey struct{}

// limit bounds one step of connecting by the request's connect limit and life.
func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	d, ok := ctx.Value(dialingKey{}).(dialing)
	if !ok {
		return context.WithTimeout(ctx, defaultConnect)
	}
	ctx, cancel := context.WithTimeout(ctx, d.connect)
	stop := context.AfterFunc(d.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

func (g *guard) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	dialer := net.Dialer{
		Resolver: g.resolver,
		Control: func(network, address string, _ syscall.RawConn) error {
			resolved, err := netip.ParseAddrPort(address)
			if err != nil || network != "tcp4" && network != "tcp6" {
				return fmt.Errorf("%s %s is no TCP address", network, address)
			}
			return g.check(host, uint16(port), resolved.Addr())
		},
	}
	return dialer.DialContext(ctx, network, hostPort)
}

// handshakeError is a TLS handshake that failed.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// newTransport speaks HTTP/1.1 through the guard, never through a proxy, which
// would connect where the guard does not look.
func newTransport(g *guard, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:       nil,
		DialContext: g.dial,
		DialTLSContext: func(ctx context.Context, network, hostPort string) (net.Conn, error) {
			raw, err := g.dial(ctx, network, hostPort)
			if err != nil {
				return nil, err
			}
			host, _, _ := net.SplitHostPort(hostPort)
			conn := tls.Client(raw, &tls.Config{ServerName: host, RootCAs: roots})
			ctx, cancel := limit(ctx)
			defer cancel()
			if err := conn.HandshakeContext(ctx); err != nil {
				raw.Close()
				return nil, &handshakeError{err}
			}
			return conn, nil
		},
		DisableCompression:     true, // we bound what comes out of it
		MaxConnsPerHost:        perHost,
		MaxIdleConnsPerHost:    4,
		MaxIdleConns:           200,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: headerBytes,
	}
}
