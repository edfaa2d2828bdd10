package main

import (
	"crypto/ed25519"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/hookswitch/hookswitch/texml"
)

func noEnv(string) (string, bool) { return "", false }

// example is hookswitch.example.yaml; all of it, with what is off turned on.
func example(t *testing.T) (asItIs, all string) {
	t.Helper()
	b, err := os.ReadFile("../../hookswitch.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	off := regexp.MustCompile(`(?m)^#([^\s#]|  )`)
	defaults := regexp.MustCompile(`(?m)^  allow_hosts: \[\]\n`) // stands beside its own example
	return string(b), off.ReplaceAllString(defaults.ReplaceAllString(string(b), ""), "$1")
}

func TestTheExampleShowsTheDefaults(t *testing.T) {
	asItIs, _ := example(t)
	got, slips := parseConfig("x/hookswitch.yaml", []byte(asItIs), noEnv)
	if len(slips) != 0 {
		t.Fatal(slips)
	}
	want := defaultConfig()
	want.Data = "x/hookswitch-data"
	want.Webhooks.AllowHosts = []string{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTheExampleShowsEveryKey(t *testing.T) {
	_, all := example(t)
	_, slips := parseConfig("hookswitch.yaml", []byte(all), noEnv)
	for _, s := range slips {
		if s.Level != texml.Note {
			t.Error(s)
		}
	}
	var tree yaml.Node
	if err := yaml.Unmarshal([]byte(all), &tree); err != nil {
		t.Fatal(err)
	}
	if len(tree.Content) == 0 {
		t.Fatal("the example is empty")
	}
	shown := make(map[string]bool)
	keysShown("", tree.Content[0], shown)
	for _, key := range keysBelow("", reflect.TypeFor[Config]()) {
		if !shown[key] {
			t.Errorf("hookswitch.example.yaml does not show %s", key)
		}
	}
}

// keysShown adds the keys below n; a list's are those of all its parts, and the
// names of providers are all called NAME.
func keysShown(path string, n *yaml.Node, shown map[string]bool) {
	for i, c := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			keysShown(path, c, shown)
		case i%2 == 0:
			key := keyPath(path, c.Value)
			if path == "ai.asr" || path == "ai.llm" || path == "ai.tts" {
				key = keyPath("ai", "*.NAME")
			}
			if path == "ai.voices" {
				key = "ai.voices.NAME"
			}
			if path == "connectors" {
				key = "connectors.NAME"
			}
			shown[key] = true
			keysShown(key, n.Content[i+1], shown)
		}
	}
}

func keysBelow(path string, typ reflect.Type) (keys []string) {
	if path != "" {
		keys = append(keys, path)
	}
	switch {
	case isScalar(typ):
	case typ.Kind() == reflect.Slice:
		keys = append(keys, keysBelow(path, typ.Elem())...)
	case typ.Kind() == reflect.Map && typ.Elem() == reflect.TypeFor[Provider]():
		keys = append(keys, keysBelow("ai.*.NAME", typ.Elem())...)
	case typ.Kind() == reflect.Map && typ.Elem() == reflect.TypeFor[VoiceConfig]():
		keys = append(keys, keysBelow("ai.voices.NAME", typ.Elem())...)
	case typ.Kind() == reflect.Map && typ.Elem() == reflect.TypeFor[Connector]():
		keys = append(keys, keysBelow("connectors.NAME", typ.Elem())...)
	case typ.Kind() == reflect.Struct:
		for i := range typ.NumField() {
			f := typ.Field(i)
			keys = append(keys, keysBelow(keyPath(path, f.Tag.Get("yaml")), f.Type)...)
		}
	}
	return keys
}

// TestTags: a misspelt tag would silently mean nothing.
func TestTags(t *testing.T) {
	known := map[string]bool{"yaml": true, "default": true, "oneof": true, "is": true, "range": true, "path": true, "need": true, "later": true, "zero": true, "short": true}
	tag := regexp.MustCompile(`(\w+):"([^"]*)"`)
	seen := 0
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		if typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			walk(typ.Elem())
			return
		}
		if typ.Kind() != reflect.Struct || isScalar(typ) {
			return
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			seen++
			for _, m := range tag.FindAllStringSubmatch(string(f.Tag), -1) {
				if !known[m[1]] {
					t.Errorf("%s.%s: nothing reads the tag %s", typ, f.Name, m[1])
				}
				if m[1] == "is" && ruleOf(m[2]) == nil {
					t.Errorf("%s.%s: there is no rule %q", typ, f.Name, m[2])
				}
				if m[1] == "default" {
					scalar := f.Type
					if scalar.Kind() == reflect.Slice && !isScalar(scalar) {
						scalar = scalar.Elem()
					}
					for part := range strings.SplitSeq(m[2], ",") {
						if err := parseScalar(part, reflect.New(scalar).Elem(), f.Tag); err != nil {
							t.Errorf("%s.%s: the default %q %v", typ, f.Name, part, err)
						}
					}
				}
			}
			if f.Tag.Get("yaml") == "" {
				t.Errorf("%s.%s has no name in YAML", typ, f.Name)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Config]())
	if seen < 60 {
		t.Errorf("saw %d fields", seen)
	}
}

