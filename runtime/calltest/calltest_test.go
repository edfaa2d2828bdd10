package calltest_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/runtime/calltest"
)

// TestRepeats plays scripts again and again, several at a time: each has the
// same bytes every time.
func TestRepeats(t *testing.T) {
	times := 60
	if testing.Short() {
		times = 20
	}
	for _, name := range []string{
		"gather_digit_stops_prompt", "gather_finish_on_key", "gather_timeout_falls_through", "play_tone", "reject_busy",
		"say_caller_hangs_up", "redirect_slow_server_falls_back", "gather_key_in_second_prompt", "gather_key_while_fetching",
		"play_digits", "play_ring_tone_telnyx", "redirect_circle_telnyx", "callback_all_twilio", "callback_keeps_order",
		"callback_server_down", "call_on_hold", "call_time_limit_telnyx", "dial_two_phones_ring", "dial_early_sound_and_recording",
		"calltest_says", "calltest_says_conference", "calltest_ears_asked", "calltest_socket_twilio", "calltest_socket_tracks_twilio",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := calltest.ReadFile(filepath.Join("../../testdata/calls", name+".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			first := calltest.Play(t, s, calltest.Env{})
			for i := range times {
				if got := calltest.Play(t, s, calltest.Env{}); got != first {
					t.Fatalf("play %d differs from the first:\n%s", i+2, calltest.Diff(first, got))
				}
			}
		})
	}
}

// TestTies plays scripts in which two things happen at the same instant.
func TestTies(t *testing.T) {
	const menu = "-- POST /a --\n<Response><Gather timeout=\"2\" numDigits=\"1\" action=\"/b\"><Say>One two.</Say></Gather><Say>Late.</Say></Response>\n" +
		"-- POST /b --\n<Response><Pause length=\"1\"/></Response>\n"
	for _, test := range []struct{ name, script string }{
		{"a key and the end of a prompt", "0s call /a\n800ms press 1\n" + menu},
		{"a key and the end of a gather", "0s call /a\n2.8s press 1\n" + menu},
		{"a hang-up and the end of a prompt", "0s call /a\n800ms hangup\n" + menu},
		{"a hang-up and the end of a gather", "0s call /a\n2.8s hangup\n" + menu},
		{"the limit of a call and the end of a pause", "limit 3s\n0s call /a\n-- POST /a --\n<Response><Pause length=\"3\"/><Say>Late.</Say></Response>\n"},
		{"an answer at the limit of time", "0s call /a\n-- POST /a --\ndelay: 15s\n\n<Response/>\n"},
		{"two keys at once", "0s call /a\n400ms press 1\n400ms info 2\n" + menu},
		{"callbacks and a hang-up", "status /s initiated ringing answered completed\n0s call /a\n0s hangup\n" + menu},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := calltest.Parse("tie.txtar", []byte(test.script))
			if err != nil {
				t.Fatal(err)
			}
			first := calltest.Play(t, s, calltest.Env{})
			for range 100 {
				if got := calltest.Play(t, s, calltest.Env{}); got != first {
					t.Fatalf("one play is not like the other:\n%s", calltest.Diff(first, got))
				}
			}
			if testing.Verbose() {
				t.Log("\n" + first)
			}
		})
	}
}

func TestPlay(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         []string // among the lines of the trace
	}{
		{"a missing section is named", "0s call /a\n", []string{"0s the script has no section -- POST /a --"}},
		{"the sections of one name are given in turn", "0s call /a\n-- POST /a --\n<Response><Redirect>/a</Redirect></Response>\n-- POST /a --\n<Response><Say>Second.</Say></Response>\n",
			[]string{"0s POST /a", `0s say "Second."`}},
		{"a query has a section of its own", "0s call /a\n-- POST /a --\n<Response><Redirect>/b?x=1</Redirect></Response>\n-- POST /b --\n<Response/>\n-- POST /b?x=1 --\n<Response><Say>One.</Say></Response>\n",
			[]string{`0s say "One."`}},
		{"what nobody hears is told", "0s call /a\n1s press 1\n9s press 2\n-- POST /a --\ndelay: 2s\n\n<Response/>\n",
			[]string{"1s press 1: nobody has answered", "9s press 2: the call is over"}},
		{"parameters are shown on request", "show From\n0s call /a\n-- POST /a --\n<Response/>\n", []string{"0s POST /a From=+15550100"}},
		{"a caller has patience for ten minutes", "0s call /a\n-- POST /a --\n<Response><Pause length=\"180\"/><Redirect/></Response>\n",
			[]string{"10m0s caller hangs up", "9m0s POST /a"}},
		{"a long wait is waited for", "0s call /a\n11m wait\n-- POST /a --\n<Response><Pause length=\"180\"/><Redirect/></Response>\n",
			[]string{"18m0s POST /a", "21m0s caller hangs up"}},
		{"a slow callback is waited for", "status /s\n0s call /a\n-- POST /a --\n<Response/>\n-- POST /s --\ndelay: 3s\n\n",
			[]string{"0s callback POST /s CallDuration=0 CallStatus=completed HangupCause=normal_clearing HangupSource=callee SequenceNumber=0"}},
		{"hold stops our sound", "0s call /a\n500ms hold\n700ms listen\n1s resume\n1.2s listen\n-- POST /a --\n<Response><Say>One two three four.</Say></Response>\n",
			[]string{"700ms hears silence", "1.2s hears 200 Hz"}},
		{"on hold the caller can be heard", "0s call /a\n0s tone 440Hz 3s\n1s hold\n-- POST /a --\n<Response><Record playBeep=\"false\" trim=\"do-not-trim\" maxLength=\"3\"/></Response>\n",
			[]string{"2.98s recording 3s: 440 Hz 3s | silence 3s"}},
		{"on hold inactive, not", "0s call /a\n0s tone 440Hz 3s\n1s hold inactive\n-- POST /a --\n<Response><Record playBeep=\"false\" trim=\"do-not-trim\" maxLength=\"3\"/></Response>\n",
			[]string{"2.98s recording 3s: 440 Hz 1.1s, silence 1.9s | silence 3s"}},
		{"another caller has a number of its own", "show From To\nB to +15559999\n0s call /a\n1s B call /a\n2s C call /a\n-- POST /a --\n<Response><Pause length=\"3\"/></Response>\n",
			[]string{"0s POST /a From=+15550100 To=+15550199", "1s B POST /a From=+15550101 To=+15559999", "2s C POST /a From=+15550102 To=+15550199", "4s B hangup"}},
		{"no server outside", "0s call http://127.0.0.1:1/a\n", []string{"0s POST http://127.0.0.1:1/a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := calltest.Parse("test.txtar", []byte(test.script))
			if err != nil {
				t.Fatal(err)
			}
			got := calltest.Play(t, s, calltest.Env{})
			lines := strings.Split(got, "\n")
			for i, l := range lines {
				lines[i] = strings.Join(strings.Fields(l), " ")
			}
			for _, want := range test.want {
				if !slices.Contains(lines, want) {
					t.Errorf("no line %q in:\n%s", want, got)
				}
			}
		})
	}
}
