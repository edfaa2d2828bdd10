package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// resolver is the part of *net.Resolver that is used. It returns SRV records
// sorted by priority and shuffled by weight (RFC 2782).
type resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	resolveTime = 2 * time.Second
	maxHops     = 8 // addresses tried for one host
)

// hops are the addresses to try for a URI in turn (RFC 3263 §4): an address as
// it is, a name with a port by its A and AAAA records, one without by SRV, and
// by A and AAAA when it has none.
func (s *Server) hops(ctx context.Context, u sipgo.Uri) ([]netip.AddrPort, error) {
	if ip, ok := literal(u.Host); ok {
		return []netip.AddrPort{netip.AddrPortFrom(ip, portOf(u))}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	targets := []*net.SRV{{Target: u.Host, Port: portOf(u)}}
	if u.Port == 0 {
		proto := "udp"
		if overTCP(u) {
			proto = "tcp"
		}
		if _, found, err := s.resolver.LookupSRV(ctx, "sip", proto, u.Host); err == nil && len(found) > 0 {
			targets = found
		}
	}
	var hops []netip.AddrPort
	var errs []error
	for _, t := range targets {
		if t.Target == "." {
			continue // there is no such service (RFC 2782)
		}
		ips, err := s.resolver.LookupNetIP(ctx, "ip", strings.TrimSuffix(t.Target, "."))
		errs = append(errs, err)
		for _, ip := range ips {
			if len(hops) < maxHops {
				hops = append(hops, netip.AddrPortFrom(ip.Unmap(), t.Port))
			}
		}
	}
	if len(hops) == 0 {
		return nil, fmt.Errorf("%s has no address: %w", u.Host, errors.Join(errs...))
	}
	return hops, nil
}

func portOf(u sipgo.Uri) uint16 {
	if u.Port == 0 {
		return 5060
	}
	return uint16(u.Port)
}

func overTCP(u sipgo.Uri) bool {
	return strings.EqualFold(u.UriParams.GetOr("transport", ""), "tcp")
}

// pathTo is the way to an address: a socket that reaches it, or a line, which is
// dialled unless there is one.
func (s *Server) pathTo(ctx context.Context, to netip.AddrPort, tcp bool) (path, error) {
	p := path{remote: to, to: to}
	if tcp {
		line, err := s.lineTo(ctx, to)
		if err != nil {
			return p, err
		}
		p.line = line
		// The other side calls back where we listen, not where the line begins.
		p.local = addrPort(p.line.LocalAddr())
		for _, l := range s.listeners {
			if at := addrPort(l.Addr()); reaches(at.Addr(), to.Addr()) {
				p.local = netip.AddrPortFrom(p.local.Addr(), at.Port())
				break
			}
		}
		return p, nil
	}
	for _, c := range s.sockets {
		if local := addrPort(c.LocalAddr()); reaches(local.Addr(), to.Addr()) {
			p.local, p.socket = local, c
			return p, nil
		}
	}
	return p, fmt.Errorf("no UDP socket of ours reaches %s", to)
}

// reaches tells whether a socket bound to local can send to ip.
func reaches(local, ip netip.Addr) bool {
	if local.IsUnspecified() {
		return local.Is6() || ip.Is4()
	}
	return local.Is4() == ip.Is4() && (local.IsLoopback() == ip.IsLoopback())
}

// dialling is a line that is being dialled; whoever wants one to the same place
// waits for it.
type dialling struct {
	done chan struct{}
	line *line
	err  error
}

// lineTo is a line to an address: one that is up, or a new one.
func (s *Server) lineTo(ctx context.Context, to netip.AddrPort) (*line, error) {
	s.mu.Lock()
	for l := range s.lines {
		if addrPort(l.RemoteAddr()) == to && !l.finished() {
			s.mu.Unlock()
			return l, nil
		}
	}
	d := s.dialling[to]
	first := d == nil
	if first {
		d = &dialling{done: make(chan struct{})}
		s.dialling[to] = d
	}
	s.mu.Unlock()
	if first {
		d.line, d.err = s.dial(s.ctx, to) // others wait for it too: it does not end with this call
		s.mu.Lock()
		delete(s.dialling, to)
		s.mu.Unlock()
		close(d.done)
	}
	select {
	case <-d.done:
		return d.line, d.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
