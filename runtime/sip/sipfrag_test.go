package sip

import "testing"

func TestFragment(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"trying", "SIP/2.0 100 Trying\r\n", 100},
		{"no line end", "SIP/2.0 200 OK", 200},
		{"no reason", "SIP/2.0 486", 486},
		{"an empty reason", "SIP/2.0 486 \r\n", 486},
		{"a bare line end", "SIP/2.0 603 No\n", 603},
		{"headers follow", "SIP/2.0 180 Ringing\r\nTo: <sip:b@c>;tag=1\r\n", 180},
		{"an empty line first", "\r\nSIP/2.0 200 OK\r\n", 200},
		{"four digits", "SIP/2.0 2000 OK", 0},
		{"too low", "SIP/2.0 099 Less", 0},
		{"too high", "SIP/2.0 700 More", 0},
		{"a sign", "SIP/2.0 +20 OK", 0},
		{"a request", "INVITE sip:b@c SIP/2.0\r\n", 0},
		{"cut off", "SIP/2.0 20", 0},
		{"nothing", "", 0},
	} {
		got, ok := fragmentStatus([]byte(c.body))
		if !ok {
			got = 0
		}
		if got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	for _, status := range []int{100, 180, 200, 299, 486, 499, 699} {
		if got, ok := fragmentStatus(fragment(status)); got != status || !ok {
			t.Errorf("%q is read as %d", fragment(status), got)
		}
	}
}

func TestReferEvent(t *testing.T) {
	for _, c := range []struct {
		value string
		id    uint32
		ok    bool
	}{
		{"refer", 0, true},
		{"REFER ; ID = 93809824", 93809824, true},
		{"refer;x=y;id=7", 7, true},
		{"refer;id=", 0, true},
		{"refer;id=0", 0, false},
		{"refer;id=x", 0, false},
		{"refer;id=4294967296", 0, false},
		{"presence", 0, false},
		{"refer.winfo", 0, false},
		{"", 0, false},
	} {
		if id, ok := referEvent(c.value); ok != c.ok || ok && id != c.id {
			t.Errorf("%q: %d, %v", c.value, id, ok)
		}
	}
	for v, want := range map[string]bool{"terminated;reason=noresource": true, " Terminated ": true, "active;expires=60": false, "": false, "terminatedly": false} {
		if got := terminated(v); got != want {
			t.Errorf("%q: %v", v, got)
		}
	}
}

// FuzzNotify checks that nothing of a NOTIFY can make its readers fail, and that
// a status is one.
func FuzzNotify(f *testing.F) {
	f.Add("refer;id=3", "terminated;reason=noresource", []byte("SIP/2.0 200 OK\r\n"))
	f.Add("refer", "active ; expires=60", []byte("\r\nSIP/2.0 180 Ringing\nTo: x"))
	f.Add("presence;id=x", "pending", []byte("INVITE sip:b@c SIP/2.0"))
	f.Fuzz(func(t *testing.T, event, state string, body []byte) {
		referEvent(event)
		terminated(state)
		if status, ok := fragmentStatus(body); ok && (status < 100 || status > 699) {
			t.Errorf("status %d", status)
		}
	})
}
