package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hookswitch/hookswitch/flows"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/outbound"
	"github.com/hookswitch/hookswitch/runtime/sip"
)

const callUsage = `usage: hookswitch call SIP_URI FLOW [flags]

Places one call and runs FLOW on it once it is answered: a TeXML file, an
example such as embed:hello.xml, or the URL of a webhook. Each step is shown as
it happens. Ctrl-C hangs up.

  hookswitch call sip:alice@192.168.1.20 hello.xml
  hookswitch call sip:100@127.0.0.1:5080 http://127.0.0.1:3000/voice --from 200
  hookswitch call +4930123456 survey.xml --from +4989654321 --record answer.wav
  hookswitch call +4930123456 reminder.xml --from +4989654321 --amd message

A SIP address that is written here may be called. A number needs a trunk, and
its country or a pattern that allows it: sip.trunks and dial in the
configuration. Whom the flow dials is a matter of dial too.

Exit status: 0 answered, and the flow ran; 1 failed; 2 wrong command line;
3 busy; 4 no answer; 5 given up before the answer.

`

// exitOf is the exit status of each outcome.
var exitOf = map[string]int{"completed": 0, "failed": 1, "busy": 3, "no-answer": 4, "canceled": 5}

// amdModes are the values of --amd, and what they are in documents.
var amdModes = map[string]string{"off": "", "detect": "Enable", "message": "DetectMessageEnd"}

// headerFlags are the values of --header.
type headerFlags map[string][]string

func (h headerFlags) String() string { return "" }

func (h headerFlags) Set(text string) error {
	name, value, ok := strings.Cut(text, ":")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return errors.New(`write --header "X-Name: value"`)
	}
	h[name] = append(h[name], strings.TrimSpace(value))
	return nil
}

// call is the command: it places one call.
func call(args []string, out, errOut io.Writer) int {
	fs := flag.NewFlagSet("call", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	headers := headerFlags{}
	from := fs.String("from", "hookswitch", "caller `id`: a number or a name")
	fs.Var(headers, "header", "further `\"Name: value\"` of the INVITE; may be given again")
	record := fs.String("record", "", "write the call into this WAV `file`: they on the left channel, we on the right")
	amd := fs.String("amd", "off", "find out who answers before FLOW runs, which is told AnsweredBy: off, `detect`, or message to wait for a machine's beep")
	timeout := fs.Duration("timeout", time.Minute, "how long it may ring")
	local := fs.String("sip", "", "`host:port` to call from (default: any port of the address that leads there)")
	configPath := fs.String("config", "", "configuration `file` (default hookswitch.yaml, if there is one)")
	data := fs.String("data", "", "`folder` of the account (data; default hookswitch-data)")
	dialect := fs.String("dialect", "", "telnyx or twilio (default: the account's, telnyx)")
	verbose := fs.Bool("verbose", false, "log each step")
	operands, err := parseOperands(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, callUsage)
		fs.SetOutput(out)
		fs.PrintDefaults()
		return 0
	}
	if err == nil && len(operands) != 2 {
		err = errors.New("whom to call, and the flow to run; such as: hookswitch call sip:alice@192.168.1.20 hello.xml")
	}
	if err != nil {
		fmt.Fprintln(errOut, "hookswitch call:", err)
		return 2
	}
	to, flow := operands[0], operands[1]
	if user, _, ok := strings.Cut(to, "@"); ok && !strings.Contains(user, ":") {
		to = "sip:" + to
	}
	if err := checkCall(to, *from, flow, headers); err != nil {
		fmt.Fprintln(errOut, "hookswitch call:", err)
		return 2
	}
	mode, ok := amdModes[*amd]
	if !ok {
		fmt.Fprintf(errOut, "hookswitch call: --amd %s: write off, detect or message\n", *amd)
		return 2
	}
	if folder, err := os.Stat(filepath.Dir(*record)); err != nil || !folder.IsDir() {
		fmt.Fprintf(errOut, "hookswitch call: --record %s: there is no folder %s\n", *record, filepath.Dir(*record))
		return 2
	}
	cfg, slips := serveConfig(*configPath)
	for _, s := range slips {
		fmt.Fprintln(errOut, s)
	}
	if cfg == nil {
		return 1
	}
	if err := override(cfg, *local, "", "", "", *data, *dialect); err != nil {
		fmt.Fprintln(errOut, "hookswitch call:", err)
		return 2
	}
	if *local == "" {
		host := "0.0.0.0"
		if strings.Contains(to, "@127.") || strings.Contains(to, "@localhost") {
			host = "127.0.0.1"
		}
		cfg.SIP.Listen = []string{"udp://" + host + ":0", "tcp://" + host + ":0"}
	}
	if strings.HasPrefix(to, "sip:") {
		uri, _, _ := strings.Cut(to, "?")
		uri, _, _ = strings.Cut(uri, ";")
		address := strings.TrimPrefix(uri, "sip:")
		literal := !strings.Contains(address, "*")
		if !strings.Contains(address, "@") {
			address = "*@" + address // a host alone
		}
		if literal && outbound.CheckPattern(address, true) == nil {
			cfg.Dial.Allow = append(cfg.Dial.Allow, address) // who writes it here means it
		}
	}
	level := slog.LevelError // slips are among the steps that are shown
	if *verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once

	show := newShown(out)
	p, err := start(ctx, cfg, setting{flow: flow, dialect: *dialect, config: *configPath, once: true, watch: show.saw}, log)
	if err != nil {
		fmt.Fprintln(errOut, "hookswitch call:", err)
		return 1
	}
	rec, err := p.place(ctx, to, *from, headers, runtime.AMD{Mode: mode}, *timeout, *record)
	show.over(rec)
	if err := errors.Join(err, p.close()); err != nil {
		fmt.Fprintln(errOut, "hookswitch call:", err)
		return 1
	}
	if rec.ErrorMessage != "" {
		return 1
	}
	return exitOf[rec.Status]
}

