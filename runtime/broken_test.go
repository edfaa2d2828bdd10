package runtime_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// lost is the end of a leg that broke.
type lost struct{ error }

func (lost) Code() int { return 32022 }

// unconfirmed is a leg whose answer nobody confirms.
type unconfirmed struct{ *unanswered }

func (l unconfirmed) Answer(context.Context) error {
	close(l.done)
	return l.Err()
}
func (l unconfirmed) Err() error { return lost{errors.New("the answer was never confirmed")} }

// TestBrokenCalls: a fault of ours or of the line ends one call, with a record
// and a last callback that say so.
func TestBrokenCalls(t *testing.T) {
	faulty := func(webhook.Request) (*webhook.Response, error) { panic("a fault with +15550100 in it") }
	answers := func(r webhook.Request) (*webhook.Response, error) {
		return document(r.URL, "<Response><Hangup/></Response>")
	}
	for _, test := range []struct {
		name           string
		web            documents
		leg            runtime.Incoming
		status, source string
		code           int
		logged         string
	}{
		{"a panic", faulty, newLeg(), "failed", "callee", 0, "records_test.go"},
		{"no ACK", answers, unconfirmed{newLeg()}, "failed", "unknown", 32022, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				st := store.Memory()
				s := runtime.New(runtime.Config{Store: st, Log: logTo(&log), Web: test.web})
				s.Run(t.Context(), test.leg, runtime.Setup{Account: runtime.Account{SID: "AC1"},
					First: runtime.Request{URL: "http://a/"}, StatusCallback: runtime.Request{URL: "http://b/"}})
				s.Close()
				calls, err := st.Calls(t.Context(), "AC1", 10)
				if err != nil || len(calls) != 1 {
					t.Fatal(calls, err)
				}
				c := calls[0]
				if c.Status != test.status || c.HangupSource != test.source || c.ErrorCode != test.code || c.ErrorMessage == "" || c.Ended.IsZero() {
					t.Errorf("got status %s, source %s, error %d %q, ended %v", c.Status, c.HangupSource, c.ErrorCode, c.ErrorMessage, c.Ended)
				}
				if _, owed, err := st.NextDue(t.Context()); !owed || err != nil {
					t.Error("no last callback is owed", err)
				}
				if strings.Contains(log.String(), "+15550100") {
					t.Error("what was panicked with is in the log")
				}
				if !strings.Contains(log.String(), test.logged) {
					t.Errorf("the log does not say where:\n%s", log.String())
				}
			})
		})
	}
}

// brokenEars have a fault that what they hear brings to light.
type brokenEars struct{}

func (brokenEars) Hear(_ context.Context, _ ai.Hearing, sound <-chan pcm.Frame) iter.Seq2[ai.Result, error] {
	return func(func(ai.Result, error) bool) {
		<-sound
		panic("a fault with words in it")
	}
}

// TestEarsWithAFault: the call goes on without them.
func TestEarsWithAFault(t *testing.T) {
	for name, doc := range map[string]string{
		"gather":        `<Response><Gather input="speech" timeout="1"/><Redirect>/on</Redirect></Response>`,
		"transcription": `<Response><Start><Transcription/></Start><Pause length="1"/><Redirect>/on</Redirect></Response>`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
				called := &phone{guest: newGuest(pacer, 400), progress: make(chan int, 4)}
				on := false
				var log strings.Builder
				s := runtime.New(runtime.Config{Store: store.Memory(), Log: logTo(&log), Ears: brokenEars{},
					Web: documents(func(r webhook.Request) (*webhook.Response, error) {
						if on = strings.HasSuffix(r.URL, "/on"); on {
							return document(r.URL, "<Response><Hangup/></Response>")
						}
						return document(r.URL, doc)
					}),
					Dial: func(context.Context, runtime.Destination) (runtime.Outgoing, error) {
						called.answer()
						return called, nil
					}})
				s.Place(t.Context(), runtime.Destination{To: "+1"}, runtime.Setup{Account: runtime.Account{SID: "AC1"}, First: runtime.Request{URL: "http://a/"}})
				s.Close()
				if !on {
					t.Error("the call did not go on")
				}
				if !strings.Contains(log.String(), "broken_test.go") || strings.Contains(log.String(), "words in it") {
					t.Errorf("the log does not say where, or more:\n%s", log.String())
				}
				called.stream.Close()
				pacer.Close()
			})
		})
	}
}

// half is a leg whose answer is out and not confirmed: it cannot be refused.
type half struct {
	*unanswered
	hungUp bool
}

func (l *half) Reject(context.Context, int, string) error { return errors.New("it has been answered") }
func (l *half) Hangup(context.Context) error              { l.hungUp = true; return nil }

func TestAHalfAnsweredCallIsHungUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runtime.New(runtime.Config{Store: store.Memory(), Web: documents(func(r webhook.Request) (*webhook.Response, error) {
			return document(r.URL, "<Response><Reject/></Response>")
		})})
		leg := &half{unanswered: newLeg()}
		s.Run(t.Context(), leg, runtime.Setup{Account: runtime.Account{SID: "AC1"}, First: runtime.Request{URL: "http://a/"}})
		s.Close()
		if !leg.hungUp {
			t.Error("the call is still up")
		}
	})
}
