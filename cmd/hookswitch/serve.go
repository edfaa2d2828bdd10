package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

const serveUsage = `usage: hookswitch serve [FLOW] [flags]

Answers calls. FLOW says what a caller gets, whatever number is called: a TeXML
file, a folder with an index.xml, or the URL of a webhook. Without FLOW the
routes of the configuration count, and without those the built-in demo answers.

  hookswitch serve                             the demo; call sip:demo@127.0.0.1
  hookswitch serve menu.xml                    a file; it is read anew for each call
  hookswitch serve http://127.0.0.1:3000/voice your web server decides
  hookswitch serve --config hookswitch.yaml    everything else

Only this machine can call until --allow or the configuration names others:

  hookswitch serve --sip 0.0.0.0:5060 --allow 192.168.1.0/24

Ctrl-C hangs up all calls and ends; SIGTERM lets them finish first (at most
half a minute).

`

// drainFor is how long running calls may go on after SIGTERM.
const drainFor = 30 * time.Second

// serve is the command: it answers calls until it is told to stop.
func serve(args []string, out, errOut io.Writer) int {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are printed once, help below
	configPath := fs.String("config", "", "configuration `file` (default hookswitch.yaml, if there is one)")
	sipAddr := fs.String("sip", "", "`host:port` to listen on, UDP and TCP (sip.listen; default 127.0.0.1:5060)")
	allow := fs.String("allow", "", "who may call beside this machine: `addresses` or networks with commas between them (sip.acl)")
	httpAddr := fs.String("http", "", "`host:port` of the recordings' web server, or off (http.listen; default 127.0.0.1:8080)")
	rtpPorts := fs.String("rtp", "", "`first-last` UDP port of the sound (media.rtp_ports; default 10000-20000)")
	data := fs.String("data", "", "`folder` for records, account and cache (data; default hookswitch-data)")
	dialect := fs.String("dialect", "", "telnyx or twilio: defaults, parameters and signature (default: the account's, telnyx)")
	verbose := fs.Bool("verbose", false, "log each step of each call")
	operands, err := parseOperands(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, serveUsage)
		fs.SetOutput(out)
		fs.PrintDefaults()
		return 0
	}
	if err == nil && len(operands) > 1 {
		err = fmt.Errorf("%q and %q: there can be one flow; routes in a configuration serve several", operands[0], operands[1])
	}
	if err != nil {
		fmt.Fprintln(errOut, "hookswitch serve:", err, "(--help shows what there is)")
		return 2
	}
	cfg, slips := serveConfig(*configPath)
	for _, s := range slips {
		fmt.Fprintln(errOut, s)
	}
	if cfg == nil {
		return 1
	}
	if err := override(cfg, *sipAddr, *allow, *httpAddr, *rtpPorts, *data, *dialect); err != nil {
		fmt.Fprintln(errOut, "hookswitch serve:", err)
		return 2
	}
	if os.Getenv("GOGC") == "" {
		// A call's memory is mostly what its set-up leaves behind. Collecting it
		// twice as often costs 0.1 % of a core and a third less memory per call.
		debug.SetGCPercent(50)
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: level}))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	defer signal.Stop(term)

	p, err := start(ctx, cfg, setting{flow: strings.Join(operands, ""), dialect: *dialect, config: *configPath}, log)
	if err != nil {
		fmt.Fprintln(errOut, "hookswitch serve:", err)
		return 1
	}
	p.greet(out)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "hanging up and ending")
	case <-term:
		p.drain(ctx)
	}
	if err := p.close(); err != nil {
		fmt.Fprintln(errOut, "hookswitch serve:", err)
		return 1
	}
	return 0
}

