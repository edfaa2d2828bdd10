package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// TestACloseSendsWhatIsDueOnce: each callback that is due is sent, those behind
// it too; one that fails is not tried again, nor is one whose time has not come.
func TestACloseSendsWhatIsDueOnce(t *testing.T) {
	const slow = 3 * time.Second // longer than until the next try
	for _, tt := range []struct {
		name string
		fail []string // URLs
		want string   // sent, in order of their URLs
		took time.Duration
		left bool // something is still owed
	}{
		{"all are taken", nil, "/1?a /1?b /2 /3?slow", slow, true},
		{"one is not", []string{"/1?a"}, "/1?a /2 /3?slow", slow, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				st := store.Memory()
				var owed []runtime.Callback
				for _, url := range []string{"/1?a", "/1?b", "/2", "/3?slow", "/4?later"} {
					cb := runtime.Callback{URL: url, Created: began, Due: began}
					if url == "/4?later" {
						cb.Due = began.Add(time.Second)
					}
					owed = append(owed, cb)
				}
				var mu sync.Mutex
				var sent []string
				s := runtime.New(runtime.Config{Store: st, Web: answering(func(_ context.Context, r webhook.Request) error {
					mu.Lock()
					sent = append(sent, r.URL)
					mu.Unlock()
					if r.URL == "/3?slow" {
						time.Sleep(slow)
					}
					if slices.Contains(tt.fail, r.URL) {
						return errDown
					}
					return nil
				})})
				over := make(chan error)
				go func() { over <- s.Deliver(t.Context(), signed) }()
				synctest.Wait() // nothing is owed yet, and it waits
				if err := st.Save(t.Context(), runtime.CallRecord{SID: "CA1", AccountSID: "AC1"}, nil, owed); err != nil {
					t.Fatal(err)
				}
				s.Close()
				if err := <-over; err != nil {
					t.Errorf("Deliver ended with %v", err)
				}
				slices.Sort(sent)
				if got := strings.Join(sent, " "); got != tt.want {
					t.Errorf("sent %s, want %s", got, tt.want)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
				if _, left, _ := st.NextDue(t.Context()); left != tt.left {
					t.Errorf("something is still owed: %t, want %t", left, tt.left)
				}
			})
		})
	}
}

// TestACloseSendsNothingTwice: what is under way is waited for, and what was
// taken is known to be when the time is up just then.
func TestACloseSendsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		st := store.Memory()
		for i := range 300 { // more than there may be under way
			cb := runtime.Callback{URL: fmt.Sprintf("http://h%d/s", i), Created: time.Now(), Due: time.Now()}
			if err := st.Save(ctx, runtime.CallRecord{SID: fmt.Sprint("CA", i), AccountSID: "AC1"}, nil, []runtime.Callback{cb}); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		sent, hosts := 0, map[string]bool{}
		s := runtime.New(runtime.Config{Store: st, Web: answering(func(ctx context.Context, r webhook.Request) error {
			time.Sleep(2 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			sent++
			hosts[r.URL] = true
			if sent == 300 {
				stop()
			}
			return nil
		})})
		over := make(chan error)
		go func() { over <- s.Deliver(ctx, signed) }()
		synctest.Wait() // some are under way
		s.Close()
		<-over
		if sent != 300 || len(hosts) != 300 {
			t.Errorf("%d were sent, %d of them different; want each of 300 once", sent, len(hosts))
		}
		if _, left, _ := st.NextDue(t.Context()); left {
			t.Error("one that was taken is still owed, and would be sent again")
		}
	})
}

func TestTheEndOfTheTimeBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		st := store.Memory()
		cb := runtime.Callback{URL: "http://stuck/s", Created: time.Now(), Due: time.Now()}
		if err := st.Save(ctx, runtime.CallRecord{SID: "CA1", AccountSID: "AC1"}, nil, []runtime.Callback{cb}); err != nil {
			t.Fatal(err)
		}
		s := runtime.New(runtime.Config{Store: st, Web: answering(func(ctx context.Context, r webhook.Request) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})})
		over := make(chan error)
		go func() { over <- s.Deliver(ctx, signed) }()
		s.Close()
		synctest.Wait()
		select {
		case err := <-over:
			t.Fatalf("Deliver ended with %v before its context", err)
		default:
		}
		stop()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Errorf("Deliver ended with %v, want the end of its context", err)
		}
		if due, err := st.Due(t.Context(), time.Now(), 10, nil); len(due) != 1 || err != nil || due[0].Attempts != 0 {
			t.Errorf("owed are %+v, %v; want the one, with no try counted", due, err)
		}
	})
}

func signed(string, bool) (webhook.Signer, bool) { return webhook.Twilio("1"), true }
