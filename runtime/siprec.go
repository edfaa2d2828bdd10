package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/texml"
)

// RecordingSession is what a session recording server is sent of a call
// (RFC 7866).
type RecordingSession struct {
	CallSID  string
	Server   Connector
	Labels   []string            // of the streams, one for each (RFC 4574)
	Metadata []byte              // application/rs-metadata+xml (RFC 7865)
	Headers  map[string][]string // further ones of the INVITE
	Expires  time.Duration       // the session timer (RFC 4028); 0 is none
}

// RecordingLeg is a recording session that the server has agreed to. All
// methods may be called from any goroutine.
type RecordingLeg interface {
	// Streams send to the server, in the order of the labels. One that the
	// server did not want is nil.
	Streams() []*media.Stream

	// Hangup ends the session and waits a bounded time for the server to
	// agree. It does nothing on one that is over.
	Hangup(ctx context.Context) error

	// Done is closed when the session is over, from whichever side; Err says
	// why and is nil before.
	Done() <-chan struct{}
	Err() error
}

// RecordingError is why there is no recording session.
type RecordingError struct {
	Code int // a SIP status, or the platforms' code
	Msg  string
}

func (e *RecordingError) Error() string { return e.Msg }

// Limits of recording sessions.
const (
	maxForks        = 4 // streams of one call that are sent at a time, as on Twilio
	siprecPatience  = 30 * time.Second
	siprecPartingBy = time.Second // how long a verb waits for the answer to our BYE
)

// codeInsecure is the platforms' code for a wish for encryption that cannot be met.
const codeInsecure = 32209

// siprec is a recording session of a call, from <Start> on (RFC 7866).
type siprec struct {
	call    *call
	sid     string
	where   string     // in the document
	told    Request    // where its events go; URL "" is nowhere
	form    url.Values // that each of them has
	session RecordingSession
	taps    []tap // of its streams
	end     context.CancelFunc
	over    chan struct{} // closed when it is
}

// startSiprec begins to send the call's sound to a session recording server, and
// does not wait for that. It returns nil when it cannot be, which is noted at n and
// told.
func (c *script) startSiprec(n *texml.Siprec) service {
	s := &siprec{call: c.call, sid: c.s.NewID("SR"), where: c.at(n), told: c.statusCallback(n, n.StatusCallbacks), over: make(chan struct{})}
	s.form = url.Values{"AccountSid": {c.rec.AccountSID}, "CallSid": {c.rec.SID}, "SiprecSid": {s.sid}}
	if n.Label != "" {
		s.form.Set("SiprecName", n.Label)
	}
	if c.set.Dialect == texml.Telnyx {
		s.form.Set("CallSidLegacy", c.rec.SID)
	}
	if err := c.prepare(s, n); err != nil {
		s.failed(err)
		return nil
	}
	ctx, end := context.WithCancel(context.Background()) // it ends with the call, which stops it
	s.end = end
	go func() {
		defer close(s.over)
		c.guard(func() { s.run(ctx) })
	}()
	return s
}

// statusCallback is where the events of n go.
func (c *script) statusCallback(n texml.Node, to texml.StatusCallbacks) Request {
	if to.StatusCallback == "" {
		return Request{}
	}
	at, err := resolve(c.page.url, to.StatusCallback)
	if err != nil {
		c.Warn(n, 11100, "statusCallback: "+err.Error())
		return Request{}
	}
	return Request{URL: at, Method: to.StatusCallbackMethod}
}

