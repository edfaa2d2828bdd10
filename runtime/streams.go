package runtime

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/runtime/stream"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// Limits of a call in Twilio's dialect (Twilio, <Stream>). In Telnyx's a call
// has one stream, and a new one takes its place.
const mostTracks = 4

// comeBack is how long to wait before each try to open a lost socket again
// (Telnyx, enableReconnect).
var comeBack = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// mediaStream takes a call's sound to a server of the user's, and that of the
// server to the call.
type mediaStream struct {
	call    *call
	leg     Leg
	label   string
	place   string // in the document, for warnings
	alone   bool   // of <Connect>
	request webhook.Request
	start   stream.Start
	keys    bool           // keys are told
	back    *stream.Format // of what the server sends; nil: it is not played
	mp3     bool           // that is whole files instead
	again   bool           // a lost socket is opened again
	told    Request        // callbacks; URL "" is none

	end  context.CancelFunc // of one beside the verbs
	done chan struct{}      // closed when it is over
}

// startStream begins a stream that goes on beside the verbs, or returns nil when
// that cannot be, which is noted at n. The socket is opened meanwhile.
func (c *script) startStream(n *texml.Stream) service {
	m := c.newStream(n, false)
	if m == nil {
		return nil
	}
	ctx, end := context.WithCancel(context.Background()) // it is of the call and not of a verb
	m.end = end
	go func() {
		defer close(m.done)
		m.call.guard(func() { m.serve(ctx) })
	}()
	return m
}

// stop ends it.
func (m *mediaStream) stop(context.Context) {
	m.end()
	<-m.done
}

// connectStream hands the call to a stream until the server closes it.
func (c *script) connectStream(ctx context.Context, n *texml.Stream) (url.Values, error) {
	c.lively.Store(true)
	if m := c.newStream(n, true); m != nil {
		m.serve(ctx)
	}
	return nil, context.Cause(ctx)
}

// newStream is a stream as n says, or nil when that cannot be.
func (c *script) newStream(n *texml.Stream, alone bool) *mediaStream {
	telnyx := c.set.Dialect == texml.Telnyx
	m := &mediaStream{
		call: c.call, leg: c.leg, label: n.Label, place: c.at(n), alone: alone,
		keys: telnyx || alone, again: telnyx && n.EnableReconnect, done: make(chan struct{}), told: c.statusCallback(n, n.StatusCallbacks),
		start: stream.Start{
			Telnyx: telnyx, StreamSID: c.s.NewID("MZ"), AccountSID: c.rec.AccountSID, CallSID: c.rec.SID, SessionSID: c.rec.SID,
			From: c.rec.From, To: c.rec.To, Tracks: tracks(n.Track), Format: stream.Format{Encoding: "PCMU", Rate: 8000},
		},
	}
	if c.rec.ParentSID != "" {
		m.start.SessionSID = c.rec.ParentSID
	}
	for _, p := range n.Parameters {
		m.start.Parameters = append(m.start.Parameters, stream.Parameter{Name: p.Name, Value: p.Value})
	}
	var err error
	if m.request, err = c.streamRequest(n); err == nil {
		err = c.room(m)
	}
	if err != nil {
		m.failed(err)
		return nil
	}
	if telnyx {
		c.telnyxSound(n, m)
	} else if alone {
		m.back = &stream.Format{Encoding: "PCMU", Rate: 8000}
	}
	return m
}

// tracks are those that an attribute names.
func tracks(name string) []stream.Track {
	switch name {
	case "outbound_track":
		return []stream.Track{stream.Outbound}
	case "both_tracks":
		return []stream.Track{stream.Inbound, stream.Outbound}
	}
	return []stream.Track{stream.Inbound}
}

// telnyxSound says how sound is coded in either direction (Telnyx, <Stream>).
func (c *script) telnyxSound(n *texml.Stream, m *mediaStream) {
	encoding := n.Codec
	if encoding == "default" {
		encoding = strings.ToUpper(c.leg.Stream().Codec())
	}
	rate := c.leg.Stream().Rate()
	f, err := stream.NewFormat(encoding, rate)
	if err != nil {
		f, _ = stream.NewFormat("PCMU", rate)
		c.Warn(n, 0, "codec: "+err.Error()+"; PCMU is sent")
	}
	m.start.Format = f
	if m.mp3 = n.BidirectionalMode != "rtp"; m.mp3 {
		m.back = &f
		return
	}
	f, err = stream.NewFormat(n.BidirectionalCodec, n.BidirectionalSamplingRate)
	if err != nil {
		c.Warn(n, 0, "bidirectionalCodec: "+err.Error()+"; what the server sends is not played")
		return
	}
	m.back = &f
}

// A streamError is why a stream could not begin.
type streamError struct {
	code int
	msg  string
}

func (e *streamError) Error() string { return e.msg }

