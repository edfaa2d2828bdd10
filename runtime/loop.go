package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
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
	url   string // after redirects: what relative URLs start from
	doc   *texml.Document
	sound *webhook.Response // what its one <Play> plays when the webhook answered with sound
}

// loopError ends a call whose documents lead nowhere.
type loopError struct {
	code int
	msg  string
}

func (e *loopError) Error() string { return e.msg }

// apology is what a caller hears when no document could be had.
const apology = "We are sorry. An application error has occurred. Goodbye."

// script runs one document after the other on a call: the main one with all
// that follows from it, or one beside it, such as what a caller hears who waits.
// It is the [verbs.Call] of its verbs.
type script struct {
	*call
	first    Request // brings the first document
	fallback Request // stands in for what fails; URL "" is none

	// What a document beside the main one is restricted to.
	allowed []string          // verbs; nil is all of them
	code    int               // of the warning for others
	extra   func() url.Values // parameters that go with each of its requests; nil is none

	out func(context.Context, media.Source) error // where its sounds go; nil is the leg

	page   *page       // document being run
	hungUp bool        // ended by <Hangup> or <Reject>
	broken bool        // ended by a sound that could not be had
	left   bool        // ended by <Leave>
	lively atomic.Bool // the document spoke, listened or waited
}

// main is the script that a call begins with.
func (c *call) main() *script {
	return &script{call: c, first: c.set.First, fallback: c.set.Fallback}
}

// run takes the call from its first document to its last. It returns nil or
// the cause of the end; what went wrong with documents is noted on the way.
func (c *script) run(ctx context.Context) error {
	err := c.documents(ctx)
	if err == nil || context.Cause(ctx) != nil || errors.Is(err, ErrHungUp) {
		return err
	}
	return c.apologize(ctx)
}

// documents runs the first document and all that follow from it. The fallback
// stands in for each document that fails, but not for itself, and only once for
// documents that lead in a circle. An error that is not the end of the call has
// been noted.
func (c *script) documents(ctx context.Context) error {
	var pace pacer
	req, standIn, circled := c.first, false, false
	for {
		next, at, err := c.step(ctx, req, &pace, standIn)
		if err == nil {
			if next.URL == "" {
				return nil
			}
			req, standIn = next, false
			continue
		}
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if errors.Is(err, media.ErrClosed) || errors.Is(err, ErrHungUp) { // before the news of it came
			return ErrHungUp
		}
		c.fail(err)
		_, circle := errors.AsType[*loopError](err)
		if c.fallback.URL == "" || standIn || circle && circled {
			return err
		}
		if circle {
			circled, pace.idle = true, 0
		}
		req, standIn = c.fallbackFor(err, at), true
	}
}

// step runs the document that req asks for and returns the request for the
// next one; without a URL nothing follows. When it fails, at is the URL to blame.
func (c *script) step(ctx context.Context, req Request, pace *pacer, standIn bool) (next Request, at string, err error) {
	if !standIn {
		if err := pace.next(ctx, c.lively.Swap(false)); err != nil {
			return Request{}, req.URL, err
		}
	}
	p, err := c.document(ctx, req)
	if err != nil {
		if req.outcome && context.Cause(ctx) != nil { // whether it was heard, nobody knows
			c.tell(req, "completed")
		}
		return Request{}, req.URL, err
	}
	began := time.Now()
	to, err := c.play(ctx, p)
	if to.Tell != nil {
		if beside, slip := c.follow(p, to.Tell); slip == nil {
			c.tell(beside, c.rec.Status)
		} else {
			c.fail(slip)
		}
	}
	if to.Fetch == nil {
		return Request{}, p.url, err
	}
	if time.Since(began) >= time.Second || len(to.Fetch.Form) > 0 {
		c.lively.Store(true)
	}
	next, slip := c.follow(p, to.Fetch)
	if slip == nil && (err != nil || to.End) {
		c.tell(next, "completed") // as it is by the time it is read
		next = Request{}
	}
	return next, p.url, cmp.Or(err, slip)
}

// tell posts what a verb has to say of a call that is over, or that goes on
// elsewhere: its action is told, but nobody is there for the document it answers
// with.
func (c *script) tell(r Request, callStatus string) {
	now := time.Now()
	form := c.params(c.with(r.Form))
	form.Set("CallStatus", callStatus)
	if c.rec.Answered.IsZero() {
		form.Set("CallStatus", "canceled")
	}
	c.save([]Callback{{
		CallSID: c.rec.SID, AccountSID: c.rec.AccountSID,
		URL: r.URL, Method: method(r.Method), Form: form.Encode(),
		Token: cmp.Or(r.token, c.s.NewID("")), Created: now, Due: now,
	}})
}

// pacer counts documents.
type pacer struct {
	total  int
	idle   int         // in a row that did nothing
	recent []time.Time // of the last maxPerSecond documents
}

