package calltest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
)

// perform plays a script whose calls are taken by begin in place of a server.
func perform(t *testing.T, script string, begin func(ctx context.Context, st *stage, p *phone)) (got string) {
	t.Helper()
	s, err := Parse("x", []byte(script))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
		defer pacer.Close()
		tr := newTrace(s, origin)
		st := newStage(s, tr, pacer, newIDs(""))
		st.begin = func(p *phone, _ action) { begin(t.Context(), st, p) }
		st.run()
		st.close()
		got = tr.String()
	})
	return got
}

// dials takes the call of A and dials all of to at once; what becomes of each is in
// the trace. The call ends as soon as they are all over.
// Another call is answered.
func dials(to ...runtime.Destination) func(context.Context, *stage, *phone) {
	return func(ctx context.Context, st *stage, p *phone) {
		p.Answer(ctx)
		if p.letter != "A" {
			<-p.Done()
			return
		}
		var calls sync.WaitGroup
		for _, d := range to {
			d.CallSID = st.ids.make("CA")
			calls.Go(func() {
				said := func(text string) { st.trace.saw(d.CallSID, runtime.Event{Kind: text}) }
				said("dial " + d.To)
				leg, err := st.dial(ctx, d)
				if err != nil {
					var coded interface{ Code() int }
					said(fmt.Sprint("refused ", errors.As(err, &coded) && coded.Code() == 13225))
					return
				}
				for open, status := true, 0; open; {
					select {
					case status, open = <-leg.Progress():
						if open {
							said(fmt.Sprint(status, " sound ", leg.Stream() != nil))
						}
					case <-p.Done():
						open = false
					}
				}
				select {
				case <-leg.Done():
				case <-p.Done():
				}
				leg.Hangup(ctx)
				said(fmt.Sprint("over: ", leg.Err()))
			})
		}
		calls.Wait()
		p.Hangup(ctx)
	}
}

func TestDialled(t *testing.T) {
	to := func(targets ...string) (list []runtime.Destination) {
		for _, target := range targets {
			list = append(list, runtime.Destination{To: target, From: "+15550100"})
		}
		return list
	}
	for _, test := range []struct {
		name, script string
		to           []runtime.Destination
		want         string
	}{
		{"a leg of which nothing is said answers at once", "0s call /a\n2s B hangup\n", to("1"), `
0s B dial 1
0s B 200 sound true
2s B hangs up
2s B over: the other side hung up`},
		{"the legs come in the order of the calls", "B silent\nC silent\n0s call /a\n1s hangup\n", to("1", "2"), `
0s B dial 1
0s C dial 2
1s caller hangs up
1s B canceled
1s B over: the call was given up before it was answered
1s C canceled
1s C over: the call was given up before it was answered`},
		{"a leg that is named, and one that calls, are not the next", "C is 1\n0s call /a\n0s B call /b\n3s C hangup\n3s D hangup\n4s B hangup\n", to("2", "1"), `
0s C dial 1
0s D dial 2
0s D 200 sound true
0s C 200 sound true
3s C hangs up
3s C over: the other side hung up
3s D hangs up
3s D over: the other side hung up
4s B hangs up`},
		{"busy after ringing", "B rings after 1s\nB busy after 2s\n0s call /a\n", to("1"), `
0s B dial 1
1s B 180 sound false
2s B busy
2s B 486 sound false
2s B over: B answered 486`},
		{"ringing is told once", "B rings\nB rings after 1s\nB rejects 603 after 2s\n0s call /a\n", to("1"), `
0s B dial 1
0s B 180 sound false
2s B rejects 603
2s B 603 sound false
2s B over: B answered 603`},
		{"early sound", "B early 440Hz after 1s\nB answers after 2s\n0s call /a\n3s B hangup\n", to("1"), `
0s B dial 1
1s B 183 sound true
2s B 200 sound true
3s B hangs up
3s B over: the other side hung up`},
		{"what a leg does by the clock", "0s call /a\n1s B ring\n2s B early 440Hz\n3s B answer\n4s B hangup\n", to("1"), `
0s B dial 1
1s B 180 sound false
2s B 183 sound true
3s B 200 sound true
4s B hangs up
4s B over: the other side hung up`},
		{"one that may not be called", "B denied\n0s call /a\n1s B press 1\n", to("1"), `
0s B dial 1
0s B refused true
1s B press 1: the call is over`},
		{"too early and too late", "B answers after 2s\n0s call /a\n0s C press 1\n1s B press 1\n1s B hangup\n3s B busy\n4s B hangup\n5s B listen\n", to("1"), `
0s B dial 1
0s C press 1: nobody calls C
1s B press 1: B has not answered
1s B hangup: B has not answered
2s B 200 sound true
3s B busy: B has answered
4s B hangs up
4s B over: the other side hung up
5s B listen: the call is over`},
		{"a leg that nobody ends", "0s call /a\n", to("1"), `
0s B dial 1
0s B 200 sound true
10m0s caller hangs up
10m0s B over: the call was ended from this side`},
		{"what the INVITE says", "show INVITE\nB busy\n0s call /a\n", []runtime.Destination{{To: "1", Display: "Acme", Username: "bob",
			Headers: map[string][]string{"X-B": {"2"}, "X-A": {"1"}}}}, `
0s B dial 1
0s B INVITE from anonymous "Acme" X-A: 1 X-B: 2 as bob
0s B busy
0s B 486 sound false
0s B over: B answered 486`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := perform(t, test.script, dials(test.to...))
			if diff := Diff(test.want, got); diff != "" {
				t.Errorf("- is wanted, + is what happened:\n%s", diff)
			}
			for range 10 {
				if again := perform(t, test.script, dials(test.to...)); again != got {
					t.Fatalf("another play is not like the first:\n%s", Diff(got, again))
				}
			}
		})
	}
}

