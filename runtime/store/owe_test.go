package store

import (
	"errors"
	"testing"

	"github.com/hookswitch/hookswitch/runtime"
)

func TestAConferenceHasAQueueOfItsOwn(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		save(t, s, record("AC1", "CA1", noon), nil, owed("/call", at(5)))
		for _, url := range []string{"/room?join", "/room?start"} {
			if err := s.Owe(t.Context(), "AC1", "CF1", []runtime.Callback{owed(url, noon)}); err != nil {
				t.Fatal(err)
			}
		}
		if got := urls(t, s, at(1), 10); got != "/room?join" {
			t.Errorf("due are %q, want /room?join: /room?start stands behind it, and /call in another queue", got)
		}
		due, err := s.Due(t.Context(), at(1), 1, nil)
		if err != nil || len(due) != 1 || due[0].CallSID != "CF1" || due[0].AccountSID != "AC1" {
			t.Fatalf("got %+v, %v", due, err)
		}
		if err := s.Delivered(t.Context(), due[0].ID); err != nil {
			t.Fatal(err)
		}
		if got := urls(t, s, at(1), 10); got != "/room?start" {
			t.Errorf("then due are %q, want /room?start", got)
		}
		if _, err := s.Call(t.Context(), "AC1", "CF1"); !errors.Is(err, runtime.ErrNoCall) {
			t.Errorf("the conference is a call: %v", err)
		}
	})
}

// TestDestinationsDoNotWaitForEachOther: of one call, nor of one conference.
func TestDestinationsDoNotWaitForEachOther(t *testing.T) {
	for _, tt := range []struct{ name, first, second, want string }{
		{"another path", "http://a/rec", "http://a/status", "http://a/rec http://a/status"},
		{"another host", "http://a/s", "http://b/s", "http://a/s http://b/s"},
		{"another port", "http://a/s", "http://a:81/s", "http://a/s http://a:81/s"},
		{"a path that goes on", "http://a/s", "http://a/s/t", "http://a/s http://a/s/t"},
		{"no path", "http://a", "http://a/", "http://a http://a/"},
		{"the same", "http://a/s", "http://a/s", "http://a/s"},
		{"another query", "http://a/s?n=1", "http://a/s?n=2", "http://a/s?n=1"},
		{"a query and none", "http://a/s?n=1", "http://a/s", "http://a/s?n=1"},
		{"another fragment", "http://a/s#rc=1", "http://a/s?x#rc=2", "http://a/s#rc=1"},
		{"a question mark in the fragment", "http://a/s#x?1", "http://a/s", "http://a/s#x?1"},
		{"letters of two bytes", "http://a/é?n=1", "http://a/ö?n=1", "http://a/é?n=1 http://a/ö?n=1"},
		{"letters of two bytes, the same", "http://a/é?n=1", "http://a/é?n=2", "http://a/é?n=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			both(t, func(t *testing.T, s runtime.Store) {
				save(t, s, record("AC1", "CA1", noon), nil, owed(tt.first, noon), owed(tt.second, at(1)))
				if got := urls(t, s, at(1), 10); got != tt.want {
					t.Errorf("of a call, due are %q, want %q", got, tt.want)
				}
				for _, id := range dueIDs(t, s, at(1)) {
					if err := s.Retry(t.Context(), id, 1, at(100)); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Owe(t.Context(), "AC1", "CF1", []runtime.Callback{owed(tt.first, noon), owed(tt.second, at(1))}); err != nil {
					t.Fatal(err)
				}
				if got := urls(t, s, at(1), 10); got != tt.want {
					t.Errorf("of a conference, due are %q, want %q", got, tt.want)
				}
			})
		})
	}
}
