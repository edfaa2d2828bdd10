package runtime_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
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
	"github.com/hookswitch/hookswitch/media/wav"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// guest is a telephone that sends one tone without end. As a wire it is the
// way to it.
type guest struct {
	stream *media.Stream
	tone   pcm.Clip
	sent   int // frames
	early  int // how often we asked for sound before the answer
	done   chan struct{}
	end    sync.Once

	mu    sync.Mutex
	heard pcm.Frame // the last 200 ms
}

func newGuest(p *media.Pacer, hz float64) *guest {
	g := &guest{tone: pcm.Tone(8000, time.Second, 0.2, hz), done: make(chan struct{})}
	at := netip.MustParseAddrPort("192.0.2.1:4000")
	g.stream = media.NewStream(p, g, media.Config{Codec: "PCMU", Remote: at, Signalling: at.Addr(), Send: true, Receive: true})
	return g
}

func (g *guest) Ring(context.Context) error                { return nil }
func (g *guest) Early(context.Context) error               { g.early++; return nil }
func (g *guest) Answer(context.Context) error              { g.stream.Start(); return nil }
func (g *guest) Reject(context.Context, int, string) error { g.hangUp(); return nil }
func (g *guest) Hangup(context.Context) error              { g.hangUp(); return nil }
func (g *guest) hangUp()                                   { g.end.Do(func() { close(g.done) }) }
func (g *guest) Stream() *media.Stream                     { return g.stream }
func (g *guest) Done() <-chan struct{}                     { return g.done }
func (g *guest) Err() error {
	select {
	case <-g.done:
		return errors.New("over")
	default:
		return nil
	}
}

func (g *guest) Refer(context.Context, string, map[string][]string) (int, <-chan int, error) {
	return 0, nil, errors.New("not here")
}
func (g *guest) OnRefer(func(string, func(int)) bool) {}

func (g *guest) Drain(hear, _ func([]byte, netip.AddrPort)) {
	at := g.sent % 50 * 160
	payload := make([]byte, 160)
	g711.EncodeULaw(payload, g.tone.Samples[at:at+160])
	g.sent++
	packet := []byte{0x80, 0} // RFC 3550 section 5.1: version 2, PCMU
	packet = binary.BigEndian.AppendUint16(packet, uint16(g.sent))
	packet = binary.BigEndian.AppendUint32(packet, uint32(g.sent*160))
	packet = append(packet, "SSRC"...)
	hear(append(packet, payload...), netip.MustParseAddrPort("192.0.2.1:4000"))
}

func (g *guest) Send(b []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	sound := make(pcm.Frame, len(b)-12)
	g711.DecodeULaw(sound, b[12:])
	g.heard = append(g.heard, sound...)
	g.heard = g.heard[max(0, len(g.heard)-1600):]
	return nil
}
func (g *guest) SendRTCP([]byte) error                    { return nil }
func (g *guest) SetRemote(netip.AddrPort, netip.AddrPort) {}
func (g *guest) Close() error                             { return nil }

// hears are the pitches in what came last, by the names they have in pitches.
func (g *guest) hears() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.heard) == 0 || pcm.Level(g.heard) < -50 {
		return ""
	}
	var names strings.Builder
	for i, hz := range pitches {
		if pcm.Share(g.heard, 8000, hz) > 0.1 {
			names.WriteByte("ABCxy"[i])
		}
	}
	if names.Len() == 0 {
		return "music"
	}
	return names.String()
}

// pitches are those of the guests A, B and C, and of two sounds, x and y.
var pitches = []float64{400, 700, 1100, 1500, 1900}

// party is a server with three calls in one conference.
type party struct {
	*testing.T
	s     *runtime.Server
	conf  runtime.Conference
	calls []*guest

	mu   sync.Mutex
	news []string // callbacks, and documents that calls asked for after the conference
}

