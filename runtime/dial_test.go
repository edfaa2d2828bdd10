package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// phone is somebody who is called: a guest that answers when it is told to.
type phone struct {
	*guest
	progress chan int
	slow     time.Duration // how long it takes to confirm that the call is over
	fault    bool          // the leg has a fault in it

	mu       sync.Mutex
	answered bool
	final    bool
	decide   func(string, func(int)) bool
}

func (p *phone) Progress() <-chan int {
	if p.fault {
		panic("a fault with +15550101 in it")
	}
	return p.progress
}
func (p *phone) Headers() map[string][]string { return nil }
func (p *phone) CallID() string               { return "" }

// Stream is there from the answer on.
func (p *phone) Stream() *media.Stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.answered {
		return nil
	}
	return p.stream
}

func (p *phone) Hangup(context.Context) error {
	time.Sleep(p.slow)
	p.hangUp()
	return nil
}

// ring tells that it rings.
func (p *phone) ring() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.final {
		p.progress <- 180
	}
}

// speakEarly lets sound be heard before the answer.
func (p *phone) speakEarly() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = true // as far as Stream knows
	p.stream.Start()
	p.progress <- 183
}

// answer ends what Progress tells with 200, unless that or the call is over.
func (p *phone) answer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.final && p.Err() == nil {
		p.final, p.answered = true, true
		p.stream.Start()
		p.progress <- 200
		close(p.progress)
	}
}

func (p *phone) OnRefer(decide func(string, func(int)) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decide = decide
}

func (p *phone) refer(uri string) {
	p.mu.Lock()
	decide := p.decide
	p.mu.Unlock()
	if decide != nil {
		decide(uri, func(int) {})
	}
}

// ledger is a store that knows the last callbacks of calls.
type ledger struct {
	runtime.Store
	mu   sync.Mutex
	last map[string][]string // CallStatus of completed callbacks, by CallSid
}

func (l *ledger) Save(ctx context.Context, call runtime.CallRecord, events []runtime.Event, callbacks []runtime.Callback) error {
	l.mu.Lock()
	for _, cb := range callbacks {
		if f, _ := url.ParseQuery(cb.Form); f.Has("CallDuration") {
			l.last[call.SID] = append(l.last[call.SID], f.Get("CallStatus"))
		}
	}
	l.mu.Unlock()
	return l.Store.Save(ctx, call, events, callbacks)
}

// switchboard is a server, and the calls that come to it, by their accounts: each
// has one of its own.
type switchboard struct {
	store  *ledger
	pacer  *media.Pacer
	server *runtime.Server

	mu    sync.Mutex
	calls map[string]*dialled
}

// dialled is a call from A whose document dials phones: B, C and so on, in the
// order in which they are called.
type dialled struct {
	account string
	caller  *guest
	phones  []*phone
	began   time.Time
	next    int               // of the phones
	letters map[string]string // of legs, by SID
	events  []string          // "B answer 3s", with A for the caller
}

// newSwitchboard serves calls with the document xml. All else that is asked for is a pause
// of a second.
func newSwitchboard(xml string) *switchboard {
	x := &switchboard{store: &ledger{Store: store.Memory(), last: map[string][]string{}},
		pacer: media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1}), calls: map[string]*dialled{}}
	x.server = runtime.New(runtime.Config{
		Store: x.store,
		Web: documents(func(r webhook.Request) (*webhook.Response, error) {
			if r.URL == "http://a/voice" {
				return document(r.URL, xml)
			}
			return document(r.URL, "<Response><Pause length='1'/></Response>")
		}),
		Dial: func(_ context.Context, to runtime.Destination) (runtime.Outgoing, error) {
			x.mu.Lock()
			defer x.mu.Unlock()
			d := x.calls[to.AccountSID]
			p := d.phones[d.next]
			d.next++
			letter := string(rune('A' + d.next))
			d.letters[to.CallSID] = letter
			d.events = append(d.events, fmt.Sprintf("%s placed %v", letter, time.Since(d.began)))
			return p, nil
		},
		Observe: func(sid string, e runtime.Event) {
			x.mu.Lock()
			defer x.mu.Unlock()
			for _, d := range x.calls {
				if letter := d.letters[sid]; letter != "" {
					d.events = append(d.events, fmt.Sprintf("%s %s %v", letter, e.Kind, time.Since(d.began)))
				}
			}
		},
	})
	return x
}

