package runtime_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/calltest"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// payment is a call that pays, and what became of it.
type payment struct {
	exchange
	bodies   map[string][]string // by path
	logged   strings.Builder
	observed []runtime.Event
	stored   []runtime.Event
}

func (p *payment) RoundTrip(r *http.Request) (*http.Response, error) {
	b, _ := io.ReadAll(r.Body)
	p.bodies[r.URL.Path] = append(p.bodies[r.URL.Path], string(b))
	return p.exchange.RoundTrip(r)
}

// pays runs a call whose first document has xml in it, and whose caller presses
// keys after ten seconds. It belongs into a bubble.
func pays(t *testing.T, connector runtime.Connector, xml, answer, keys string) *payment {
	p := &payment{bodies: map[string][]string{}}
	p.answers = map[string]string{"/voice": "<Response>" + xml + "</Response>", "/pay": answer, "/done": "<Response/>"}
	pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
	st, caller := store.Memory(), newGuest(pacer, 400)
	s := runtime.New(runtime.Config{
		Store: st, Log: logTo(&p.logged), Web: webhook.New(webhook.Config{Transport: p, Log: logTo(&p.logged)}),
		Connectors: map[string]runtime.Connector{"Default": connector},
		NewID:      func(prefix string) string { return prefix + strings.Repeat("0", 31) + "1" },
		Observe:    func(_ string, e runtime.Event) { p.observed = append(p.observed, e) },
	})
	time.AfterFunc(10*time.Second, func() {
		for _, key := range keys {
			caller.stream.Press(key)
			synctest.Wait()
		}
	})
	s.Run(t.Context(), caller, runtime.Setup{
		SID: "CA1", Account: runtime.Account{SID: "AC1", AuthToken: "12345"}, Dialect: texml.Twilio, First: runtime.Request{URL: "http://a.example.com/voice"},
	})
	s.Close()
	var err error
	if p.stored, err = st.Events(t.Context(), "AC1", "CA1"); err != nil || len(p.stored) == 0 {
		t.Fatal("no timeline", err)
	}
	caller.stream.Close()
	pacer.Close()
	return p
}

// samples are the blocks of the manual in that language.
func samples(t *testing.T, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/pay.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// TestPaymentRequests holds that a connector is posted what the manual says, once, by
// who is allowed to.
func TestPaymentRequests(t *testing.T) {
	for i, test := range []struct{ name, xml, answer, keys, want string }{
		{"a charge", `<Pay action="/done" chargeAmount="10.50" timeout="20" description="Order 7"><Parameter name="order" value="7"/></Pay>`,
			`{"charge_id": "ch_7"}`, "4111111111111111083194105#123", "PaymentConfirmationCode=ch_7"},
		{"a token of a bank account", `<Pay action="/done" paymentMethod="ach-debit" timeout="20"/>`,
			`{"token_id": 9}`, "0210000210012345692#", "PaymentToken=9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to := runtime.Connector{Kind: "pay", URL: "https://b.example.com/pay", Token: "secret"}
				if i == 1 {
					to.Token, to.Username, to.Password = "", "jo", "secret"
				}
				p := pays(t, to, test.xml, test.answer, test.keys)
				if len(p.bodies["/pay"]) != 1 {
					t.Fatalf("the connector was asked %d times; log:\n%s", len(p.bodies["/pay"]), p.logged.String())
				}
				var got, want any
				if err := json.Unmarshal([]byte(p.bodies["/pay"][0]), &got); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal([]byte(samples(t, "json")[i]), &want); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got %v\nwant %v", got, want)
				}
				if len(p.bodies["/done"]) != 1 || !strings.Contains(p.bodies["/done"][0], test.want) {
					t.Errorf("the action was told %q, want %s", p.bodies["/done"], test.want)
				}
				for _, r := range p.seen {
					user, password, basic := r.BasicAuth()
					if r.URL.Path != "/pay" {
						if r.Header.Get("Authorization") != "" {
							t.Errorf("%s got the password", r.URL.Path)
						}
						continue
					}
					if i == 0 && r.Header.Get("Authorization") != "Bearer secret" || i == 1 && (!basic || user+password != "josecret") {
						t.Errorf("authorization %q", r.Header.Get("Authorization"))
					}
					if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Twilio-Signature") != "" {
						t.Errorf("headers %v", r.Header)
					}
				}
			})
		})
	}
}

// TestWhatIsPaidWithIsNowhere holds that no digit which a caller enters in a <Pay>
// is in a timeline, seen or stored, or in a log.
func TestWhatIsPaidWithIsNowhere(t *testing.T) {
	for _, test := range []struct{ name, xml, keys, answer string }{
		{"a card", `<Pay action="/done" timeout="20" statusCallback="/steps" minPostalCodeLength="5"/>`, "5555555555554444093294107#987", `{"token_id":"t"}`},
		{"a card that is refused", `<Pay action="/done" timeout="20"/>`, "5555555555554444093294107#987",
			`{"error_code":"c","error_message":"of 5555555555554444","parameters":{"card":"5555555555554444"}}`},
		{"an answer that cannot be read", `<Pay action="/done" timeout="20"/>`, "5555555555554444093294107#987", `5555555555554444 0932 987 94107`},
		{"a wrong card number", `<Pay action="/done" timeout="20" statusCallback="/steps"/>`, "5555555555554445", ``},
		{"a bank account", `<Pay action="/done" paymentMethod="ach-debit" timeout="20"/>`, "1111000250098765432#", `{"token_id":"t"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pays(t, runtime.Connector{Kind: "pay", URL: "https://b.example.com/pay"}, test.xml, test.answer, test.keys)
				if len(p.bodies["/done"]) != 1 {
					t.Fatalf("the action was told %q", p.bodies["/done"])
				}
				for _, digits := range []string{"555555555555444", "0932", "94107", "987", "111100025", "0098765"} {
					for _, e := range slices.Concat(p.observed, p.stored) {
						if strings.Contains(e.Text+" "+e.Private, digits) {
							t.Errorf("seen: %s %s %s", e.Kind, e.Text, e.Private)
						}
					}
					if strings.Contains(p.logged.String(), digits) {
						t.Errorf("logged: %s", p.logged.String())
					}
				}
				for _, number := range []string{"555555555555444", "=987", "0098765"} {
					if told := p.bodies["/done"][0]; strings.Contains(told, number) {
						t.Errorf("the action was told %s", told)
					}
				}
				if p.logged.Len() == 0 {
					t.Error("nothing was logged, so nothing is shown by this test")
				}
			})
		})
	}
}

// TestPayManual plays the call script of the manual.
func TestPayManual(t *testing.T) {
	blocks := samples(t, "txtar")
	if len(blocks) != 1 {
		t.Fatalf("%d scripts", len(blocks))
	}
	s, err := calltest.Parse("pay.md", []byte(blocks[0]))
	if err != nil {
		t.Fatal(err)
	}
	if diff := calltest.Diff(s.Want, calltest.Play(t, s, calltest.Env{})); diff != "" {
		t.Errorf("- is wanted, + is what happened:\n%s", diff)
	}
}
