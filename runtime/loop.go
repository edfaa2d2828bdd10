package runtime

import (
	"context"
	"errors"
	"fmt"
	"html"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// Limits that end a document which only ever leads to the next one.
const (
	maxDocuments = 2000 // of one call
	maxIdle      = 25   // in a row without sound, key or time between them
	maxPerSecond = 10   // further ones wait
)

// page is a document that is run, and where it came from.
type page struct {
	url string // after redirects: what relative URLs start from
	doc *texml.Document
}

// loopError ends a call whose documents lead nowhere.
type loopError struct {
	code int
	msg  string
}

func (e *loopError) Error() string { return e.msg }

// apology is what a caller hears when no document could be had.
const apology = "We are sorry. An application error has occurred. Goodbye."

// run takes the call from its first document to its last. It returns nil or
// the cause of the end; what went wrong with documents is noted on the way.
func (c *call) run(ctx context.Context) error {
	req := c.set.First
	fellBack := false
	var pace pacer
	for {
		p, err := c.document(ctx, req, &pace)
		if err == nil {
			var next verbs.Next
			if next, err = c.play(ctx, p); err == nil {
				if next.Fetch == nil {
					return nil
				}
				if req, err = c.follow(p, next.Fetch); err == nil {
					continue
				}
			}
		}
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if errors.Is(err, media.ErrClosed) { // the sound ended before the news of the hang-up came
			return ErrHungUp
		}
		c.fail(err)
		if c.set.Fallback.URL == "" || fellBack {
			return c.apologize(ctx)
		}
		fellBack = true
		req = c.fallback(err)
	}
}

// pacer counts documents.
type pacer struct {
	total, idle int
	recent      []time.Time // of the last maxPerSecond documents
}

// next waits until the next document may be fetched, or says why it may not.
func (p *pacer) next(ctx context.Context, lively bool) error {
	p.total++
	p.idle++
	if n := len(p.recent); n > 0 && (lively || time.Since(p.recent[n-1]) >= time.Second) {
		p.idle = 1
	}
	switch {
	case p.total > maxDocuments:
		return &loopError{14106, fmt.Sprintf("the call ran %d documents; end it before that", maxDocuments)}
	case p.idle > maxIdle:
		return &loopError{14106, fmt.Sprintf("%d documents in a row did nothing but lead to the next; let one of them speak, listen or wait", maxIdle)}
	}
	if len(p.recent) == maxPerSecond {
		t := time.NewTimer(time.Second - time.Since(p.recent[0]))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		p.recent = p.recent[1:]
	}
	p.recent = append(p.recent, time.Now())
	return nil
}

// document fetches and reads the document req asks for.
func (c *call) document(ctx context.Context, req Request, pace *pacer) (*page, error) {
	if err := pace.next(ctx, c.lively.Swap(false)); err != nil {
		return nil, err
	}
	c.note(method(req.Method), webhook.Redact(req.URL), form(req.Form), 0)
	params := c.params(req.Form)
	resp, err := c.s.Web.Do(ctx, webhook.Request{
		URL: req.URL, Method: method(req.Method), Form: params,
		Sign: c.set.Account.Signer(c.set.Dialect == texml.Telnyx), Jar: c.jar,
		Header: http.Header{"I-Twilio-Idempotency-Token": {c.s.NewID("")}},
	})
	if err != nil {
		return nil, err
	}
	p, err := c.read(resp, params)
	if err != nil {
		return nil, err
	}
	for _, slip := range p.doc.Slips {
		if slip.Level == texml.Warning {
			c.note("warning", slip.Error(), "", slip.Code)
		}
	}
	return p, nil
}

// read makes a document of what a webhook answered with: TeXML as it is, sound
// to be played, text to be spoken (callbacks.md "Response MIME").
func (c *call) read(resp *webhook.Response, params url.Values) (*page, error) {
	// Telnyx does not mind what the type of a document is called.
	if err := resp.Document(); err != nil && (c.set.Dialect == texml.Twilio || len(resp.Body) == 0) {
		return nil, err
	}
	kind, _, _ := mime.ParseMediaType(resp.ContentType)
	body := resp.Body
	wrap := func(verb, text string) []byte {
		return []byte("<Response><" + verb + ">" + html.EscapeString(text) + "</" + verb + "></Response>")
	}
	switch {
	case strings.HasPrefix(kind, "audio/"):
		c.served[resp.URL] = resp
		body = wrap("Play", resp.URL)
	case kind == "text/xml", kind == "application/xml", kind == "text/html":
	case kind == "text/plain":
		if _, err := c.s.documents.Parse(resp.URL, body, c.set.Dialect); err != nil {
			body = wrap("Say", string(body))
		}
	case len(body) == 0: // an answer without a document is a document without verbs
		body = []byte("<Response/>")
	}
	// Telnyx fills templates in any document; on Twilio only stored ones are.
	if c.set.Dialect == texml.Telnyx || !strings.HasPrefix(resp.URL, "http") {
		filled, err := texml.Render(body, params, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", webhook.Redact(resp.URL), err)
		}
		body = filled
	}
	doc, err := c.s.documents.Parse(webhook.Redact(resp.URL), body, c.set.Dialect)
	if err != nil {
		return nil, err
	}
	return &page{resp.URL, doc}, nil
}

// play runs the verbs of p until one of them leads elsewhere.
func (c *call) play(ctx context.Context, p *page) (verbs.Next, error) {
	c.page = p
	for _, n := range p.doc.Verbs {
		next, err := verbs.For(n).Run(ctx, c)
		if err != nil {
			if ctx.Err() == nil {
				err = fmt.Errorf("%s<%s>: %w", c.at(n), n.Name(), err)
			}
			return verbs.Next{}, err
		}
		if next.Fetch != nil || next.End {
			return next, nil
		}
	}
	return verbs.Next{End: true}, c.Answer(ctx) // an empty document answers too
}

// follow makes the request that f asks for of the document p.
func (c *call) follow(p *page, f *verbs.Fetch) (Request, error) {
	to, err := resolve(p.url, f.URL)
	if err != nil {
		return Request{}, &webhook.Error{Code: 11100, URL: f.URL, Err: err}
	}
	m := f.Method
	if m == "" {
		m = c.set.First.Method
	}
	return Request{URL: to, Method: m, Form: f.Form}, nil
}

// resolve makes ref, as written in the document at base, absolute. An empty ref
// is base itself.
func resolve(base, ref string) (string, error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	if ref == "" {
		return base, nil
	}
	r, err := url.Parse(strings.TrimSpace(ref))
	if err != nil {
		return "", err
	}
	to := b.ResolveReference(r)
	if to.Scheme == "" {
		return "", fmt.Errorf("%q is not an absolute URL", ref)
	}
	if local := to.Scheme == "file" || to.Scheme == "embed"; local && to.Scheme != b.Scheme {
		return "", fmt.Errorf("a document from %s:// cannot lead to %s://", b.Scheme, to.Scheme)
	}
	return to.String(), nil
}

// fallback is the request for the document that stands in for one that failed.
func (c *call) fallback(err error) Request {
	r := c.set.Fallback
	r.Form = url.Values{"ErrorCode": {strconv.Itoa(c.rec.ErrorCode)}}
	failed := c.set.First.URL
	if c.page != nil {
		failed = c.page.url
	}
	if we, ok := asWebhook(err); ok && we.URL != "" {
		failed = we.URL
	}
	r.Form.Set("ErrorUrl", withoutUser(failed))
	return r
}

// apologize ends a call that has no document to run: Twilio answers and says
// so, Telnyx says nothing.
func (c *call) apologize(ctx context.Context) error {
	if c.set.Dialect == texml.Telnyx {
		if c.rec.Answered.IsZero() {
			c.reject = &rejection{status: 503, reason: "Service Unavailable", becomes: "failed", cause: "unspecified"}
		}
		return nil
	}
	if err := c.Answer(ctx); err != nil {
		return err
	}
	return c.speak(ctx, apology)
}

// form is what a verb adds to a request, for the timeline.
func form(f url.Values) string {
	var b strings.Builder
	for i, name := range slices.Sorted(keys(f)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", name, strings.Join(f[name], ","))
	}
	return b.String()
}
