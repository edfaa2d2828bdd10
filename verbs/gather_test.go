package verbs

import (
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// told is a call that keeps what is told.
type told struct {
	Call
	forms []url.Values
}

func (c *told) Post(_ texml.Node, _, _ string, form url.Values) { c.forms = append(c.forms, form) }

// An engine that changes its mind all the time does not make as many requests.
func TestPartialResultsAreTenASecondAtMost(t *testing.T) {
	for _, test := range []struct {
		name  string
		every time.Duration
		want  int // in a second
	}{
		{"a word now and then", 250 * time.Millisecond, 4},
		{"as fast as may be", 100 * time.Millisecond, 10},
		{"faster", 20 * time.Millisecond, 10},
	} {
		synctest.Test(t, func(t *testing.T) {
			call := &told{}
			in := &input{gather: gather{&texml.Gather{PartialResultCallback: "/p"}}, call: call}
			for at := time.Duration(0); at < time.Second; at += test.every {
				in.partial = at.String()
				in.tellPartial(Heard{})
				time.Sleep(test.every)
			}
			if len(call.forms) != test.want {
				t.Errorf("%s: %d partial results in a second, want %d", test.name, len(call.forms), test.want)
			}
			for i, form := range call.forms {
				if got, want := form.Get("SequenceNumber"), fmt.Sprint(i); got != want {
					t.Errorf("%s: number %s, want %s", test.name, got, want)
				}
			}
		})
	}
}