func TestConfigValues(t *testing.T) {
	const file = `
sip:
  listen: [udp://0.0.0.0:5060, "tcp://[::1]:5070"]
  external_ip: 203.0.113.7
  acl: [192.0.2.0/24, 198.51.100.7, "2001:db8::/32"]
media: {rtp_ports: 4000-4001, codecs: [PCMA], timeout: 0s}
webhooks:
  allow_hosts: &hosts [localhost, 10.0.0.0/8]
  timeout: ${TIMEOUT}
  connect_timeout: 250ms
accounts:
  - sid: AC0123456789abcdef0123456789abcdef
    auth_tokens: ["${TOKEN}", 0123]
    signing_key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
    dialect: Twilio
routes:
  - {to: 012, from: +4930, voice_url: "https://${HOST:-example.com}/v?price=$$5&a=$b", method: get}
  - {to: 0x1F, flow: "embed:hello.xml", account: AC0123456789abcdef0123456789abcdef}
  - to: 1e3
    voice_url: https://example.com/
    status_callback_events: [initiated, completed]
limits: {max_calls: 7, call_duration: 1h30m}
store: {url: sqlite:///var/x.db}
data: ../data
`
	env := map[string]string{"TIMEOUT": "3s", "TOKEN": "a: [b]"} // no YAML inside a value
	c, slips := parseConfig("conf/hookswitch.yaml", []byte(file), func(k string) (string, bool) { v, ok := env[k]; return v, ok })
	if len(slips) != 0 {
		t.Fatal(slips)
	}
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"addresses", c.SIP.Listen, []string{"udp://0.0.0.0:5060", "tcp://[::1]:5070"}},
		{"an address", c.SIP.ExternalIP, netip.MustParseAddr("203.0.113.7")},
		{"a bare address is a range of one", c.SIP.ACL[1], netip.MustParsePrefix("198.51.100.7/32")},
		{"ports", c.Media.RTPPorts, PortRange{4000, 4001}},
		{"a duration of 0 where it switches off", c.Media.Timeout, time.Duration(0)},
		{"a codec by whatever case", c.Media.Codecs, []string{"pcma"}},
		{"a duration from the environment", c.Webhooks.Timeout, 3 * time.Second},
		{"milliseconds", c.Webhooks.ConnectTimeout, 250 * time.Millisecond},
		{"what looks like YAML in a variable, and digits", c.Accounts[0].AuthTokens, []string{"a: [b]", "0123"}},
		{"a key", len(c.Accounts[0].SigningKey), ed25519.PrivateKeySize},
		{"a choice by whatever case", c.Accounts[0].Dialect, "twilio"},
		{"a number with leading zero stays as written", c.Routes[0].To, "012"},
		{"a number with + stays as written", c.Routes[0].From, "+4930"},
		{"a default inside a longer string, $$ and a lone $", c.Routes[0].VoiceURL, "https://example.com/v?price=$5&a=$b"},
		{"a method by whatever case", c.Routes[0].Method, "GET"},
		{"a default beside written keys", c.Routes[1].Method, "POST"},
		{"hexadecimal stays as written", c.Routes[1].To, "0x1F"},
		{"an exponent stays as written", c.Routes[2].To, "1e3"},
		{"a list replaces its default", c.Routes[2].StatusCallbackEvents, []string{"initiated", "completed"}},
		{"a number", c.Limits.MaxCalls, 7},
		{"a default in a section that is written", c.Limits.MaxCPS, 100},
		{"an hour and a half", c.Limits.CallDuration, 90 * time.Minute},
		{"a path counts from the file", c.Data, "data"},
		{"routes for flows", c.FlowRoutes()[1].Flow, "embed:hello.xml"},
	} {
		if !reflect.DeepEqual(row.got, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, row.got, row.want)
		}
	}
}

