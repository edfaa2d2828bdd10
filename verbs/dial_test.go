package verbs

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// exchange is a call whose <Dial> ends as it is told to.
type exchange struct {
	script
	done Dialed
	end  context.CancelCauseFunc // ends the call meanwhile, when not nil
}

func (x *exchange) Dial(ctx context.Context, _ *texml.Dial) (Dialed, error) {
	x.do("dial")
	if x.end != nil {
		x.end(errOver)
	}
	return x.done, context.Cause(ctx)
}

func TestDial(t *testing.T) {
	spoken := Dialed{Status: "completed", SID: "CA1", To: "+1", Answered: true, Bridged: true, Duration: 4 * time.Second}
	failed := Dialed{Status: "failed", SID: "CA1", To: "sip:bob@example.com", SIP: true, SIPCallID: "id", SIPStatus: 404,
		Headers: map[string]string{"X-Why": "moved"}, Code: 13224, Message: "no way there"}
	for _, test := range []struct {
		name    string
		dialect texml.Dialect
		xml     string
		done    Dialed
		did     string
		next    string
	}{
		{"without an action the verb below runs", texml.Twilio, `<Dial>+1</Dial>`, spoken, "answer, dial", "below"},
		{"with answerOnBridge it does not answer itself", texml.Twilio, `<Dial answerOnBridge="true">+1</Dial>`, spoken, "dial", "below"},
		{"what the action is told", texml.Twilio, `<Dial action="/x">+1</Dial>`, spoken, "answer, dial",
			"POST /x DialBridged=true&DialBridgedTo=%2B1&DialCallDuration=4&DialCallSid=CA1&DialCallStatus=completed"},
		{"Telnyx has a second SID", texml.Telnyx, `<Dial action="/x" method="GET">+1</Dial>`, spoken, "answer, dial",
			"GET /x DialBridged=true&DialBridgedTo=%2B1&DialCallDuration=4&DialCallSid=CA1&DialCallSidLegacy=CA1&DialCallStatus=completed"},
		{"a SIP leg tells its last answer", texml.Twilio, `<Dial action="/x"><Sip>sip:bob@example.com</Sip></Dial>`, failed, "answer, dial",
			"POST /x DialBridged=false&DialCallSid=CA1&DialCallStatus=failed&DialSipCallId=id&DialSipHeader_X-Why=moved&DialSipResponseCode=404"},
		{"Telnyx is told why, too", texml.Telnyx, `<Dial action="/x"><Sip>sip:bob@example.com</Sip></Dial>`, failed, "answer, dial",
			"POST /x DialBridged=false&DialCallSid=CA1&DialCallSidLegacy=CA1&DialCallStatus=failed&DialSipCallId=id&DialSipHeader_X-Why=moved&DialSipResponseCode=404&ErrorCode=13224&ErrorMessage=no+way+there"},
		{"nobody could be called", texml.Twilio, `<Dial action="/x">+1</Dial>`, Dialed{Status: "failed"}, "answer, dial", "POST /x DialCallStatus=failed"},
		{"a transfer goes to referUrl, not to the action", texml.Twilio, `<Dial action="/x" referUrl="/r" referMethod="GET">+1</Dial>`,
			Dialed{Status: "completed", SID: "CA1", Referred: "sip:carol@example.com"}, "answer, dial", "GET /r ReferTransferTarget=sip%3Acarol%40example.com"},
		{"what is not supported is said once", texml.Twilio, `<Dial callReason="a"><Number byoc="b">+1</Number><Number byoc="b">+2</Number></Dial>`,
			spoken, "warning (0), warning (0), dial", "below"},
	} {
		t.Run(test.name, func(t *testing.T) {
			call := &exchange{script: script{dialect: test.dialect}, done: test.done}
			next, err := verb(t, test.dialect, test.xml).Run(t.Context(), call)
			if err != nil {
				t.Fatal(err)
			}
			if did := strings.Join(call.did, ", "); did != test.did {
				t.Errorf("did %q, want %q", did, test.did)
			}
			if next.String() != test.next {
				t.Errorf("goes to %q,\nwant %q", next, test.next)
			}
		})
	}
}

// TestDialTellsItsActionOfACallThatIsOver holds that both are returned: where it
// would go on, and why it does not.
func TestDialTellsItsActionOfACallThatIsOver(t *testing.T) {
	ctx, end := context.WithCancelCause(t.Context())
	call := &exchange{done: Dialed{Status: "canceled"}, end: end}
	next, err := verb(t, texml.Twilio, `<Dial action="/x">+1</Dial>`).Run(ctx, call)
	if err != errOver || next.String() != "POST /x DialCallStatus=canceled" {
		t.Errorf("returned %q, %v; want the action and the cause", next, err)
	}
}
