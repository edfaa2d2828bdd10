package runtime

import (
	"context"
	"net/http"
	"time"

	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// besideLimit is how long a request that nobody waits for may hold up the end of
// a call.
const besideLimit = 10 * time.Second

// Request makes an HTTP request of the document's own (verbs.Call). It is not
// signed: the service is none of the account's.
func (c *script) Request(ctx context.Context, r *texml.HTTPRequest) (verbs.Reply, error) {
	place := c.at(r) + "<HttpRequest>: "
	at, err := resolve(c.page.url, r.URL)
	if err != nil {
		c.note("warning", place+err.Error(), "", 11100)
		return verbs.Reply{}, err
	}
	header := http.Header{}
	for _, h := range r.Headers {
		header.Add(h.Name, h.Value)
	}
	if r.Body != "" && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	c.note("request", r.Method+" "+webhook.Redact(at), "", 0)
	ask := func(ctx context.Context) (verbs.Reply, error) {
		resp, err := c.s.Web.Do(ctx, webhook.Request{URL: at, Method: r.Method, Header: header, Own: true, Body: []byte(r.Body)})
		if err != nil {
			if ctx.Err() == nil {
				c.note("warning", place+err.Error(), "", codeOf(err))
			}
			return verbs.Reply{}, err
		}
		return verbs.Reply{Status: resp.Status, Body: resp.Body}, nil
	}
	if !r.Async {
		return ask(ctx)
	}
	c.call.beside(func() {
		ctx, stop := context.WithTimeout(context.Background(), besideLimit)
		defer stop()
		ask(ctx)
	})
	return verbs.Reply{}, nil
}
