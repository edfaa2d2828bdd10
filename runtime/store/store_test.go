package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
)

var (
	_ runtime.Store = (*DB)(nil)
	_ runtime.Store = (*Mem)(nil)
)

// both runs a test over each kind of store: they must not be told apart.
func both(t *testing.T, test func(t *testing.T, s runtime.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, Memory()) })
	t.Run("sqlite", func(t *testing.T) {
		db, err := Open(filepath.Join(t.TempDir(), "calls.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		test(t, db)
	})
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func record(account, sid string, created time.Time) runtime.CallRecord {
	return runtime.CallRecord{AccountSID: account, SID: sid, Status: "in-progress", Created: created}
}

func save(t *testing.T, s runtime.Store, call runtime.CallRecord, events []runtime.Event, callbacks ...runtime.Callback) {
	t.Helper()
	if err := s.Save(t.Context(), call, events, callbacks); err != nil {
		t.Fatal(err)
	}
}

func owed(url string, due time.Time) runtime.Callback {
	return runtime.Callback{URL: url, Method: "POST", Form: "CallStatus=completed", Token: "t-" + url, Created: noon, Due: due}
}

// urls of the callbacks that are due, in order.
func urls(t *testing.T, s runtime.Store, now time.Time, limit int) string {
	t.Helper()
	due, err := s.Due(t.Context(), now, limit, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, cb := range due {
		all = append(all, cb.URL)
	}
	return strings.Join(all, " ")
}

func dueIDs(t *testing.T, s runtime.Store, now time.Time) map[string]int64 {
	t.Helper()
	due, err := s.Due(t.Context(), now, 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]int64)
	for _, cb := range due {
		ids[cb.URL] = cb.ID
	}
	return ids
}

func TestARecordComesBackAsItWasSavedLast(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		want := runtime.CallRecord{
			SID: "CA1", ParentSID: "CA0", AccountSID: "AC1", From: "+4930123", To: "sip:a@b", Direction: "inbound",
			Status: "ringing", SIPCallID: "x@y", HangupCause: "normal_clearing", HangupSource: "caller",
			ErrorCode: 11200, ErrorMessage: "no answer from the webhook; naïve 'quotes'", Created: noon,
		}
		save(t, s, want, nil)
		want.Status, want.Answered, want.Ended = "completed", at(1), at(61)
		save(t, s, want, nil)
		got, err := s.Call(t.Context(), "AC1", "CA1")
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		calls, err := s.Calls(t.Context(), "AC1", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(calls) != 1 || calls[0] != want {
			t.Errorf("got %+v, want that one call", calls)
		}
	})
}

func TestTimesAreKeptToTheMillisecondInUTC(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		berlin := time.FixedZone("CET", 3600)
		odd := noon.Add(1234567 * time.Nanosecond).In(berlin)
		want := noon.Add(time.Millisecond)
		save(t, s, record("AC1", "CA1", odd), []runtime.Event{{At: odd}}, owed("/a", odd))
		got, _ := s.Call(t.Context(), "AC1", "CA1")
		if got.Created != want || !got.Answered.IsZero() {
			t.Errorf("got created %v answered %v, want %v and none", got.Created, got.Answered, want)
		}
		events, _ := s.Events(t.Context(), "AC1", "CA1")
		if len(events) != 1 || events[0].At != want {
			t.Errorf("got events %v, want one at %v", events, want)
		}
		if next, ok, _ := s.NextDue(t.Context()); !ok || next != want {
			t.Errorf("got next due %v, want %v", next, want)
		}
		if got := urls(t, s, noon.Add(1300*time.Microsecond), 10); got != "/a" {
			t.Errorf("got due %q within the millisecond, want /a", got)
		}
	})
}

func TestAnUnknownCallIsErrNoCall(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		save(t, s, record("AC1", "CA1", noon), nil)
		for _, k := range []key{{"AC1", "CA2"}, {"AC2", "CA1"}, {"", "CA1"}} {
			if _, err := s.Call(t.Context(), k.account, k.sid); !errors.Is(err, runtime.ErrNoCall) {
				t.Errorf("call of %v: got %v, want ErrNoCall", k, err)
			}
			if _, err := s.Events(t.Context(), k.account, k.sid); !errors.Is(err, runtime.ErrNoCall) {
				t.Errorf("events of %v: got %v, want ErrNoCall", k, err)
			}
		}
	})
}

func TestARecordWithoutNameIsRefused(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		for _, k := range []key{{"", "CA1"}, {"AC1", ""}} {
			err := s.Save(t.Context(), record(k.account, k.sid, noon), nil, []runtime.Callback{owed("/a", noon)})
			if err == nil {
				t.Errorf("%+v was saved", k)
			}
		}
		if got := urls(t, s, at(1), 10); got != "" {
			t.Errorf("got callbacks %q of a refused record", got)
		}
	})
}

