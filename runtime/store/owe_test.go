package store

import (
	"errors"
	"testing"

	"github.com/hookswitch/hookswitch/runtime"
)

func TestAConferenceHasAQueueOfItsOwn(t *testing.T) {
	both(t, func(t *testing.T, s runtime.Store) {
		save(t, s, record("AC1", "CA1", noon), nil, owed("/call", at(5)))
		for _, url := range []string{"/join", "/start"} {
			if err := s.Owe(t.Context(), "AC1", "CF1", []runtime.Callback{owed(url, noon)}); err != nil {
				t.Fatal(err)
			}
		}
		if got := urls(t, s, at(1), 10); got != "/join" {
			t.Errorf("due are %q, want /join: /start stands behind it, and /call in another queue", got)
		}
		due, err := s.Due(t.Context(), at(1), 1, nil)
		if err != nil || len(due) != 1 || due[0].CallSID != "CF1" || due[0].AccountSID != "AC1" {
			t.Fatalf("got %+v, %v", due, err)
		}
		if err := s.Delivered(t.Context(), due[0].ID); err != nil {
			t.Fatal(err)
		}
		if got := urls(t, s, at(1), 10); got != "/start" {
			t.Errorf("then due are %q, want /start", got)
		}
		if _, err := s.Call(t.Context(), "AC1", "CF1"); !errors.Is(err, runtime.ErrNoCall) {
			t.Errorf("the conference is a call: %v", err)
		}
	})
}