// call runs a call until it is over. rehearse says what the caller and the three
// phones do.
func (x *switchboard) call(ctx context.Context, account string, set runtime.Setup, rehearse func(d *dialled)) *dialled {
	d := &dialled{account: account, caller: newGuest(x.pacer, 400), began: time.Now(), letters: map[string]string{account: "A"}}
	for range 3 {
		d.phones = append(d.phones, &phone{guest: newGuest(x.pacer, 700), progress: make(chan int, 4)})
	}
	rehearse(d)
	x.mu.Lock()
	x.calls[account] = d
	x.mu.Unlock()
	set.SID, set.Account, set.To = account, runtime.Account{SID: account}, "A"
	set.First = runtime.Request{URL: "http://a/voice"}
	set.StatusCallback = runtime.Request{URL: "http://a/status"}
	x.server.Run(ctx, d.caller, set)
	return d
}

// close checks all calls, which are over, and frees their sound.
func (x *switchboard) close(t *testing.T) {
	x.server.Close()
	for _, d := range x.calls {
		x.check(t, d)
		d.caller.stream.Close()
		for _, p := range d.phones {
			p.hangUp()
			p.stream.Close()
		}
	}
	x.pacer.Close()
}

// saw reports whether an event happened at that time.
func (x *switchboard) saw(d *dialled, event string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Contains(d.events, event)
}

// TestLegsMayEndAtAnyInstant forks a call and has a leg, or all, hang up at each
// millisecond of it. Each call ends once, with one last callback, in a state that
// agrees with the others'.
func TestLegsMayEndAtAnyInstant(t *testing.T) {
	const both = `statusCallback="/b"`
	noun := func(number, more string) string {
		return "<Number " + both + " " + more + ">" + number + "</Number>"
	}
	plain := "<Response><Dial action='/done'>" + noun("+1", "") + noun("+2", "") + "</Dial></Response>"
	for _, call := range []struct {
		name, document string
		transfers      bool
	}{
		{"forked", plain, false},
		{"forked, caller answered at the bridge", strings.Replace(plain, "<Dial ", "<Dial answerOnBridge='true' ", 1), false},
		{"with whisper", "<Response><Dial>" + noun("+1", "url='/whisper'") + noun("+2", "url='/whisper'") + "</Dial></Response>", false},
		{"moved to a third", plain, true},
		{"one after the other", strings.Replace(plain, "<Dial ", "<Dial sequential='true' ", 1), false},
	} {
		for _, who := range []string{"A", "B", "C", "ABC"} {
			t.Run(call.name+", "+who+" hangs up", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x := newSwitchboard(call.document)
					var calls sync.WaitGroup
					for ms := range 34 {
						calls.Go(func() {
							x.call(t.Context(), fmt.Sprintf("AC%d", ms), runtime.Setup{Transfers: call.transfers}, func(d *dialled) {
								d.endAt(ms, who, call.transfers)
							})
						})
					}
					calls.Wait()
					x.close(t)
				})
			})
		}
	}
}