// next waits until the next document may be fetched, or says why it may not.
// lively tells that the one before it spoke, listened or waited.
func (p *pacer) next(ctx context.Context, lively bool) error {
	p.total++
	p.idle++
	if lively {
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
func (c *script) document(ctx context.Context, req Request) (*page, error) {
	c.note(method(req.Method), webhook.Redact(req.URL), form(req.Form), 0)
	params := c.params(c.with(req.Form))
	resp, err := c.s.Web.Do(ctx, webhook.Request{
		URL: req.URL, Method: method(req.Method), Form: params,
		Sign: c.set.Account.Signer(c.set.Dialect == texml.Telnyx), Jar: c.jar,
		Header: http.Header{"I-Twilio-Idempotency-Token": {cmp.Or(req.token, c.s.NewID(""))}},
	})
	if err != nil {
		return nil, err
	}
	p, err := c.read(resp, params)
	if err != nil {
		return nil, err
	}
	c.slips(p.doc.Slips)
	return p, nil
}

// with is form and what the script's own requests say besides.
func (c *script) with(form url.Values) url.Values {
	if c.extra == nil {
		return form
	}
	all := c.extra()
	maps.Copy(all, form)
	return all
}

// slips notes what is wrong with a document.
func (c *call) slips(es texml.Errors) {
	for _, e := range es {
		if e.Context != "" {
			c.note("document", "", e.Context, 0)
		}
		if e.Level != texml.Note {
			c.note(e.Level.String(), e.Error(), "", e.Code)
		}
	}
}

// read makes a document of what a webhook answered with: TeXML as it is, sound
// to be played, text to be spoken (Twilio, "Response MIME types").
func (c *call) read(resp *webhook.Response, params url.Values) (*page, error) {
	// Telnyx does not mind what the type of a document is called.
	if err := resp.Document(); err != nil && (c.set.Dialect == texml.Twilio || len(resp.Body) == 0) {
		return nil, err
	}
	source := webhook.Redact(resp.URL)
	wrap := func(verb, text string) []byte {
		return []byte("<Response><" + verb + ">" + html.EscapeString(text) + "</" + verb + "></Response>")
	}
	p := &page{url: resp.URL}
	body := resp.Body
	kind, _, _ := mime.ParseMediaType(resp.ContentType)
	switch {
	case resp.Status == http.StatusNoContent:
		body = []byte("<Response/>")
	case strings.HasPrefix(kind, "audio/"):
		p.sound, body = resp, wrap("Play", resp.URL)
	case kind == "text/plain":
		if _, err := c.s.documents.Parse(source, body, c.set.Dialect); err != nil {
			body = wrap("Say", string(body))
		}
	}
	var err error
	// Telnyx fills templates in any document; on Twilio only stored ones are.
	if c.set.Dialect == texml.Telnyx || onDisk(resp.URL) {
		if body, err = texml.Render(body, params, nil); err != nil {
			return nil, fmt.Errorf("%s:%w", source, err)
		}
	}
	p.doc, err = c.s.documents.Parse(source, body, c.set.Dialect)
	return p, err
}

// play runs the verbs of p until one of them leads elsewhere.
func (c *script) play(ctx context.Context, p *page) (verbs.Next, error) {
	c.page = p
	for _, n := range p.doc.Verbs {
		if c.allowed != nil && !slices.Contains(c.allowed, n.Name()) {
			c.Warn(n, c.code, "<"+n.Name()+"> cannot stand here and was skipped; only "+strings.Join(c.allowed, ", ")+" can")
			continue
		}
		var next verbs.Next
		err := verbs.Guard(func() (err error) {
			next, err = verbs.For(n).Run(ctx, c)
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				err = fmt.Errorf("%s<%s>: %w", c.at(n), n.Name(), err)
			}
			return next, err
		}
		if next.Fetch != nil || next.End {
			c.endedBy(n, next.End)
			return next, nil
		}
	}
	return verbs.Next{End: true}, c.Answer(ctx) // an empty document answers too
}

// endedBy notes how n has ended its document, if it has. One that is heard beside the
// main one ends the call by a verb for that only, and not by a <Play> that fails.
func (c *script) endedBy(n texml.Node, over bool) {
	switch n.(type) {
	case *texml.Hangup, *texml.Reject:
		c.hungUp = over
	case *texml.Play:
		c.broken = over
	}
}

// follow makes the request that f asks for of the document p.
func (c *script) follow(p *page, f *verbs.Fetch) (Request, error) {
	to, err := resolve(p.url, f.URL)
	if err != nil {
		return Request{}, &webhook.Error{Code: 11100, URL: f.URL, Err: err}
	}
	m := f.Method
	if m == "" {
		m = c.first.Method
	}
	r := Request{URL: to, Method: m, Form: f.Form, outcome: f.Outcome}
	if f.Outcome {
		r.token = c.s.NewID("")
	}
	return r, nil
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

// fallbackFor is the request for the document that stands in for the one at the URL
// at, which failed.
func (c *script) fallbackFor(err error, at string) Request {
	if we, ok := errors.AsType[*webhook.Error](err); ok && we.URL != "" {
		at = we.URL
	}
	r := c.fallback
	r.Form = url.Values{"ErrorCode": {strconv.Itoa(codeOf(err))}, "ErrorUrl": {plainURL(at)}}
	return r
}

// apologize ends a call that has no document to run: Twilio answers and says
// so, Telnyx says nothing.
func (c *script) apologize(ctx context.Context) error {
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

// Warn notes a slip on the timeline (verbs.Call).
func (c *script) Warn(n texml.Node, code int, msg string) {
	c.note("warning", c.at(n)+msg, "", code)
}

// at is where n stands, for a message.
func (c *script) at(n texml.Node) string {
	if c.page == nil {
		return ""
	}
	return webhook.Redact(c.page.url) + ":" + n.At().String() + ": "
}

// form is what a verb adds to a request, for the timeline.
func form(f url.Values) string {
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(f)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		value := strings.Join(f[name], ",")
		if slices.Contains(enteredFields, name) {
			value = "****"
		}
		fmt.Fprintf(&b, "%s=%s", name, value)
	}
	return b.String()
}
