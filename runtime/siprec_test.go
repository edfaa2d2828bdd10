package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/texml"
)

// toldStore keeps the callbacks that are owed.
type toldStore struct {
	Store
	mu   sync.Mutex
	owed []Callback
}

func (o *toldStore) Owe(_ context.Context, _, _ string, cs []Callback) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.owed = append(o.owed, cs...)
	return nil
}

// events are the names of the events told, each with its code, if it has one.
func (o *toldStore) events(t *testing.T) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, c := range o.owed {
		f, err := url.ParseQuery(c.Form)
		if err != nil || c.URL != "http://me.test/told" || c.Method != "GET" || f.Get("SiprecName") != "n" || f.Get("SiprecSid") != "SR1" ||
			f.Get("CallSid") != "CA00112233445566778899aabbccddeeff" || f.Get("AccountSid") != "AC1" || f.Get("Timestamp") == "" {
			t.Errorf("told %+v", c)
		}
		all = append(all, strings.TrimSpace(f.Get("SiprecEvent")+" "+f.Get("SiprecErrorCode")))
	}
	return strings.Join(all, ", ")
}

// quietWire is a media wire that keeps what is sent.
type quietWire struct {
	mu   sync.Mutex
	sent []int16
}

func (w *quietWire) Send(b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := make([]int16, len(b)-12)
	g711.DecodeULaw(f, b[12:])
	w.sent = append(w.sent, f...)
	return nil
}
func (*quietWire) SendRTCP([]byte) error                          { return nil }
func (*quietWire) Drain(_, _ func(b []byte, from netip.AddrPort)) {}
func (*quietWire) SetRemote(_, _ netip.AddrPort)                  {}
func (*quietWire) Close() error                                   { return nil }

// last is the last second that was sent.
func (w *quietWire) last() []int16 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent[max(0, len(w.sent)-8000):])
}

// talking is a leg with sound.
type talking struct {
	Outgoing
	stream *media.Stream
}

func (l talking) Stream() *media.Stream { return l.stream }

// recordingEnd is the other end of a recording session.
type recordingEnd struct {
	streams []*media.Stream
	over    chan struct{}
	once    sync.Once
	err     error
}

func (r *recordingEnd) Streams() []*media.Stream { return r.streams }
func (r *recordingEnd) Done() <-chan struct{}    { return r.over }
func (r *recordingEnd) Err() error               { return r.err }
func (r *recordingEnd) Hangup(context.Context) error {
	r.ends(errors.New("we hung up"))
	return nil
}
func (r *recordingEnd) ends(err error) {
	r.once.Do(func() {
		r.err = err
		close(r.over)
		for _, s := range r.streams {
			s.Close()
		}
	})
}

// siprecBubble runs f in virtual time with a call whose document has <Siprec> with
// those attributes and children. leg is what the recorder agrees to, and asked
// what it was asked for.
func siprecBubble(t *testing.T, dialect texml.Dialect, siprec string, f func(c *script, n *texml.Siprec, leg *recordingEnd, asked *RecordingSession, told *toldStore, wires []*quietWire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pacer := media.NewPacer(media.PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
		defer pacer.Close()
		at := netip.MustParseAddrPort("192.0.2.7:4000")
		var wires []*quietWire
		stream := func() *media.Stream {
			w := &quietWire{}
			wires = append(wires, w)
			s := media.NewStream(pacer, w, media.Config{Codec: "PCMU", Remote: at, Send: true, Receive: true})
			s.Start()
			return s
		}
		own := stream()
		defer own.Close()
		leg := &recordingEnd{streams: []*media.Stream{stream(), stream()}, over: make(chan struct{})}
		defer leg.ends(nil)
		asked := &RecordingSession{}
		told := &toldStore{}
		ids := 0
		s := New(Config{Store: told, Log: slog.New(slog.DiscardHandler),
			NewID:      func(prefix string) string { ids++; return fmt.Sprintf("%s%d", prefix, ids) },
			Connectors: map[string]Connector{"srs": {Kind: "siprec", URL: "sip:srs@192.0.2.7"}, "shop": {Kind: "pay"}},
			Recorder: func(_ context.Context, r RecordingSession) (RecordingLeg, error) {
				*asked = r
				return leg, nil
			}})
		defer s.Close()
		c := newCall(s, talking{stream: own}, Setup{SID: "CA00112233445566778899aabbccddeeff", Account: Account{SID: "AC1"}, Dialect: dialect,
			Direction: "inbound", From: "+15550100", To: "sip:bob@example.com", FromURI: "+15550100@192.0.2.7", CallerName: "Alice & Co"})
		doc, err := texml.Parse("doc", []byte("<Response><Start>"+siprec+"</Start></Response>"), dialect)
		if err != nil {
			t.Fatal(err)
		}
		n := doc.Verbs[0].(*texml.Start).Services[0].(*texml.Siprec)
		ids = 0
		f(&script{call: c, page: &page{url: "http://me.test/doc"}}, n, leg, asked, told, wires)
	})
}