// endAt has B answer, C about then, and whose letters are in who hang up after
// ms milliseconds.
func (d *dialled) endAt(ms int, who string, transfers bool) {
	b, c, third := d.phones[0], d.phones[1], d.phones[2]
	after := func(ms int, f func()) { time.AfterFunc(time.Duration(ms)*time.Millisecond, f) }
	after(5, b.ring)
	after(10, b.answer)
	after(10+ms%3, c.answer)
	if transfers {
		after(15, func() { b.refer("sip:third@example.com"); c.refer("sip:third@example.com") })
		after(25, third.answer)
	}
	after(ms, func() {
		for i, g := range []*guest{d.caller, b.guest, c.guest} {
			if strings.Contains(who, string(rune('A'+i))) {
				g.hangUp()
			}
		}
	})
	after(100, d.caller.hangUp)
}

// check holds that all legs of d are over and agree.
func (x *switchboard) check(t *testing.T, d *dialled) {
	calls, err := x.store.Calls(t.Context(), d.account, 10)
	if err != nil || len(calls) == 0 {
		t.Errorf("%s: %d calls, %v", d.account, len(calls), err)
		return
	}
	x.store.mu.Lock()
	defer x.store.mu.Unlock()
	for _, c := range calls {
		last := x.store.last[c.SID]
		switch {
		case c.Ended.IsZero():
			t.Errorf("%s: the call to %s is not over: %s", d.account, c.To, c.Status)
		case (c.Status == "completed") != !c.Answered.IsZero():
			t.Errorf("%s: the call to %s ended as %s, answered at %v", d.account, c.To, c.Status, c.Answered)
		case c.To == "sip:third@example.com" || c.To == "+3": // it has no callbacks
		case len(last) != 1 || last[0] != c.Status:
			t.Errorf("%s: the call to %s ended as %s, its last callbacks say %q", d.account, c.To, c.Status, last)
		}
	}
	for i, p := range d.phones[:d.next] {
		if p.Err() == nil {
			t.Errorf("%s: phone %d is still up", d.account, i)
		}
	}
}

// TestTheSoundOfAnAnswerIsNoEarlyMedia holds that a caller who is answered at the
// bridge gets sound before that only when the called side has sent some before
// its answer: a 180 may be read when the 200 is at hand already.
func TestTheSoundOfAnAnswerIsNoEarlyMedia(t *testing.T) {
	for _, test := range []struct {
		name string
		does func(p *phone)
		want int // 183 to the caller
	}{
		{"180 and 200 in one instant", func(p *phone) { p.ring(); p.answer() }, 0},
		{"180, later 200", func(p *phone) { p.ring(); time.AfterFunc(time.Second, p.answer) }, 0},
		{"183 with sound and 200 in one instant", func(p *phone) { p.speakEarly(); p.answer() }, 0},
		{"183 with sound, later 200", func(p *phone) { p.speakEarly(); time.AfterFunc(time.Second, p.answer) }, 1},
		{"183 with sound, then 180", func(p *phone) { p.speakEarly(); p.ring(); time.AfterFunc(time.Second, p.answer) }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newSwitchboard(`<Response><Dial answerOnBridge="true"><Number statusCallback="/b">+1</Number></Dial></Response>`)
				d := x.call(t.Context(), "AC1", runtime.Setup{}, func(d *dialled) {
					test.does(d.phones[0])
					time.AfterFunc(5*time.Second, d.caller.hangUp)
				})
				if d.caller.early != test.want {
					t.Errorf("the caller got 183 %d times, want %d", d.caller.early, test.want)
				}
				x.close(t)
			})
		})
	}
}

