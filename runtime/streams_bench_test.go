package runtime

import (
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"net/netip"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// pulsing is a leg that sends silence, and now and then a pulse, and tells when
// that comes back.
type pulsing struct {
	caller
	pulse chan time.Time // when it is to be sent: holds one
	back  chan time.Time
}

func (p *pulsing) Drain(func([]byte, netip.AddrPort), func([]byte, netip.AddrPort)) {}

// say gives the stream a packet, as a network would every 20 ms.
func (p *pulsing) say(loud bool) {
	sound := make([]int16, 160)
	if loud {
		for i := range sound {
			sound[i] = int16(8000 * (1 - 2*(i/4%2)))
		}
	}
	payload := make([]byte, 160)
	g711.EncodeULaw(payload, sound)
	p.sent++
	packet := []byte{0x80, 0}
	packet = binary.BigEndian.AppendUint16(packet, uint16(p.sent))
	packet = binary.BigEndian.AppendUint32(packet, uint32(p.sent*160))
	packet = append(packet, "SSRC"...)
	p.stream.Receive(append(packet, payload...), netip.MustParseAddrPort("192.0.2.1:4000"))
}

func (p *pulsing) Send(b []byte) error {
	sound := make(pcm.Frame, len(b)-12)
	g711.DecodeULaw(sound, b[12:])
	if pcm.Level(sound) > -30 {
		select {
		case p.back <- time.Now():
		default:
		}
	}
	return nil
}

// echoing is a server that sends all sound back.
func echoing(tb testing.TB) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			_, msg, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if strings.HasPrefix(string(msg), `{"event":"media"`) {
				c.Write(r.Context(), websocket.MessageText, msg)
			}
		}
	}))
	tb.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http") + "/media"
}

// onLoopback is a script of a call whose streams go to servers on this machine.
func onLoopback(s *Server, leg Leg) *script {
	return &script{call: newCall(s, leg, Setup{Account: Account{SID: "AC1", AuthToken: "1"}, Dialect: texml.Twilio}), page: &page{url: "https://example.com/voice"}}
}

// From the packet with the caller's sound to the packet that brings it back.
func BenchmarkStreamRoundTrip(b *testing.B) {
	pacer := media.NewPacer(media.PacerConfig{})
	defer pacer.Close()
	client := webhook.New(webhook.Config{AllowHosts: []string{"127.0.0.1"}})
	defer client.Close()
	p := &pulsing{back: make(chan time.Time, 1)}
	at := netip.MustParseAddrPort("192.0.2.1:4000")
	p.stream = media.NewStream(pacer, p, media.Config{Codec: "PCMU", Remote: at, Signalling: at.Addr(), Send: true, Receive: true})
	p.stream.Start()
	defer p.stream.Close()
	s := New(Config{Web: client, Store: &told{}})
	defer s.Close()
	c := onLoopback(s, p)
	n := echo(echoing(b))
	n.StatusCallback = ""
	over := make(chan struct{})
	go func() {
		defer close(over)
		c.connectStream(b.Context(), n)
	}()
	var took []time.Duration
	var began time.Time
	tick := time.NewTicker(pcm.FrameTime)
	defer tick.Stop()
	for i := 0; len(took) < b.N && i < 100*(b.N+10); i++ {
		<-tick.C
		select {
		case back := <-p.back: // the first: a pulse may be spread over two packets
			if !began.IsZero() {
				took = append(took, back.Sub(began))
			}
			began = time.Time{}
		default:
		}
		loud := i%25 == 24
		if loud {
			began = time.Now()
		}
		p.say(loud)
	}
	if len(took) == 0 {
		b.Fatal("nothing came back")
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "ms/p95")
}

// What a stream adds to a call, with the echoing server in the same process.
func BenchmarkStreamMemory(b *testing.B) {
	pacer := media.NewPacer(media.PacerConfig{})
	defer pacer.Close()
	client := webhook.New(webhook.Config{AllowHosts: []string{"127.0.0.1"}})
	defer client.Close()
	s := New(Config{Web: client, Store: &told{}})
	defer s.Close()
	url := echoing(b)
	in := func() uint64 {
		var m goruntime.MemStats
		goruntime.GC()
		goruntime.GC()
		goruntime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	const calls = 200
	at := netip.MustParseAddrPort("192.0.2.1:4000")
	for b.Loop() {
		var legs []*pulsing
		for range calls {
			leg := &pulsing{back: make(chan time.Time, 1)}
			leg.stream = media.NewStream(pacer, leg, media.Config{Codec: "PCMU", Remote: at, Signalling: at.Addr(), Send: true, Receive: true})
			leg.stream.Start()
			legs = append(legs, leg)
		}
		time.Sleep(time.Second)
		before := in()
		var all []*mediaStream
		for _, leg := range legs {
			c := onLoopback(s, leg)
			n := echo(url)
			n.StatusCallback = ""
			all = append(all, c.startStream(n).(*mediaStream))
		}
		time.Sleep(2 * time.Second)
		b.ReportMetric(float64(in()-before)/calls/1024, "KB/call")
		for i, m := range all {
			m.stop(b.Context())
			legs[i].stream.Close()
		}
	}
}
