package runtime

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

func TestConnectTalksBothWays(t *testing.T) {
	var a *app
	streams(t, texml.Twilio, one(&a), func(t *testing.T, c *streaming) {
		over := make(chan error, 1)
		go func() {
			_, err := c.connectStream(t.Context(), echo("wss://user.example.com/media?token=1"))
			over <- err
		}()
		wait(205 * time.Millisecond)
		if got := c.apps.asked[0].URL; got != "wss://user.example.com/media" {
			t.Errorf("opened %s", got)
		}
		if got, want := a.events(), "connected start"; got != want {
			t.Errorf("the server got %q, want %q", got, want)
		}
		if n := a.media["inbound"]; n < 9 || n > 11 || a.media["outbound"] != 0 {
			t.Errorf("%v media messages in 200 ms", a.media)
		}
		c.caller.stream.Press('5')
		a.say(`{"event":"media","streamSid":"MZ1","media":{"payload":"%s"}}`, sounding(400*time.Millisecond))
		a.say(`{"event":"mark","streamSid":"MZ1","mark":{"name":"a"}}`)
		wait(300 * time.Millisecond)
		if !c.caller.hears() {
			t.Error("the caller hears nothing")
		}
		if got, want := a.events(), "connected start dtmf:5"; got != want {
			t.Errorf("while it plays the server got %q, want %q", got, want)
		}
		wait(140 * time.Millisecond)
		if got, want := a.events(), "connected start dtmf:5 mark:a"; got != want {
			t.Errorf("when it was played the server got %q, want %q", got, want)
		}
		a.say(`{"event":"mark","streamSid":"MZ1","mark":{"name":"at once"}}`)
		wait(0)
		if got, want := a.events(), "connected start dtmf:5 mark:a mark:at once"; got != want {
			t.Errorf("without sound the server got %q, want %q", got, want)
		}
		a.shut(io.EOF)
		wait(0)
		if err := <-over; err != nil {
			t.Errorf("it ended with %v", err)
		}
		if got, want := c.told.events(), "stream-started stream-stopped"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		if got := c.warnings(); got != "" {
			t.Errorf("warned with %q", got)
		}
	})
}

func TestClearStopsWithinAFrame(t *testing.T) {
	for _, tt := range []struct {
		name    string
		dialect texml.Dialect
		connect bool
		sid     string
	}{
		{"Twilio, Connect", texml.Twilio, true, `"streamSid":"MZ1",`},
		{"Telnyx, Start", texml.Telnyx, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a *app
			streams(t, tt.dialect, one(&a), func(t *testing.T, c *streaming) {
				ctx, end := context.WithCancel(t.Context())
				defer end()
				if tt.connect {
					go c.connectStream(ctx, echo("wss://user.example.com/media"))
				} else {
					c.begin(echo("wss://user.example.com/media"))
				}
				wait(100 * time.Millisecond)
				a.say(`{%s"event":"media","media":{"payload":"%s"}}`, tt.sid, sounding(10*time.Second))
				for _, mark := range []string{"a", "b"} {
					a.say(`{%s"event":"mark","mark":{"name":"%s"}}`, tt.sid, mark)
				}
				wait(time.Second)
				if !c.caller.hears() {
					t.Fatal("the caller hears nothing")
				}
				a.say(`{%s"event":"clear"}`, tt.sid)
				wait(20 * time.Millisecond)
				if c.caller.hears() {
					t.Error("20 ms after clear it is still heard")
				}
				if got, want := a.events(), "connected start mark:a mark:b"; got != want {
					t.Errorf("the server got %q, want %q", got, want)
				}
				end()
				wait(0)
			})
		})
	}
}

func TestTheEndOfACallIsTold(t *testing.T) {
	var a *app
	streams(t, texml.Twilio, one(&a), func(t *testing.T, c *streaming) {
		why := errors.New("over")
		ctx, end := context.WithCancelCause(t.Context())
		over := make(chan error, 1)
		go func() {
			_, err := c.connectStream(ctx, echo("/media"))
			over <- err
		}()
		wait(100 * time.Millisecond)
		a.say(`{"event":"media","streamSid":"MZ1","media":{"payload":"%s"}}`, sounding(time.Second))
		a.say(`{"event":"mark","streamSid":"MZ1","mark":{"name":"never played"}}`)
		wait(100 * time.Millisecond)
		end(why)
		wait(0)
		if err := <-over; err != why {
			t.Errorf("it ended with %v, want the cause", err)
		}
		if got, want := a.events(), "connected start stop"; got != want || a.code != 1000 {
			t.Errorf("the server got %q and code %d, want %q and 1000", got, a.code, want)
		}
		if got := c.apps.asked[0].URL; got != "wss://example.com/media" {
			t.Errorf("opened %s", got)
		}
	})
}

