package calltest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// Outside makes real requests for scripts. It lives outside every bubble of
// virtual time: while a script waits for an answer, its time stands still.
// What ends a request early is its own limit, counted in real time.
type Outside struct {
	jobs      chan job
	replies   chan chan reply // made outside too: waiting on one stops virtual time
	transport *http.Transport
	working   sync.WaitGroup
}

type job struct {
	method, url string
	header      http.Header
	body        []byte
	limit       time.Duration
	reply       chan reply
}

type reply struct {
	resp      *http.Response // its body is in body
	body      []byte
	connected bool
	err       error
}

// NewOutside starts workers that make real requests, n at a time, until Close.
// It must be called outside synctest.Test. There is no guard of private
// addresses: whoever runs a script chose its servers.
func NewOutside(n int) *Outside {
	o := &Outside{
		jobs: make(chan job), replies: make(chan chan reply, n),
		transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: n},
	}
	for range n {
		o.replies <- make(chan reply, 1)
		o.working.Go(func() {
			for j := range o.jobs {
				j.reply <- o.do(j)
			}
		})
	}
	return o
}

// Close ends the workers, when no script is played any more.
func (o *Outside) Close() {
	close(o.jobs)
	o.working.Wait()
	o.transport.CloseIdleConnections()
}

// do makes one request in real time.
func (o *Outside) do(j job) (rep reply) {
	ctx, cancel := context.WithTimeout(context.Background(), j.limit)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { rep.connected = true },
	})
	req, err := http.NewRequestWithContext(ctx, j.method, j.url, bytes.NewReader(j.body))
	if err != nil {
		return reply{err: err}
	}
	req.Header = j.header
	if rep.resp, rep.err = o.transport.RoundTrip(req); rep.err != nil {
		return rep
	}
	defer rep.resp.Body.Close()
	rep.body, rep.err = io.ReadAll(io.LimitReader(rep.resp.Body, 64<<20+1))
	return rep
}

// roundTrip runs inside a bubble. The request's context belongs there, so only
// copies of the rest go out. A server that was too slow in real time is one
// that never answers in virtual time, until the client's own limit.
func (o *Outside) roundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	limit := 15 * time.Second
	if at, ok := r.Context().Deadline(); ok {
		limit = time.Until(at)
	}
	ch := <-o.replies
	o.jobs <- job{r.Method, r.URL.String(), r.Header.Clone(), body, limit, ch}
	rep := <-ch
	o.replies <- ch
	if errors.Is(rep.err, context.DeadlineExceeded) {
		time.Sleep(tie) // as in give
	}
	if rep.connected {
		connected(r)
	}
	if errors.Is(rep.err, context.DeadlineExceeded) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	if rep.err != nil {
		return nil, rep.err
	}
	resp := *rep.resp
	resp.Request, resp.Body = r, io.NopCloser(bytes.NewReader(rep.body))
	return &resp, nil
}