func TestASlowHangUpKeepsNobodyWaiting(t *testing.T) {
	const one, two = `<Number statusCallback="/b">+1</Number>`, `<Number statusCallback="/b">+2</Number>`
	for _, test := range []struct {
		name, document string
		answers        int // the phone that does, after a second
		want           string
	}{
		{"one that lost", "<Dial>" + one + two + "</Dial>", 0, "A bridge 1s"},
		{"one that did not answer", "<Dial sequential='true' timeout='5'>" + one + two + "</Dial>", 1, "C placed 5s"},
		{"one that was left", "<Dial timeout='5'>" + one + "</Dial><Dial>" + two + "</Dial>", 1, "C placed 5s"},
		{"one whose time is up", "<Dial timeLimit='60'>" + one + "</Dial><Dial>" + two + "</Dial>", 0, "C placed 1m1s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newSwitchboard("<Response>" + test.document + "</Response>")
				d := x.call(t.Context(), "AC1", runtime.Setup{}, func(d *dialled) {
					for _, p := range d.phones {
						p.slow = 5 * time.Second
					}
					time.AfterFunc(time.Second, d.phones[test.answers].answer)
					time.AfterFunc(2*time.Minute, d.caller.hangUp)
				})
				if !x.saw(d, test.want) {
					t.Errorf("want %q, got %q", test.want, d.events)
				}
				x.close(t)
			})
		})
	}
}

// TestAFaultOfALegEndsThatLeg holds that a call goes on when the legs that it
// has dialled fail.
func TestAFaultOfALegEndsThatLeg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSwitchboard(`<Response><Dial><Number statusCallback="/b">+1</Number><Number statusCallback="/b">+2</Number></Dial></Response>`)
		x.call(t.Context(), "AC1", runtime.Setup{}, func(d *dialled) { d.phones[0].fault, d.phones[1].fault = true, true })
		x.close(t)
		calls, err := x.store.Calls(t.Context(), "AC1", 10)
		if err != nil || len(calls) != 3 {
			t.Fatal(calls, err)
		}
		for _, c := range calls {
			want := "failed"
			if c.To == "A" {
				want = "completed"
			}
			if c.Status != want || c.To != "A" && c.ErrorMessage == "" {
				t.Errorf("the call to %s ended as %s %q, want %s", c.To, c.Status, c.ErrorMessage, want)
			}
		}
	})
}

// TestATransferAtTheLastInstant holds that a transfer is carried out when who
// asks for it hangs up at once.
func TestATransferAtTheLastInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSwitchboard("<Response><Dial>+3</Dial></Response>")
		d := x.call(t.Context(), "AC1", runtime.Setup{Transfers: true}, func(d *dialled) {
			time.AfterFunc(time.Second, d.phones[0].answer)
			time.AfterFunc(3*time.Second, func() {
				d.phones[0].refer("sip:third@example.com")
				d.phones[0].hangUp()
			})
			time.AfterFunc(5*time.Second, d.phones[1].answer)
			time.AfterFunc(9*time.Second, d.caller.hangUp)
		})
		if !x.saw(d, "C answer 5s") || !x.saw(d, "C hangup 9s") {
			t.Errorf("got %q", d.events)
		}
		x.close(t)
	})
}

var errBusyLine = errors.New("all lines are busy")

func TestNobodyMayBeCalled(t *testing.T) {
	for _, test := range []struct {
		name string
		dial func(context.Context, runtime.Destination) (runtime.Outgoing, error)
		want string
	}{
		{"there is no way out", nil, "this server cannot call anybody"},
		{"an error without a code", func(context.Context, runtime.Destination) (runtime.Outgoing, error) { return nil, errBusyLine }, errBusyLine.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var warned []runtime.Event
				s := runtime.New(runtime.Config{Store: store.Memory(), Dial: test.dial,
					Web: documents(func(r webhook.Request) (*webhook.Response, error) {
						return document(r.URL, "<Response>\n<Dial answerOnBridge='true'>+1</Dial><Reject/></Response>")
					}),
					Observe: func(_ string, e runtime.Event) {
						if e.Kind == "warning" {
							warned = append(warned, e)
						}
					}})
				s.Run(t.Context(), newLeg(), runtime.Setup{Account: runtime.Account{SID: "AC1"}, First: runtime.Request{URL: "http://a/"}})
				s.Close()
				if len(warned) != 1 || warned[0].Code != 13224 || warned[0].Text != "http://a/:2:29: "+test.want {
					t.Errorf("got %+v", warned)
				}
			})
		})
	}
}
