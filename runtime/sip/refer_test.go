package sip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// transferred is how a Refer went.
type transferred struct {
	status   int
	statuses []int
	err      error
	took     time.Duration // until the channel was closed
}

// referring answers calls and sends them to uri.
func referring(c *Config, uri string, headers map[string][]string, result chan<- transferred) {
	c.Answer = func(ctx context.Context, l *Leg) {
		l.Answer(ctx)
		start := time.Now()
		status, notified, err := l.Refer(context.Background(), uri, headers)
		got := transferred{status: status, err: err}
		if err == nil {
			for s := range notified {
				got.statuses = append(got.statuses, s)
			}
		}
		got.took = time.Since(start)
		result <- got
		<-ctx.Done()
	}
}

// notify sends a NOTIFY of the phone's and checks its answer.
func (p *phone) notify(event, state, body, want string) {
	p.b.t.Helper()
	p.seq++
	p.send("NOTIFY", "n"+strconv.Itoa(p.seq), "Event: "+event+"\r\nSubscription-State: "+state+"\r\nContent-Type: message/sipfrag;version=2.0\r\n", body)
	p.want("SIP/2.0 " + want)
}

func cseq(m string) string { n, _, _ := strings.Cut(headerOf(m, "CSeq"), " "); return n }

func TestRefer(t *testing.T) {
	const trying, ringing, ok, busy = "SIP/2.0 100 Trying\r\n", "SIP/2.0 180 Ringing\r\n", "SIP/2.0 200 OK\r\n", "SIP/2.0 486 Busy Here\r\n"
	for _, c := range []struct {
		name   string
		phone  func(p *phone, refer string)
		status int
		want   []int
		took   time.Duration
	}{
		{"followed to its end", func(p *phone, refer string) {
			p.reply(refer, "202 Accepted")
			p.notify("refer", "active;expires=60", trying, "200")
			time.Sleep(time.Second)
			p.notify("refer;id="+cseq(refer), "active;expires=60", ringing, "200")
			time.Sleep(9 * time.Second)
			p.notify("refer", "terminated;reason=noresource", ok, "200")
			p.notify("refer", "terminated;reason=noresource", ok, "481") // late
		}, 202, []int{100, 180, 200}, 10 * time.Second},
		{"a NOTIFY before the answer", func(p *phone, refer string) {
			p.notify("refer", "active", trying, "200")
			p.reply(refer, "200 OK")
			time.Sleep(time.Minute) // the first has come
			p.notify("refer", "terminated", busy, "200")
		}, 200, []int{100, 486}, time.Minute},
		{"the end before the answer", func(p *phone, refer string) {
			p.notify("refer", "terminated", ok, "200")
			p.reply(refer, "202 Accepted")
		}, 202, []int{200}, 0},
		{"no NOTIFY", func(p *phone, refer string) {
			p.reply(refer, "202 Accepted")
			time.Sleep(32 * time.Second)
			synctest.Wait()
			p.notify("refer", "active", trying, "481")
		}, 202, nil, 32 * time.Second},
		{"no end", func(p *phone, refer string) {
			p.reply(refer, "202 Accepted")
			time.Sleep(31 * time.Second)
			p.notify("refer", "active", trying, "200")
			time.Sleep(149*time.Second + time.Millisecond)
			p.notify("refer", "active", ringing, "481")
		}, 202, []int{100}, 3 * time.Minute},
		{"more than anybody reads", func(p *phone, refer string) {
			for range 20 {
				p.notify("refer", "active", trying, "200")
			}
			p.notify("refer", "terminated", ok, "200")
			p.reply(refer, "202 Accepted")
		}, 202, append(slices.Repeat([]int{100}, 15), 200), 0},
		{"no subscription wanted", func(p *phone, refer string) {
			p.raw(strings.Replace(response(refer, "202 Accepted"), "\r\n\r\n", "\r\nRefer-Sub: false\r\n\r\n", 1))
			synctest.Wait()
			p.notify("refer", "active", trying, "481")
		}, 202, nil, 0},
		{"refused", func(p *phone, refer string) {
			p.reply(refer, "405 Method Not Allowed")
			synctest.Wait()
			p.notify("refer", "active", trying, "481")
		}, 405, nil, 0},
		{"declined", func(p *phone, refer string) { p.reply(refer, "603 Decline") }, 603, nil, 0},
		{"asked to wait first", func(p *phone, refer string) {
			p.reply(refer, "100 Trying")
			p.want("REFER ") // repeated once more, at T1
			time.Sleep(500 * time.Millisecond)
			p.reply(refer, "603 Decline")
		}, 603, nil, time.Second},
		{"no answer", func(p *phone, refer string) {
			for range 10 {
				p.want("REFER ")
			}
			time.Sleep(time.Second)
		}, 408, nil, 32 * time.Second},
		{"hung up after the answer", func(p *phone, refer string) {
			p.reply(refer, "202 Accepted")
			p.notify("refer", "active", trying, "200")
			p.bye()
		}, 202, []int{100}, 0},
		{"the BYE overtakes the answer", func(p *phone, refer string) {
			p.bye()
			p.reply(refer, "202 Accepted")
		}, 202, nil, 0},
		{"another event", func(p *phone, refer string) {
			p.reply(refer, "202 Accepted")
			p.notify("presence", "active", trying, "489")
			p.notify("refer;id=9999", "terminated", ok, "481")
			p.notify("refer", "terminated", ok, "200")
		}, 202, []int{200}, 0},
		{"a NOTIFY that says nothing", func(p *phone, refer string) {
			p.reply(refer, "202 Accepted")
			p.notify("refer", "active", "", "200")
			p.notify("refer", "active", "hello", "200")
			p.notify("refer", "terminated", "", "200")
		}, 202, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := make(chan transferred, 1)
			bubble(t, func(cfg *Config) { referring(cfg, "sip:bob@example.com", nil, result) }, func(b *bench) {
				p := b.phone("refer")
				p.invite(pcmu)
				p.ack("")
				c.phone(p, p.want("REFER sip:alice@192.0.2.7:5070 SIP/2.0"))
				got := <-result
				if got.status != c.status || !slices.Equal(got.statuses, c.want) || got.err != nil || got.took != c.took {
					t.Errorf("%+v", got)
				}
				synctest.Wait()
				if b.Calls() == 1 { // not hung up by the phone: the transfer has left it alone
					p.bye()
				}
			})
		})
	}
}

