package runtime

import (
	"context"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// Refer asks the caller's side to call somebody else instead, and follows the
// news of it to their end (verbs.Call).
func (c *script) Refer(ctx context.Context, r *texml.Refer) (verbs.Referred, error) {
	c.lively.Store(true)
	c.noteURI("refer", r.URI)
	status, told, err := c.leg.Refer(ctx, r.URI, nil)
	done := verbs.Referred{Status: "failed", SIPStatus: status}
	if err != nil {
		if c.gone(ctx) {
			done.Status = "canceled"
			c.note("referred", done.Status, "", 0)
			return done, context.Cause(ctx)
		}
		c.Warn(r, 0, "<Refer>: "+err.Error())
		return done, nil
	}
	if status < 200 || status > 299 {
		c.note("referred", strconv.Itoa(status), "", 0)
		return done, context.Cause(ctx)
	}
	for told != nil {
		select {
		case s, ok := <-told:
			if !ok {
				told = nil
				break
			}
			done.Notified = s
		case <-ctx.Done(): // the news may be at hand; nobody waits for more
			done.Notified = latest(told, done.Notified)
			told = nil
		}
	}
	gone := c.gone(ctx)
	switch {
	case done.Notified >= 200:
		done.Status = referStatus(done.Notified)
	case gone:
		done.Status = "canceled"
	default: // nothing was told, or not how it ended
		done.Status = "no-answer"
	}
	c.note("referred", done.Status, "", 0)
	return done, context.Cause(ctx)
}

// noteURI notes that a call is to go on at uri. Its headers may say who the caller
// is, and are kept nowhere.
func (c *call) noteURI(kind, uri string) {
	at, headers, _ := strings.Cut(uri, "?")
	if headers != "" {
		headers = "?" + headers
	}
	c.note(kind, at, headers, 0)
}

// referStatus is what a final status says of the call that REFER asked for.
func referStatus(status int) string {
	if status < 300 {
		return "in-progress"
	}
	outcome, _ := outcomeOf(status)
	return outcome
}

// gone reports whether the call is over. The leg knows it a moment before ctx
// does, which is waited for.
func (c *script) gone(ctx context.Context) bool {
	select {
	case <-c.leg.Done():
		<-ctx.Done()
	default:
	}
	return ctx.Err() != nil
}

// latest is the last status that is there to be read, known when there is none.
func latest(told <-chan int, known int) int {
	for {
		select {
		case s, ok := <-told:
			if !ok {
				return known
			}
			known = s
		default:
			return known
		}
	}
}
