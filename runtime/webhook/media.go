package webhook

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// flight is a media fetch under way and those who wait for it.
type flight struct {
	done     chan struct{} // closed when response and err are there
	response *Response
	err      error
	waiters  int // guarded by Client.mu
	cancel   context.CancelCauseFunc
}

// Media fetches a sound by GET, at most 64 MB of it, without call parameters,
// cookies or signature. What the server allows to be kept is kept: for the
// max-age of Cache-Control without asking again, and after that as long as the
// server answers 304 to the ETag or Last-Modified that it gave. Requests for
// one URL share one fetch. The answer's URL is without user and query. Media
// blocks until the whole sound is there, at most four times the time limit of
// a document; the errors are those of Do.
func (c *Client) Media(ctx context.Context, rawURL string) (*Response, error) {
	c.mu.Lock()
	if c.alive.Err() != nil {
		c.mu.Unlock()
		return nil, errClosed
	}
	f := c.flights[rawURL]
	if f == nil {
		var fetching context.Context
		f = &flight{done: make(chan struct{})}
		fetching, f.cancel = context.WithCancelCause(c.alive)
		c.flights[rawURL] = f
		c.running.Go(func() {
			f.response, f.err = c.media(fetching, rawURL)
			c.land(rawURL, f, nil)
			close(f.done)
		})
	}
	f.waiters++
	c.mu.Unlock()

	select {
	case <-f.done:
		return f.response, f.err
	case <-ctx.Done():
		c.mu.Lock()
		f.waiters--
		abandoned := f.waiters == 0
		c.mu.Unlock()
		if abandoned {
			c.land(rawURL, f, errLeft)
		}
		return nil, context.Cause(ctx)
	}
}

// land takes a flight off the board and ends it; the next request for the URL
// starts anew.
func (c *Client) land(rawURL string, f *flight, cause error) {
	c.mu.Lock()
	if c.flights[rawURL] == f && (cause == nil || f.waiters == 0) {
		delete(c.flights, rawURL)
		f.cancel(cause)
	}
	c.mu.Unlock()
}

func (c *Client) media(ctx context.Context, rawURL string) (*Response, error) {
	sent, _, _ := strings.Cut(rawURL, "#")
	key := sha256Hex([]byte(sent))
	kept, known := c.cache.get(key)
	if known && time.Now().Before(kept.Fresh) {
		return kept.response(), nil
	}
	p := purpose{total: 4 * c.total, bytes: mediaBytes, tooLarge: codeMediaTooBig, accept: "audio/*, */*;q=0.5"}
	if known {
		p.cached = http.Header{}
		if kept.ETag != "" {
			p.cached.Set("If-None-Match", kept.ETag)
		}
		if kept.LastModified != "" {
			p.cached.Set("If-Modified-Since", kept.LastModified)
		}
	}
	response, err := c.fetch(ctx, Request{URL: rawURL, Method: http.MethodGet}, p)
	if err != nil {
		return nil, err
	}
	response.URL = place(response.URL)
	fresh, allowed := freshness(response.header, time.Now())
	switch {
	case response.Status == http.StatusNotModified:
		c.cache.refresh(key, fresh)
		return kept.response(), nil
	case response.Status == http.StatusOK && allowed:
		c.cache.put(key, keep(response, fresh))
	default:
		c.cache.drop(key)
	}
	return response, nil
}

// place is a URL without what may be secret. Nothing is relative to a sound,
// and the cache writes it down.
func place(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return Redact(raw)
	}
	u.User, u.RawQuery, u.ForceQuery = nil, "", false
	return u.String()
}

// freshness reads how long an answer may be used without asking again (RFC
// 9111 §5.2.2), and whether keeping it is allowed and of any use.
func freshness(h http.Header, now time.Time) (fresh time.Time, keep bool) {
	keep = h.Get("ETag") != "" || h.Get("Last-Modified") != ""
	revalidate := false
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store":
			return time.Time{}, false
		case "no-cache":
			revalidate = true
		case "max-age":
			seconds, err := strconv.Atoi(strings.Trim(value, `"`))
			if err != nil {
				continue
			}
			age, _ := strconv.Atoi(h.Get("Age"))
			const year = 365 * 24 * 60 * 60
			if left := min(seconds, year) - max(age, 0); left > 0 {
				fresh = now.Add(time.Duration(left) * time.Second)
				keep = true
			}
		}
	}
	if revalidate {
		return time.Time{}, h.Get("ETag") != "" || h.Get("Last-Modified") != ""
	}
	return fresh, keep
}
