package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/hookswitch/hookswitch/flows"
	"github.com/hookswitch/hookswitch/texml"
)

const maxConfig = 1 << 20 // bytes of a configuration file

// defaultConfig is the configuration without a file.
func defaultConfig() *Config {
	var c Config
	setDefaults(reflect.ValueOf(&c).Elem())
	return &c
}

// loadConfig reads a configuration file and reports every slip of it. With a
// Fatal one there is no Config; Notes tell of what is set and not used.
// Relative paths count from the folder of the file. Env looks up what ${NAME}
// stands for, like os.LookupEnv.
func loadConfig(path string, env func(string) (string, bool)) (*Config, texml.Errors) {
	fatal := func(msg, fix string) (*Config, texml.Errors) {
		return nil, texml.Errors{{Source: path, Pos: texml.Pos{Line: 1, Col: 1}, Level: texml.Fatal, Msg: msg, Fix: fix}}
	}
	body, err := readUpTo(path, maxConfig+1)
	if err != nil {
		return fatal("the file cannot be read: "+withoutName(err), "")
	}
	if len(body) > maxConfig {
		return fatal("the file is over 1 MB", "is it the right one?")
	}
	return parseConfig(path, body, env)
}

// withoutName is a file's error without its name, which stands before it anyway.
func withoutName(err error) string {
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

func parseConfig(path string, body []byte, env func(string) (string, bool)) (*Config, texml.Errors) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	d := &decoder{
		source: path, lines: yamlBreak.Split(string(body), -1), dir: filepath.Dir(path),
		env: env, places: make(map[string]texml.Pos),
	}
	c := defaultConfig()
	c.Data = filepath.Join(d.dir, c.Data)
	var tree, second yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(body))
	switch err := in.Decode(&tree); {
	case errors.Is(err, io.EOF): // nothing but comments
	case err != nil:
		d.syntax(err)
	default:
		d.value("", tree.Content[0], reflect.ValueOf(c).Elem(), "")
		switch err := in.Decode(&second); {
		case err == nil:
			d.slip(&second, "a second document begins here", "keep everything in one, without ---")
		case !errors.Is(err, io.EOF):
			d.syntax(err)
		}
	}
	d.together(c)
	inOrder(d.slips)
	if d.slips.Failed() {
		return nil, d.slips
	}
	return c, d.slips
}

// yamlBreak is what YAML 1.1 §5.4 takes for the end of a line.
var yamlBreak = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]")

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?s:(.*))$`)

// syntax reports what the YAML reader could not read.
func (d *decoder) syntax(err error) {
	line, msg := 1, err.Error()
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		msg = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	fix := "look at the indentation, the colons and the quotes around this line"
	if strings.Contains(msg, "found character that cannot start any token") {
		fix = "indent with blanks, not tabs, and put quotes around a value that begins with @, ` or %"
	}
	d.add(texml.Pos{Line: line, Col: 1}, texml.Fatal, "this is not YAML: "+msg, fix)
}

// together reports what is wrong between keys that are right by themselves.
func (d *decoder) together(c *Config) {
	at := func(path string) texml.Pos {
		for { // the nearest key that is written
			if p, ok := d.places[path]; ok || path == "" {
				return p
			}
			path = path[:max(strings.LastIndexAny(path, ".["), 0)]
		}
	}
	accounts := make(map[string]Account)
	for i, a := range c.Accounts {
		path := fmt.Sprintf("accounts[%d]", i)
		if _, twice := accounts[a.SID]; twice {
			d.add(at(path+".sid"), texml.Fatal, path+".sid is the SID of an account above", "give each account its own")
		}
		accounts[a.SID] = a
		d.signs(at(path), path, a, a.Dialect)
		for j, token := range a.AuthTokens {
			if token == "" {
				d.add(at(fmt.Sprintf("%s.auth_tokens[%d]", path, j)), texml.Fatal, path+" has an empty auth token", "write it, or remove the line")
			}
		}
	}
	for i, r := range c.Routes {
		path := fmt.Sprintf("routes[%d]", i)
		a, known := accounts[r.Account]
		switch {
		case len(c.Accounts) == 0 && r.Account != "":
			d.add(at(path+".account"), texml.Fatal, path+".account names an account, and there are none", "add it under accounts, or remove the line")
		case len(c.Accounts) == 0: // the account we make has a token and a key
		case r.Account != "" && !known:
			d.add(at(path+".account"), texml.Fatal, path+".account is the SID of no account here", "write one of accounts")
		case r.Account == "" && r.Dialect != "":
			d.signs(at(path+".dialect"), "the account of "+path, c.Accounts[0], r.Dialect)
		case r.Dialect != "":
			d.signs(at(path+".dialect"), "the account of "+path, a, r.Dialect)
		}
	}
	var slips flows.Errors
	if _, err := flows.NewTable(c.FlowRoutes()); errors.As(err, &slips) {
		for _, s := range slips {
			path := fmt.Sprintf("routes[%d]", s.Index)
			if s.Field != "voice_url" {
				path += "." + s.Field
			}
			d.add(at(path), texml.Fatal, path+": "+s.Msg, s.Fix)
		}
	}
	for i, t := range c.SIP.Trunks {
		path := fmt.Sprintf("sip.trunks[%d]", i)
		for _, slip := range t.slips(c.SIP.Trunks[:i]) {
			d.add(at(path+slip.key), texml.Fatal, path+slip.key+" "+slip.msg, slip.fix)
		}
	}
	for name, each := range c.Connectors {
		if each.Kind == "" || each.URL == "" {
			continue // reported already
		}
		path := keyPath("connectors", name) + ".url"
		if err := each.check(); err != nil {
			msg, fix, _ := strings.Cut(err.Error(), "; ")
			d.add(at(path), texml.Fatal, path+" "+msg, fix)
		}
	}
	if (c.HTTP.TLS.Cert == "") != (c.HTTP.TLS.Key == "") {
		d.add(at("http.tls"), texml.Fatal, "http.tls needs both cert and key", "write the other one too")
	}
	d.providers(c, at)
}

// signs reports an account that cannot sign the webhooks of a dialect.
func (d *decoder) signs(at texml.Pos, name string, a Account, dialect string) {
	if dialect == "twilio" && len(a.AuthTokens) == 0 {
		d.add(at, texml.Fatal, name+" has no auth_tokens", "write one: webhooks of the twilio dialect are signed with it")
	}
	if dialect == "telnyx" && a.SigningKey == nil {
		d.add(at, texml.Fatal, name+" has no signing_key", "write one: webhooks of the telnyx dialect are signed with it; `openssl rand -base64 32` makes one")
	}
}
