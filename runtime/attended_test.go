package runtime

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTakingAConversation: its called side is handed over once, and never to
// somebody who has given up.
func TestTakingAConversation(t *testing.T) {
	name := bridgeName{"AC1", "call"}
	a := &attempt{}
	for _, test := range []struct {
		name  string
		join  bool          // the two are together
		other bridgeName    // what is asked for
		after time.Duration // until the side is given, 0 for never
		want  *attempt
	}{
		{"together", true, name, time.Second, a},
		{"not together yet", false, name, time.Second, nil},
		{"of another account", true, bridgeName{"AC2", "call"}, time.Second, nil},
		{"ended meanwhile", true, name, 0, nil},
		{"given too late", true, name, time.Minute, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bridges{of: map[bridgeName]*bridge{}}
				shut := b.open(name)
				parted := make(chan error, 1)
				if test.join {
					b.together(name, func(cause error) { parted <- cause })
				}
				given := make(chan bool, 1)
				go func() {
					defer shut()
					select {
					case cause := <-parted:
						h, ok := errors.AsType[*handover](cause)
						if time.Sleep(test.after); !ok || test.after == 0 {
							given <- false
							return
						}
						given <- h.give(a)
					case <-time.After(2 * time.Minute):
						given <- false
					}
				}()
				ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
				defer stop()
				got := b.take(ctx, test.other)
				if gave := <-given; got != test.want || gave != (test.want != nil) {
					t.Errorf("taken %p, given %v; want %p", got, gave, test.want)
				}
			})
		})
	}
}