func TestConfigSlips(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"a misspelt key", "sip:\n  listn: [udp://a:1]", `2:3: sip has no key "listn"; did you mean listen?`},
		{"a misspelt section", "webhook: {}", `1:1: the file has no key "webhook"; did you mean webhooks?`},
		{"camel case", "limits: {maxCalls: 7}", `1:10: limits has no key "maxCalls"; did you mean max_calls?`},
		{"a strange key", "media: {colour: red}", `1:9: media has no key "colour"; it has rtp_ports, codecs, srtp`},
		{"a key in a list", "routes:\n- to: a\n  voiceurl: https://h/", `3:3: routes[0] has no key "voiceurl"; did you mean voice_url?`},
		{"columns count bytes", "media: {\"ü\": 1, colour: 2}", `1:18: media has no key "colour"; it has`},
		{"a key written twice", "data: a\nlimits: {}\ndata: b", `3:1: data is written twice; remove one; the first is in line 1`},
		{"a list for a value", "data: [a]", `1:7: data is a list, and should be a single value`},
		{"a value for a list", "sip: {acl: 10.0.0.0/8}", `1:12: sip.acl is a single value, and should be a list; write [a, b]`},
		{"a value for a section", "sip: udp", `1:6: sip is a single value, and should have keys`},
		{"a list for the file", "- a", `1:1: the file is a list, and should have keys`},
		{"no duration", "webhooks: {timeout: soon}", `1:21: webhooks.timeout: "soon" is no duration; write it as 500ms`},
		{"no unit", "webhooks: {timeout: 15}", `1:21: webhooks.timeout: "15" has no unit; write 15s`},
		{"a negative duration", "webhooks: {timeout: -1s}", `1:21: webhooks.timeout: "-1s" is no duration`},
		{"a bad range", "sip: {acl: [10.0.0.0/33]}", `1:13: sip.acl[0]: "10.0.0.0/33" is no range of addresses; write`},
		{"no address", "sip: {external_ip: 0.0.0.0}", `1:20: sip.external_ip: "0.0.0.0" is no address that others can reach; write`},
		{"a bad transport", "sip: {listen: [sctp://a:1]}", `1:16: sip.listen[0]: "sctp://a:1" has an unknown transport; write`},
		{"no transport", "sip: {listen: [\"0.0.0.0:5060\"]}", `1:16: sip.listen[0]: "0.0.0.0:5060" has no transport; write`},
		{"a bad port", "sip: {listen: [udp://a:99999]}", `1:16: sip.listen[0]: "udp://a:99999" has no port from 0 to 65535; write`},
		{"a backward range of ports", "media: {rtp_ports: 20-10}", `1:20: media.rtp_ports: "20-10" leaves the ports`},
		{"a range without room", "media: {rtp_ports: 4000-4000}", `1:20: media.rtp_ports: "4000-4000" has no room for a pair`},
		{"no range of ports", "media: {rtp_ports: 10000}", `1:20: media.rtp_ports: "10000" is no range of ports; write it as`},
		{"a bad URL", "routes: [{to: a, voice_url: example.com/voice}]", `1:29: routes[0].voice_url: "example.com/voice" is no http or https URL; write`},
		{"a bad choice", "accounts: [{dialect: twillio}]", `1:22: accounts[0].dialect: "twillio" is not one of telnyx, twilio; did you mean twilio?`},
		{"a bad codec", "media: {codecs: [g729]}", `1:18: media.codecs[0]: "g729" is not one of opus, g722, pcmu, pcma; did you mean g722?`},
		{"a bad number", "limits: {max_calls: many}", `1:21: limits.max_calls: "many" is no whole number from 1 to 100000`},
		{"a number out of range", "limits: {max_calls: 0}", `1:21: limits.max_calls: "0" is no whole number from 1 to 100000`},
		{"a bad SID", "accounts: [{sid: AC12}]", `1:18: accounts[0].sid: "AC12" is no SID`},
		{"a missing key", "accounts: [{dialect: telnyx}]", `1:12: accounts[0].sid is missing; write sid`},
		{"a bad host to allow", "webhooks: {allow_hosts: [\"http://a\"]}", `1:26: webhooks.allow_hosts[0]: "http://a" is not a host`},
		{"a bad pattern", "routes: [{to: \"+49*3\", flow: \"embed:hello.xml\"}]", `1:15: routes[0].to: "+49*3" has its * in the middle; * can only`},
		{"a route to nothing", "routes:\n- to: a", `2:3: routes[0]: nothing answers this route; set voice_url`},
		{"a route to two things", "routes:\n- {to: a, voice_url: https://h/, flow: \"embed:hello.xml\"}", `2:3: routes[0]: 2 things answer`},
		{"a flow that is not there", "routes:\n- {to: a, flow: none.xml}", `2:17: routes[0].flow: "none.xml" cannot be used: flow: stat`},
		{"an example that is not there", "routes:\n- {to: a, flow: \"embed:none.xml\"}", `no embedded flow is called "none.xml"; there are ask-answer.xml`},
		{"an account that is not there", "routes:\n- {to: a, flow: \"embed:hello.xml\", account: AC1}", `2:45: routes[0].account names an account, and there are none`},
		{"no variable", "data: ${NOT_SET}", `1:7: data needs the environment variable NOT_SET, which is not set; set it, or write ${NOT_SET:-default}`},
		{"no name of a variable", "data: ${A B}", `1:7: data has ${A B}, which names no variable; write`},
		{"an open brace", "data: ${A", `1:7: data has a ${ without its }; close it`},
		{"a store of another kind", "store: {url: \"mysql://h/d\"}", `1:14: store.url: "mysql://h/d" is not a kind of store we have; write`},
		{"a merge key", "limits: &l {max_calls: 1}\nsip:\n  <<: *l", `3:3: the merge key << is not read`},
		{"a tab", "sip:\n\tlisten: []", `2:1: this is not YAML: found character that cannot start any token; indent with blanks`},
		{"a second document", "data: a\n---\ndata: b", `a second document begins here`},
		{"a provider that is not there", "ai: {defaults: {llm: [gpt]}}", `1:23: ai.defaults.llm[0]: there is no ai.llm.gpt; add it`},
		{"nowhere to answer at", "http: {listen: \"8080\"}", `1:16: http.listen: "8080" is no address; write host:port, as in 127.0.0.1:8080, or off`},
		{"a public URL with a query", "http: {public_url: \"https://h/?a=b\"}", `1:20: http.public_url: "https://h/?a=b" has more than host and path; write`},
		{"half of TLS", "http:\n  tls: {cert: a.pem}", `2:8: http.tls needs both cert and key`},
		{"no token to sign with", "accounts: [{sid: AC0123456789abcdef0123456789abcdef, dialect: twilio}]", `1:12: accounts[0] has no auth_tokens`},
		{"a route in a dialect that its account cannot sign", "accounts: [{sid: AC0123456789abcdef0123456789abcdef, dialect: twilio, auth_tokens: [a]}]\nroutes: [{to: a, flow: \"embed:hello.xml\", dialect: telnyx}]",
			`2:52: the account of routes[0] has no signing_key`},
		{"the same SID twice", "accounts:\n- &a {sid: AC0123456789abcdef0123456789abcdef, dialect: twilio, auth_tokens: [a]}\n- *a", `accounts[1].sid is the SID of an account above`},
		{"a route to another account", "accounts: [{sid: AC0123456789abcdef0123456789abcdef, dialect: twilio, auth_tokens: [a]}]\nroutes: [{to: a, flow: \"embed:hello.xml\", account: AC1}]",
			`2:52: routes[0].account is the SID of no account here`},
		{"an empty token", "accounts: [{sid: AC0123456789abcdef0123456789abcdef, dialect: twilio, auth_tokens: [\"\"]}]", `1:85: accounts[0] has an empty auth token`},
		{"no key to sign with", "accounts: [{sid: AC0123456789abcdef0123456789abcdef}]", `1:12: accounts[0] has no signing_key`},
	} {
		cfg, slips := parseConfig("hookswitch.yaml", []byte(c.file), noEnv)
		if cfg != nil {
			t.Errorf("%s: there is a configuration in spite of %v", c.name, slips)
		}
		if !strings.Contains(slips.Error(), c.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", c.name, slips, c.want)
		}
		for _, s := range slips {
			if s.Level == texml.Fatal && s.Fix == "" {
				t.Errorf("%s: no remedy in %v", c.name, s)
			}
		}
	}
}

