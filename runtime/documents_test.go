package runtime_test

import (
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/calltest"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// TestDocumentsTooLargeForAScript plays calls whose documents are too long to
// be read in a script, or are not UTF-8.
func TestDocumentsTooLargeForAScript(t *testing.T) {
	say := func(n int) string { return "<Response><Say>" + strings.Repeat("x", n) + "</Say></Response>" }
	for _, test := range []struct {
		name, settings, document string
		want                     string // a line of the trace begins like this
	}{
		{"64 KB are read", "dialect twilio", "<Response><Pause/>" + strings.Repeat(" ", 64<<10-18-11-1) + "</Response>", "1s hangup"},
		{"more are error 11750", "dialect twilio", "<Response><Pause/>" + strings.Repeat(" ", 64<<10-18-11) + "</Response>",
			"0s error webhook /a: the answer is larger than 64 KB (11750)"},
		{"Twilio speaks 4096 characters", "dialect twilio", say(4096), "0s answer"},
		{"more are warning 13521", "dialect twilio", say(4097), "0s warning /a:1:11: <Say> has 4097 characters, more than 4096; all are spoken here; split it (13521)"},
		{"Telnyx speaks 5000 characters", "dialect telnyx", say(5000), "0s answer"},
		{"more are code 90010", "dialect telnyx", say(5001), "0s warning /a:1:11: <Say> has 5001 characters, more than 5000; all are spoken here; split it (90010)"},
		{"Latin-1 is read when it is declared", "dialect twilio", "<?xml version='1.0' encoding='ISO-8859-1'?><Response><Say>Gr\xfc\xdfe</Say></Response>", `0s say "Grüße"`},
		{"bytes that are no UTF-8 are error 12100", "dialect twilio", "<Response><Say>Gr\xfc\xdfe</Say></Response>", "0s error /a:1:"},
		{"33 elements inside each other are too deep", "dialect twilio", strings.Repeat("<Response>", 33) + strings.Repeat("</Response>", 33), "0s error /a:1:321: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines := traceOf(t, test.settings+"\n0s call /a\n-- POST /a --\n"+test.document+"\n")
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, test.want) }) {
				t.Errorf("no line %q in:\n%.2000s", test.want, strings.Join(lines, "\n"))
			}
		})
	}
}

// traceOf plays a script and returns the lines of its trace, with one blank
// between the words.
func traceOf(t *testing.T, script string) (lines []string) {
	t.Helper()
	s, err := calltest.Parse("test.txtar", []byte(script))
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(calltest.Play(t, s, calltest.Env{})) {
		lines = append(lines, strings.Join(strings.Fields(l), " "))
	}
	return lines
}

func TestACallRunsTwoThousandDocuments(t *testing.T) {
	lines := traceOf(t, "dialect twilio\nvoice none\n0s call /a\n3h wait\n-- POST /a --\n<Response><Play digits='1'/><Redirect/></Response>\n")
	asked := 0
	for _, l := range lines {
		if strings.HasSuffix(l, "POST /a") {
			asked++
		}
	}
	if asked != 2000 {
		t.Errorf("%d documents were asked for, want 2000", asked)
	}
	if want := "5m20s error the call ran 2000 documents; end it before that (14106)"; !slices.Contains(lines, want) {
		t.Errorf("no line %q at the end:\n%s", want, strings.Join(lines[max(0, len(lines)-5):], "\n"))
	}
}

func TestAFallbackThatLeadsBackEnds(t *testing.T) {
	lines := traceOf(t, "dialect telnyx\nfallback /b\n0s call /a\n-- POST /a --\nstatus: 404\n-- POST /b --\n<Response><Redirect>/a</Redirect></Response>\n")
	asked := 0
	for _, l := range lines {
		if strings.HasSuffix(l, "POST /a") {
			asked++
		}
	}
	if last := lines[len(lines)-1]; asked != 50 || !strings.HasSuffix(last, "reject 503 Service Unavailable") {
		t.Errorf("asked %d times, and then %q; want 25 times, again 25 after the fallback for that, and 503", asked, last)
	}
}

func TestTwilioEndsALoopOfZero(t *testing.T) {
	lines := traceOf(t, "dialect twilio\n0s call /a\n3h wait\n-- POST /a --\n<Response><Say loop='0'>Hold.</Say></Response>\n")
	said := 0
	for _, l := range lines {
		if strings.HasSuffix(l, `say "Hold."`) {
			said++
		}
	}
	if last := lines[len(lines)-1]; said != 1000 || last != "6m40s hangup" {
		t.Errorf("said %d times, and then %q; want 1000 times and 6m40s hangup", said, last)
	}
}