// A server that does not read costs no memory: what is said meanwhile is lost,
// counted, and told.
func TestASlowServerLosesSound(t *testing.T) {
	var a *app
	streams(t, texml.Twilio, one(&a), func(t *testing.T, c *streaming) {
		n := echo("wss://user.example.com/media")
		n.Track = "both_tracks"
		c.begin(n)
		wait(time.Second)
		before := a.media["inbound"] + a.media["outbound"]
		wake := a.sleep()
		wait(25 * time.Second)
		if got, want := c.warnings(), "31931 31931 31931"; got != want {
			t.Errorf("warned with %q, want %q", got, want)
		}
		wake()
		wait(0)
		after := a.media["inbound"] + a.media["outbound"]
		if sent := after - before; sent < 300 || sent > 303 {
			t.Errorf("%d messages of the 25 s came, want the last 300", sent)
		}
		c.stopServices(t.Context())
		wait(0)
		lost := 0
		c.mu.Lock()
		for _, e := range c.events {
			if e.Code == 31931 {
				var n int
				if _, err := fmt.Sscanf(e.Text[strings.Index(e.Text, "lost: "):], "lost: %d", &n); err != nil {
					t.Error(e.Text, err)
				}
				lost += n
			}
		}
		c.mu.Unlock()
		if total := lost + after; total < 2*26*50-4 || total > 2*26*50+4 {
			t.Errorf("%d sent and %d lost, want 2600 together", after, lost)
		}
		if at := a.last["media"].(map[string]any)["timestamp"]; at != "25980" && at != "25960" && at != "26000" {
			t.Errorf("the last has the time %v, want 26 s", at)
		}
	})
}

// A server that never reads again does not hold the call.
func TestADeafServerDoesNotHoldTheCall(t *testing.T) {
	var a *app
	streams(t, texml.Twilio, one(&a), func(t *testing.T, c *streaming) {
		c.begin(echo("wss://user.example.com/media"))
		wait(time.Second)
		defer a.sleep()()
		wait(time.Second)
		began := time.Now()
		c.stopServices(t.Context())
		if took := time.Since(began); took > goodbye {
			t.Errorf("the end took %v", took)
		}
	})
}

func TestWrongMessagesAreTold(t *testing.T) {
	for _, tt := range []struct {
		name     string
		dialect  texml.Dialect
		mode     string
		messages []string
		warnings string
		events   string
	}{
		{"Twilio", texml.Twilio, "rtp", []string{`hello`, `{"event":"what","streamSid":"MZ1"}`, `{"event":"clear","streamSid":"MZ9"}`}, "31950 31951 31951", "connected start stop"},
		{"Telnyx", texml.Telnyx, "rtp", []string{`hello`, `{"event":"media","media":{"payload":"*"}}`}, "100003 100004", "connected start error:100003 error:100004 stop"},
		{"Telnyx, too long", texml.Telnyx, "rtp", []string{`{"event":"media","media":{"payload":"` + sounding(31*time.Second) + `"}}`}, "100004", "connected start error:100004 stop"},
		{"Telnyx, no MP3", texml.Telnyx, "mp3", []string{`{"event":"media","media":{"payload":"` + sounding(time.Second) + `"}}`}, "100004", "connected start error:100004 stop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a *app
			streams(t, tt.dialect, one(&a), func(t *testing.T, c *streaming) {
				ctx, end := context.WithCancel(t.Context())
				n := echo("wss://user.example.com/media")
				n.BidirectionalMode = tt.mode
				over := make(chan error, 1)
				go func() {
					_, err := c.connectStream(ctx, n)
					over <- err
				}()
				wait(50 * time.Millisecond)
				for _, m := range tt.messages {
					a.say("%s", m)
				}
				wait(50 * time.Millisecond)
				end()
				<-over
				if got := c.warnings(); got != tt.warnings {
					t.Errorf("warned with %q, want %q", got, tt.warnings)
				}
				if got := a.events(); got != tt.events {
					t.Errorf("the server got %q, want %q", got, tt.events)
				}
			})
		})
	}
}

// A server that sends nothing right cannot keep the machine busy.
func TestNonsenseIsReadSlowly(t *testing.T) {
	var a *app
	streams(t, texml.Telnyx, one(&a), func(t *testing.T, c *streaming) {
		c.begin(echo("wss://user.example.com/media"))
		wait(50 * time.Millisecond)
		for range 5000 {
			a.say("hello")
		}
		wait(5 * time.Second)
		if read := 5000 - len(a.sends); read < mostWrong || read > 700 {
			t.Errorf("%d messages were read in 5 s, want %d at once and then 100 a second", read, mostWrong)
		}
		c.stopServices(t.Context())
	})
}