// streamRequest is the request for the socket of n.
func (c *script) streamRequest(n *texml.Stream) (webhook.Request, error) {
	r := webhook.Request{URL: n.URL, Sign: c.set.Account.Signer(c.set.Dialect == texml.Telnyx), Jar: c.jar, Header: http.Header{}}
	if n.ConnectorName != "" {
		known, ok := c.s.Connectors[n.ConnectorName]
		switch {
		case !ok:
			return r, &streamError{31940, "no connector is called \"" + n.ConnectorName + "\"; the configuration names them under connectors"}
		case known.Kind != "stream", n.URL == "" && known.URL == "":
			return r, &streamError{31942, "the connector \"" + n.ConnectorName + "\" is not one for streams; it needs kind: stream and a url"}
		}
		if n.URL == "" {
			r.URL = known.URL
		}
		known.authorize(r.Header)
	}
	at, err := resolve(c.page.url, r.URL)
	if err != nil {
		return r, &streamError{31923, err.Error()}
	}
	if scheme, rest, ok := strings.Cut(at, "://"); ok && (scheme == "http" || scheme == "https") {
		at = "ws" + strings.TrimPrefix(scheme, "http") + "://" + rest // it was relative
	}
	if c.set.Dialect == texml.Twilio {
		at, _, _ = strings.Cut(at, "?")
	}
	r.URL = at
	return r, nil
}

// room makes sure that the call may have one stream more.
func (c *script) room(m *mediaStream) error {
	count := len(m.start.Tracks)
	var others []*mediaStream
	for _, s := range c.services {
		if other, ok := s.service.(*mediaStream); ok && !other.over() {
			others = append(others, other)
			count += len(other.start.Tracks)
		}
	}
	if m.start.Telnyx {
		if len(others) > 0 {
			m.call.note("warning", m.place+"a call has one stream in the telnyx dialect; this one takes the place of the one before it", "", 0)
		}
		for _, other := range others {
			other.stop(context.Background())
		}
		c.services = slices.DeleteFunc(c.services, func(s running) bool {
			other, ok := s.service.(*mediaStream)
			return ok && other.over()
		})
		return nil
	}
	switch {
	case m.label != "" && slices.ContainsFunc(others, func(o *mediaStream) bool { return o.label == m.label }):
		return &streamError{31900, "a stream of this call is called \"" + m.label + "\" already"}
	case !m.alone && count > mostTracks:
		return &streamError{31960, "a call has at most four tracks of streams at a time"}
	}
	return nil
}

// over reports whether it has ended.
func (m *mediaStream) over() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// serve runs the stream until ctx is done or the server has closed it.
func (m *mediaStream) serve(ctx context.Context) {
	socket, err := m.call.s.Web.Socket(ctx, m.request)
	started := err == nil
	if started {
		m.call.note("stream", m.start.StreamSID+" to "+webhook.Redact(m.request.URL), "", 0)
		m.tell("stream-started", "")
		err = m.run(ctx, socket)
	}
	for lost := started && err != nil; lost && m.again && ctx.Err() == nil; {
		if socket, err = m.reopen(ctx, err); err != nil {
			break
		}
		err = m.run(ctx, socket)
		lost = err != nil
	}
	switch {
	case err != nil && ctx.Err() == nil:
		m.failed(err)
	case started:
		m.call.note("stream stopped", m.start.StreamSID, "", 0)
		m.tell("stream-stopped", "")
	}
}

// reopen opens a lost socket again, or says why it cannot.
func (m *mediaStream) reopen(ctx context.Context, lost error) (socket webhook.Socket, err error) {
	m.call.note("warning", m.place+"the stream is opened again: "+lost.Error(), "", codeOf(lost))
	for _, wait := range comeBack {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, context.Cause(ctx)
		}
		if socket, err = m.call.s.Web.Socket(ctx, m.request); err == nil {
			return socket, nil
		}
	}
	return nil, err
}

// failed notes and tells why there is no stream, or no longer.
func (m *mediaStream) failed(err error) {
	code := codeOf(err)
	if e, ok := errors.AsType[*streamError](err); ok {
		code = e.code
	}
	m.call.note("error", m.place+"<Stream>: "+err.Error(), "", code)
	if m.start.Telnyx {
		m.tell("stream-failed", "connection_failed")
	} else {
		m.tell("stream-error", err.Error())
	}
}

// tell posts an event of the stream and what went wrong, "" for nothing (Twilio
// and Telnyx, statusCallback of <Stream>).
func (m *mediaStream) tell(event, wrong string) {
	f := url.Values{
		"AccountSid": {m.start.AccountSID}, "CallSid": {m.start.CallSID}, "StreamSid": {m.start.StreamSID},
		"StreamName": {m.label}, "StreamEvent": {event}, "Timestamp": {iso(time.Now())},
	}
	if m.start.Telnyx {
		f.Set("CallSidLegacy", m.start.CallSID)
	}
	if wrong != "" {
		f.Set("StreamError", wrong)
	}
	m.call.owe(m.call.news(m.told, f))
}

// owe stores callbacks of the call that come from beside its goroutine.
func (c *call) owe(news []Callback) {
	if len(news) == 0 {
		return
	}
	if err := c.s.Store.Owe(context.Background(), c.rec.AccountSID, c.rec.SID, news); err != nil {
		c.s.Log.Error("callbacks could not be stored", "call", c.rec.SID, "error", err)
		return
	}
	signal(c.s.due)
}
