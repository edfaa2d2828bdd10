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

	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// delivering owes callbacks, delivers them for so long, and returns what the
// web was asked: when, since the start, and for what.
func delivering(t *testing.T, owed []runtime.Callback, long time.Duration, answer func(ctx context.Context, r webhook.Request) error) (tries []try) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	began := time.Now()
	st := store.Memory()
	for _, cb := range owed {
		cb.AccountSID, cb.Created, cb.Due, cb.Method = "AC1", began, began, "POST"
		call := runtime.CallRecord{SID: cb.CallSID, AccountSID: "AC1", Created: began}
		if err := st.Save(ctx, call, nil, []runtime.Callback{cb}); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	s := runtime.New(runtime.Config{Store: st, PublicURL: deliveringURL, URLKey: deliveringKey, Web: answering(func(ctx context.Context, r webhook.Request) error {
		mu.Lock()
		tries = append(tries, try{time.Since(began), r.URL, r.Header.Get("I-Twilio-Idempotency-Token")})
		mu.Unlock()
		return answer(ctx, r)
	})})
	over := make(chan error)
	go func() {
		over <- s.Deliver(ctx, func(account string, telnyx bool) (webhook.Signer, bool) { return webhook.Twilio("1"), true })
	}()
	time.Sleep(long)
	stop()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver ended with %v, want the end of its context", err)
	}
	s.Close()
	return tries
}

const deliveringURL = "https://voice.example.com"

var deliveringKey = runtime.URLKey("0123456789abcdef0123456789abcdef")

type try struct {
	at         time.Duration
	url, token string
}

type answering func(context.Context, webhook.Request) error

func (a answering) Do(ctx context.Context, r webhook.Request) (*webhook.Response, error) {
	return nil, a(ctx, r)
}
func (answering) Media(context.Context, string) (*webhook.Response, error) { return nil, nil }
func (answering) Socket(context.Context, webhook.Request) (webhook.Socket, error) {
	return nil, errDown
}

var errDown = errors.New("the server is down")

func TestACallbackIsTriedAgainForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := delivering(t, []runtime.Callback{{CallSID: "CA1", URL: "http://a/s", Token: "t1"}}, 72*time.Hour,
			func(context.Context, webhook.Request) error { return errDown })
		wait := 2 * time.Second
		for i := 1; i < len(tries); i++ {
			if d := tries[i].at - tries[i-1].at; d < wait || d >= wait+wait/10+time.Millisecond {
				t.Errorf("try %d came %v after the one before it, want %v and up to a tenth more", i+1, d, wait)
			}
			if tries[i].token != "t1" {
				t.Errorf("try %d has the token %q, want the same each time", i+1, tries[i].token)
			}
			wait = min(2*wait, time.Hour)
		}
		if last := tries[len(tries)-1].at; last < 24*time.Hour || last > 26*time.Hour {
			t.Errorf("the last try came after %v, want the first one after a day", last)
		}
	})
}

// What a caller has said is not kept for a day for a server that is down, and
// what is final does not wait behind it for long.
func TestWordsThatAreNotFinalAreTriedForSeconds(t *testing.T) {
	for _, tt := range []struct {
		name, form string
		tries      int // in an hour
	}{
		{"a partial result", "UnstableSpeechResult=to+ber&StableSpeechResult=", 4},
		{"an interim transcript, Twilio", "Final=false&TranscriptionData=x", 4},
		{"an interim transcript, Telnyx", "IsFinal=false&Transcript=x", 4},
		{"a final transcript", "Final=true&TranscriptionData=x", 11},
		{"a result", "SpeechResult=to+berlin", 11},
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := delivering(t, []runtime.Callback{{CallSID: "CA1", URL: "http://a/s", Form: tt.form}}, time.Hour,
				func(context.Context, webhook.Request) error { return errDown })
			if len(tries) != tt.tries {
				t.Errorf("%s: tried %d times in an hour, want %d", tt.name, len(tries), tt.tries)
			}
		})
	}
}

func TestCallbacksOfACallWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		tries := delivering(t, []runtime.Callback{
			{CallSID: "CA1", URL: "http://a/s?1"}, {CallSID: "CA1", URL: "http://a/s?2"}, {CallSID: "CA2", URL: "http://a/s?other"},
		}, time.Hour, func(_ context.Context, r webhook.Request) error {
			if r.URL == "http://a/s?1" && down {
				down = false
				return errDown
			}
			return nil
		})
		var order []string
		for _, x := range tries {
			order = append(order, fmt.Sprintf("%s %v", x.url, x.at.Round(time.Second)))
		}
		slices.Sort(order[:2]) // two calls at once
		if got, want := strings.Join(order, ", "), "http://a/s?1 0s, http://a/s?other 0s, http://a/s?1 2s, http://a/s?2 2s"; got != want {
			t.Errorf("tried %s; want %s", got, want)
		}
	})
}

func TestADeadURLHoldsNoOtherUp(t *testing.T) {
	for _, sid := range []string{"CA1", "CF1"} {
		synctest.Test(t, func(t *testing.T) {
			tries := delivering(t, []runtime.Callback{
				{CallSID: sid, URL: "http://a/dead?1"}, {CallSID: sid, URL: "http://a/dead?2"}, {CallSID: sid, URL: "http://a/s?1"}, {CallSID: sid, URL: "http://a/s?2"},
			}, time.Second, func(_ context.Context, r webhook.Request) error {
				if strings.HasPrefix(r.URL, "http://a/dead") {
					return errDown
				}
				return nil
			})
			var order []string
			for _, x := range tries {
				order = append(order, x.url)
			}
			slices.Sort(order) // two destinations at once
			if got, want := strings.Join(order, " "), "http://a/dead?1 http://a/s?1 http://a/s?2"; got != want {
				t.Errorf("of %s, tried %s; want %s", sid, got, want)
			}
		})
	}
}

// TestARefusedCallbackIsTriedForMinutes: a day is for servers that are down.
func TestARefusedCallbackIsTriedForMinutes(t *testing.T) {
	for _, tt := range []struct {
		status, tries int // in an hour
	}{
		{400, 8}, {401, 8}, {404, 8}, {410, 8}, {499, 8},
		{408, 11}, {425, 11}, {429, 11}, {500, 11}, {503, 11}, {302, 11}, {0, 11},
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := delivering(t, []runtime.Callback{{CallSID: "CA1", URL: "http://a/s?1"}, {CallSID: "CA1", URL: "http://a/s?2"}}, time.Hour,
				func(_ context.Context, r webhook.Request) error {
					if r.URL == "http://a/s?2" {
						return nil
					}
					return &webhook.Error{Code: 11200, URL: r.URL, Status: tt.status, Err: errDown}
				})
			given := tries[len(tries)-1].url == "http://a/s?2"
			if given {
				tries = tries[:len(tries)-1]
			}
			if len(tries) != tt.tries || given != (tt.tries == 8) {
				t.Errorf("status %d: tried %d times in an hour, the one behind it then: %t; want %d", tt.status, len(tries), given, tt.tries)
			}
			if last := tries[len(tries)-1].at; given && (last < 4*time.Minute || last > 5*time.Minute) {
				t.Errorf("status %d: last tried after %v, want four minutes", tt.status, last)
			}
		})
	}
}

func TestAStuckHostHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var owed []runtime.Callback
		for i := range 10_000 {
			owed = append(owed, runtime.Callback{CallSID: fmt.Sprintf("CA%d", i), URL: "http://stuck/s"})
		}
		for i := range 20 {
			owed = append(owed, runtime.Callback{CallSID: fmt.Sprintf("CB%d", i), URL: fmt.Sprintf("http://well/%d", i)})
		}
		stuck, most := 0, 0
		var mu sync.Mutex
		tries := delivering(t, owed, 14*time.Second, func(ctx context.Context, r webhook.Request) error {
			if r.URL != "http://stuck/s" {
				return nil
			}
			mu.Lock()
			stuck++
			most = max(most, stuck)
			mu.Unlock()
			defer func() { mu.Lock(); stuck--; mu.Unlock() }()
			select {
			case <-time.After(15 * time.Second):
				return errDown
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		taken := 0
		for _, x := range tries {
			if x.url == "http://stuck/s" {
				continue
			}
			taken++
			if x.at != 0 {
				t.Errorf("%s was sent after %v, want at once", x.url, x.at)
			}
		}
		if taken != 20 {
			t.Errorf("%d of 20 callbacks were sent to the host that is well", taken)
		}
		if most != 32 {
			t.Errorf("%d callbacks were under way to the stuck host, want 32", most)
		}
	})
}

func TestDeliverEndsWithItsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := 0
		delivering(t, []runtime.Callback{{CallSID: "CA1", URL: "http://a/s"}}, time.Second,
			func(ctx context.Context, r webhook.Request) error {
				under++
				<-ctx.Done()
				time.Sleep(300 * time.Millisecond) // the connection takes its time to end
				under--
				return context.Cause(ctx)
			})
		if under != 0 {
			t.Error("Deliver returned while a request was under way")
		}
	})
}

func TestACallbackWhoseAccountIsGoneIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		st := store.Memory()
		st.Save(ctx, runtime.CallRecord{SID: "CA1", AccountSID: "AC9"}, nil, []runtime.Callback{{CallSID: "CA1", AccountSID: "AC9", URL: "http://a/s"}})
		s := runtime.New(runtime.Config{Store: st, Web: answering(func(_ context.Context, r webhook.Request) error {
			t.Error("a callback went out unsigned")
			return nil
		})})
		over := make(chan error)
		go func() {
			over <- s.Deliver(ctx, func(string, bool) (webhook.Signer, bool) { return nil, false })
		}()
		synctest.Wait()
		if _, ok, err := st.NextDue(ctx); ok || err != nil {
			t.Errorf("it is still owed (%v)", err)
		}
		stop()
		<-over
		s.Close()
	})
}

// TestARecordingIsToldWithAURLThatIsFresh: a callback that waits for hours tells
// a URL that opens the recording when it comes at last.
func TestARecordingIsToldWithAURLThatIsFresh(t *testing.T) {
	plain := deliveringURL + "/2010-04-01/Accounts/AC1/Recordings/RE1"
	for _, tt := range []struct {
		name, form string
		signed     bool
	}{
		{"telnyx", "CallSidLegacy=CA1&RecordingUrl=" + url.QueryEscape(plain), true},
		{"telnyx, an action that was signed after its call", "CallSidLegacy=CA1&RecordingUrl=" + url.QueryEscape(plain+"?expires=1&signature=old"), true},
		{"telnyx, no recording", "CallSidLegacy=CA1", false},
		{"twilio", "RecordingUrl=" + url.QueryEscape(plain), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				delivering(t, []runtime.Callback{{CallSID: "CA1", URL: "http://a/s", Form: tt.form}}, 6*time.Hour,
					func(_ context.Context, r webhook.Request) error {
						tries++
						was, _ := url.ParseQuery(tt.form)
						told := r.Form.Get("RecordingUrl")
						base, query, _ := strings.Cut(told, "?")
						q, err := url.ParseQuery(query)
						if err != nil {
							t.Errorf("%s: %v", told, err)
						}
						switch now := time.Now(); {
						case !tt.signed && told != was.Get("RecordingUrl"):
							t.Errorf("told as %q, want %q", told, was.Get("RecordingUrl"))
						case tt.signed && (base != plain || !deliveringKey.Opens("AC1", "RE1", q, now.Add(10*time.Minute-time.Second))):
							t.Errorf("try %d tells %s, which does not open it for ten minutes", tries, told)
						case tt.signed && deliveringKey.Opens("AC1", "RE1", q, now.Add(10*time.Minute)):
							t.Errorf("try %d tells %s, which opens it for longer than ten minutes", tries, told)
						}
						return errDown
					})
				if tries < 10 {
					t.Errorf("tried %d times in six hours", tries)
				}
			})
		})
	}
}