func response(req, status string) string {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		fmt.Fprintf(&b, "%s: %s\r\n", name, headerOf(req, name))
	}
	return b.String() + "Content-Length: 0\r\n\r\n"
}

func TestReferSays(t *testing.T) {
	result := make(chan transferred, 1)
	bubble(t, func(c *Config) {
		referring(c, "sip:bob@example.com;transport=tcp?Replaces=1@h;to-tag=2&X-A=b", map[string][]string{"X-Case": {"7"}, "User-to-User": {"56"}}, result)
	}, func(b *bench) {
		p := b.phone("says")
		p.invite(pcmu)
		p.ack("")
		m := p.want("REFER ")
		for name, want := range map[string]string{
			"Refer-To":     "<sip:bob@example.com;transport=tcp?Replaces=1%40h%3Bto-tag%3D2&X-A=b>",
			"Referred-By":  "<sip:hookswitch@192.0.2.1:5060>",
			"Contact":      "<sip:hookswitch@192.0.2.1:5060>",
			"X-Case":       "7",
			"User-to-User": "56",
			"To":           `"A" <sip:alice@example.com>;tag=a1`,
		} {
			if got := headerOf(m, name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		p.reply(m, "603 Decline")
		<-result
		p.bye()
	})
}

func TestReferredByAnother(t *testing.T) {
	result := make(chan transferred, 1)
	bubble(t, func(c *Config) {
		referring(c, "sip:bob@example.com", map[string][]string{"referred-by": {"<sip:carol@example.com>"}}, result)
	}, func(b *bench) {
		p := b.phone("by")
		p.invite(pcmu)
		p.ack("")
		m := p.want("REFER ")
		if headerOf(m, "Referred-By") != "" || headerOf(m, "referred-by") != "<sip:carol@example.com>" {
			t.Errorf("REFER: %s", m)
		}
		p.reply(m, "603 Decline")
		<-result
		p.bye()
	})
}

func TestReferCannot(t *testing.T) {
	for _, c := range []struct {
		name, uri, header, value, want string
	}{
		{"nowhere", "bob", "", "", "sip: refer: the URI must be"},
		{"a line end in the URI", "sip:bob@h?X=%0aY", "", "", "line end"},
		{"a line end in a header", "sip:bob@h", "X-A", "1\r\nVia: x", "sip: refer: header X-A has a line end"},
		{"no header name", "sip:bob@h", "X A", "1", `header "X A" is not one that may be set`},
		{"a header of ours", "sip:bob@h", "CALL-ID", "1", "may be set"},
		{"its short form", "sip:bob@h", "R", "<sip:evil@h>", "may be set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			headers := map[string][]string{}
			if c.header != "" {
				headers[c.header] = []string{c.value}
			}
			result := make(chan transferred, 1)
			bubble(t, func(cfg *Config) { referring(cfg, c.uri, headers, result) }, func(b *bench) {
				p := b.phone("cannot")
				p.invite(pcmu)
				p.ack("")
				if got := <-result; got.err == nil || !strings.Contains(got.err.Error(), c.want) {
					t.Errorf("%+v", got)
				}
				p.bye()
			})
		})
	}
	t.Run("before the answer, cut short, and after the end", func(t *testing.T) {
		short := errors.New("cut short")
		bubble(t, func(cfg *Config) {
			cfg.Answer = func(ctx context.Context, l *Leg) {
				if _, _, err := l.Refer(ctx, "sip:bob@h", nil); err == nil || !strings.Contains(err.Error(), "not been answered") {
					t.Errorf("before the answer: %v", err)
				}
				l.Answer(ctx)
				cut, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(time.Second, func() { cancel(short) })
				if _, _, err := l.Refer(cut, "sip:bob@h", nil); err != short {
					t.Errorf("cut short: %v", err)
				}
				<-ctx.Done()
				if _, _, err := l.Refer(ctx, "sip:bob@h", nil); err != ErrBye {
					t.Errorf("after the end: %v", err)
				}
			}
		}, func(b *bench) {
			p := b.phone("when")
			p.invite(pcmu)
			p.ack("")
			p.want("REFER ")
			p.want("REFER ")
			p.silent(10 * time.Second)
			p.notify("refer", "active", "SIP/2.0 100 Trying\r\n", "481") // nobody follows it
			p.bye()
		})
	})
}

// Two of ours at once are told apart by their CSeq.
func TestReferTwice(t *testing.T) {
	results := make(chan transferred, 2)
	bubble(t, func(c *Config) {
		c.Answer = func(ctx context.Context, l *Leg) {
			l.Answer(ctx)
			_, first, _ := l.Refer(ctx, "sip:bob@h", nil)
			_, second, _ := l.Refer(ctx, "sip:carol@h", nil)
			results <- transferred{status: <-second}
			results <- transferred{status: <-first}
			<-ctx.Done()
		}
	}, func(b *bench) {
		p := b.phone("twice")
		p.invite(pcmu)
		p.ack("")
		first := p.want("REFER ")
		p.reply(first, "202 Accepted")
		second := p.want("REFER ")
		p.reply(second, "202 Accepted")
		synctest.Wait()
		p.notify("refer;id="+cseq(second), "terminated", "SIP/2.0 486 Busy Here\r\n", "200")
		p.notify("refer;id="+cseq(first), "terminated", "SIP/2.0 200 OK\r\n", "200")
		if a, b := <-results, <-results; a.status != 486 || b.status != 200 {
			t.Errorf("second %d, first %d", a.status, b.status)
		}
		p.bye()
	})
}

// A server that closes does not wait for a transfer.
func TestReferAndClose(t *testing.T) {
	result := make(chan transferred, 1)
	bubble(t, func(c *Config) { referring(c, "sip:bob@h", nil, result) }, func(b *bench) {
		p := b.phone("close")
		p.invite(pcmu)
		p.ack("")
		p.reply(p.want("REFER "), "202 Accepted")
		synctest.Wait()
		start := time.Now()
		go func() { p.reply(p.want("BYE "), "200 OK") }()
		b.Close()
		if took := time.Since(start); took > byeTime {
			t.Errorf("closed after %v", took)
		}
		if got := <-result; got.status != 202 || len(got.statuses) != 0 {
			t.Errorf("%+v", got)
		}
	})
}