const plainSiprec = `<Siprec name="n" connectorName="srs" track="both_tracks" statusCallback="/told" statusCallbackMethod="GET"/>`

// What becomes of a session, and what is told of it.
func TestSiprecEvents(t *testing.T) {
	refuse := func(err error) func(c *script, _ *recordingEnd) {
		return func(c *script, _ *recordingEnd) {
			c.s.Recorder = func(context.Context, RecordingSession) (RecordingLeg, error) { return nil, err }
		}
	}
	for _, tt := range []struct {
		name    string
		dialect texml.Dialect
		siprec  string // "" is plainSiprec
		before  func(c *script, leg *recordingEnd)
		then    func(s service, leg *recordingEnd)
		want    string
	}{
		{"stopped", texml.Twilio, "", nil, func(s service, _ *recordingEnd) { s.stop(context.Background()) }, "siprec-started, siprec-stopped"},
		{"the server hangs up", texml.Twilio, "", nil, func(_ service, leg *recordingEnd) { leg.ends(errors.New("bye")) }, "siprec-started, siprec-stopped"},
		{"the server is lost", texml.Twilio, "", nil, func(_ service, leg *recordingEnd) { leg.ends(gone{}) }, "siprec-started, siprec-error 32014"},
		{"refused", texml.Twilio, "", refuse(&RecordingError{488, "not acceptable"}), nil, "siprec-error 488"},
		{"refused, in Telnyx's words", texml.Telnyx, "", refuse(&RecordingError{488, "not acceptable"}), nil, "siprec-failed 488"},
		{"a slip of the configuration", texml.Twilio, "", refuse(errors.New("no SIP URI")), nil, "siprec-error"},
		{"no answer", texml.Twilio, "", func(c *script, _ *recordingEnd) {
			c.s.Recorder = func(ctx context.Context, _ RecordingSession) (RecordingLeg, error) {
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
		}, func(service, *recordingEnd) { time.Sleep(siprecPatience) }, "siprec-error 408"},
		{"stopped before the answer", texml.Twilio, "", func(c *script, _ *recordingEnd) {
			c.s.Recorder = func(ctx context.Context, _ RecordingSession) (RecordingLeg, error) {
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
		}, func(s service, _ *recordingEnd) { s.stop(context.Background()) }, ""},
		{"an unknown connector", texml.Twilio, strings.Replace(plainSiprec, "srs", "src", 1), nil, nil, "siprec-error"},
		{"a connector of another kind", texml.Twilio, strings.Replace(plainSiprec, "srs", "shop", 1), nil, nil, "siprec-error"},
		{"secure, which is not there", texml.Telnyx, strings.Replace(plainSiprec, "/>", ` secure="true"/>`, 1), nil, nil, "siprec-failed 32209"},
		{"nothing that records", texml.Twilio, "", func(c *script, _ *recordingEnd) { c.s.Recorder = nil }, nil, "siprec-error"},
		{"two sessions before it", texml.Twilio, "", func(c *script, _ *recordingEnd) {
			for range 2 {
				c.serve("Siprec", "", &siprec{taps: make([]tap, 2), over: make(chan struct{})})
			}
		}, nil, "siprec-error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.siprec == "" {
				tt.siprec = plainSiprec
			}
			siprecBubble(t, tt.dialect, tt.siprec, func(c *script, n *texml.Siprec, leg *recordingEnd, _ *RecordingSession, told *toldStore, _ []*quietWire) {
				if tt.before != nil {
					tt.before(c, leg)
				}
				s := c.startSiprec(n)
				synctest.Wait()
				if tt.then != nil {
					tt.then(s, leg)
				}
				synctest.Wait()
				if got := told.events(t); got != tt.want {
					t.Errorf("told %q, want %q", got, tt.want)
				}
				if s != nil {
					s.stop(context.Background()) // does nothing more
				}
				if got := told.events(t); got != tt.want && tt.then != nil {
					t.Errorf("told %q after the end, want %q", got, tt.want)
				}
				if n := slices.IndexFunc(c.events, func(e Event) bool { return e.Kind == "warning" }) >= 0; n != strings.Contains(tt.want, "error") && n != strings.Contains(tt.want, "failed") {
					t.Errorf("timeline %+v", c.events)
				}
			})
		})
	}
}