// checkCall reports what of a command line can never become a call.
func checkCall(to, from, flow string, headers headerFlags) error {
	uri, _, _ := strings.Cut(to, "?")
	if err := outbound.CheckTarget(uri); err != nil {
		return err
	}
	if err := (sip.Destination{URI: "sip:127.0.0.1", From: fromUser(from), Headers: headers}).Check(); err != nil {
		return err
	}
	if strings.HasPrefix(flow, "http://") || strings.HasPrefix(flow, "https://") {
		return nil
	}
	var files flows.Files
	defer files.Close()
	_, err := files.Add(flow)
	return err
}

// place places the one call of this program, and writes its recording to the
// file record, if that is named.
func (p *program) place(ctx context.Context, to, from string, headers map[string][]string, amd runtime.AMD, timeout time.Duration, record string) (runtime.CallRecord, error) {
	route, _ := p.table.Find(to, from)
	uri, _, _ := strings.Cut(to, "?")
	rec := p.calls.Place(ctx, runtime.Destination{To: uri, From: from, Headers: headers}, runtime.Setup{
		Account: runtimeAccount(p.first), Dialect: p.dialectOf(route, p.first), Direction: "outbound-api",
		From: from, To: uri, First: runtime.Request{URL: route.VoiceURL, Method: route.Method},
		Patience: timeout, Record: record != "", AMD: amd,
	})
	if record == "" || rec.Answered.IsZero() {
		return rec, nil
	}
	p.calls.Close() // the recording's record is stored then
	all, err := p.store.RecordingsOf(ctx, rec.AccountSID, rec.SID)
	if err != nil || len(all) == 0 {
		return rec, fmt.Errorf("%s was not written: nothing was recorded", record)
	}
	sound, _, err := p.recordings.Open(all[0].SID)
	if err != nil {
		return rec, fmt.Errorf("%s was not written: %w", record, err)
	}
	defer sound.Close()
	f, err := os.Create(record)
	if err != nil {
		return rec, err
	}
	_, err = io.Copy(f, sound)
	return rec, errors.Join(err, f.Close())
}
