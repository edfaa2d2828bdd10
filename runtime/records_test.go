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
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// unanswered is a leg that nobody has picked up yet.
type unanswered struct {
	runtime.Incoming // what these tests do not use
	done             chan struct{}
	status           int // it was refused with
}

func newLeg() *unanswered { return &unanswered{done: make(chan struct{})} }

func (l *unanswered) Ring(context.Context) error { return nil }
func (l *unanswered) Answer(context.Context) error {
	return errors.New("this phone cannot be answered")
}
func (l *unanswered) Hangup(context.Context) error { return nil }
func (l *unanswered) Stream() *media.Stream        { return nil }
func (l *unanswered) Done() <-chan struct{}        { return l.done }
func (l *unanswered) Err() error                   { return nil }
func (l *unanswered) Reject(_ context.Context, status int, _ string) error {
	l.status = status
	return nil
}

// documents is a web of documents by path; what they answer is up to them.
type documents func(r webhook.Request) (*webhook.Response, error)

func (d documents) Do(_ context.Context, r webhook.Request) (*webhook.Response, error) { return d(r) }
func (d documents) Media(context.Context, string) (*webhook.Response, error) {
	return nil, errors.New("no sounds here")
}
func (d documents) Socket(context.Context, webhook.Request) (webhook.Socket, error) {
	return nil, errors.New("no sockets here")
}

func document(url, body string) (*webhook.Response, error) {
	return &webhook.Response{URL: url, Status: 200, ContentType: "text/xml", Body: []byte(body)}, nil
}

// slow is a store whose saves take a second each, and that remembers them.
type slow struct {
	runtime.Store
	mu    sync.Mutex
	saves []string
}

func (s *slow) Save(ctx context.Context, call runtime.CallRecord, events []runtime.Event, callbacks []runtime.Callback) error {
	time.Sleep(time.Second)
	s.mu.Lock()
	s.saves = append(s.saves, fmt.Sprintf("%s %s %d", call.SID, call.Status, len(callbacks)))
	s.mu.Unlock()
	return s.Store.Save(ctx, call, events, callbacks)
}

func TestRecordsOfACallAreSavedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &slow{Store: store.Memory()}
		s := runtime.New(runtime.Config{Store: st, Web: documents(func(r webhook.Request) (*webhook.Response, error) {
			return document(r.URL, "<Response><Reject reason='busy'/></Response>")
		})})
		leg := newLeg()
		began := time.Now()
		s.Run(t.Context(), leg, runtime.Setup{Account: runtime.Account{SID: "AC1"}, First: runtime.Request{URL: "http://a/"}})
		if waited := time.Since(began); waited != 0 {
			t.Errorf("a call without callbacks waited %v for the store", waited)
		}
		s.Close()
		if len(st.saves) != 2 || st.saves[0][34:] != " ringing 0" || st.saves[1][34:] != " busy 0" {
			t.Errorf("saved %q, want ringing, then busy", st.saves)
		}
		if leg.status != 486 {
			t.Errorf("refused with %d, want 486", leg.status)
		}
	})
}

func TestACallbackIsStoredBeforeItsChangeIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &slow{Store: store.Memory()}
		began := time.Now()
		s := runtime.New(runtime.Config{Store: st, Web: documents(func(r webhook.Request) (*webhook.Response, error) {
			if d := time.Since(began); d != time.Second {
				t.Errorf("the document was asked for after %v, want 1s: when the callbacks are stored", d)
			}
			return document(r.URL, "<Response><Reject/></Response>")
		})})
		s.Run(t.Context(), newLeg(), runtime.Setup{
			Account:        runtime.Account{SID: "AC1"},
			First:          runtime.Request{URL: "http://a/"},
			StatusCallback: runtime.Request{URL: "http://a/status"}, StatusEvents: []string{"initiated", "ringing", "completed"},
		})
		owed, err := st.Due(t.Context(), time.Now(), 10, nil)
		if err != nil || len(owed) != 1 {
			t.Errorf("%d callbacks are due, %v; want the first of the call", len(owed), err)
		}
		s.Close()
	})
}

func TestManyCallsAreAllSaved(t *testing.T) {
	st := store.Memory()
	s := runtime.New(runtime.Config{Store: st, Web: documents(func(r webhook.Request) (*webhook.Response, error) {
		return document(r.URL, "<Response><Reject/></Response>")
	})})
	var calls sync.WaitGroup
	for range 500 {
		calls.Go(func() {
			s.Run(t.Context(), newLeg(), runtime.Setup{Account: runtime.Account{SID: "AC1"}, First: runtime.Request{URL: "http://a/"}})
		})
	}
	calls.Wait()
	s.Close()
	saved, err := st.Calls(t.Context(), "AC1", 1000)
	if err != nil || len(saved) != 500 {
		t.Fatalf("%d calls are stored, %v; want 500", len(saved), err)
	}
	if i := slices.IndexFunc(saved, func(c runtime.CallRecord) bool { return c.Status != "no-answer" || c.Ended.IsZero() }); i >= 0 {
		t.Errorf("call %d is stored as %q, ended %v", i, saved[i].Status, saved[i].Ended)
	}
}
