package calltest

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
)

func TestParseErrors(t *testing.T) {
	const ok = "0s call /voice\n"
	for _, test := range []struct{ name, script, want string }{
		{"an empty script", "", "x:1: nothing happens in this script; begin with: 0s call /voice"},
		{"no call first", "1s press 1\n", "x:1: the first thing a caller does is to call, such as: 0s call /voice"},
		{"two calls", ok + "1s call /voice\n", "x:2: the caller has called already; another call is another leg, such as: 5s B call /voice"},
		{"an unknown thing to do", ok + "1s jump\n", `x:2: a leg cannot "jump"; what it can do: call, press, info, say, says, tone, silence, hold, resume, listen, refer, wait, hangup, ring, early, answer, busy, reject`},
		{"an unknown setting", "colour red\n" + ok, `x:1: unknown setting "colour"; there are dialect, from, to, method, fallback, status, server, token, show, voice, ears, limit, transfers and header`},
		{"not a time", ok + "3x press 1\n", `x:2: "3x" is not a time; write 200ms, 3s, 1m30s, or +1s for one second after the line above`},
		{"back in time", ok + "3s press 1\n2s press 2\n", "x:3: 2s comes before the line above it; write the lines in order of time"},
		{"before the beginning", "-1s call /voice\n", "x:1: -1s comes before the line above it; write the lines in order of time"},
		{"too late", ok + "+25h hangup\n", "x:2: +25h is too late; a script lasts at most 24h0m0s"},
		{"a caller answers", ok + "1s answer\n", "x:2: A has called, so it cannot answer; that is for legs that are dialled"},
		{"a leg calls late", ok + "1s B press 1\n2s B call /voice\n", "x:3: B calls only after it did something; a caller's first line is its call"},
		{"another calls first", "0s B call /voice\n", "x:1: the first thing a caller does is to call, such as: 0s call /voice"},
		{"a call that is dialled", "A answers\n" + ok, "x:1: A is the caller; what is dialled are the legs B to Z"},
		{"a caller who answers", "B answers after 3s\n" + ok + "1s B call /voice\n", "x:1: B calls, so it is not dialled; give another leg its settings"},
		{"a number of one who does not call", ok + "B from +15551234\n", "x:2: B does not call, so it has no from and to; write, say: 5s B call /voice"},
		{"two ends of a leg", "B answers\nB busy after 3s\n" + ok, "x:1: B ends in more than one way; keep one of answers, busy and rejects"},
		{"silent and busy", "B silent\nB busy\n" + ok, "x:1: B is silent, so nothing else can come of it"},
		{"a leg alone", "B\n" + ok, "x:1: B needs something after it; there are is, answers, rings, early, busy, rejects, silent, denied, referred, from, to and header"},
		{"an unknown setting of a leg", "B sings\n" + ok, `x:1: "B sings" needs a value after it`},
		{"an unknown setting of a leg with a value", "B sings well\n" + ok, `x:1: unknown setting "sings" of leg B; there are is, answers, rings, early, busy, rejects, silent, denied, referred, from, to and header`},
		{"not after a time", "B answers after\n" + ok, "x:1: after comes last and takes one word after it, such as: after 3s"},
		{"after no time", "B answers after x\n" + ok, `x:1: "x" is not a time; write: after 3s`},
		{"answers what", "B answers well\n" + ok, "x:1: answers takes nothing after it, and may have: after 3s"},
		{"rejects with what", "B rejects 200\n" + ok, `x:1: "200" is not a status; write 300 to 699`},
		{"early without a pitch", "B early after 1s\n" + ok, "x:1: early takes one word after it, and may have: after 3s"},
		{"denied by what", "B denied no\n" + ok, `x:1: "no" is not an error code of five digits; write: B denied 13225`},
		{"referred and refused", "B referred 405, 200\n" + ok, "x:1: nothing is notified after a REFER that was refused with 405"},
		{"referred for ever", "B referred 202, 200, 180\n" + ok, "x:1: nothing is notified after 200, which is final"},
		{"referred to words", "B referred 202 200\n" + ok, `x:1: "202 200" is not one status; write: referred 202, 100, 200 after 2s`},
		{"refers to nobody", ok + "1s refer bob\n", `x:2: "bob" is not a SIP address; write: refer sip:carol@example.com`},
		{"holds how", ok + "1s hold softly\n", `x:2: "softly" is not a way to hold; write hold, or hold inactive`},
		{"nothing after a time", ok + "1s\n", "x:2: nothing after the time; write what the caller does, such as: press 1"},
		{"a comment on the line", ok + "1s hangup # now\n", "x:2: hangup takes nothing after it (a comment has a line of its own)"},
		{"not a key", ok + "1s press x\n", `x:2: "x" is not up to 64 of the keys 0-9 A-D * # and the pauses w (0.5s) and W (1s)`},
		{"not a pitch", ok + "1s tone 9000Hz 1s\n", `x:2: "9000Hz" is not a pitch that a telephone carries; write 50Hz to 3500Hz`},
		{"not a length", ok + "1s silence 1h\n", `x:2: "1h" is not a length; write 20ms to 10m0s`},
		{"not a method", "0s call PUT /voice\n", `x:1: "PUT" is not a method; write: call GET /voice, or call POST /voice`},
		{"a server with a path", "server http://127.0.0.1/app\n" + ok, `x:1: "http://127.0.0.1/app" is not a server; write http://127.0.0.1:3000, without a path`},
		{"a setting without a value", "from\n" + ok, `x:1: "from" needs a value after it`},
		{"a header without a colon", "header X-A\n" + ok, "x:1: write: header X-Name: value"},
		{"says nothing", ok + "1s says \"\"\n", "x:2: 1 to 64 words can be said at a time"},
		{"says without quotes", ok + "1s says two five\n", `x:2: words stand in double quotes; write: says "two five"`},
		{"says in a hurry", ok + "1s says \"one two three\" over 200ms\n", "x:2: a word takes 100ms or more; write: over 300ms"},
		{"says how", ok + "1s says \"two\" loudly\n", `x:2: "loudly" is nothing that can follow the words; write: says "two five" partials confidence 0.8 over 3s as "to five"`},
		{"words of nothing", ok + "1s /media words \"\"\n", `x:2: write: words "hello there", and burst after it for all at once`},
		{"says too surely", ok + "1s says \"two\" confidence 2\n", `x:2: "2" is not a confidence; write 0.01 to 1`},
		{"says as nothing", ok + "1s says \"two\" as \"\"\n", `x:2: something is understood; write: says "two" as "too", or ears off`},
		{"says the same in two ways", ok + "1s says \"two\" as \"too\"\n2s says \"Two\"\n", "x:3: the same words have other partials, confidence or as above; the ears tell phrases apart by their words"},
		{"too many words", ok + "1s says \"" + words(0, 60) + "\"\n2s says \"" + words(60, 120) + "\"\n3s says \"" + words(120, 180) + "\"\n", "x:4: more than 150 different words are spoken in this script"},
		{"ears that are not there", "ears none\n" + ok, "x:1: there are: ears off, ears fail after 2s, and ears slow 800ms; without it speech is understood"},
		{"a voice that sings", "voice sings\n" + ok, "x:1: there are: voice none, voice fails, and voice slow 500ms; without it a scripted voice speaks"},
		{"a voice that is slow how", "voice slow down\n" + ok, `x:1: "down" is not a length; write 500ms, up to 10m0s`},
		{"a socket that is what", "/media red\n" + ok, `x:1: a socket cannot be "red"; there are accepts, refuses 403, refuses connection, slow, and speaks L16 16000`},
		{"a socket that speaks what", "/media speaks L16\n" + ok, `x:1: "L16" is not how a socket can speak; write PCMU, PCMA, G722, or L16 with 8000, 16000, 24000 or 48000`},
		{"a socket that does what", ok + "1s /media jump\n", `x:2: a socket cannot "jump"; what it can do: tone, words, mark, clear, sends, close, reads, listen, counts, wait`},
		{"a socket that says what", ok + "1s /media words hello\n", `x:2: write: words "hello there", and burst after it for all at once`},
		{"a socket that marks nothing", ok + "1s /media mark\n", "x:2: mark takes one word after it"},
		{"a socket that closes how", ok + "1s /media close 99\n", `x:2: "99" is not a status; write 1000 to 4999`},
		{"a socket first", "0s /media clear\n", "x:1: the first thing a caller does is to call, such as: 0s call /voice"},
		{"a section with a wrong name", "# one\n\n" + ok + "-- POST /a --\n<Response/>\n\n-- POST b --\n", `x:7: a section cannot be named "POST b"; write want, GET /path, POST /path or ANY /path`},
		{"a head that is none", ok + "-- POST /a --\nstatus: 200\n<Response/>\n", `x:2: "<Response/>" is not a header line; an empty line parts the head from the body`},
		{"a wrong status", ok + "-- POST /a --\nstatus: many\n", `x:2: "many" is not a status; write 200 to 599`},
		{"two want sections", ok + "-- want --\n-- want --\n", "x:3: there are two want sections; keep one"},
		{"every slip is told", "from\n1s jump\n", "x:1: \"from\" needs a value after it\nx:2: a leg cannot \"jump\"; what it can do: call, press, info, say, says, tone, silence, hold, resume, listen, refer, wait, hangup, ring, early, answer, busy, reject"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("x", []byte(test.script))
			if err == nil {
				t.Fatal("parsed without an error")
			}
			if got := err.Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// words are numbers as words, first to last less one.
func words(first, last int) string {
	var list []string
	for n := first; n < last; n++ {
		list = append(list, strconv.Itoa(n))
	}
	return strings.Join(list, " ")
}

func TestParseTimes(t *testing.T) {
	s, err := Parse("x", []byte("0s call /voice\r\n+1s A press #\r\n\r\n1.5s wait\r\n+500ms hangup\r\n-- want --\r\n0s POST /voice\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range s.actions {
		got = append(got, a.at.String()+" "+a.String())
	}
	if got, want := strings.Join(got, "; "), "0s call /voice; 1s press #; 1.5s wait; 2s hangup"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if want := "0s POST /voice\n"; s.Want != want {
		t.Errorf("wants %q, want %q", s.Want, want)
	}
}

func TestReadAnswer(t *testing.T) {
	for _, test := range []struct {
		name, text, body, kind string
		status                 int
	}{
		{"a document alone", "<Response/>\n", "<Response/>\n", "text/xml", 200},
		{"a document with an empty line in it", "<Response>\n\n</Response>\n", "<Response>\n\n</Response>\n", "text/xml", 200},
		{"a head and a document", "status: 201\nContent-Type: text/plain\n\nHello: you.\n", "Hello: you.\n", "text/plain", 201},
		{"a head alone", "status: 500\n", "", "text/xml", 500},
		{"nothing", "", "", "text/xml", 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := readAnswer(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if string(a.body) != test.body || a.status != test.status || a.header.Get("Content-Type") != test.kind {
				t.Errorf("got %d %q %q", a.status, a.header.Get("Content-Type"), a.body)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	for _, test := range []struct{ name, want, got, diff string }{
		{"the same", "0s a\n1s b\n", "0s     a\n1s     b\n", ""},
		{"empty lines and spaces do not count", "0s a  \n\n", "0s     a\n", ""},
		{"nothing wanted", "", "0s     a\n", "+ 0s     a\n"},
		{"one line changed", "0s a\n1s b\n2s c\n", "0s     a\n1s     x\n2s     c\n", "  0s     a\n- 1s     b\n+ 1s     x\n  2s     c\n"},
		{"one line more", "0s a\n", "0s     a\n1s     b\n", "  0s     a\n+ 1s     b\n"},
		{"what is far away is left out", "0s a\n1s b\n2s c\n3s d\n4s e\n", "0s     a\n1s     b\n2s     c\n3s     d\n5s     e\n",
			"  ...\n  2s     c\n  3s     d\n- 4s     e\n+ 5s     e\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Diff(test.want, test.got); got != test.diff {
				t.Errorf("got\n%swant\n%s", got, test.diff)
			}
		})
	}
}

// FuzzScript: no bytes harm the parser, and a script that it takes is still
// the same one after its trace has been written into it.
func FuzzScript(f *testing.F) {
	for _, seed := range []string{
		"", "0s call /voice\n", "# c\ndialect twilio\nlimit 3s\nstatus /s answered\nheader X-A: b\n0s call GET /voice\n+1s press 1w#\n2s say a b\n",
		"0s call /a\n-- POST /a --\nstatus: 404\ndelay: 3s\nX: y\n\nbody\n-- GET /t --\ntone: 440Hz 2s\n-- want --\n0s POST /a\n",
		"B is sip:bob@example.com\nB early 440Hz\nB answers after 3s\nC denied\nA referred 202, 100, 200 after 2s\n0s call /a\n1s C call /b\n2s B refer sip:c@d\n",
		"server http://127.0.0.1:3000\r\n0s call /v\r\n1s tone 300Hz 20ms\r\n1s silence 1s\r\n", "0s call menu.xml\n-- want --",
		"ears slow 1s\nvoice fails\n/m slow\n/m speaks L16 8000\n0s call /a\n1s says \"a b\" partials confidence 0.5 over 1s as \"c d\"\n1s /m words \"e f\" burst\n2s /m#2 tone 440Hz 1s\n3s /m close 1011\n",
	} {
		f.Add([]byte(seed))
	}
	const trace = "0s     POST /voice\n0s     answer\n"
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("fuzz.txtar", data)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "fuzz.txtar:") && !bytes.Contains(data, []byte(line)) {
					t.Errorf("an error without a place: %q", line)
				}
			}
			return
		}
		again, err := Parse("fuzz.txtar", s.WithWant(trace))
		if err != nil {
			t.Fatalf("with a trace written into it: %v", err)
		}
		if again.Want != trace {
			t.Errorf("wants %q after %q was written into it", again.Want, trace)
		}
		if len(again.actions) != len(s.actions) || len(again.answers) != len(s.answers) {
			t.Errorf("%d actions and %d answers became %d and %d", len(s.actions), len(s.answers), len(again.actions), len(again.answers))
		}
	})
}
