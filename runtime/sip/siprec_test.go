package sip

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/sdp"
)

// trackWire is a media wire that keeps what is sent on it.
type trackWire struct {
	silentWire
	mu     sync.Mutex
	remote netip.AddrPort
	sent   []int16 // of G.711 µ-law
}

func (w *trackWire) SetRemote(rtp, _ netip.AddrPort) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remote = rtp
}

func (w *trackWire) Send(b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	sound := make([]int16, len(b)-12)
	g711.DecodeULaw(sound, b[12:])
	w.sent = append(w.sent, sound...)
	return nil
}

// share is how much of the last half second is a tone.
func (w *trackWire) share(hz float64) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return pcm.Share(w.sent[max(0, len(w.sent)-4000):], 8000, hz)
}

func (w *trackWire) samples() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sent)
}

func (w *trackWire) to() netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.remote
}

// tracked has the media wires of b kept, with ports from 40000 on.
func tracked(b *bench) func(i int) *trackWire {
	var wires []*trackWire
	b.openWire = func() (media.Wire, int, error) {
		b.wires.Add(1)
		w := &trackWire{silentWire: silentWire{&b.wires, &b.sent}}
		wires = append(wires, w)
		return w, 40000 + 2*(len(wires)-1), nil
	}
	return func(i int) *trackWire { return wires[i] }
}