// gone is the end of a leg that broke.
type gone struct{}

func (gone) Error() string { return "nothing is heard of it" }
func (gone) Code() int     { return 32014 }

// Each side of the call is on its own stream, whichever are asked for.
func TestSiprecTracks(t *testing.T) {
	for _, tt := range []struct {
		track  string
		labels []string
		tone   []bool // on which of these is what the call plays
	}{
		{"both_tracks", []string{"1", "2"}, []bool{false, true}},
		{"inbound_track", []string{"1"}, []bool{false}},
		{"outbound_track", []string{"2"}, []bool{true}},
	} {
		t.Run(tt.track, func(t *testing.T) {
			siprecBubble(t, texml.Twilio, strings.Replace(plainSiprec, "both_tracks", tt.track, 1), func(c *script, n *texml.Siprec, leg *recordingEnd, asked *RecordingSession, _ *toldStore, wires []*quietWire) {
				for _, unused := range leg.streams[len(tt.labels):] {
					unused.Close()
				}
				leg.streams = leg.streams[:len(tt.labels)]
				s := c.startSiprec(n)
				c.leg.Stream().Play(context.Background(), media.NewClip(pcm.Tone(8000, 2*time.Second, 0.5, 440), 8000))
				if !slices.Equal(asked.Labels, tt.labels) {
					t.Errorf("labels %q, want %q", asked.Labels, tt.labels)
				}
				for i, want := range tt.tone {
					heard := wires[1+i].last()
					if got := pcm.Share(heard, 8000, 440) > 0.99; got != want {
						t.Errorf("stream %s: a tone %v, want %v", tt.labels[i], got, want)
					}
				}
				s.stop(context.Background())
			})
		})
	}
}

// Parameters go into headers, or into the metadata when the document says so.
func TestSiprecParameters(t *testing.T) {
	const two = `><Parameter name="Agent" value="7"/><Parameter name="X-Team" value="a&amp;b"/></Siprec>`
	for _, tt := range []struct {
		name, siprec string
		headers      string
		inside       bool
	}{
		{"headers", strings.Replace(plainSiprec, "/>", two, 1), "map[X-Agent:[7] X-Team:[a&b]]", false},
		{"metadata", strings.Replace(plainSiprec, "/>", ` includeMetadataCustomHeaders="true"`+two, 1), "map[]", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			siprecBubble(t, texml.Telnyx, tt.siprec, func(c *script, n *texml.Siprec, leg *recordingEnd, asked *RecordingSession, _ *toldStore, _ []*quietWire) {
				s := c.startSiprec(n)
				synctest.Wait()
				if got := fmt.Sprint(asked.Headers); got != tt.headers {
					t.Errorf("headers %s, want %s", got, tt.headers)
				}
				if got := strings.Contains(string(asked.Metadata), `<Parameter name="X-Team" value="a&amp;b">`); got != tt.inside {
					t.Errorf("in the metadata: %v, want %v\n%s", got, tt.inside, asked.Metadata)
				}
				if asked.Expires != 30*time.Minute {
					t.Errorf("expires after %v", asked.Expires)
				}
				s.stop(context.Background())
			})
		})
	}
}
