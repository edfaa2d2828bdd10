package runtime_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
)

// TestHeadersOfAddressesAreNotStored holds that the timeline has where a call is
// sent, and not what the headers of that address say of the caller.
func TestHeadersOfAddressesAreNotStored(t *testing.T) {
	for _, test := range []struct{ name, kind, document string }{
		{"of <Refer>", "refer", "<Response><Refer><Sip>sip:third@example.com?X-Name=canary</Sip></Refer></Response>"},
		{"of a REFER that comes in", "transfer", "<Response><Dial><Number statusCallback='/b'>+1</Number></Dial></Response>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newSwitchboard(test.document)
				x.call(t.Context(), "AC1", runtime.Setup{Transfers: true}, func(d *dialled) {
					time.AfterFunc(time.Second, d.phones[0].answer)
					time.AfterFunc(2*time.Second, func() { d.phones[0].refer("sip:third@example.com?X-Name=canary") })
					time.AfterFunc(4*time.Second, d.caller.hangUp)
				})
				x.server.Close()
				events, err := x.store.Events(t.Context(), "AC1", "AC1")
				if err != nil {
					t.Fatal(err)
				}
				told := false
				for _, e := range events {
					told = told || e.Kind == test.kind && e.Text == "sip:third@example.com"
					if strings.Contains(e.Text, "canary") {
						t.Errorf("stored: %s %s", e.Kind, e.Text)
					}
				}
				if !told {
					t.Errorf("no %s to sip:third@example.com in %v", test.kind, events)
				}
				x.close(t)
			})
		})
	}
}
