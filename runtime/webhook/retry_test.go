package webhook

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRetries(t *testing.T) {
	for _, row := range []struct {
		name, fragment string
		statuses       []int // of the answers, the last for all that follow
		requests, code int
	}{
		{"a status is not retried", "", []int{500, 200}, 1, 11200},
		{"5xx when asked", "#rp=5xx", []int{500, 200}, 2, 0},
		{"not 4xx with 5xx", "#rp=5xx", []int{404, 200}, 1, 11200},
		{"4xx when asked", "#rp=4xx", []int{404, 200}, 2, 0},
		{"all", "#rp=all&rc=3", []int{500, 404, 500, 200}, 4, 0},
		{"several", "#rp=ct,4xx,5xx&rc=2", []int{500, 404, 200}, 3, 0},
		{"as often as asked", "#rp=5xx&rc=5", []int{500}, 6, 11200},
		{"never", "#rp=5xx&rc=0", []int{500}, 1, 11200},
		{"more than five is not heard", "#rp=5xx&rc=6", []int{500}, 2, 11200},
		{"another fragment is none", "#top", []int{500}, 1, 11200},
	} {
		var n atomic.Int32
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			i := int(n.Add(1)) - 1
			w.WriteHeader(row.statuses[min(i, len(row.statuses)-1)])
		})
		_, err := client(t, Config{}).Do(t.Context(), Request{URL: s.URL + row.fragment})
		if code(err) != row.code || len(s.asked()) != row.requests {
			t.Errorf("%s: %d requests, %v; want %d, code %d", row.name, len(s.asked()), err, row.requests, row.code)
		}
		first := s.asked()[0].header.Get("I-Twilio-Idempotency-Token")
		for _, got := range s.asked() {
			if token := got.header.Get("I-Twilio-Idempotency-Token"); token == "" || token != first {
				t.Errorf("%s: idempotency tokens %q and %q", row.name, first, token)
			}
		}
	}
}

// TestConnectionIsTriedTwice holds the default: one more try when there was no
// connection.
func TestConnectionIsTriedTwice(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close() // nobody listens there now

	for fragment, want := range map[string]int{"": 2, "#rc=0": 1, "#rc=3": 4} {
		var log lines
		_, err = client(t, Config{Log: log.logger()}).Do(t.Context(), Request{URL: "http://" + addr + "/" + fragment})
		if code(err) != 11202 {
			t.Errorf("got %v, want code 11202", err)
		}
		if tries := log.count("webhook failed"); tries != want {
			t.Errorf("%q: %d tries, want %d", fragment, tries, want)
		}
	}
}

// TestIdleConnectionClosed has a server close a kept connection when the second
// request arrives on it, as one does whose patience with idle ones just ended.
func TestIdleConnectionClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	defer l.Close()
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(conn)
			if r, err := http.ReadRequest(in); err == nil {
				io.Copy(io.Discard, r.Body)
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				in.ReadByte() // of the next request
			}
			conn.Close()
		}
	})
	c := client(t, Config{})
	for i := range 2 {
		if _, err := c.Do(t.Context(), Request{URL: "http://" + l.Addr().String() + "/#rc=0", Form: url.Values{"Digits": {"1"}}}); err != nil {
			t.Errorf("request %d: %v", i+1, err)
		}
	}
	c.Close() // or the server waits for a third
}

func TestOverrides(t *testing.T) {
	start := overrides{connect: 5 * time.Second, read: 15 * time.Second, total: 15 * time.Second, retries: 1, retry: map[failure]bool{noConnection: true}}
	for _, row := range []struct {
		name, fragment string
		want           overrides
		ignored        string
	}{
		{"none", "", start, "[]"},
		{"a fragment of a page", "section", start, "[]"},
		{"all of them", "ct=2000&rt=3000&tt=4000&rc=2", overrides{connect: 2 * time.Second, read: 3 * time.Second, total: 4 * time.Second, retries: 2}, "[]"},
		{"least", "ct=100&rt=100&tt=100&rc=0", overrides{connect: 100 * time.Millisecond, read: 100 * time.Millisecond, total: 100 * time.Millisecond}, "[]"},
		{"most", "ct=10000&rt=15000&tt=15000&rc=5", overrides{connect: 10 * time.Second, read: 15 * time.Second, total: 15 * time.Second, retries: 5}, "[]"},
		{"too little", "ct=99&rt=99&tt=99&rc=-1", start, "[ct rt tt rc]"},
		{"too much", "ct=10001&rt=15001&tt=15001&rc=6", start, "[ct rt tt rc]"},
		{"not numbers", "ct=2s&rc=", start, "[ct rc]"},
		{"without effect here", "e=ashburn&sni=y&r=us1", start, "[]"},
		{"unknown", "rc=1&retry=2", start, "[retry]"},
	} {
		got, ignored, err := parseOverrides(row.fragment, start)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if got.connect != row.want.connect || got.read != row.want.read || got.total != row.want.total || got.retries != row.want.retries {
			t.Errorf("%s: got %+v", row.name, got)
		}
		if fmt.Sprint(ignored) != row.ignored {
			t.Errorf("%s: ignored %v, want %s", row.name, ignored, row.ignored)
		}
	}
}
