package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrongCommandLinesOfCall holds that what can never become a call is told
// apart from a call that failed.
func TestWrongCommandLinesOfCall(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"neither number nor address", []string{"foo", "embed:hello.xml"}, "no number and no SIP address; write +14155550100 or sip:name@host"},
		{"an address without a host", []string{"sip:", "embed:hello.xml"}, "the host of the SIP address is no host"},
		{"an address with a blank", []string{"sip:a b@127.0.0.1", "embed:hello.xml"}, "a character that must be escaped"},
		{"a flow that is not there", []string{"sip:bob@127.0.0.1", "gone.xml"}, "gone.xml"},
		{"no built-in flow of that name", []string{"bob@127.0.0.1", "embed:gone.xml"}, "no embedded flow is called"},
		{"a header of the protocol", []string{"sip:bob@127.0.0.1", "embed:hello.xml", "--header", "Via:x"}, `header "Via" is not one that may be set`},
		{"a header without a colon", []string{"sip:bob@127.0.0.1", "embed:hello.xml", "--header", "X-Name"}, "X-Name: value"},
		{"no way to detect machines", []string{"sip:bob@127.0.0.1", "embed:hello.xml", "--amd", "yes"}, "--amd yes: write off, detect or message"},
		{"no flow", []string{"sip:bob@127.0.0.1"}, "the flow to run"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, errOut strings.Builder
			if exit := call(test.args, &out, &errOut); exit != 2 || out.Len() > 0 || !strings.Contains(errOut.String(), test.says) {
				t.Errorf("exit %d, %q and %q; want 2 and %q", exit, out.String(), errOut.String(), test.says)
			}
		})
	}
}

// testStart starts a program on ports of this machine that are free.
func testStart(t *testing.T, cfg *Config, set setting) *program {
	t.Helper()
	cfg.Data = t.TempDir()
	cfg.SIP.Listen = []string{"udp://127.0.0.1:0"}
	cfg.HTTP.Listen = "off"
	p, err := start(t.Context(), cfg, set, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRecordingsOfCallAreFilesForAWhile holds that encoders find them, and that
// nothing stays.
func TestRecordingsOfCallAreFilesForAWhile(t *testing.T) {
	passing := t.TempDir()
	t.Setenv("TMPDIR", passing)
	p := testStart(t, defaultConfig(), setting{flow: "embed:hello.xml", once: true})
	f, err := p.recordings.Create("RE0123456789abcdef0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if found, err := filepath.Glob(passing + "/*/RE*"); len(found) != 1 || err != nil {
		t.Errorf("found %v (%v), want one file", found, err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(passing); len(left) > 0 || err != nil {
		t.Errorf("left %v (%v)", left, err)
	}
}

func TestGreetingCountsRoutes(t *testing.T) {
	for _, test := range []struct{ routes, want string }{
		{"[{to: '*', flow: 'embed:hello.xml'}]", "1 route of the configuration\n"},
		{"[{to: '1*', flow: 'embed:hello.xml'}, {to: '*', flow: 'embed:hello.xml'}]", "2 routes of the configuration\n"},
	} {
		written(t, map[string]string{"hookswitch.yaml": "routes: " + test.routes + "\n"})
		cfg, slips := loadConfig("hookswitch.yaml", os.LookupEnv)
		if cfg == nil {
			t.Fatal(slips)
		}
		p := testStart(t, cfg, setting{})
		var out strings.Builder
		p.greet(&out)
		if !strings.Contains(out.String(), " "+test.want) {
			t.Errorf("want %q in\n%s", test.want, out.String())
		}
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
}
