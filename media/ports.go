package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// quarantine is how long a port pair rests after its call, so that a late
// packet of that call cannot enter the next.
const quarantine = 2 * time.Second

// ErrNoPorts says that every pair of the range is in use, resting, or taken by
// another program.
var ErrNoPorts = errors.New("media: no free RTP port pair")

// Ports is a range of UDP ports, given out in pairs: an even one for RTP and
// the next for RTCP (RFC 3550 section 11).
type Ports struct {
	addr  netip.Addr
	lo    int // even
	pairs int

	mu     sync.Mutex
	used   []bool
	rested []time.Time // when a pair may be used again
}

// NewPorts makes a range of the ports from lo to hi, both included, on a local
// IPv4 or IPv6 address. The range needs at least one pair.
func NewPorts(addr netip.Addr, lo, hi int) (*Ports, error) {
	if lo < 1 || hi > 65535 {
		return nil, fmt.Errorf("media: RTP ports %d-%d are not in 1-65535", lo, hi)
	}
	even := lo + lo%2
	pairs := (hi - even + 1) / 2
	if pairs < 1 {
		return nil, fmt.Errorf("media: RTP ports %d-%d have no pair of an even port and the next", lo, hi)
	}
	if !addr.IsValid() {
		return nil, errors.New("media: RTP ports need a local address")
	}
	return &Ports{
		addr: addr.Unmap(), lo: even, pairs: pairs,
		used: make([]bool, pairs), rested: make([]time.Time, pairs),
	}, nil
}

// Open binds a free pair, beginning at a random one. It returns [ErrNoPorts]
// when there is none; the error then also says why the last port tried could
// not be bound, if one was tried.
func (p *Ports) Open() (*UDP, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	first := rand.IntN(p.pairs)
	err := ErrNoPorts
	for i := range p.pairs {
		pair := (first + i) % p.pairs
		if p.used[pair] || now.Before(p.rested[pair]) {
			continue
		}
		u, bindErr := openUDP(p.addr, p.lo+2*pair)
		if bindErr != nil {
			err = fmt.Errorf("%w: %w", ErrNoPorts, bindErr)
			continue
		}
		p.used[pair] = true
		u.free = func() { p.free(pair) }
		return u, nil
	}
	return nil, err
}

func (p *Ports) free(pair int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[pair], p.rested[pair] = false, time.Now().Add(quarantine)
}