// exchange records what a server is sent and answers by path.
type exchange struct {
	answers map[string]string
	cookies bool
	seen    []*http.Request
}

func (e *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	e.seen = append(e.seen, r)
	h := http.Header{"Content-Type": {"text/xml"}}
	if e.cookies {
		h.Set("Set-Cookie", "visit="+strings.TrimPrefix(r.URL.Path, "/")+"; Path=/")
	}
	return &http.Response{StatusCode: 200, ProtoMajor: 1, Header: h, Request: r,
		Body: io.NopCloser(strings.NewReader(e.answers[r.URL.Path]))}, nil
}

// call runs a call that begins with url and that nobody answers.
func (e *exchange) call(t *testing.T, s *runtime.Server, url string) {
	s.Run(t.Context(), newLeg(), runtime.Setup{
		Account: runtime.Account{SID: "AC1", AuthToken: "12345"}, Dialect: texml.Twilio, First: runtime.Request{URL: url},
	})
}

func TestCookiesAreKeptForOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &exchange{cookies: true, answers: map[string]string{
			"/one": "<Response><Redirect>/two</Redirect></Response>",
			"/two": "<Response><Reject/></Response>",
		}}
		s := runtime.New(runtime.Config{Store: store.Memory(), Web: webhook.New(webhook.Config{Transport: e})})
		e.call(t, s, "http://a.example.com/one")
		e.call(t, s, "http://a.example.com/one")
		s.Close()
		var sent []string
		for _, r := range e.seen {
			sent = append(sent, r.URL.Path+" "+r.Header.Get("Cookie"))
		}
		if got, want := strings.Join(sent, ", "), "/one , /two visit=one, /one , /two visit=one"; got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	})
}

func TestPasswordsGoWithRelativeURLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &exchange{answers: map[string]string{
			"/one":   "<Response><Redirect>two</Redirect></Response>",
			"/two":   "<Response><Redirect>http://b.example.com/three</Redirect></Response>",
			"/three": "<Response><Reject/></Response>",
		}}
		s := runtime.New(runtime.Config{Store: store.Memory(), Web: webhook.New(webhook.Config{Transport: e})})
		e.call(t, s, "http://jo:secret@a.example.com/one")
		s.Close()
		var sent []string
		for _, r := range e.seen {
			user, password, _ := r.BasicAuth()
			sent = append(sent, r.URL.Path+" "+user+":"+password)
			if r.Header.Get("X-Twilio-Signature") == "" {
				t.Errorf("%s was not signed", r.URL.Path)
			}
		}
		if got, want := strings.Join(sent, ", "), "/one jo:secret, /two jo:secret, /three :"; got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	})
}

// TestNothingPrivateIsStored plays a call full of secrets and looks for them in
// all that is kept of it and all that is logged.
func TestNothingPrivateIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const canary = "canary"
		e := &exchange{answers: map[string]string{
			"/one": "<Response><Redirect>/two?key=" + canary + "</Redirect></Response>",
			"/two": "<Response><Say>" + canary + "</Say>",
		}}
		var logged strings.Builder
		st := store.Memory()
		s := runtime.New(runtime.Config{Store: st, Log: logTo(&logged), Web: webhook.New(webhook.Config{Transport: e, Log: logTo(&logged)})})
		e.call(t, s, "http://jo:"+canary+"@a.example.com/one?token="+canary+"#rc=2")
		s.Close()
		calls, err := st.Calls(t.Context(), "AC1", 10)
		if err != nil || len(calls) != 1 {
			t.Fatal(calls, err)
		}
		events, err := st.Events(t.Context(), "AC1", calls[0].SID)
		if err != nil || len(events) == 0 {
			t.Fatal("no timeline", err)
		}
		for _, ev := range events {
			if strings.Contains(ev.Text, canary) {
				t.Errorf("stored: %s %s", ev.Kind, ev.Text)
			}
		}
		if strings.Contains(calls[0].ErrorMessage, canary) {
			t.Errorf("in the record: %s", calls[0].ErrorMessage)
		}
		if strings.Contains(logged.String(), canary) {
			t.Errorf("logged: %s", logged.String())
		}
		if logged.Len() == 0 {
			t.Error("nothing was logged, so nothing is shown by this test")
		}
	})
}

func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
