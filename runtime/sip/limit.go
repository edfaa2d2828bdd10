package sip

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// bucket is a token bucket that holds one second's worth. Rate 0 is no limit.
type bucket struct {
	rate float64 // per second

	mu   sync.Mutex
	full float64
	last time.Time
}

// take takes a token if there is one.
func (b *bucket) take() bool {
	if b.rate <= 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.last.IsZero() {
		b.full = b.rate
	} else {
		b.full = min(b.rate, b.full+b.rate*now.Sub(b.last).Seconds())
	}
	b.last = now
	if b.full < 1 {
		return false
	}
	b.full--
	return true
}

// sampler passes at most one log line per second for each cause, and counts
// the others: a flood of junk must not become a flood of log.
type sampler struct {
	mu     sync.Mutex
	causes map[string]*sample
}

type sample struct {
	last   time.Time
	hidden int
}

// note logs msg unless cause has been logged within the last second. Causes
// are constants of this package, never text from outside.
func (s *Server) note(level slog.Level, cause, msg string, args ...any) {
	s.sampled.mu.Lock()
	if s.sampled.causes == nil {
		s.sampled.causes = make(map[string]*sample)
	}
	c := s.sampled.causes[cause]
	if c == nil {
		c = new(sample)
		s.sampled.causes[cause] = c
	}
	now := time.Now()
	if now.Sub(c.last) < time.Second && !c.last.IsZero() {
		c.hidden++
		s.sampled.mu.Unlock()
		return
	}
	hidden := c.hidden
	c.last, c.hidden = now, 0
	s.sampled.mu.Unlock()
	if hidden > 0 {
		args = append(args, "alike", hidden)
	}
	s.log.Log(context.Background(), level, "sip: "+msg, args...)
}