// join begins a conference of three.
func join(t *testing.T) *party {
	ctx, stop := context.WithCancel(t.Context())
	p := &party{T: t}
	pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
	p.s = runtime.New(runtime.Config{Store: store.Memory(), Web: documents(p.answer)})
	var running sync.WaitGroup
	account := runtime.Account{SID: "AC1", AuthToken: "token"}
	running.Go(func() {
		p.s.Deliver(ctx, func(string, bool) (webhook.Signer, bool) { return account.Signer(false), true })
	})
	for i, name := range []string{"A", "B", "C"} {
		g := newGuest(pacer, pitches[i])
		p.calls = append(p.calls, g)
		set := runtime.Setup{SID: "CA" + name, Account: account, Dialect: texml.Twilio, From: name,
			First: runtime.Request{URL: "http://a/join?" + name}}
		running.Go(func() { p.s.Run(ctx, g, set) })
		time.Sleep(time.Second)
	}
	p.conf = p.s.Rooms().Conference("AC1", "sales")
	t.Cleanup(func() {
		for _, g := range p.calls {
			g.hangUp()
		}
		time.Sleep(time.Second)
		stop()
		running.Wait()
		p.s.Close()
		for _, g := range p.calls {
			g.stream.Close()
		}
		pacer.Close()
	})
	return p
}

// answer is the web server.
func (p *party) answer(r webhook.Request) (*webhook.Response, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(r.URL, "http://a"), "?")
	f := r.Form
	switch path {
	case "/join":
		return document(r.URL, fmt.Sprintf(`<Response><Dial action="/after?%s"><Conference beep="false" waitUrl="" participantLabel="%s"
			statusCallback="/news" statusCallbackEvent="end leave mute hold modify announcement">sales</Conference></Dial></Response>`, query, strings.ToLower(query)))
	case "/after":
		p.told("%s after %s", f.Get("From"), f.Get("DialCallStatus"))
		return document(r.URL, `<Response><Pause length="60"/></Response>`)
	case "/news":
		line := f.Get("StatusCallbackEvent")
		for _, name := range []string{"CallSid", "ReasonParticipantLeft", "ReasonConferenceEnded", "CallSidEndingConference", "AnnounceUrl"} {
			if f.Get(name) != "" {
				line += " " + f.Get(name)
			}
		}
		p.told("%s", line)
		return document(r.URL, "<Response/>")
	case "/x", "/y":
		hz := map[string]float64{"/x": pitches[3], "/y": pitches[4]}[path]
		return &webhook.Response{URL: r.URL, Status: 200, ContentType: "audio/wav", Body: wav.Encode(pcm.Tone(8000, 2*time.Second, 0.2, hz))}, nil
	}
	return nil, &webhook.Error{Code: 11200, URL: r.URL, Err: errors.New("not found")}
}

func (p *party) told(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.news = append(p.news, fmt.Sprintf(format, args...))
}

// expect waits a second and checks who hears whom, and what was told meanwhile.
func (p *party) expect(what, a, b, c string, news ...string) {
	p.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	for i, want := range []string{a, b, c} {
		if got := p.calls[i].hears(); got != want {
			p.Errorf("%s: %c hears %q, want %q", what, 'A'+i, got, want)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.news)
	slices.Sort(news)
	if !slices.Equal(p.news, news) {
		p.Errorf("%s: told %q, want %q", what, p.news, news)
	}
	p.news = nil
}

func (p *party) update(participant string, u runtime.Update) {
	p.Helper()
	if err := p.conf.Update(participant, u); err != nil {
		p.Error(err)
	}
}

func TestParticipantsAreUpdated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := join(t)
		yes, no, coached, nobody := true, false, "a", ""
		p.expect("at first", "BC", "AC", "AB")
		p.update("CAB", runtime.Update{Muted: &yes})
		p.expect("B is muted", "C", "AC", "A", "participant-mute CAB")
		p.update("CAB", runtime.Update{Muted: &yes})
		p.expect("once more", "C", "AC", "A")
		p.update("b", runtime.Update{Muted: &no})
		p.expect("no longer", "BC", "AC", "AB", "participant-unmute CAB")

		p.update("b", runtime.Update{Held: &yes, Hold: &runtime.Request{URL: "http://a/x", Method: "GET"}})
		p.expect("B is held", "C", "x", "A", "participant-hold CAB")
		p.update("b", runtime.Update{Held: &yes, Hold: &runtime.Request{}})
		p.expect("in silence", "C", "", "A")
		p.update("b", runtime.Update{Held: &yes})
		p.expect("with music", "C", "music", "A")
		p.update("b", runtime.Update{Held: &yes, Hold: &runtime.Request{URL: "http://a/gone"}})
		p.expect("with music, as nothing else can be had", "C", "music", "A")
		p.update("b", runtime.Update{Held: &no})
		p.expect("no longer held", "BC", "AC", "AB", "participant-unhold CAB")

		p.update("c", runtime.Update{Coach: &coached})
		p.expect("C coaches A", "BC", "A", "AB", "participant-modify CAC")
		p.update("c", runtime.Update{Coach: &nobody})
		p.expect("no longer", "BC", "AC", "AB", "participant-modify CAC")
		if got := p.conf.Participants()[1]; got.CallSID != "CAB" || got.Label != "b" || got.Muted || got.Held || !got.StartOnEnter || got.EndOnExit {
			t.Errorf("B is %+v", got)
		}

		p.update("c", runtime.Update{Coach: &coached})
		p.expect("C coaches A again", "BC", "A", "AB", "participant-modify CAC")
		p.calls[0].hangUp()
		p.expect("A leaves: its coach is heard by nobody", "", "", "B",
			"participant-leave CAA participant_hung_up", "A after answered")
		if err := p.conf.Update("a", runtime.Update{Muted: &yes}); err != runtime.ErrNoParticipant {
			t.Errorf("A, who has left, is muted: %v", err)
		}
		if err := p.conf.Update("c", runtime.Update{Coach: &coached}); err != runtime.ErrNoParticipant {
			t.Errorf("C coaches A, who has left: %v", err)
		}
	})
}

