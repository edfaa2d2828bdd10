package sip

import (
	"net/netip"
	"sync"
	"time"
)

// guests are the addresses that calls were placed to: what they send is read,
// but only as far as it belongs to a call or a request of ours.
type guests struct {
	mu    sync.RWMutex
	calls map[netip.Addr]int
}

// add makes ip a guest until remove has been called as often.
func (g *guests) add(ip netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls == nil {
		g.calls = make(map[netip.Addr]int)
	}
	g.calls[ip]++
}

func (g *guests) remove(ip netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls[ip]--; g.calls[ip] <= 0 {
		delete(g.calls, ip)
	}
}

func (g *guests) has(ip netip.Addr) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.calls[ip] > 0
}

// linger is how much longer than its call a guest is one: what the call has
// left in flight may come until then (64·T1).
const linger = 64 * t1

// welcome makes ip a guest of the leg. l.mu is held.
func (l *Leg) welcome(ip netip.Addr) {
	for _, known := range l.out.guests {
		if known == ip {
			return
		}
	}
	l.out.guests = append(l.out.guests, ip)
	l.server.guests.add(ip)
}

// farewell lets the leg's guests go, in a while. l.mu is held.
func (l *Leg) farewell() {
	ips, g := l.out.guests, &l.server.guests
	l.out.guests = nil
	time.AfterFunc(linger, func() {
		for _, ip := range ips {
			g.remove(ip)
		}
	})
}

// reads tells whether messages of ip are read at all: those of peers, and of
// guests as far as they belong to a call.
func (s *Server) reads(ip netip.Addr) bool { return s.allowed(ip) || s.guests.has(ip.Unmap()) }
