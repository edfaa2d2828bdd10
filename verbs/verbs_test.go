package verbs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// script is a call that notes what is done on it. A voice or a sound takes a
// second.
type script struct {
	Call     // what these tests do not use
	dialect  texml.Dialect
	missing  string        // a sound that cannot be had
	fades    time.Duration // how long a sound that is cut takes to end
	keys     chan rune
	did      []string
	speaking bool
}

func (s *script) do(format string, args ...any) { s.did = append(s.did, fmt.Sprintf(format, args...)) }

func (s *script) Leave() bool { return false }

func (s *script) Answer(ctx context.Context) error {
	if len(s.did) == 0 {
		s.do("answer")
	}
	return context.Cause(ctx)
}

func (s *script) Voice(_ context.Context, say *texml.Say) (Sound, error) {
	if say.Text() == s.missing {
		s.do("no voice")
		return nil, errors.New("no voice")
	}
	return s.sound("say " + say.Text()), nil
}

func (s *script) Load(_ context.Context, n texml.Node, url string, code int) (Sound, error) {
	if url == s.missing {
		s.do("missing %s (%d)", url, code)
		return nil, errors.New("missing")
	}
	return s.sound("play " + url), nil
}

func (s *script) sound(what string) Sound {
	return func(ctx context.Context) error {
		s.do("%s", what)
		s.speaking = true
		defer func() { s.speaking = false }()
		err := wait(ctx, time.Second)
		if err != nil {
			time.Sleep(s.fades)
		}
		return err
	}
}

func (s *script) Ringback(ctx context.Context, country string) error {
	s.do("ringback %s", country)
	return wait(ctx, 6*time.Second)
}

func (s *script) Send(ctx context.Context, digits string) error {
	s.do("send %s", digits)
	return wait(ctx, time.Second)
}

func (s *script) Echo(ctx context.Context) error {
	s.do("echo")
	<-ctx.Done()
	return context.Cause(ctx)
}

func (s *script) Keys(context.Context) <-chan rune { return s.keys }

func (s *script) Reject(_ context.Context, reason string) error {
	s.do("reject %s", reason)
	return nil
}

func (s *script) Warn(n texml.Node, code int, msg string) { s.do("warning (%d)", code) }

func (s *script) Dialect() texml.Dialect { return s.dialect }

// verb is the one verb of a document.
func verb(t *testing.T, d texml.Dialect, xml string) Verb {
	t.Helper()
	doc, err := texml.Parse("test", []byte("<Response>"+xml+"</Response>"), d)
	if err != nil || len(doc.Verbs) != 1 {
		t.Fatal(xml, err)
	}
	return For(doc.Verbs[0])
}

// next is a Next in words.
func (n Next) String() string {
	switch {
	case n.End:
		return "end"
	case n.Fetch != nil:
		return fmt.Sprintf("%s %s %s", n.Fetch.Method, n.Fetch.URL, n.Fetch.Form.Encode())
	}
	return "below"
}