func TestAnnouncements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := join(t)
		announce := func(participant, path string) (err error, took time.Duration) {
			var wait sync.WaitGroup
			began := time.Now()
			wait.Go(func() {
				err = p.conf.Announce(t.Context(), participant, runtime.Request{URL: "http://a" + path, Method: "GET"})
				took = time.Since(began).Round(100 * time.Millisecond)
			})
			if participant == "" && path == "/y" {
				p.expect("all hear it", "BCy", "ACy", "ABy")
			} else if path == "/y" {
				p.expect("B alone hears it, and is heard", "BC", "y", "AB")
			}
			wait.Wait()
			return err, took
		}
		if err, took := announce("", "/y"); err != nil || took != 2*time.Second {
			t.Errorf("it took %v, %v; want 2s", took, err)
		}
		p.expect("it is over", "BC", "AC", "AB", "announcement-end http://a/y")
		if err, took := announce("b", "/y"); err != nil || took != 2*time.Second {
			t.Errorf("it took %v, %v; want 2s", took, err)
		}
		p.expect("it is over", "BC", "AC", "AB", "announcement-end CAB http://a/y")
		if err, took := announce("", "/gone"); err == nil || took != 0 {
			t.Errorf("a sound that is not there took %v, %v", took, err)
		}
		p.expect("it failed", "BC", "AC", "AB", "announcement-fail http://a/gone")
		if err, _ := announce("d", "/x"); err != runtime.ErrNoParticipant {
			t.Errorf("an announcement to nobody: %v", err)
		}
	})
}

func TestParticipantsAreKicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := join(t)
		if err := p.conf.Kick("b"); err != nil {
			t.Fatal(err)
		}
		p.expect("B is out", "C", "", "A", "participant-leave CAB participant_updated_via_api", "B after answered")
		if err := p.conf.Kick("b"); err != runtime.ErrNoParticipant {
			t.Errorf("B is kicked twice: %v", err)
		}
		yes := true
		p.update("c", runtime.Update{EndOnExit: &yes})
		p.expect("C is to end it", "C", "", "A", "participant-modify CAC")
		if err := p.conf.Kick("CAC"); err != nil {
			t.Fatal(err)
		}
		p.expect("that ends it", "", "", "", "participant-leave CAC participant_updated_via_api", "C after answered",
			"participant-leave CAA moderator_ended_conference", "A after answered",
			"conference-end participant-with-end-conference-on-exit-kicked CAC")
		if got := p.s.Rooms().Conferences("AC1"); len(got) != 0 {
			t.Errorf("%d conferences are left", len(got))
		}
	})
}

func TestTheLastIsKicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := join(t)
		p.conf.Kick("a")
		p.conf.Kick("b")
		p.conf.Kick("c")
		p.expect("all are out", "", "", "", "A after answered", "B after answered", "C after answered",
			"participant-leave CAA participant_updated_via_api", "participant-leave CAB participant_updated_via_api",
			"participant-leave CAC participant_updated_via_api", "conference-end last-participant-kicked CAC")
	})
}

func TestAConferenceIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := join(t)
		if got := p.s.Rooms().Conferences("AC1"); len(got) != 1 || got[0].Record().SID != p.conf.Record().SID || !got[0].Record().Started {
			t.Errorf("the conferences of the account are %+v", got)
		}
		if p.s.Rooms().Conference("AC2", "sales") != nil {
			t.Error("another account finds it")
		}
		var ending sync.WaitGroup
		ending.Go(func() {
			if err := p.conf.Announce(t.Context(), "", runtime.Request{URL: "http://a/y"}); err != runtime.ErrNoConference {
				t.Errorf("an announcement cut short by the end: %v", err)
			}
		})
		time.Sleep(500 * time.Millisecond)
		if err := p.conf.End(); err != nil {
			t.Fatal(err)
		}
		ending.Wait()
		for i, g := range p.calls {
			synctest.Wait()
			if g.Err() == nil {
				t.Errorf("call %d is not hung up", i)
			}
		}
		p.mu.Lock()
		p.news = nil // the order of three calls that end at once is not fixed
		p.mu.Unlock()
		no := false
		for name, err := range map[string]error{
			"ended": p.conf.End(), "kicked": p.conf.Kick("a"), "updated": p.conf.Update("a", runtime.Update{Muted: &no}),
			"spoken to": p.conf.Announce(t.Context(), "", runtime.Request{URL: "http://a/x"}),
		} {
			if err != runtime.ErrNoConference {
				t.Errorf("a conference that is over is %s: %v", name, err)
			}
		}
	})
}

// TestManyComeAndGo: however calls, kicks and ends of the conference meet, each
// call goes on after it, and nothing of the conference is left.
func TestManyComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 2})
		var after, told atomic.Int64
		st := store.Memory()
		s := runtime.New(runtime.Config{Store: st, Web: documents(func(r webhook.Request) (*webhook.Response, error) {
			switch {
			case strings.HasPrefix(r.URL, "http://a/after"):
				after.Add(1)
				return document(r.URL, "<Response/>")
			case r.URL == "http://a/news":
				told.Add(1)
				return document(r.URL, "<Response/>")
			}
			n, _ := strconv.Atoi(strings.TrimPrefix(r.URL, "http://a/"))
			return document(r.URL, fmt.Sprintf(`<Response><Dial action="/after"><Conference endConferenceOnExit="%t" startConferenceOnEnter="%t"
				statusCallback="/news" statusCallbackEvent="join leave">sales</Conference></Dial></Response>`, n%7 == 0, n%3 == 0))
		})})
		ctx, stop := context.WithCancel(t.Context())
		account := runtime.Account{SID: "AC1"}
		var delivering, calls sync.WaitGroup
		delivering.Go(func() {
			s.Deliver(ctx, func(string, bool) (webhook.Signer, bool) { return account.Signer(false), true })
		})
		const many = 60
		for i := range many {
			g := newGuest(pacer, 440)
			begin, hold := time.Duration(i%5)*20*time.Millisecond, time.Duration(i%4)*20*time.Millisecond
			calls.Go(func() {
				defer g.stream.Close()
				time.Sleep(begin)
				if hold > 0 {
					defer time.AfterFunc(hold, g.hangUp).Stop()
				}
				s.Run(ctx, g, runtime.Setup{SID: fmt.Sprintf("CA%d", i), Account: account, Dialect: texml.Twilio,
					First: runtime.Request{URL: fmt.Sprintf("http://a/%d", i)}})
			})
			calls.Go(func() {
				time.Sleep(begin + 10*time.Millisecond)
				conf := s.Rooms().Conference("AC1", "sales")
				if conf == nil {
					return
				}
				muted := true
				sid := fmt.Sprintf("CA%d", i)
				switch i % 6 { // errors are of those who were faster
				case 0:
					conf.Update(sid, runtime.Update{Muted: &muted})
				case 1:
					conf.Kick(sid)
				case 2:
					conf.Update(sid, runtime.Update{Held: &muted})
				case 3:
					conf.Participants()
				}
			})
		}
		time.Sleep(2 * time.Second)
		if conf := s.Rooms().Conference("AC1", "sales"); conf != nil {
			conf.End()
		}
		calls.Wait()
		time.Sleep(time.Second)
		if got := after.Load(); got != many {
			t.Errorf("%d of %d calls had their action told", got, many)
		}
		if got := told.Load(); got != 2*many {
			t.Errorf("%d joins and leaves were told, want %d", got, 2*many)
		}
		if left := s.Rooms().Conferences("AC1"); len(left) != 0 {
			t.Errorf("%d conferences are left", len(left))
		}
		stop()
		delivering.Wait()
		s.Close()
		pacer.Close()
	})
}