func TestMP3s(t *testing.T) {
	file, err := os.ReadFile("../testdata/audio/tone-16k.mp3")
	if err != nil {
		t.Fatal(err)
	}
	var a *app
	streams(t, texml.Telnyx, one(&a), func(t *testing.T, c *streaming) {
		n := echo("wss://user.example.com/media")
		n.BidirectionalMode = "mp3"
		c.begin(n)
		wait(100 * time.Millisecond)
		mp3 := `{"event":"media","media":{"payload":"` + base64.StdEncoding.EncodeToString(file) + `"}}`
		a.say("%s", mp3)
		a.say("%s", mp3)
		wait(100 * time.Millisecond)
		if !c.caller.hears() {
			t.Error("the caller hears nothing")
		}
		if got, want := a.events(), "connected start error:100005"; got != want {
			t.Errorf("the server got %q, want %q", got, want)
		}
		wait(time.Second)
		a.say("%s", mp3)
		wait(100 * time.Millisecond)
		if got, want := a.events(), "connected start error:100005"; got != want {
			t.Errorf("a second later the server got %q, want %q", got, want)
		}
	})
}

func TestSoundAheadIsBounded(t *testing.T) {
	var a *app
	streams(t, texml.Twilio, one(&a), func(t *testing.T, c *streaming) {
		ctx, end := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() {
			_, err := c.connectStream(ctx, echo("wss://user.example.com/media"))
			over <- err
		}()
		wait(50 * time.Millisecond)
		minute := sounding(time.Minute)
		for range 8 {
			a.say(`{"event":"media","streamSid":"MZ1","media":{"payload":"%s"}}`, minute)
		}
		a.say(`{"event":"mark","streamSid":"MZ1","mark":{"name":"end"}}`)
		wait(5*time.Minute - 100*time.Millisecond)
		if got := a.events(); got != "connected start" {
			t.Errorf("after 4:59.9 the server got %q", got)
		}
		wait(200 * time.Millisecond)
		if got := a.events(); got != "connected start mark:end" {
			t.Errorf("after 5:00.1 the server got %q", got)
		}
		end()
		<-over
		if got, want := c.warnings(), "31930 31930"; got != want {
			t.Errorf("warned with %q, want %q", got, want)
		}
	})
}

func TestALostSocketIsOpenedAgain(t *testing.T) {
	broken := &webhook.Error{Code: 31903, URL: "wss://user.example.com/media", Err: errors.New("the connection broke")}
	for _, tt := range []struct {
		name      string
		dialect   texml.Dialect
		reconnect bool
		refusals  int
		after     time.Duration
		told      string
		asked     int
	}{
		{"at the third try", texml.Telnyx, true, 2, 7 * time.Second, "stream-started stream-stopped", 4},
		{"never", texml.Telnyx, true, 3, 7 * time.Second, "stream-started stream-failed", 4},
		{"not when nobody wants it", texml.Telnyx, false, 0, 0, "stream-started stream-failed", 1},
		{"not by Twilio", texml.Twilio, true, 0, 0, "stream-started stream-error", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var first, second *app
			streams(t, tt.dialect, func(t *testing.T) []*app {
				first, second = newApp(t), newApp(t)
				return append(append([]*app{first}, make([]*app, tt.refusals)...), second)
			}, func(t *testing.T, c *streaming) {
				n := echo("wss://user.example.com/media")
				n.EnableReconnect = tt.reconnect
				c.begin(n)
				wait(100 * time.Millisecond)
				first.shut(broken)
				wait(tt.after)
				if strings.HasSuffix(tt.told, "stopped") {
					wait(100 * time.Millisecond)
					if got, want := second.events(), "connected start"; got != want || second.media["inbound"] == 0 {
						t.Errorf("the server got %q and %v, want %q and sound", got, second.media, want)
					}
					c.stopServices(t.Context())
				}
				if got := c.told.events(); got != tt.told {
					t.Errorf("told %q, want %q", got, tt.told)
				}
				if got := len(c.apps.asked); got != tt.asked {
					t.Errorf("opened %d times, want %d", got, tt.asked)
				}
			})
		})
	}
}