func TestEverySlipIsFound(t *testing.T) {
	file := "spi: {}\nmedia: {rtp_ports: x, codec: []}\nlimits:\n  max_calls: ${A}${B}\nroutes: [{to: \"a b\"}, {to: \"*\", flow: \"embed:hello.xml\"}, {}]\n"
	_, slips := parseConfig("f", []byte(file), noEnv)
	want := []string{"f:1:1: the file has no key", "f:2:20: media.rtp_ports", "f:2:23: media has no key", "f:4:14: limits.max_calls needs the environment variable A",
		"f:4:14: limits.max_calls needs the environment variable B", "f:5:10: routes[0]: nothing", "f:5:15: routes[0].to", "f:5:59: routes[2]: nothing"}
	if len(slips) != len(want) {
		t.Fatalf("got %d slips, want %d:\n%v", len(slips), len(want), slips)
	}
	for i, w := range want {
		if !strings.HasPrefix(slips[i].Error(), w) {
			t.Errorf("got %v, want %s", slips[i], w)
		}
	}
}

func TestWhatIsNotUsedYetIsANote(t *testing.T) {
	file := `
sip:
  listen: [udp://127.0.0.1:5060, tls://127.0.0.1:5061]
  trunks: [{name: a, server: h, transport: tls, register: true}]
  users:
media: {codecs: [opus, g722], srtp: required}
`
	cfg, slips := parseConfig("f", []byte(file), noEnv)
	want := []string{
		"f:3:34: sip.listen[1]: the transport tls is not used yet by this version",
		"f:4:44: sip.trunks[0].transport: the transport tls is not used yet by this version",
		"f:4:49: sip.trunks[0].register is not used yet by this version",
		"f:6:18: media.codecs[0]: the codec opus is not used yet by this version",
		"f:6:31: media.srtp is not used yet by this version",
	}
	if cfg == nil || slips.Error() != strings.Join(want, "\n") {
		t.Errorf("got %v\nwant %v", slips, want)
	}
	for _, s := range slips {
		if s.Level != texml.Note {
			t.Errorf("%v is a %v", s, s.Level)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	env := func(name string) (string, bool) { return "s3cret", true }
	for _, file := range []string{
		"webhooks: {timeout: \"${T}\"}", "store: {url: \"mysql://${T}/\"}", "limits: {max_calls: \"${T}\"}",
		"accounts: [{sid: \"${T}\", signing_key: s3cret}]", "routes: [{to: \"*\", voice_url: \"ftp://u:s3cret@h/\"}]",
		"accounts: [{signing_key: \"${T}\"}]", "routes: [{to: \"*\", flow: \"x\", account: \"${T}\"}]", "media: {rtp_ports: \"${T}\"}",
		"sip: {acl: [\"${T}\"], listen: [\"${T}\"], external_ip: \"${T}\"}",
	} {
		_, slips := parseConfig("f", []byte(file), env)
		if !slips.Failed() {
			t.Errorf("%s is taken as right", file)
		}
		if strings.Contains(slips.Error(), "s3cret") {
			t.Errorf("%s: %v", file, slips)
		}
	}
}

func TestFilesOfConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hookswitch.yaml")
	if _, slips := loadConfig(path, noEnv); !strings.Contains(slips.Error(), "the file cannot be read: no such file") {
		t.Errorf("got %v, want no such file", slips)
	}
	for name, body := range map[string]string{"empty": "", "only comments": "# nothing\n", "empty sections": "sip:\nroutes:\nlimits:\n", "a byte order mark": "\ufeffdata:\n"} {
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		cfg, slips := loadConfig(path, noEnv)
		want := defaultConfig()
		want.Data = filepath.Join(dir, "hookswitch-data")
		if len(slips) != 0 || !reflect.DeepEqual(cfg, want) {
			t.Errorf("%s: got %+v, %v; want the defaults", name, cfg, slips)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "menu.xml"), []byte("<Response/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("routes: [{to: a, flow: menu.xml}]"), 0o644); err != nil {
		t.Fatal(err)
	}
	if cfg, slips := loadConfig(path, noEnv); cfg == nil || cfg.Routes[0].Flow != filepath.Join(dir, "menu.xml") {
		t.Errorf("got %v, %v; want the flow beside the file", cfg, slips)
	}
}

func FuzzConfig(f *testing.F) {
	for _, s := range []string{
		"sip:\n  listen: [udp://0.0.0.0:5060, tls://[::1]:1]\n  acl: [10.0.0.0/8]\n  trunks:\n    - name: a\n      allow: [h]\n",
		"routes:\n  - {to: \"+49*\", voice_url: \"https://h/${A:-b}\", method: get}\n  - to: 012\n    flow: embed:hello.xml\n",
		"ai: {llm: {a: {provider: x, timeout: 3s, extra: {k: v}}}, defaults: {llm: [a, b]}}",
		"accounts: [{sid: AC0123456789abcdef0123456789abcdef, signing_key: MDEy, auth_tokens: [a]}]\nmedia: {rtp_ports: 1-2}",
		"a: &a [*a]", "sip: &s {acl: *s}", "data: ${A:-${B}}", "? [a]\n: b", "data: !!binary aGk=", "{}", "\t", "data: |\n ü${", "<<: {}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		cfg, slips := parseConfig("f", body, noEnv)
		if (cfg == nil) != slips.Failed() {
			t.Errorf("configuration %v with %v", cfg != nil, slips)
		}
		lines := len(yamlBreak.Split(string(body), -1))
		for _, s := range slips {
			if s.Pos.Line < 1 || s.Pos.Line > lines+1 || s.Pos.Col < 1 || s.Msg == "" || strings.Contains(s.Msg, "\n") {
				t.Errorf("a slip at %v of %d lines: %q", s.Pos, lines, fmt.Sprint(s))
			}
		}
	})
}