// record begins a recording session with two streams.
func (b *bench) record(change func(*Recording)) *Leg {
	b.t.Helper()
	r := Recording{Destination: Destination{URI: "sip:srs@192.0.2.7:5070", From: "hookswitch"}, Labels: []string{"1", "2"}, Metadata: []byte("<recording/>")}
	if change != nil {
		change(&r)
	}
	l, err := b.Record(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// parts are the bodies of a multipart message by their types, and the
// Content-Disposition of each.
func parts(t *testing.T, m string) (bodies, dispositions map[string]string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(headerOf(m, "Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatalf("Content-Type %q, want multipart/mixed", headerOf(m, "Content-Type"))
	}
	bodies, dispositions = map[string]string{}, map[string]string{}
	for r := multipart.NewReader(strings.NewReader(bodyOf(m)), params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			return bodies, dispositions
		}
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(p)
		bodies[p.Header.Get("Content-Type")] = string(b)
		dispositions[p.Header.Get("Content-Type")] = p.Header.Get("Content-Disposition")
	}
}

// srs is the description of a recorder: a port for each stream, 0 for one that
// it does not want.
func srs(ports ...int) string {
	var s strings.Builder
	s.WriteString("v=0\r\no=srs 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n")
	for i, p := range ports {
		fmt.Fprintf(&s, "m=audio %d RTP/AVP 0\r\na=recvonly\r\na=label:%d\r\n", p, i+1)
	}
	return s.String()
}

func TestRecordingSession(t *testing.T) {
	bubble(t, func(c *Config) { c.MediaTimeout = 5 * time.Second }, func(b *bench) {
		wire := tracked(b)
		p := b.callee("192.0.2.7:5070")
		l := b.record(func(r *Recording) { r.Headers = map[string][]string{"X-Account": {"7"}} })
		inv := p.want("INVITE sip:srs@192.0.2.7:5070 SIP/2.0")
		for name, want := range map[string]string{
			"Require":   "siprec",
			"Contact":   "<sip:hookswitch@192.0.2.1:5060>;+sip.src",
			"From":      "<sip:hookswitch@192.0.2.1>;tag=" + tagOf(headerOf(inv, "From")),
			"X-Account": "7",
		} {
			if got := headerOf(inv, name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if got := headerOf(inv, "Session-Expires"); got != "" {
			t.Errorf("Session-Expires: %q, want none", got)
		}
		bodies, dispositions := parts(t, inv)
		if got := bodies["application/rs-metadata+xml"]; got != "<recording/>" {
			t.Errorf("metadata %q", got)
		}
		if got := dispositions["application/rs-metadata+xml"]; got != "recording-session" {
			t.Errorf("disposition of the metadata: %q", got)
		}
		_, streams, _ := strings.Cut(bodies["application/sdp"], "t=0 0\r\n")
		stream := func(port, label int) string {
			return fmt.Sprintf("m=audio %d RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=label:%d\r\na=sendonly\r\n", port, label)
		}
		if want := stream(40000, 1) + stream(40002, 2); streams != want {
			t.Errorf("streams\n%s\nwant\n%s", streams, want)
		}
		if l.Stream() != nil {
			t.Error("there is a stream for a caller")
		}
		p.answer(inv, "200 OK", "b1", p.contact(), srs(30000, 30002))
		p.want("ACK ")
		if got := progress(l); got != "200" {
			t.Fatalf("progress %s", got)
		}
		two := l.Streams()
		var sounds sync.WaitGroup
		for i, hz := range []float64{440, 1000} {
			sounds.Go(func() {
				two[i].Play(b.t.Context(), media.NewClip(pcm.Tone(8000, time.Second, 0.5, hz), 8000))
			})
		}
		sounds.Wait()
		for i, c := range []struct{ own, other float64 }{{440, 1000}, {1000, 440}} {
			w := wire(i)
			if w.share(c.own) < 0.9 || w.share(c.other) > 0.05 {
				t.Errorf("stream %d: %.2f of its tone, %.2f of the other's", i, w.share(c.own), w.share(c.other))
			}
			if want := netip.AddrPortFrom(p.addr.Addr(), uint16(30000+2*i)); w.to() != want {
				t.Errorf("stream %d goes to %v, want %v", i, w.to(), want)
			}
		}
		time.Sleep(time.Minute) // a recorder says nothing, and that is no fault
		p.says(inv, "BYE", "b1", 1, "", "")
		p.want("SIP/2.0 200")
		<-l.Done()
		if l.Err() != ErrBye {
			t.Errorf("ended with %v", l.Err())
		}
		time.Sleep(time.Second)
		p.says(inv, "BYE", "b1", 1, "", "") // our answer was lost
		p.want("SIP/2.0 200")
	})
}

// What a recorder may answer, and which streams there are then.
func TestRecorderAnswers(t *testing.T) {
	for _, c := range []struct {
		name, status string
		kind, body   string
		streams      []bool // wanted
		err          error
	}{
		{"both streams", "200 OK", "application/sdp", srs(30000, 30002), []bool{true, true}, nil},
		{"without labels", "200 OK", "application/sdp", strings.NewReplacer("a=label:1\r\n", "", "a=label:2\r\n", "").Replace(srs(30000, 30002)), []bool{true, true}, nil},
		{"a body of two parts", "200 OK", "multipart/mixed; boundary=x",
			"--x\r\nContent-Type: application/rs-metadata-request\r\n\r\n\r\n--x\r\nContent-Type: application/sdp\r\n\r\n" + srs(30000, 30002) + "\r\n--x--\r\n", []bool{true, true}, nil},
		{"the first stream with port 0", "200 OK", "application/sdp", srs(0, 30002), []bool{false, true}, nil},
		{"the second stream with port 0", "200 OK", "application/sdp", srs(30000, 0), []bool{true, false}, nil},
		{"one line for two streams", "200 OK", "application/sdp", srs(30000), []bool{true, false}, nil},
		{"three lines for two streams", "200 OK", "application/sdp", srs(30000, 30002, 30004), []bool{true, true}, nil},
		{"one stream in a codec that was not offered", "200 OK", "application/sdp", strings.Replace(srs(30000, 30002), "RTP/AVP 0", "RTP/AVP 18", 1), []bool{false, true}, nil},
		{"no stream at all", "200 OK", "application/sdp", srs(0, 0), nil, ErrOffer},
		{"no description", "200 OK", "text/plain", "hello", nil, ErrOffer},
		{"not acceptable", "488 Not Acceptable Here", "", "", nil, &Refused{488, "Not Acceptable Here"}},
		{"bad extension", "420 Bad Extension", "", "", nil, &Refused{420, "Bad Extension"}},
		{"busy", "503 Service Unavailable", "", "", nil, &Refused{503, "Service Unavailable"}},
		{"never", "", "", "", nil, &Refused{408, "no answer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				tracked(b)
				p := b.callee("192.0.2.7:5070")
				l := b.record(nil)
				inv := p.want("INVITE ")
				if c.status != "" {
					p.answerAs(inv, c.status, "b1", p.contact(), c.kind, c.body)
					p.want("ACK ")
				}
				if errors.Is(c.err, ErrOffer) {
					p.hears()
				}
				if c.err != nil {
					<-l.Done()
					if fmt.Sprint(l.Err()) != fmt.Sprint(c.err) {
						t.Errorf("ended with %v, want %v", l.Err(), c.err)
					}
					return
				}
				synctest.Wait()
				var got []bool
				for _, s := range l.Streams() {
					got = append(got, s != nil)
				}
				if !slices.Equal(got, c.streams) {
					t.Errorf("streams %v, want %v", got, c.streams)
				}
				l.hangs(p)
			})
		})
	}
}

// FuzzRecorder has a recorder answer our offer, and offer itself, whatever it
// likes: no stream goes nowhere, and each is taken at most once.
func FuzzRecorder(f *testing.F) {
	f.Add([]byte(srs(30000, 30002)), []byte(srs(31000, 31002)))
	f.Add([]byte(srs(0, 30002)), []byte(srs(31000)))
	f.Add([]byte(srs(30000, 30002, 30004)), []byte(strings.ReplaceAll(srs(1, 2, 3), "recvonly", "inactive")))
	f.Add([]byte("v=0\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n"), []byte("v=0\r\nm=video 1 RTP/AVP 0\r\nm=audio 1 RTP/SAVP 8\r\n"))
	f.Fuzz(func(t *testing.T, answer, offer []byte) {
		l := &Leg{out: &placed{codecs: recorded}, recording: &recording{tracks: []*track{{label: "1", port: 4000}, {label: "2", port: 4002}}}}
		l.host = netip.MustParseAddr("192.0.2.1")
		for _, track := range l.recording.tracks {
			track.wire = silentWire{}
		}
		l.described = l.offer()
		if a, err := sdp.Parse(answer); err == nil {
			l.acceptTracks(a)
		}
		if o, err := sdp.Parse(offer); err == nil && l.answerTracks(o) == nil && len(l.described.Media) != len(o.Media) {
			t.Errorf("%d lines for %d", len(l.described.Media), len(o.Media))
		}
		for _, track := range l.recording.tracks {
			if a := track.agreed; a.Codec != "" && (!slices.Contains(recorded, a.Codec) || a.EventType != 0 && !strings.Contains(string(answer)+string(offer), "telephone-event") || receives(a.Direction)) {
				t.Errorf("agreed on %+v", a)
			}
		}
		l.described = l.offer()
		if len(l.described.Media) != 2 || strings.Contains(string(l.described.Bytes()), "telephone-event") {
			t.Errorf("offer %s", l.described.Bytes())
		}
	})
}