// parseOperands parses flags that may stand before, between and after operands.
func parseOperands(fs *flag.FlagSet, args []string) (operands []string, err error) {
	for {
		if err := fs.Parse(args); err != nil || fs.NArg() == 0 {
			return operands, err
		}
		operands = append(operands, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// serveConfig reads the configuration that is named or lies here, or is the
// default one.
func serveConfig(path string) (*Config, texml.Errors) {
	if path == "" {
		if _, err := os.Stat("hookswitch.yaml"); err != nil {
			return defaultConfig(), nil
		}
		path = "hookswitch.yaml"
	}
	return loadConfig(path, os.LookupEnv)
}

// override puts the values of flags in the place of those of the file.
func override(cfg *Config, sipAddr, allow, httpAddr, rtpPorts, data, dialect string) error {
	if sipAddr != "" {
		if _, _, err := net.SplitHostPort(sipAddr); err != nil {
			return fmt.Errorf("--sip %s is not host:port", sipAddr)
		}
		cfg.SIP.Listen = []string{"udp://" + sipAddr, "tcp://" + sipAddr}
	}
	if allow != "" {
		cfg.SIP.ACL = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
		for _, text := range strings.Split(allow, ",") {
			network, err := parseNetwork(strings.TrimSpace(text))
			if err != nil {
				return fmt.Errorf("--allow %s is neither an address nor a network such as 192.168.1.0/24", text)
			}
			cfg.SIP.ACL = append(cfg.SIP.ACL, network)
		}
	}
	if httpAddr != "" {
		if err := httpListenRule(httpAddr); err != nil {
			return fmt.Errorf("--http %s %w", httpAddr, err)
		}
		cfg.HTTP.Listen = httpAddr
	}
	if rtpPorts != "" {
		if err := cfg.Media.RTPPorts.UnmarshalText([]byte(rtpPorts)); err != nil {
			return fmt.Errorf("--rtp %s %w", rtpPorts, err)
		}
	}
	if data != "" {
		cfg.Data = data
	}
	if dialect != "" {
		if _, err := texml.ParseDialect(dialect); err != nil {
			return fmt.Errorf("--dialect: %w", err)
		}
	}
	return nil
}

// parseNetwork reads a network, or an address as the network of it alone.
func parseNetwork(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip.Prefix(ip.BitLen())
	}
	return netip.ParsePrefix(text)
}

// greet tells where to call, with what, and what will be heard.
func (p *program) greet(out io.Writer) {
	where := "127.0.0.1:5060"
	var ways []string
	for _, a := range p.sip.Addrs() {
		u, err := url.Parse(a)
		if err != nil {
			continue
		}
		where = u.Host
		ways = append(ways, strings.ToUpper(u.Scheme))
	}
	if host, port, err := net.SplitHostPort(where); err == nil {
		if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
			where = net.JoinHostPort("127.0.0.1", port)
			ways = append(ways, "from elsewhere by this machine's own address")
		}
	}
	from := "" // baresip calls from the address of a network card, unless told
	if strings.HasPrefix(where, "127.") {
		from = "-n 127.0.0.1 "
	}
	who := "this machine only; --allow names others"
	if len(p.cfg.SIP.ACL) > 0 {
		who = strings.Trim(fmt.Sprint(p.cfg.SIP.ACL), "[]")
	}
	number := "demo" // any will do when one flow answers them all
	if strings.HasSuffix(p.shown, "of the configuration") {
		number = "NUMBER"
	}
	hear := "what your document says"
	if p.shown == "the built-in demo" {
		hear = "a greeting; press any key and it is read back"
	}
	fmt.Fprintf(out, `hookswitch answers calls.

  call      sip:%s@%s  (%s; callers: %s)
  with      Linphone, Zoiper, MicroSIP, or
            baresip %s-e "/uanew <sip:me@127.0.0.1>;regint=0" -e "/dial sip:%s@%s"
  hear      %s
  flow      %s
  dials     %s
  voice     %s
  listens   %s
  http      %s
  account   %s
`, number, where, strings.Join(ways, ", "), who, from, number, where, hear, p.shown, p.cfg.whom(), p.speech, p.speech.listens(), p.shownHTTP(), p.first.SID)
	if len(p.cfg.Accounts) == 0 {
		pub := ed25519.PrivateKey(p.first.SigningKey).Public().(ed25519.PublicKey)
		fmt.Fprintf(out, "  token     %s  (opens recordings, signs webhooks in the twilio dialect; kept in %s)\n  key       %s  (public; checks webhooks in the telnyx dialect)\n",
			p.first.AuthTokens[0], filepath.Join(p.cfg.Data, "account.json"), base64.StdEncoding.EncodeToString(pub))
	}
	fmt.Fprint(out, "\nCtrl-C ends it.\n")
}