func TestACanceledContextSavesNothing(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := s.Save(ctx, record("AC1", "CA1", noon), nil, nil); !errors.Is(err, cause) {
			t.Errorf("got %v, want the cause", err)
		}
		if _, err := s.Call(t.Context(), "AC1", "CA1"); !errors.Is(err, runtime.ErrNoCall) {
			t.Errorf("got %v, want ErrNoCall", err)
		}
	})
}

func TestCallsAreNewestFirst(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		for _, c := range []struct {
			sid     string
			created int
		}{{"CA1", 1}, {"CA3", 3}, {"CA2", 2}, {"CA2b", 2}} {
			save(t, s, record("AC1", c.sid, at(c.created)), nil)
		}
		save(t, s, record("AC1", "CA2", at(2)), nil) // saved again: keeps its place
		for limit, want := range map[int]string{10: "CA3 CA2b CA2 CA1", 2: "CA3 CA2b", 0: "", -1: ""} {
			calls, err := s.Calls(t.Context(), "AC1", limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range calls {
				got = append(got, c.SID)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("limit %d: got %v, want %s", limit, got, want)
			}
		}
	})
}

func TestTheTimelineKeepsItsOrder(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		call := record("AC1", "CA1", noon)
		first := []runtime.Event{{At: at(5), Kind: "fetch", Text: "GET /voice"}, {At: at(1), Kind: "answer"}}
		second := []runtime.Event{{At: at(3), Kind: "error", Text: "odd", Code: 12100}}
		save(t, s, call, first)
		save(t, s, call, second)
		got, err := s.Events(t.Context(), "AC1", "CA1")
		if err != nil {
			t.Fatal(err)
		}
		if want := append(first, second...); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestWhatIsPrivateIsNotKept(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		save(t, s, record("AC1", "CA1", noon), []runtime.Event{{At: noon, Kind: "key", Private: "7"}})
		got, err := s.Events(t.Context(), "AC1", "CA1")
		if want := (runtime.Event{At: noon, Kind: "key"}); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	})
}

func TestCallbacksComeOneAtATimePerCall(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		one, two := record("AC1", "CA1", noon), record("AC1", "CA2", noon)
		save(t, s, one, nil, owed("/1?ringing", at(2)), owed("/1?completed", at(1)))
		save(t, s, two, nil, owed("/2?ringing", at(1)))

		if got := urls(t, s, at(0), 10); got != "" {
			t.Errorf("before their time: got %q", got)
		}
		if got, want := urls(t, s, at(1), 10), "/2?ringing"; got != want {
			t.Errorf("one that is due stands behind one that is not: got %q, want %q", got, want)
		}
		if got, want := urls(t, s, at(9), 10), "/2?ringing /1?ringing"; got != want {
			t.Errorf("longest due first: got %q, want %q", got, want)
		}
		if got, want := urls(t, s, at(9), 1), "/2?ringing"; got != want {
			t.Errorf("limit 1: got %q, want %q", got, want)
		}
		ids := dueIDs(t, s, at(9))
		if err := s.Retry(t.Context(), ids["/1?ringing"], 3, at(100)); err != nil {
			t.Fatal(err)
		}
		if err := s.Delivered(t.Context(), ids["/2?ringing"]); err != nil {
			t.Fatal(err)
		}
		if got := urls(t, s, at(99), 10); got != "" {
			t.Errorf("put off: got %q, want none", got)
		}
		due, err := s.Due(t.Context(), at(100), 10, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := owed("/1?ringing", at(100))
		want.ID, want.AccountSID, want.CallSID, want.Attempts = ids["/1?ringing"], "AC1", "CA1", 3
		if len(due) != 1 || due[0] != want {
			t.Errorf("tried again: got %+v, want %+v", due, want)
		}
		if err := s.Delivered(t.Context(), want.ID); err != nil {
			t.Fatal(err)
		}
		if got := urls(t, s, at(100), 10); got != "/1?completed" {
			t.Errorf("after the first: got %q, want /1?completed", got)
		}
		if later := dueIDs(t, s, at(100))["/1?completed"]; later <= want.ID {
			t.Errorf("got ID %d behind %d, want it to grow", later, want.ID)
		}
	})
}

func TestDueLeavesOutHosts(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		for i, url := range []string{"http://a", "http://a/x", "http://a?x=1", "http://a#x", "http://a:80/x", "http://ab/x", "https://a/x"} {
			save(t, s, record("AC1", "CA"+strconv.Itoa(i), noon), nil, owed(url, at(i)))
		}
		due, err := s.Due(t.Context(), at(9), 2, []string{"http://a", "https://a"})
		if err != nil {
			t.Fatal(err)
		}
		if len(due) != 2 || due[0].URL != "http://a:80/x" || due[1].URL != "http://ab/x" {
			t.Errorf("got %v, want those of http://a:80 and http://ab", due)
		}
	})
}

