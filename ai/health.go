package ai

import (
	"errors"
	"sync"
	"time"
)

// How long a provider is left alone after a fault.
const (
	afterAuth        = 5 * time.Minute  // somebody has to do something first
	afterRateLimit   = 10 * time.Second // when it does not say itself
	afterFaults      = 30 * time.Second
	faultsInSequence = 3
)

// health is whether a provider may be asked. One whose key was refused is left
// alone for 5 minutes, one that was asked too much until it may be asked again,
// and one that was out of reach, late or made no sense three times in a row for
// 30 seconds; then one call tries it. What is wrong with a single text does not
// count, and errors other than [Error], which come from this machine, neither.
type health struct {
	mu     sync.Mutex
	faults int // in a row
	until  time.Time
	why    error
}

// ready reports whether the provider may be asked now.
func (h *health) ready() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !time.Now().Before(h.until)
}

// take is ready for one who asks it then. Of those who come after a rest only
// the first gets true, until it is known how that went.
func (h *health) take() (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if now.Before(h.until) {
		return false, h.why
	}
	if h.why != nil {
		h.until = now.Add(afterFaults)
	}
	return true, nil
}

// worked notes that the provider did what it should.
func (h *health) worked() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults, h.until, h.why = 0, time.Time{}, nil
}

// failed notes a fault.
func (h *health) failed(err error) {
	fault, ok := errors.AsType[*Error](err)
	if !ok {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var rest time.Duration
	switch fault.Kind {
	case Auth:
		rest = afterAuth
	case RateLimit:
		if rest = fault.After; rest <= 0 {
			rest = afterRateLimit
		}
	case Unavailable, Timeout, Protocol:
		if h.faults++; h.faults < faultsInSequence {
			return
		}
		rest = afterFaults
	default:
		return
	}
	h.until, h.why = time.Now().Add(rest), err
}
