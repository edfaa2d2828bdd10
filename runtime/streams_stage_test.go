package runtime

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// caller is a leg, and the wire to it: it sends a tone of 500 Hz and keeps what
// it hears.
type caller struct {
	Leg
	stream  *media.Stream
	payload []byte // of each packet
	sent    int
	mu      sync.Mutex
	heard   pcm.Frame // all of it
}

func newCaller(p *media.Pacer) *caller {
	c := &caller{payload: make([]byte, 160)}
	g711.EncodeULaw(c.payload, pcm.Tone(8000, time.Second, 0.2, 500).Samples[800:960])
	at := netip.MustParseAddrPort("192.0.2.1:4000")
	c.stream = media.NewStream(p, c, media.Config{Codec: "PCMU", Remote: at, Signalling: at.Addr(), Send: true, Receive: true})
	return c
}

func (c *caller) Stream() *media.Stream                    { return c.stream }
func (c *caller) SendRTCP([]byte) error                    { return nil }
func (c *caller) SetRemote(netip.AddrPort, netip.AddrPort) {}
func (c *caller) Close() error                             { return nil }

func (c *caller) Drain(hear, _ func([]byte, netip.AddrPort)) {
	c.sent++
	packet := []byte{0x80, 0} // RFC 3550 section 5.1: version 2, PCMU
	packet = binary.BigEndian.AppendUint16(packet, uint16(c.sent))
	packet = binary.BigEndian.AppendUint32(packet, uint32(c.sent*160))
	packet = append(packet, "SSRC"...)
	hear(append(packet, c.payload...), netip.MustParseAddrPort("192.0.2.1:4000"))
}

func (c *caller) Send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	sound := make(pcm.Frame, len(b)-12)
	g711.DecodeULaw(sound, b[12:])
	c.heard = append(c.heard, sound...)
	return nil
}

// hears tells whether the last 20 ms were sound.
func (c *caller) hears() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return pcm.Level(c.heard[max(0, len(c.heard)-160):]) > -40
}

// app is a server of the user's, and the socket to it.
type app struct {
	t      *testing.T
	sends  chan []byte
	closed chan struct{}
	end    sync.Once
	why    error // why the socket is closed

	mu     sync.Mutex
	asleep chan struct{} // while it does not read; nil: it does
	got    []map[string]any
	media  map[string]int // messages by track
	last   map[string]any // media message
	code   int            // we were told goodbye with
}

func newApp(t *testing.T) *app {
	return &app{t: t, sends: make(chan []byte, 10000), closed: make(chan struct{}), media: map[string]int{}}
}

func (a *app) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-a.sends:
		return b, nil
	default:
	}
	select {
	case b := <-a.sends:
		return b, nil
	case <-a.closed:
		return nil, a.why
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (a *app) Write(ctx context.Context, msg []byte) error {
	a.mu.Lock()
	asleep := a.asleep
	a.mu.Unlock()
	if asleep != nil {
		select {
		case <-asleep:
		case <-a.closed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case <-a.closed:
		return a.why
	default:
	}
	var m map[string]any
	if err := json.Unmarshal(msg, &m); err != nil {
		a.t.Errorf("%s: %v", msg, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if sound, ok := m["media"].(map[string]any); ok {
		a.media[sound["track"].(string)]++
		a.last = m
		return nil
	}
	a.got = append(a.got, m)
	return nil
}

func (a *app) Close(code int, _ string) error {
	a.mu.Lock()
	if a.code == 0 {
		a.code = code
	}
	a.mu.Unlock()
	a.shut(io.EOF)
	return nil
}

func (a *app) shut(why error) { a.end.Do(func() { a.why = why; close(a.closed) }) }

// sleep has the server read nothing until wake.
func (a *app) sleep() (wake func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asleep = make(chan struct{})
	asleep := a.asleep
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.asleep = nil
		close(asleep)
	}
}

// events are the messages but for media, in short.
func (a *app) events() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, m := range a.got {
		what := m["event"].(string)
		if mark, ok := m["mark"].(map[string]any); ok {
			what += ":" + mark["name"].(string)
		}
		if dtmf, ok := m["dtmf"].(map[string]any); ok {
			what += ":" + dtmf["digit"].(string)
		}
		if payload, ok := m["payload"].(map[string]any); ok {
			what += ":" + fmt.Sprint(payload["code"])
		}
		all = append(all, what)
	}
	return strings.Join(all, " ")
}

func (a *app) say(format string, args ...any) { a.sends <- fmt.Appendf(nil, format, args...) }

// sounding is the payload of a tone.
func sounding(d time.Duration) string {
	b := make([]byte, d*8000/time.Second)
	g711.EncodeULaw(b, pcm.Tone(8000, d, 0.3, 1000).Samples)
	return base64.StdEncoding.EncodeToString(b)
}

// apps opens sockets to its apps, one after the other; nil refuses.
type apps struct {
	Web
	mu    sync.Mutex
	apps  []*app
	asked []webhook.Request
}

func (a *apps) Socket(_ context.Context, r webhook.Request) (webhook.Socket, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r)
	if len(a.apps) == 0 || a.apps[0] == nil {
		a.apps = a.apps[min(1, len(a.apps)):]
		return nil, &webhook.Error{Code: 31920, URL: r.URL, Status: 403, Err: errors.New("the server answered 403")}
	}
	next := a.apps[0]
	a.apps = a.apps[1:]
	return next, nil
}

// told keeps the callbacks that are owed.
type told struct {
	Store
	mu   sync.Mutex
	owed []url.Values
}

func (s *told) Save(context.Context, CallRecord, []Event, []Callback) error { return nil }
func (s *told) Owe(_ context.Context, _, _ string, news []Callback) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range news {
		f, _ := url.ParseQuery(n.Form)
		s.owed = append(s.owed, f)
	}
	return nil
}