func TestHowManyStreamsACallHas(t *testing.T) {
	named := func(name, track string) *texml.Stream {
		n := echo("wss://user.example.com/" + name)
		n.Label, n.Track = name, track
		return n
	}
	var all []*app
	five := func(t *testing.T) []*app {
		all = nil
		for range 5 {
			all = append(all, newApp(t))
		}
		return all
	}
	t.Run("Twilio has four tracks", func(t *testing.T) {
		streams(t, texml.Twilio, five, func(t *testing.T, c *streaming) {
			c.begin(named("a", "both_tracks"))
			synctest.Wait()
			c.begin(named("b", "both_tracks"))
			c.begin(named("c", "inbound_track"))
			wait(50 * time.Millisecond)
			if got := c.warnings(); got != "31960" || len(c.apps.asked) != 2 {
				t.Errorf("warned with %q and opened %d, want 31960 and 2", got, len(c.apps.asked))
			}
			all[0].shut(io.EOF)
			wait(0)
			c.begin(named("a", "inbound_track")) // its name and its place are free again
			wait(50 * time.Millisecond)
			if got := c.warnings(); got != "31960" || len(c.apps.asked) != 3 {
				t.Errorf("warned with %q and opened %d, want 31960 and 3", got, len(c.apps.asked))
			}
		})
	})
	t.Run("a name is one stream's", func(t *testing.T) {
		streams(t, texml.Twilio, five, func(t *testing.T, c *streaming) {
			c.begin(named("a", "inbound_track"))
			c.begin(named("a", "inbound_track"))
			wait(50 * time.Millisecond)
			if got := c.warnings(); got != "31900" || len(c.apps.asked) != 1 {
				t.Errorf("warned with %q and opened %d, want 31900 and 1", got, len(c.apps.asked))
			}
		})
	})
	t.Run("Telnyx has one, the last", func(t *testing.T) {
		streams(t, texml.Telnyx, five, func(t *testing.T, c *streaming) {
			c.begin(named("a", "inbound_track"))
			wait(50 * time.Millisecond)
			c.begin(named("b", "inbound_track"))
			wait(50 * time.Millisecond)
			if got, want := all[0].events(), "connected start stop"; got != want {
				t.Errorf("the first got %q, want %q", got, want)
			}
			if got, want := all[1].events(), "connected start"; got != want || len(c.services) != 1 {
				t.Errorf("the second got %q, want %q; %d go on", got, want, len(c.services))
			}
		})
	})
}

func TestConnectors(t *testing.T) {
	for _, tt := range []struct {
		name, connector, url string
		asked, warnings      string
	}{
		{"one of the configuration", "bot", "", "wss://bot.example.com/media", ""},
		{"with a URL of the document", "bot", "wss://bot.example.com/other", "wss://bot.example.com/other", ""},
		{"nobody knows it", "who", "", "", "31940"},
		{"it is for something else", "srs", "", "", "31942"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a *app
			streams(t, texml.Twilio, one(&a), func(t *testing.T, c *streaming) {
				n := echo(tt.url)
				n.ConnectorName = tt.connector
				c.begin(n)
				wait(50 * time.Millisecond)
				asked := ""
				if len(c.apps.asked) > 0 {
					asked = c.apps.asked[0].URL
					if got, want := c.apps.asked[0].Header.Get("Authorization"), "Basic am9lOnNlY3JldA=="; got != want {
						t.Errorf("logs in as %q, want %q", got, want)
					}
				}
				if asked != tt.asked || c.warnings() != tt.warnings {
					t.Errorf("opened %q and warned with %q, want %q and %q", asked, c.warnings(), tt.asked, tt.warnings)
				}
			})
		})
	}
}

func TestStreamCallbacks(t *testing.T) {
	for _, d := range []texml.Dialect{texml.Twilio, texml.Telnyx} {
		streams(t, d, func(*testing.T) []*app { return nil }, func(t *testing.T, c *streaming) {
			n := echo("wss://user.example.com/media")
			n.Label = "mine"
			c.begin(n)
			wait(50 * time.Millisecond)
			want := url.Values{
				"AccountSid": {"AC1"}, "CallSid": {"CA1"}, "StreamSid": {"MZ1"}, "StreamName": {"mine"}, "StreamEvent": {"stream-error"},
				"StreamError": {"webhook wss://user.example.com/media: the server answered 403 (31920)"}, "Timestamp": {"2000-01-01T00:00:00.000Z"},
			}
			if d == texml.Telnyx {
				want.Set("StreamEvent", "stream-failed")
				want.Set("StreamError", "connection_failed")
				want.Set("CallSidLegacy", "CA1")
			}
			if got := c.told.owed[0].Encode(); got != want.Encode() {
				t.Errorf("%v told\n%s, want\n%s", d, got, want.Encode())
			}
		})
	}
}