func TestVerbs(t *testing.T) {
	for _, test := range []struct {
		name    string
		dialect texml.Dialect
		xml     string
		did     string // what was done
		next    string
		took    time.Duration
	}{
		{"say is repeated", texml.Twilio, `<Say loop="3">hi</Say>`, "answer, say hi, say hi, say hi", "below", 3 * time.Second},
		{"a say without voice is skipped, however often", texml.Telnyx, `<Say loop="0">gone</Say>`, "answer, no voice", "below", 0},
		{"play is repeated", texml.Telnyx, `<Play loop="2">/a</Play>`, "answer, play /a, play /a", "below", 2 * time.Second},
		{"keys instead of a sound", texml.Twilio, `<Play digits="1" loop="2"/>`, "answer, send 1, send 1", "below", 2 * time.Second},
		{"a ringing tone instead of a sound", texml.Telnyx, `<Play ringTone="us"/>`, "answer, ringback us", "below", 6 * time.Second},
		{"Twilio goes on below a missing sound", texml.Twilio, `<Play>gone</Play>`, "answer, missing gone (13420)", "below", 0},
		{"Telnyx ends with it", texml.Telnyx, `<Play>gone</Play>`, "answer, missing gone (90040)", "end", 0},
		{"unless told to go on", texml.Telnyx, `<Play continueOnError="true">gone</Play>`, "answer, missing gone (90040)", "below", 0},
		{"the second source", texml.Telnyx, `<Play failoverUrl="/b">gone</Play>`, "answer, missing gone (90040), play /b", "below", time.Second},
		{"both sources missing", texml.Telnyx, `<Play failoverUrl="gone">gone</Play>`, "answer, missing gone (90040), missing gone (90040)", "end", 0},
		{"a stored sound", texml.Telnyx, `<Play mediaStorage="true">name</Play>`, "answer, warning (90040)", "end", 0},
		{"a stored sound with a second source", texml.Telnyx, `<Play mediaStorage="true" failoverUrl="/b">name</Play>`, "answer, warning (90040), play /b", "below", time.Second},
		{"pause", texml.Twilio, `<Pause length="7"/>`, "answer", "below", 7 * time.Second},
		{"hangup answers", texml.Twilio, `<Hangup/>`, "answer", "end", 0},
		{"redirect does not answer", texml.Twilio, `<Redirect method="GET">/x</Redirect>`, "", "GET /x ", 0},
		{"redirect to the current document", texml.Telnyx, `<Redirect/>`, "", "POST  ", 0},
		{"reject does not answer", texml.Twilio, `<Reject reason="busy"/>`, "reject busy", "end", 0},
		{"a verb without behaviour is skipped, unanswered", texml.Telnyx, `<Connect><ConversationRelay url="wss://example.com/"/></Connect>`, "warning (0)", "below", 0},
		{"leave outside a queue goes on below", texml.Telnyx, `<Leave/>`, "warning (0)", "below", 0},
		{"a gather without keys", texml.Twilio, `<Gather action="/x"/>`, "answer", "below", 5 * time.Second},
		{"its time runs from the end of its prompts", texml.Twilio, `<Gather timeout="2"><Say>a</Say><Play>/b</Play><Pause/></Gather>`, "answer, say a, play /b", "below", 5 * time.Second},
		{"a prompt that is missing", texml.Twilio, `<Gather timeout="2"><Play>gone</Play><Say>a</Say></Gather>`, "answer, missing gone (13325), say a", "below", 3 * time.Second},
		{"actionOnEmptyResult", texml.Twilio, `<Gather action="/x" actionOnEmptyResult="true"/>`, "answer", "POST /x Digits=&FinishedOnKey=", 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				call := &script{dialect: test.dialect, missing: "gone"}
				began := time.Now()
				next, err := verb(t, test.dialect, test.xml).Run(t.Context(), call)
				if err != nil {
					t.Fatal(err)
				}
				if did := strings.Join(call.did, ", "); did != test.did {
					t.Errorf("did %q, want %q", did, test.did)
				}
				if next.String() != test.next {
					t.Errorf("goes to %q, want %q", next, test.next)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
			})
		})
	}
}

var errOver = errors.New("the call is over")

// TestVerbsEndWithTheCall holds that a verb returns the cause of the end at
// once, and does nothing more.
func TestVerbsEndWithTheCall(t *testing.T) {
	for _, xml := range []string{
		`<Say loop="0">hi</Say>`, `<Play loop="0">/a</Play>`, `<Play digits="1" loop="0"/>`, `<Play ringTone="us" loop="0"/>`, `<Pause length="100"/>`,
		`<Echo/>`, `<Gather timeout="100"/>`, `<Gather timeout="100" actionOnEmptyResult="true"><Say loop="0">hi</Say></Gather>`,
		`<Gather><Pause length="100"/></Gather>`,
	} {
		t.Run(xml, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancelCause(t.Context())
				call := &script{dialect: texml.Telnyx}
				began := time.Now()
				time.AfterFunc(30500*time.Millisecond, func() { end(errOver) })
				next, err := verb(t, texml.Telnyx, xml).Run(ctx, call)
				if err != errOver || next != (Next{}) {
					t.Errorf("returned %v, %v; want nothing and the cause", next, err)
				}
				if took := time.Since(began); took != 30500*time.Millisecond {
					t.Errorf("took %v, want 30.5s", took)
				}
				did := slices.Clone(call.did)
				time.Sleep(time.Minute)
				if len(call.did) != len(did) {
					t.Errorf("after the end it did %q", call.did[len(did):])
				}
			})
		})
	}
}

// TestTheNextVerbDoesNotSpeakOverThePrompt holds that a Gather waits until the
// prompt that a key stopped is silent.
func TestTheNextVerbDoesNotSpeakOverThePrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call := &script{fades: 200 * time.Millisecond, keys: make(chan rune, 1)}
		time.AfterFunc(500*time.Millisecond, func() { call.keys <- '1' })
		next, err := verb(t, texml.Telnyx, `<Gather numDigits="1" action="/x"><Say>hi</Say></Gather>`).Run(t.Context(), call)
		if err != nil || next.String() != " /x Digits=1" {
			t.Errorf("goes to %q, %v; want /x with the digit", next, err)
		}
		if call.speaking {
			t.Error("the prompt is still heard")
		}
	})
}