func TestDialledMoreThanThereAreLetters(t *testing.T) {
	got := perform(t, "0s call /a\n1s hangup\n", dials(make([]runtime.Destination, 26)...))
	if !strings.Contains(got, "Z dial") || !strings.Contains(got, "0s     refused false\n") {
		t.Errorf("not 25 calls and one refused:\n%s", got)
	}
}

func TestReferred(t *testing.T) {
	for _, test := range []struct{ name, script, want string }{
		{"without a setting", "0s call /a\n", "0s answer 202; 0s 100; 0s 200; 0s closed"},
		{"it takes a while", "A referred 202 after 1s, 180, 486 after 2s\n0s call /a\n", "1s answer 202; 1s 180; 3s 486; 3s closed"},
		{"refused", "A referred 405\n0s call /a\n", "0s answer 405"},
		{"nothing is ever told", "A referred 202\n0s call /a\n", "0s answer 202; 32s closed"},
		{"it never ends", "A referred 202, 100\n0s call /a\n", "0s answer 202; 0s 100; 3m0s closed"},
		{"the caller hangs up meanwhile", "A referred 202, 100, 200 after 9s\n0s call /a\n5s hangup\n", "0s answer 202; 0s 100; 5s closed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			perform(t, test.script, func(ctx context.Context, st *stage, p *phone) {
				p.Answer(ctx)
				began := time.Now()
				note := func(what ...any) {
					got = append(got, time.Since(began).String()+" "+strings.TrimSuffix(fmt.Sprintln(what...), "\n"))
				}
				status, told, err := p.Refer(ctx, "sip:carol@example.com", nil)
				if err != nil {
					t.Error(err)
				}
				note("answer", status)
				if told != nil {
					for status := range told {
						note(status)
					}
					note("closed")
				}
				p.Hangup(ctx)
			})
			if got := strings.Join(got, "; "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestRefer(t *testing.T) {
	const script = "0s call /a\n1s refer sip:carol@example.com\n9s hangup\n"
	for _, test := range []struct {
		name   string
		decide func(uri string, notify func(int)) bool
		want   string
	}{
		{"nobody decides", nil, "1s refer sip:carol@example.com: refused\n9s caller hangs up\n"},
		{"refused", func(string, func(int)) bool { return false }, "1s refer sip:carol@example.com: refused\n9s caller hangs up\n"},
		{"accepted, and told too late", func(_ string, notify func(int)) bool {
			time.AfterFunc(2*time.Second, func() { notify(180) })
			time.AfterFunc(10*time.Second, func() { notify(200) })
			return true
		}, "1s refer sip:carol@example.com: accepted\n3s notified 180\n9s caller hangs up\n"},
		{"another address", func(uri string, _ func(int)) bool { return uri == "sip:carol@example.com" },
			"1s refer sip:carol@example.com: accepted\n9s caller hangs up\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := perform(t, script, func(ctx context.Context, st *stage, p *phone) {
				p.Answer(ctx)
				p.OnRefer(test.decide)
				<-p.Done()
				time.Sleep(5 * time.Second)
			})
			if diff := Diff(test.want, got); diff != "" {
				t.Errorf("- is wanted, + is what happened:\n%s", diff)
			}
		})
	}
}

// TestOrder: of things that happen on several legs at once, those of one leg
// stay together, first the one that began it, and rooms come last.
func TestOrder(t *testing.T) {
	const script = "0s call /a\n0s B call /b\n0s C call /c\n1s C press 1\n"
	const want = `
0s answer
0s B answer
0s C answer
1s C one
1s C two
1s one
1s two
1s B one
1s B two
1s conference end`
	for range 300 {
		got := perform(t, script, func(ctx context.Context, st *stage, p *phone) {
			p.Answer(ctx)
			st.trace.saw(p.sid, runtime.Event{Kind: "answer"})
			if p.letter == "C" {
				keys := p.Stream().Keys(ctx)
				<-keys
				for _, other := range st.letters() {
					st.phones[other].end(errEnded)
				}
			} else {
				<-p.Done()
			}
			if p.letter == "A" {
				st.trace.saw("", runtime.Event{Kind: "conference end"})
			}
			st.trace.saw(p.sid, runtime.Event{Kind: "one"})
			st.trace.saw(p.sid, runtime.Event{Kind: "two"})
		})
		if diff := Diff(want, got); diff != "" {
			t.Fatalf("- is wanted, + is what happened:\n%s", diff)
		}
	}
}
