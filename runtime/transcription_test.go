package runtime_test

import (
	"context"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// restless ears understand something else every 20 ms.
type restless struct{}

func (restless) Hear(ctx context.Context, _ ai.Hearing, sound <-chan pcm.Frame) iter.Seq2[ai.Result, error] {
	return func(yield func(ai.Result, error) bool) {
		for range sound {
			if !yield(ai.Result{Text: "word"}, nil) {
				return
			}
		}
		yield(ai.Result{Text: "words", Final: true}, nil)
	}
}

// Each interim text is a callback: an engine that changes its mind all the time
// does not make as many.
func TestInterimTextsAreTenASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
		caller := newGuest(pacer, 150)
		var interim, final atomic.Int32
		s := runtime.New(runtime.Config{Store: store.Memory(), Ears: restless{},
			Web: documents(func(r webhook.Request) (*webhook.Response, error) {
				switch {
				case !strings.HasSuffix(r.URL, "/p"):
					return document(r.URL, `<Response><Start><Transcription statusCallbackUrl="/p" track="inbound_track" partialResults="true"/></Start><Pause length="2"/></Response>`)
				case r.Form.Get("Final") == "false":
					interim.Add(1)
				case r.Form.Get("Final") == "true":
					final.Add(1)
				}
				return document(r.URL, "")
			})})
		delivered := make(chan error)
		go func() {
			delivered <- s.Deliver(t.Context(), func(string, bool) (webhook.Signer, bool) { return webhook.Twilio("1"), true })
		}()
		s.Run(t.Context(), caller, runtime.Setup{Account: runtime.Account{SID: "AC1"}, Dialect: texml.Twilio, First: runtime.Request{URL: "http://a/"}})
		time.Sleep(time.Second)
		s.Close()
		if err := <-delivered; err != nil {
			t.Error(err)
		}
		if got := interim.Load(); got < 15 || got > 21 {
			t.Errorf("%d interim texts in two seconds, want about 20", got)
		}
		if got := final.Load(); got != 1 {
			t.Errorf("%d final texts, want 1", got)
		}
		caller.stream.Close()
		pacer.Close()
	})
}