func TestNextDueIsWhenThereIsSomethingToDo(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		if _, ok, err := s.NextDue(t.Context()); ok || err != nil {
			t.Fatalf("empty: got %v, %v", ok, err)
		}
		save(t, s, record("AC1", "CA1", noon), nil, owed("/1", at(50)), owed("/1?later", at(1)))
		save(t, s, record("AC1", "CA2", noon), nil, owed("/2", at(60)))
		next, ok, err := s.NextDue(t.Context())
		if err != nil || !ok || next != at(50) {
			t.Errorf("got %v %v %v, want %v: what stands behind another has to wait", next, ok, err, at(50))
		}
		if got := urls(t, s, next, 10); got != "/1" {
			t.Errorf("at that time: got %q due, want /1", got)
		}
	})
}

func TestAnUnknownCallbackIsNoError(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		save(t, s, record("AC1", "CA1", noon), nil, owed("/1", noon))
		if err := s.Delivered(t.Context(), 99); err != nil {
			t.Error(err)
		}
		if err := s.Retry(t.Context(), 99, 1, at(9)); err != nil {
			t.Error(err)
		}
		if got := urls(t, s, noon, 10); got != "/1" {
			t.Errorf("got %q, want /1 untouched", got)
		}
	})
}

// Whatever is saved and asked, an account sees its own calls and callbacks
// carry the account they were saved with. Accounts share SIDs on purpose, and
// their names hold what a query might mistake for a pattern.
func TestAccountsNeverMix(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		r := rand.New(rand.NewPCG(1, 2))
		accounts := []string{"AC1", "AC11", "AC%", "AC_", "ac1", "' OR 1=1 --"}
		sids := []string{"CA1", "CA2", "CA%", "' OR ''='"}
		saved := make(map[key]int)
		for i := range 200 {
			k := key{accounts[r.IntN(len(accounts))], sids[r.IntN(len(sids))]}
			call := record(k.account, k.sid, at(i))
			call.From = k.account
			stray := owed(k.account+" "+k.sid, noon)
			stray.AccountSID, stray.CallSID = accounts[0], sids[0] // the record's count, not these
			save(t, s, call, []runtime.Event{{At: at(i), Text: k.account + k.sid}}, stray)
			saved[k]++
		}
		for _, account := range accounts {
			calls, err := s.Calls(t.Context(), account, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range calls {
				if c.AccountSID != account || c.From != account {
					t.Errorf("%s sees a call of %s", account, c.From)
				}
			}
			want := 0
			for _, sid := range sids {
				k := key{account, sid}
				if saved[k] == 0 {
					continue
				}
				want++
				events, err := s.Events(t.Context(), account, sid)
				if err != nil || len(events) != saved[k] {
					t.Errorf("%v: got %d events, %v; want %d", k, len(events), err, saved[k])
				}
				for _, e := range events {
					if e.Text != account+sid {
						t.Errorf("%v sees an event of %s", k, e.Text)
					}
				}
			}
			if len(calls) != want {
				t.Errorf("%s: got %d calls, want %d", account, len(calls), want)
			}
		}
		for owing := len(saved); owing > 0; owing = len(saved) {
			due, err := s.Due(t.Context(), at(1), 1000, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(due) != owing {
				t.Fatalf("got %d due, want one of each of %d calls", len(due), owing)
			}
			for _, cb := range due {
				if cb.URL != cb.AccountSID+" "+cb.CallSID {
					t.Errorf("callback of %s came as %s of %s", cb.URL, cb.CallSID, cb.AccountSID)
				}
				if err := s.Delivered(t.Context(), cb.ID); err != nil {
					t.Fatal(err)
				}
				k := key{cb.AccountSID, cb.CallSID}
				if saved[k]--; saved[k] == 0 {
					delete(saved, k)
				}
			}
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				call := record("AC1", fmt.Sprint("CA", i), noon)
				for n := range 20 {
					err := s.Save(t.Context(), call, []runtime.Event{{At: at(n), Code: n}}, []runtime.Callback{owed(fmt.Sprint("/s?", n), noon)})
					if err != nil {
						t.Error(err)
					}
					if _, err := s.Call(t.Context(), "AC1", call.SID); err != nil {
						t.Errorf("saved, but not seen: %v", err)
					}
				}
			})
		}
		wg.Wait()
		for i := range 16 {
			events, err := s.Events(t.Context(), "AC1", fmt.Sprint("CA", i))
			if err != nil || len(events) != 20 {
				t.Fatalf("got %d events, %v; want 20", len(events), err)
			}
			for n, e := range events {
				if e.Code != n {
					t.Errorf("event %d of call %d is number %d", n, i, e.Code)
				}
			}
		}
		if due, err := s.Due(t.Context(), noon, 100, nil); err != nil || len(due) != 16 {
			t.Errorf("got %d due, %v; want 16", len(due), err)
		}
	})
}
