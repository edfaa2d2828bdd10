package calltest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// origin is where a script's own documents live when it names no server.
const origin = "http://script.test"

// server is the web server of a script, as the transport of its client: it
// answers what the script has a section for from memory, and asks outside for
// the rest.
type server struct {
	script *Script
	stage  *stage
	base   string // scheme and host of paths
	real   *Outside
	mu     sync.Mutex
	asked  map[string]int // requests so far, by section name
}

// RoundTrip answers one request (http.RoundTripper).
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	own := r.URL.Scheme+"://"+r.URL.Host == s.base
	if own {
		if a, ok := s.find(r); ok {
			return a.give(r)
		}
	}
	if own && s.base == origin {
		if r.URL.Path == s.script.status { // needs no section: nothing is read of the answer
			return answer{status: http.StatusNoContent}.give(r)
		}
		missing := "the script has no section -- " + r.Method + " " + r.URL.Path + " --"
		s.stage.trace.note("", missing)
		return answer{status: http.StatusNotFound, body: []byte(missing)}.give(r)
	}
	if s.real == nil {
		return nil, fmt.Errorf("scripts cannot ask %s here", r.URL.Host)
	}
	return s.real.roundTrip(r)
}

// find is the next answer for a request: the sections of one name are given in
// turn, and the last of them from then on. A section named with a query is
// meant for just that query.
func (s *server) find(r *http.Request) (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := r.URL.Path + "?" + r.URL.RawQuery
	for _, name := range []string{r.Method + " " + full, "ANY " + full, r.Method + " " + r.URL.Path, "ANY " + r.URL.Path} {
		if list := s.script.answers[name]; len(list) > 0 {
			n := s.asked[name]
			s.asked[name]++
			return list[min(n, len(list)-1)], true
		}
	}
	return answer{}, false
}

// give answers r after the answer's delay. Ties of virtual time are decided
// here: connecting to a slow server takes a moment, so that the limit of the
// whole request ends before the one of silence, and an answer that comes just
// at the request's deadline comes too late.
func (a answer) give(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	ctx := r.Context()
	if a.delay > 0 {
		due := time.Now().Add(a.delay)
		time.Sleep(tie)
		connected(r)
		if limit, ok := ctx.Deadline(); ok && !limit.After(due) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		t := time.NewTimer(time.Until(due))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	} else {
		connected(r)
	}
	header := a.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: a.status, Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

// connected tells the client, as a network would, that there is a connection:
// its limits and what it says of failures depend on it.
func connected(r *http.Request) {
	if t := httptrace.ContextClientTrace(r.Context()); t != nil && t.GotConn != nil {
		t.GotConn(httptrace.GotConnInfo{})
	}
}

// staged is a runtime.Web that tells the trace what is asked, and lets one call
// ask at a time.
type staged struct {
	runtime.Web
	stage *stage
}

func (w staged) Do(ctx context.Context, r webhook.Request) (*webhook.Response, error) {
	w.stage.trace.requested(r)
	if err := w.stage.enter(ctx, r.Form.Get("CallSid"), r.Method+" "+r.URL); err != nil {
		return nil, err
	}
	return w.Web.Do(ctx, r)
}

func (w staged) Media(ctx context.Context, url string) (*webhook.Response, error) {
	if err := w.stage.enter(ctx, "", url); err != nil {
		return nil, err
	}
	return w.Web.Media(ctx, url)
}