// prepare says what s is of, and to whom.
func (c *script) prepare(s *siprec, n *texml.Siprec) error {
	server, known := c.s.Connectors[n.ConnectorName]
	stream := c.leg.Stream()
	switch {
	case n.Secure:
		return &RecordingError{Code: codeInsecure, Msg: `secure="true" needs TLS and SRTP, which this version has not, so nothing is sent`}
	case !known:
		return &RecordingError{Msg: fmt.Sprintf("the configuration has no connector %q", n.ConnectorName)}
	case server.Kind != "siprec":
		return &RecordingError{Msg: fmt.Sprintf("the connector %q is of the kind %s, not siprec", n.ConnectorName, server.Kind)}
	case c.s.Recorder == nil, stream == nil:
		return &RecordingError{Msg: "the sound of this call cannot be sent"}
	}
	var labels []string
	if n.Track != "outbound_track" {
		labels, s.taps = append(labels, labelInbound), append(s.taps, stream.Tap)
	}
	if n.Track != "inbound_track" {
		labels, s.taps = append(labels, labelOutbound), append(s.taps, stream.TapSent)
	}
	forks := len(labels)
	for _, other := range c.services {
		if o, ok := other.service.(*siprec); ok && !o.ended() {
			forks += len(o.taps)
		}
	}
	if forks > maxForks {
		return &RecordingError{Msg: fmt.Sprintf("at most %d streams of a call are sent at a time", maxForks)}
	}
	headers := map[string][]string{}
	inside := n.Parameters
	if !n.IncludeMetadataCustomHeaders {
		inside = nil
		for _, p := range n.Parameters {
			name := p.Name
			if !strings.HasPrefix(strings.ToLower(name), "x-") {
				name = "X-" + name
			}
			headers[name] = append(headers[name], p.Value)
		}
	}
	metadata, err := c.metadata(s.sid, labels, inside, time.Now())
	s.session = RecordingSession{CallSID: c.rec.SID, Server: server, Labels: labels, Metadata: metadata, Headers: headers, Expires: n.SessionTimeout}
	return err
}

// run is the life of the session, until the server or ctx ends it.
func (s *siprec) run(ctx context.Context) {
	patience, done := context.WithTimeoutCause(ctx, siprecPatience, &RecordingError{Code: 408, Msg: "the server does not answer"})
	leg, err := s.call.s.Recorder(patience, s.session)
	done()
	if err != nil {
		if ctx.Err() == nil {
			s.failed(err)
		}
		return
	}
	s.call.note("siprec", "started "+s.sid, "", 0)
	s.tell("siprec-started")
	s.send(ctx, leg)
	hangup, done := context.WithTimeout(context.Background(), siprecPartingBy)
	defer done()
	leg.Hangup(hangup)
	if b := broken(nil); ctx.Err() == nil && errors.As(leg.Err(), &b) {
		s.failed(&RecordingError{Code: b.Code(), Msg: b.Error()})
		return
	}
	s.call.note("siprec", "stopped "+s.sid, "", 0)
	s.tell("siprec-stopped")
}

// send has leg hear the call until one of the two is over, or ctx ends.
func (s *siprec) send(ctx context.Context, leg RecordingLeg) {
	ctx, stop := whileThere(ctx, leg.Done())
	var sounds sync.WaitGroup
	for i, to := range leg.Streams() {
		if to == nil {
			continue // the server does not want this side
		}
		f := newFeed(to.Rate())
		remove := s.taps[i](f.hear)
		defer remove()
		sounds.Go(func() { to.Play(ctx, f) })
	}
	<-ctx.Done()
	stop()
	sounds.Wait()
}

func (s *siprec) ended() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// stop ends the session and tells that it has (service).
func (s *siprec) stop(context.Context) {
	s.end()
	<-s.over
}

// failed tells that there is no session, or none any more.
func (s *siprec) failed(err error) {
	code := 0
	if r, ok := errors.AsType[*RecordingError](err); ok {
		code = r.Code
	}
	if code != codeInsecure { // which verbs has warned of
		s.call.note("warning", s.where+"<Siprec>: "+err.Error(), "", code)
	}
	more := []string{"SiprecError", err.Error()}
	if code != 0 {
		more = append(more, "SiprecErrorCode", strconv.Itoa(code))
	}
	s.tell(by(s.call.set.Dialect, "siprec-failed", "siprec-error"), more...)
}

// tell tells an event, with further parameters in pairs.
func (s *siprec) tell(event string, more ...string) {
	if s.told.URL == "" {
		return
	}
	now := time.Now()
	f := maps.Clone(s.form)
	f.Set("SiprecEvent", event)
	f.Set("Timestamp", iso(now))
	for i := 0; i < len(more); i += 2 {
		f.Set(more[i], more[i+1])
	}
	s.call.owe(s.call.news(s.told, f))
}
