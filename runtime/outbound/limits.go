package outbound

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Begin counts a call over r's trunk, or refuses it with a [*Denied] when the
// trunk has as many as it may have. The caller must call end when the call is
// over; it may do so more than once. Calls for help are counted and never
// refused.
func (p *Policy) Begin(r Route) (end func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.trunks {
		if t.Name != r.Trunk || r.Trunk == "" {
			continue
		}
		now := time.Now()
		t.budget = min(float64(t.MaxCPS), t.budget+now.Sub(t.filled).Seconds()*float64(t.MaxCPS))
		t.filled = now
		switch {
		case r.Emergency:
		case t.MaxCalls > 0 && t.live >= t.MaxCalls:
			return nil, &Denied{codeBlocked, fmt.Sprintf("trunk %q has %d calls", t.Name, t.live), "raise max_calls of the trunk if it may have more"}
		case t.MaxCPS > 0 && t.budget < 1:
			return nil, &Denied{codeBlocked, fmt.Sprintf("trunk %q has had %d new calls within a second", t.Name, t.MaxCPS), "raise max_cps of the trunk if it may have more"}
		}
		t.live++
		t.budget--
		return sync.OnceFunc(func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.live--
		}), nil
	}
	return func() {}, nil
}

// Hops is the header of an INVITE that says how often a call has gone out from
// a hookswitch already.
const Hops = "X-Hookswitch-Hops"

// maxHops is how often a call may come back to us and go out again. A document
// that calls its own number would do so until every line is taken.
const maxHops = 3

// NextHop is the value of [Hops] for a call that is placed because of another
// one, which came in with these headers (nil for none), or a [*Denied] when
// that has been around often enough. A value that nobody of us has written
// counts as too many.
func NextHop(headers map[string][]string) (string, error) {
	hops := 0
	for name, values := range headers {
		if !strings.EqualFold(name, Hops) {
			continue
		}
		for _, v := range values {
			n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 8)
			if err != nil {
				n = maxHops
			}
			hops = max(hops, int(n))
		}
	}
	if hops >= maxHops {
		return "", &Denied{codeBlocked, fmt.Sprintf("this call has gone out %d times already", maxHops), "look for a document that dials the number it answers"}
	}
	return strconv.Itoa(hops + 1), nil
}
