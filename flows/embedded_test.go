package flows

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/texml"
)

var dialects = []texml.Dialect{texml.Telnyx, texml.Twilio}

func TestEmbeddedFlowsHaveNoSlips(t *testing.T) {
	files := new(Files)
	for _, name := range names() {
		body, _, err := files.Read("embed:///" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dialects {
			for _, slip := range texml.Check(name, body, d) {
				t.Errorf("%v: %v", d, slip)
			}
		}
	}
}

// outline is what a document does once its templates are filled in: "say words",
// "gather URL", "redirect URL".
func outline(t *testing.T, d texml.Dialect, rawURL, digits string) []string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	vars := u.Query()
	if digits != "" {
		vars.Set("Digits", digits)
	}
	body, _, err := new(Files).Read(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	filled, err := texml.Render(body, vars, nil)
	if err != nil {
		t.Fatalf("%s: %v", rawURL, err)
	}
	for _, slip := range texml.Check(rawURL, filled, d) {
		t.Errorf("%v, filled in: %v", d, slip)
	}
	doc, err := texml.Parse(rawURL, filled, d)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, v := range doc.Verbs {
		switch v := v.(type) {
		case *texml.Say:
			lines = append(lines, "say "+v.Text())
		case *texml.Gather:
			lines = append(lines, "gather "+resolve(t, rawURL, v.Action))
			for _, p := range v.Prompts {
				if say, ok := p.(*texml.Say); ok {
					lines = append(lines, "prompt "+say.Text())
				}
			}
		case *texml.Redirect:
			lines = append(lines, "redirect "+resolve(t, rawURL, v.URL))
		default:
			lines = append(lines, fmt.Sprintf("%T", v))
		}
	}
	return lines
}

func TestWhatEmbeddedFlowsDo(t *testing.T) {
	const askKey = "gather embed:///hello.xml; prompt Press any key, and I will tell you which one it was. Hang up when you have heard enough.; " +
		"say I did not hear a key. Call again any time. Goodbye."
	const choices = "prompt For sales, press 1.; prompt For support, press 2.; "
	for _, c := range []struct{ name, url, digits, want string }{
		{"hello greets", "hello.xml", "", "say Hello! This is hookswitch. Your call has been answered by a document.; " + askKey},
		{"hello says a digit", "hello.xml", "7", "say You pressed 7.; " + askKey},
		{"hello says nought", "hello.xml", "0", "say You pressed 0.; " + askKey},
		{"hello says star", "hello.xml", "*", "say You pressed star.; " + askKey},
		{"hello says hash", "hello.xml", "#", "say You pressed the hash key.; " + askKey},
		{"the menu welcomes", "menu.xml", "", "gather embed:///menu-choice.xml?try=; prompt Welcome to the example company.; " + choices + "redirect embed:///menu.xml?try=1"},
		{"the menu again", "menu.xml?try=1", "", "gather embed:///menu-choice.xml?try=1; prompt Let us try again.; " + choices + "redirect embed:///menu.xml?try=11"},
		{"the menu gives up", "menu.xml?try=111", "", "say That did not work. Please call again. Goodbye."},
		{"sales", "menu-choice.xml?try=", "1", "say This is sales. In a real menu, a Dial would ring somebody here. Goodbye."},
		{"support", "menu-choice.xml?try=1", "2", "say This is support. In a real menu, you would wait in a queue here. Goodbye."},
		{"a wrong key", "menu-choice.xml?try=", "5", "say That is not one of the choices.; redirect embed:///menu.xml?try=1"},
		{"a wrong key again", "menu-choice.xml?try=11", "*", "say That is not one of the choices.; redirect embed:///menu.xml?try=111"},
		{"hours ask", "hours.xml", "", "redirect embed:///hours-answer.xml?open=yes"},
		{"open", "hours-answer.xml?open=yes", "", "say Good news: we are open.; redirect embed:///menu.xml"},
		{"closed", "hours-answer.xml?open=no", "", "say We are closed. Our hours are Monday to Friday, from nine to five. Please call again. Goodbye."},
		{"a mailbox", "voicemail.xml", "", "say Nobody can take your call right now. Please speak after the beep, and press the hash key when you are done.; *texml.Record"},
		{"a message", "voicemail-saved.xml?RecordingUrl=u", "", "say Your message has been kept. Thank you. Goodbye."},
		{"no message", "voicemail-saved.xml", "", "say There was no message. Goodbye."},
		{"a question", "ask.xml", "", "gather embed:///ask-answer.xml; prompt Where would you like to travel? Say the name of a city, or press a key.; say I did not hear anything. Goodbye."},
		{"a spoken answer", "ask-answer.xml?SpeechResult=Rome", "", "say I heard Rome. Have a good journey."},
		{"a key for an answer", "ask-answer.xml", "2", "say You pressed 2. Have a good journey."},
	} {
		for _, d := range dialects {
			got := strings.Join(outline(t, d, "embed:///"+c.url, c.digits), "; ")
			if strings.ReplaceAll(got, " .", ".") != c.want {
				t.Errorf("%s, %v:\ngot  %s\nwant %s", c.name, d, got, c.want)
			}
		}
	}
}

func TestEveryEmbeddedFlowIsTried(t *testing.T) {
	if got, want := strings.Join(names(), " "), "ask-answer.xml ask.xml hello.xml hours-answer.xml hours.xml menu-choice.xml menu.xml voicemail-saved.xml voicemail.xml"; got != want {
		t.Errorf("got %s, want %s; add the new one to the tests above", got, want)
	}
}
