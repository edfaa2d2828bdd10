package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// A call that was placed here is sent elsewhere like one that came in; a server
// that asks who we are is told.
func TestReferPlaced(t *testing.T) {
	for _, c := range []struct {
		name, username string
		status         int
	}{
		{"with a password", "alice", 202},
		{"without one", "", 407},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				p := b.callee("192.0.2.7:5070")
				l := b.dial(Destination{Username: c.username, Password: "secret"})
				inv := p.want("INVITE ")
				p.takes(inv, "b")
				synctest.Wait()
				result := make(chan transferred, 1)
				go func() {
					var got transferred
					var notified <-chan int
					got.status, notified, got.err = l.Refer(context.Background(), "sip:carol@example.com", nil)
					for s := range notified {
						got.statuses = append(got.statuses, s)
					}
					result <- got
				}()
				const challenge = `Digest realm="r", nonce="n", algorithm=MD5, qop="auth"`
				first := p.want("REFER sip:bob@192.0.2.7:5070 SIP/2.0")
				p.answer(first, "407 Who", "", "Proxy-Authenticate: "+challenge+"\r\n", "")
				want := "[]"
				if c.status == 202 {
					refer := p.want("REFER sip:bob@192.0.2.7:5070 SIP/2.0")
					if !right(t, refer, "Proxy-Authorization", challenge) || cseq(refer) == cseq(first) || headerOf(refer, "Refer-To") != headerOf(first, "Refer-To") {
						t.Errorf("REFER: %s", refer)
					}
					p.answer(refer, "202 Accepted", "", "", "")
					synctest.Wait()
					p.says(inv, "NOTIFY", "b", 1, "Event: refer;id="+cseq(refer)+"\r\nSubscription-State: terminated\r\nContent-Type: message/sipfrag\r\n", "SIP/2.0 603 Decline\r\n")
					p.want("SIP/2.0 200")
					want = "[603]"
				}
				if got := <-result; got.status != c.status || fmt.Sprint(got.statuses) != want || got.err != nil {
					t.Errorf("%+v", got)
				}
				p.says(inv, "BYE", "b", 2, "", "")
				p.want("SIP/2.0 200")
			})
		})
	}
}

// Nor is it moved by the called one unless somebody decides so. Who hangs up for
// it waits until the called one knows how it went.
func TestReferredPlaced(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.callee("192.0.2.7:5070")
		l := b.dial(Destination{})
		inv := p.want("INVITE ")
		p.takes(inv, "b")
		p.says(inv, "REFER", "b", 1, toBob, "")
		p.want("SIP/2.0 603")
		var tell func(int)
		l.OnRefer(func(_ string, notify func(int)) bool { tell = notify; return true })
		p.says(inv, "REFER", "b", 2, toBob, "")
		p.want("SIP/2.0 202")
		p.answer(p.want("NOTIFY sip:bob@192.0.2.7:5070 SIP/2.0"), "200 OK", "", "", "")
		synctest.Wait()
		tell(200)
		go l.Hangup(context.Background())
		m := p.want("NOTIFY ")
		if !strings.HasPrefix(headerOf(m, "Subscription-State"), "terminated") {
			t.Errorf("NOTIFY: %s", m)
		}
		p.answer(m, "200 OK", "", "", "")
		p.hears()
	})
}
