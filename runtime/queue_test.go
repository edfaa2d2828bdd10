package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// TestACallerIsSentElsewhere takes a caller out of a queue by the API: the call
// goes on with that document, and the action is told without being run.
func TestACallerIsSentElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var asked []string
		web := documents(func(r webhook.Request) (*webhook.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, fmt.Sprint(r.Method, " ", r.URL, " ", r.Form.Get("CallStatus"), " ", r.Form.Get("QueueResult")))
			switch r.URL {
			case "http://a/voice":
				return document(r.URL, `<Response><Enqueue action="/after" waitUrl="">sales</Enqueue></Response>`)
			case "http://a/elsewhere":
				return document(r.URL, `<Response><Pause length="5"/></Response>`)
			}
			return document(r.URL, `<Response><Redirect>/wrong</Redirect></Response>`)
		})
		ctx, stop := context.WithCancel(t.Context())
		s := runtime.New(runtime.Config{Store: store.Memory(), Web: web})
		account := runtime.Account{SID: "AC1", AuthToken: "token"}
		pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
		g := newGuest(pacer, 400)
		var running sync.WaitGroup
		running.Go(func() {
			s.Deliver(ctx, func(string, bool) (webhook.Signer, bool) { return account.Signer(false), true })
		})
		call := make(chan struct{})
		running.Go(func() {
			s.Run(ctx, g, runtime.Setup{SID: "CAA", Account: account, Dialect: texml.Twilio, First: runtime.Request{URL: "http://a/voice"}})
			close(call)
		})
		time.Sleep(2 * time.Second)
		members, err := s.Queues().Members("AC1", "sales")
		if err != nil || len(members) != 1 || members[0].CallSID != "CAA" {
			t.Errorf("got members %+v (%v), want CAA", members, err)
		}
		if err := s.Queues().Redirect("AC1", "sales", "CAA", runtime.Request{URL: "http://a/elsewhere", Method: "GET"}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if err := s.Queues().Redirect("AC1", "sales", "CAA", runtime.Request{URL: "http://a/elsewhere"}); !errors.Is(err, runtime.ErrNotQueued) {
			t.Errorf("got %v of a caller who is gone from the queue", err)
		}
		<-call
		time.Sleep(time.Second)
		stop()
		running.Wait()
		s.Close()
		g.stream.Close()
		pacer.Close()
		slices.Sort(asked)
		want := []string{"GET http://a/elsewhere in-progress ", "POST http://a/after in-progress redirected", "POST http://a/voice ringing "}
		if !slices.Equal(asked, want) {
			t.Errorf("asked were %q, want %q", asked, want)
		}
	})
}
