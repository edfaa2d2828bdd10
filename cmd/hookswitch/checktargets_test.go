package main

import (
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/texml"
)

func TestCheckReadsCallScripts(t *testing.T) {
	written(t, map[string]string{
		"good/a.txtar":  "0s call /a\n-- POST /a --\n<Response/>\n",
		"wrong/b.txtar": "0s call /a\n1s pres 1\n-- PUT /a --\n",
	})
	if code, out, errOut := checking("good"); code != 0 || out != "1 file, nothing wrong\n" {
		t.Errorf("a right one: got exit %d, %q and %q", code, out, errOut)
	}
	if _, out, _ := checking("--format", "sarif", "wrong"); !strings.Contains(out, `"ruleId": "script"`) {
		t.Errorf("no rule in %s", out)
	}
	code, out, _ := checking("wrong")
	for _, want := range []string{"wrong/b.txtar:2:1: error: ", "    2 | 1s pres 1\n", "wrong/b.txtar:3:1: error: ", "; write want, GET /path", "1 file, 2 errors"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("a wrong one: exit %d, and %q is not in\n%s", code, want, out)
		}
	}
}

func TestCheckKnowsPlaybooks(t *testing.T) {
	written(t, map[string]string{"a/agent.md": "---\nllm: {}\n---\nBe kind.\n", "a/README.md": "# Hello\n", "b/README.md": "# Hello\n"})
	const want = "a/agent.md:1:1: note: playbooks come with a later version; this one was not checked\n"
	if code, out, errOut := checking("a"); code != 0 || !strings.HasPrefix(out, want) || !strings.HasSuffix(out, "1 file, 1 note\n") {
		t.Errorf("got exit %d, %q and %q", code, out, errOut)
	}
	if code, _, errOut := checking("b"); code != 2 || !strings.Contains(errOut, "no call document, call script, playbook") {
		t.Errorf("a folder without any: got exit %d and %q", code, errOut)
	}
}

func TestCheckFollowsRoutes(t *testing.T) {
	written(t, map[string]string{
		"conf/hookswitch.yaml":  "routes:\n- {to: '1', flow: menu.xml}\n- {to: '2', flow: twilio, dialect: twilio}\n- {to: '*', flow: 'embed:hello.xml'}\n",
		"conf/menu.xml":         "<Response>\n<Gather action='sub/next.xml?a={{b}}'/>\n<Redirect>sub/gone.xml</Redirect></Response>",
		"conf/sub/next.xml":     "<Response><Sya/></Response>",
		"conf/twilio/index.xml": `<Response><Gather actionOnEmptyResult="true" action="https://example.com/"/><Redirect>index.xml</Redirect></Response>`,
		"conf/other.xml":        "<Response><Sya/></Response>",
	})
	code, out, errOut := checking("conf/hookswitch.yaml")
	for _, want := range []string{
		"conf/menu.xml:3:1: warning: <Redirect> leads to sub/gone.xml, which cannot be read; ",
		"conf/sub/next.xml:1:11: warning: there is no verb <Sya>",
		"conf/twilio/index.xml:1:77: warning: <Redirect> never runs",
		"5 files, 3 warnings\n",
	} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit %d, %q, and %q is not in\n%s", code, errOut, want, out)
		}
	}
	_, whole, _ := checking("conf")
	if got := strings.Count(whole, "no verb <Sya>"); got != 2 { // other.xml too, and nothing twice
		t.Errorf("got %d, want 2, in\n%s", got, whole)
	}
}

func TestCheckSaysWhatDoesNotRunYet(t *testing.T) {
	written(t, map[string]string{"a.xml": "<Response><Say>a</Say>\n<Connect><ConversationRelay url='wss://example.com/'/></Connect><Room/></Response>"})
	_, out, _ := checking("a.xml")
	if !strings.Contains(out, "a.xml:2:1: note: this version does not run <Connect> yet; on a call it is skipped") || !strings.HasSuffix(out, "1 file, 1 warning, 1 note\n") {
		t.Errorf("got\n%s", out)
	}
}

func TestPictures(t *testing.T) {
	long := strings.Repeat("0123456789", 30)
	for _, c := range []struct {
		name, body string
		at         texml.Pos
		want       string
	}{
		{"a line", "a\n  bc\n", texml.Pos{Line: 2, Col: 3}, "    2 |   bc\n      |   ^\n"},
		{"tabs are one wide", "\tb", texml.Pos{Line: 1, Col: 2}, "    1 |  b\n      |  ^\n"},
		{"characters of two bytes", "üb", texml.Pos{Line: 1, Col: 3}, "    1 | üb\n      |  ^\n"},
		{"the end of a line", "ab\r\n", texml.Pos{Line: 1, Col: 3}, "    1 | ab\n      |   ^\n"},
		{"a long line's start", long, texml.Pos{Line: 1, Col: 2}, "    1 | " + long[:99] + "…\n      |  ^\n"},
		{"a long line's middle", long, texml.Pos{Line: 1, Col: 102}, "    1 | …" + long[62:160] + "…\n      | " + strings.Repeat(" ", 40) + "^\n"},
		{"a password", `<Sip password="abc" x="1">`, texml.Pos{Line: 1, Col: 21}, "    1 | <Sip password=\"***\" x=\"1\">\n      |                     ^\n"},
		{"a kind of token", `<Pay tokenType="one-time" paymentToken="abc">`, texml.Pos{Line: 1, Col: 6}, "    1 | <Pay tokenType=\"one-time\" paymentToken=\"***\">\n      |      ^\n"},
		{"a key that is none of those", `<Gather finishOnKey="#">`, texml.Pos{Line: 1, Col: 9}, "    1 | <Gather finishOnKey=\"#\">\n      |         ^\n"},
		{"a control character", "a\x1bb", texml.Pos{Line: 1, Col: 3}, "    1 | a b\n      |   ^\n"},
		{"no such line", "a", texml.Pos{Line: 3, Col: 1}, ""},
		{"bytes that are not UTF-8", "\xe4b", texml.Pos{Line: 1, Col: 3}, ""},
	} {
		if got := picture(checked{body: []byte(c.body)}, c.at); got != c.want {
			t.Errorf("%s:\ngot\n%swant\n%s", c.name, got, c.want)
		}
	}
	if got := picture(checked{body: []byte("apiKey: s3cret"), secret: true}, top); got != "" {
		t.Errorf("a configuration is shown: %s", got)
	}
}

func TestCheckOfOurOwnFiles(t *testing.T) {
	t.Chdir("../..")
	for _, target := range []string{"flows", "testdata/calls", "testdata/texml/guide.xml", "hookswitch.example.yaml"} {
		if code, out, errOut := checking(target); code != 0 {
			t.Errorf("%s: exit %d, %s%s", target, code, out, errOut)
		}
	}
}
