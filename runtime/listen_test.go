package runtime_test

import (
	"context"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// oddEars understand a word at each of some times, and are slow to tell the last
// of it. They end by themselves after so long, which 0 is never.
type oddEars struct {
	told []time.Duration
	last time.Duration // from the end of the sound on
	ends time.Duration
}

func (o oddEars) Hear(ctx context.Context, _ ai.Hearing, sound <-chan pcm.Frame) iter.Seq2[ai.Result, error] {
	return func(yield func(ai.Result, error) bool) {
		at := time.Duration(0)
		for told := 0; ; at += pcm.FrameTime {
			select {
			case _, more := <-sound:
				if !more {
					select {
					case <-time.After(o.last):
						yield(ai.Result{Text: "last", Final: true, Over: true}, nil)
					case <-ctx.Done():
						yield(ai.Result{}, context.Cause(ctx))
					}
					return
				}
			case <-ctx.Done():
				yield(ai.Result{}, context.Cause(ctx))
				return
			}
			if told < len(o.told) && at >= o.told[told] {
				told++
				if !yield(ai.Result{Text: "word", Final: told%2 == 0}, nil) {
					return
				}
			}
			if o.ends > 0 && at >= o.ends {
				return
			}
		}
	}
}

// slowVoice takes half a second for its first sound, and makes it half as fast as
// it plays.
type slowVoice struct{}

func (slowVoice) Speak(ctx context.Context, _ ai.Speech, rate int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		for range 5 {
			select {
			case <-time.After(500 * time.Millisecond):
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			}
			if !yield(make(pcm.Frame, rate/4), nil) {
				return
			}
		}
	}
}

// TestCallsThatListenMayEndAtAnyInstant hangs up calls that speak, listen and are
// transcribed, in steps of a tenth of a second, with ears of all kinds. Each call
// is over when its ears have had their time for what was said last, and leaves no
// goroutine behind, which the bubble would not end with.
func TestCallsThatListenMayEndAtAnyInstant(t *testing.T) {
	const lastWords = 3 * time.Second
	ms := time.Millisecond
	for name, ears := range map[string]oddEars{
		"say nothing":                {},
		"say much":                   {told: []time.Duration{400 * ms, 800 * ms, 1200 * ms, 1600 * ms}},
		"end early":                  {told: []time.Duration{300 * ms}, ends: 700 * ms},
		"end at once":                {ends: 1},
		"are slow with what is last": {told: []time.Duration{600 * ms, 900 * ms}, last: 2 * time.Second},
		"never tell the last":        {told: []time.Duration{600 * ms, 900 * ms}, last: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at := time.Duration(0); at < 4*time.Second; at += 100*ms + 7*ms {
				synctest.Test(t, func(t *testing.T) {
					pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
					caller := newGuest(pacer, 150)
					s := runtime.New(runtime.Config{Store: store.Memory(), Ears: ears, Voice: slowVoice{},
						Web: documents(func(r webhook.Request) (*webhook.Response, error) {
							if strings.HasSuffix(r.URL, "/p") {
								return document(r.URL, "")
							}
							return document(r.URL, `<Response><Start><Transcription statusCallbackUrl="/p"/></Start>
								<Gather input="dtmf speech" timeout="1" speechTimeout="1" action="/again" partialResultCallback="/p"><Say>Hello.</Say></Gather><Pause length="1"/></Response>`)
						})})
					var hungUp time.Time
					hangUp := time.AfterFunc(at, func() {
						hungUp = time.Now()
						caller.hangUp()
					})
					s.Run(t.Context(), caller, runtime.Setup{Account: runtime.Account{SID: "AC1"}, First: runtime.Request{URL: "http://a/"}})
					if took := time.Since(hungUp); !hangUp.Stop() && took > lastWords { // else the documents ended it
						t.Errorf("hung up after %v: it took %v to end", at, took)
					}
					s.Close()
					caller.stream.Close()
					pacer.Close()
				})
			}
		})
	}
}