func (s *told) events() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, f := range s.owed {
		all = append(all, f.Get("StreamEvent"))
	}
	return strings.Join(all, " ")
}

// streaming is a call with a caller, and the user's servers.
type streaming struct {
	*script
	caller *caller
	apps   *apps
	told   *told
}

// streams runs a test of a call in virtual time.
func streams(t *testing.T, d texml.Dialect, servers func(t *testing.T) []*app, test func(t *testing.T, c *streaming)) {
	synctest.Test(t, func(t *testing.T) {
		p := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
		defer p.Close()
		c := &streaming{caller: newCaller(p), apps: &apps{apps: servers(t)}, told: &told{}}
		var n atomic.Int64
		s := New(Config{Web: c.apps, Store: c.told, Log: slog.New(slog.DiscardHandler), NewID: func(prefix string) string {
			return prefix + strconv.FormatInt(n.Add(1), 10)
		}, Connectors: map[string]Connector{
			"bot": {Kind: "stream", URL: "wss://bot.example.com/media", Username: "joe", Password: "secret"},
			"srs": {Kind: "siprec", URL: "sip:srs.example.com"},
		}})
		defer s.Close()
		made := newCall(s, c.caller, Setup{SID: "CA1", Account: Account{SID: "AC1", AuthToken: "12345", SigningKey: make([]byte, 64)}, Dialect: d, From: "+1555", To: "+1666"})
		c.script = &script{call: made, page: &page{url: "https://example.com/voice"}}
		c.caller.stream.Start()
		defer c.caller.stream.Close()
		test(t, c)
		made.stopServices(t.Context())
	})
}

// warnings are the codes of what was noted.
func (c *streaming) warnings() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, e := range c.events {
		if e.Kind == "warning" || e.Kind == "error" {
			all = append(all, strconv.Itoa(e.Code))
		}
	}
	return strings.Join(all, " ")
}

// begin starts n as <Start> does.
func (c *streaming) begin(n *texml.Stream) {
	if s := c.startStream(n); s != nil {
		c.serve("Stream", n.Label, s)
	}
}

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func echo(url string) *texml.Stream {
	return &texml.Stream{URL: url, Track: "inbound_track", Codec: "default", BidirectionalMode: "rtp", BidirectionalCodec: "PCMU", BidirectionalSamplingRate: 8000,
		EnableReconnect: true, StatusCallbacks: texml.StatusCallbacks{StatusCallback: "/stream"}, Parameters: []texml.Parameter{{Name: "lang", Value: "nl"}}}
}

func one(a **app) func(t *testing.T) []*app {
	return func(t *testing.T) []*app { *a = newApp(t); return []*app{*a} }
}
