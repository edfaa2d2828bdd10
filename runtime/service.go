package runtime

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// A service goes on beside the verbs of a call, from <Start> to <Stop> or to the
// end of the call.
type service interface {
	// stop ends it, waits for its goroutines and tells what is owed. ctx may
	// be over.
	stop(ctx context.Context)
}

// running is a service under way.
type running struct {
	service
	kind, label string // the name of its element, and the name that <Stop> knows it by
}

// Start begins n (verbs.Call).
func (c *script) Start(n texml.Node) {
	switch n := n.(type) {
	case *texml.Recording:
		c.beside(n, "StartCallRecordingAPI")
	case *texml.Siprec:
		if s := c.startSiprec(n); s != nil {
			c.serve(n.Name(), n.Label, s)
		}
	case *texml.Stream:
		if s := c.startStream(n); s != nil {
			c.serve(n.Name(), n.Label, s)
		}
	case *texml.Transcription:
		if s := c.startTranscription(n); s != nil {
			c.serve(n.Name(), n.Label, s)
		}
	}
}

// serve takes a service in that has begun.
func (c *call) serve(kind, label string, s service) {
	c.services = append(c.services, running{s, kind, label})
}

// Stop ends the service of that kind and label, the latest for "". It is false
// when there is none (verbs.Call).
func (c *script) Stop(ctx context.Context, kind, label string) bool {
	for i, s := range slices.Backward(c.services) {
		if s.kind == kind && (label == "" || s.label == label) {
			c.services = slices.Delete(c.services, i, i+1)
			s.stop(ctx)
			return true
		}
	}
	return false
}

// stopServices ends all services, the latest first.
func (c *call) stopServices(ctx context.Context) {
	for _, s := range slices.Backward(c.services) {
		s.stop(ctx)
	}
	c.services = nil
}

// Connect hands the call to n until that ends (verbs.Call).
func (c *script) Connect(ctx context.Context, n texml.Node) (url.Values, error) {
	if s, ok := n.(*texml.Stream); ok {
		return c.connectStream(ctx, s)
	}
	return nil, fmt.Errorf("<Connect> cannot have <%s>", n.Name()) // verbs has skipped it
}

// Post tells form at ref, in the order of the call (verbs.Call).
func (c *script) Post(n texml.Node, ref, m string, form url.Values) {
	to, err := resolve(c.page.url, ref)
	if err != nil {
		c.Warn(n, 11100, "nothing is told at "+ref+": "+err.Error())
		return
	}
	c.save(c.news(Request{URL: to, Method: m}, c.params(form)))
}

// news is the callback that tells form at to; none when that has no URL.
func (c *call) news(to Request, form url.Values) []Callback {
	if to.URL == "" {
		return nil
	}
	now := time.Now()
	return []Callback{{
		CallSID: c.rec.SID, AccountSID: c.rec.AccountSID,
		URL: to.URL, Method: method(to.Method), Form: form.Encode(),
		Token: c.s.NewID(""), Created: now, Due: now,
	}}
}
