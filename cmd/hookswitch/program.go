package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/flows"
	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/api"
	"github.com/hookswitch/hookswitch/runtime/outbound"
	"github.com/hookswitch/hookswitch/runtime/sip"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
)

// program is a running server with all its parts.
type program struct {
	cfg      *Config
	accounts map[string]Account
	first    Account // the one of routes that name none
	dialect  string  // of the command line, "" for the account's
	table    *flows.Table
	files    *flows.Files
	shown    string // the flow, for people
	speech   *speech
	log      *slog.Logger

	store      runtime.Store
	recordings runtime.Recordings
	folder     *store.Folder
	passing    string                            // the folder, when it goes with the program; "" when it stays
	watch      func(sid string, e runtime.Event) // sees every event of every call, in place of the log; may be nil
	policy     *outbound.Policy
	web        *webhook.Client
	calls      *runtime.Server
	http       *api.Server // nil: there is none
	httpURL    string      // where it is reached from this machine
	serving    sync.WaitGroup
	pacer      *media.Pacer
	sip        *sip.Server
	placed     sync.WaitGroup  // calls, until they are over
	calling    context.Context // of all calls
	hangUp     context.CancelFunc
	stop       context.CancelFunc // of the delivery of callbacks, and the texts of recordings
	delivered  chan error
	texts      chan error     // the texts of recordings are made
	following  sync.WaitGroup // of the addresses of trunks
}

// setting is what a command asks of the program besides its configuration.
type setting struct {
	flow    string                            // that answers, or runs; "" is what the routes say
	dialect string                            // "" is the account's
	config  string                            // file of the configuration; "" is hookswitch.yaml
	once    bool                              // for one call: nothing is kept
	watch   func(sid string, e runtime.Event) // sees every event, in place of the log; may be nil
}

// start puts the parts together and begins to answer. The program lives until
// close; ctx is only for its start.
func start(ctx context.Context, cfg *Config, set setting, log *slog.Logger) (p *program, err error) {
	p = &program{cfg: cfg, dialect: set.dialect, watch: set.watch, accounts: map[string]Account{}, files: &flows.Files{}, log: log}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	for _, a := range cfg.Accounts {
		p.accounts[a.SID] = a
	}
	if len(cfg.Accounts) > 0 {
		p.first = cfg.Accounts[0]
	} else if p.first, err = defaultAccount(cfg.Data); err != nil {
		return p, err
	}
	p.accounts[p.first.SID] = p.first
	if err := p.routes(set.flow); err != nil {
		return p, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return p, err
	}
	if set.once {
		if err := p.keepForNow(); err != nil {
			return p, err
		}
	} else if err := p.keep(ctx); err != nil {
		return p, err
	}
	rules := cfg.Outbound()
	rules.File = cmp.Or(set.config, "hookswitch.yaml")
	if p.policy, err = outbound.New(rules); err != nil {
		return p, err
	}
	var key runtime.URLKey
	if !set.once {
		if key, err = urlKey(cfg.Data); err != nil {
			return p, err
		}
		if err := p.listenHTTP(key); err != nil {
			return p, err
		}
	}
	conf := runtime.Config{Store: p.store, Recordings: p.recordings, PublicURL: p.publicURL(), URLKey: key, Log: log,
		MaxCall: cfg.Limits.CallDuration, Observe: p.observe, Dial: p.dial}
	conf.Connectors, conf.Recorder = cfg.connectors(), p.record
	if p.speech, err = newSpeech(cfg, !set.once, log); err != nil {
		return p, err
	}
	conf.Voice, conf.Ears = p.speech.voice, p.speech.ears
	p.web = webhook.New(webhook.Config{
		AllowHosts: cfg.Webhooks.AllowHosts, Timeout: cfg.Webhooks.Timeout, ConnectTimeout: cfg.Webhooks.ConnectTimeout,
		CacheDir: filepath.Join(cfg.Data, "cache"), Log: log,
	})
	conf.Web = runtime.WithFiles(p.web, readFlow(p.files))
	p.calls = runtime.New(conf)

	listen := listenIP(cfg.SIP.Listen)
	ports, err := media.NewPorts(listen, cfg.Media.RTPPorts.Lo, cfg.Media.RTPPorts.Hi)
	if err != nil {
		return p, err
	}
	p.pacer = media.NewPacer(media.PacerConfig{})
	p.calling, p.hangUp = context.WithCancel(context.WithoutCancel(ctx))
	var codecs []string
	for _, c := range cfg.Media.Codecs {
		codecs = append(codecs, strings.ToUpper(c))
	}
	silence := cfg.Media.Timeout
	if silence == 0 {
		silence = -1 // sip.Config has it so
	}
	trunks := newPeers(net.DefaultResolver, p.policy.Peers())
	var callers []netip.Prefix
	if set.once {
		callers = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/32")} // nobody: no calls are answered
	} else {
		found, err := trunks.look(ctx)
		if err != nil {
			log.Warn("calls from there are not answered", "error", err)
		}
		callers = acl(cfg.SIP.ACL, found)
	}
	listening := make(chan struct{}) // closed when p.sip is there for the calls that come at once
	if p.sip, err = sip.Listen(sip.Config{
		Listen: cfg.SIP.Listen, ExternalIP: cfg.SIP.ExternalIP, ACL: callers,
		Ports: ports, Pacer: p.pacer, Codecs: codecs, MediaTimeout: silence,
		MaxCalls: cfg.Limits.MaxCalls, MaxCPS: cfg.Limits.MaxCPS,
		UserAgent: "hookswitch", Log: log,
		Answer: func(_ context.Context, leg *sip.Leg) {
			<-listening
			p.answer(leg)
		},
	}); err != nil {
		close(listening)
		return p, fmt.Errorf("%w; is another program on that port? --sip 127.0.0.1:5070 takes another one", err)
	}
	close(listening)
	deliver, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop, p.delivered = stop, make(chan error, 1)
	go func() { p.delivered <- p.calls.Deliver(deliver, p.signer) }()
	p.texts = make(chan error, 1)
	go func() { p.texts <- p.calls.Transcribe(deliver) }()
	if len(p.policy.Peers()) > 0 && !set.once {
		p.following.Go(func() {
			trunks.follow(deliver, log, func(now []netip.Prefix) { p.sip.SetACL(acl(cfg.SIP.ACL, now)) })
		})
	}
	return p, nil
}

// keep opens what keeps records and recordings, and finishes those that a crash
// left.
func (p *program) keep(ctx context.Context) error {
	url := p.cfg.Store.URL
	if url == "" {
		url = filepath.Join(p.cfg.Data, "hookswitch.db")
	}
	db, err := store.Open(url)
	if err != nil {
		return err
	}
	p.store = db
	if p.folder, err = store.OpenFolder(filepath.Join(p.cfg.Data, "recordings")); err != nil {
		return err
	}
	p.recordings = p.folder
	return store.Recover(ctx, p.store, p.folder)
}

// keepForNow opens what keeps records and recordings until the program ends. The
// sound is in files all the same: encoders read those only.
func (p *program) keepForNow() (err error) {
	p.store = store.Memory()
	if p.passing, err = os.MkdirTemp("", "hookswitch-"); err != nil {
		return err
	}
	if p.folder, err = store.OpenFolder(p.passing); err != nil {
		return err
	}
	p.recordings = p.folder
	return nil
}

// routes makes the table of what answers: the flow of the command line alone,
// or the routes of the configuration, or the demo.
func (p *program) routes(flow string) error {
	routes := p.cfg.FlowRoutes()
	switch {
	case strings.HasPrefix(flow, "http://") || strings.HasPrefix(flow, "https://"):
		u, err := url.Parse(flow)
		if err != nil {
			return err
		}
		// Who types a host at the command line means it, private or not.
		p.cfg.Webhooks.AllowHosts = append(p.cfg.Webhooks.AllowHosts, u.Host)
		routes = []flows.Route{{To: "*", VoiceURL: flow}}
		p.shown = webhook.Redact(flow)
	case flow != "":
		routes = []flows.Route{{To: "*", Flow: flow}}
		p.shown = flow
	case len(routes) == 0:
		routes = []flows.Route{{To: "*", Flow: "embed:hello.xml"}}
		p.shown = "the built-in demo"
	default:
		p.shown = "1 route of the configuration"
		if n := len(routes); n > 1 {
			p.shown = strconv.Itoa(n) + " routes of the configuration"
		}
	}
	for i, r := range routes {
		if r.Playbook != "" {
			return fmt.Errorf("routes[%d].playbook: this version does not run playbooks yet; use flow or voice_url", i)
		}
		if r.Flow == "" {
			continue
		}
		at, err := p.files.Add(r.Flow)
		if err != nil {
			return err
		}
		routes[i].Flow, routes[i].VoiceURL = "", at
	}
	var err error
	p.table, err = flows.NewTable(routes)
	return err
}

// readFlow reads file: and embed: documents for the runtime.
func readFlow(files *flows.Files) func(string) (*webhook.Response, error) {
	return func(url string) (*webhook.Response, error) {
		body, kind, err := files.Read(url)
		if err != nil {
			return nil, &webhook.Error{Code: 11200, URL: url, Err: err}
		}
		return &webhook.Response{URL: url, Status: 200, ContentType: kind, Body: body}, nil
	}
}

// listenIP is the address that the sound is received on: that of SIP.
func listenIP(listen []string) netip.Addr {
	for _, l := range listen {
		if u, err := url.Parse(l); err == nil {
			if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
				return ip
			}
		}
	}
	return netip.IPv4Unspecified()
}

// answer takes one call from its INVITE to its end. The runtime watches the leg
// itself, so the call's context is the program's and not the leg's.
func (p *program) answer(leg *sip.Leg) {
	ctx := p.calling
	inv := leg.Invite()
	to := inv.RequestURI
	if to.User == "" {
		to = inv.To
	}
	route, ok := p.table.Find(to.URI, inv.From.URI)
	if !ok {
		p.log.Info("no route for a call", "to", to.URI, "from", inv.From.URI)
		if err := leg.Reject(ctx, 404, "Not Found"); err != nil {
			p.log.Info("call not rejected", "error", err)
		}
		return
	}
	account := p.first
	if route.Account != "" {
		account = p.accounts[route.Account]
	}
	began := time.Now()
	p.log.Info("call", "from", party(inv.From), "to", party(to), "flow", webhook.Redact(route.VoiceURL))
	p.calls.Run(ctx, leg, runtime.Setup{
		Account:   runtimeAccount(account),
		Dialect:   p.dialectOf(route, account),
		Direction: "inbound",
		From:      party(inv.From), To: party(to), CallerName: inv.From.Display,
		FromURI: userAtHost(inv.From), ToURI: userAtHost(to),
		SIPCallID: inv.CallID, SourceIP: inv.Source.Addr().String(), Headers: inv.Headers,
		Diversion: diversion(inv.Headers),
		First:     runtime.Request{URL: route.VoiceURL, Method: route.Method},
		Fallback:  runtime.Request{URL: route.FallbackURL, Method: route.FallbackMethod},

		StatusCallback: runtime.Request{URL: route.StatusCallback, Method: route.StatusCallbackMethod},
		StatusEvents:   route.StatusCallbackEvents,
		Transfers:      route.Transfers,
	})
	p.log.Info("call over", "from", party(inv.From), "to", party(to), "lasted", time.Since(began).Round(time.Millisecond))
}

func (p *program) dialectOf(r flows.Route, a Account) texml.Dialect {
	if d, err := texml.ParseDialect(p.dialect); err == nil {
		return d
	}
	if r.HasDialect {
		return r.Dialect
	}
	d, _ := texml.ParseDialect(a.Dialect) // checked when it was read
	return d
}

// party is how documents see one end of a call: a number as it is, anything
// else as a SIP URI.
func party(a sip.Address) string {
	if n := strings.TrimPrefix(a.User, "+"); n != "" && strings.Trim(n, "0123456789") == "" {
		return a.User
	}
	return "sip:" + userAtHost(a)
}

func userAtHost(a sip.Address) string {
	if a.User == "" {
		return a.Host
	}
	return a.User + "@" + a.Host
}

// diversion is the number a call was forwarded from (RFC 5806), or "".
func diversion(headers map[string][]string) string {
	for name, values := range headers {
		if strings.EqualFold(name, "Diversion") && len(values) > 0 {
			_, uri, _ := strings.Cut(values[0], ":")
			user, _, _ := strings.Cut(uri, "@")
			return user
		}
	}
	return ""
}

func runtimeAccount(a Account) runtime.Account {
	r := runtime.Account{SID: a.SID, SigningKey: ed25519.PrivateKey(a.SigningKey)}
	if len(a.AuthTokens) > 0 {
		r.AuthToken = a.AuthTokens[0]
	}
	return r
}

// signer finds what signs an account's callbacks.
func (p *program) signer(sid string, telnyx bool) (webhook.Signer, bool) {
	a, ok := p.accounts[sid]
	if !ok {
		return nil, false
	}
	return runtimeAccount(a).Signer(telnyx), true
}

// observe logs what happens in calls: slips as they are, steps when asked to.
func (p *program) observe(sid string, e runtime.Event) {
	if p.watch != nil {
		p.watch(sid, e)
		return
	}
	level := slog.LevelDebug
	if e.Kind == "warning" || e.Kind == "error" {
		level = slog.LevelWarn
	}
	if !p.log.Enabled(context.Background(), level) {
		return
	}
	attrs := []any{"call", sid}
	if e.Text != "" {
		attrs = append(attrs, "what", e.Text)
	}
	if e.Code != 0 {
		attrs = append(attrs, "code", e.Code)
	}
	p.log.Log(context.Background(), level, e.Kind, attrs...)
}

// drain refuses new calls and waits for the running ones, a bounded time.
func (p *program) drain(ctx context.Context) {
	p.sip.Drain()
	p.log.Info("draining: new calls are refused", "running", p.sip.Calls(), "at most", drainFor)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(drainFor)
	defer limit.Stop()
	for p.sip.Calls() > 0 {
		select {
		case <-tick.C:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// lastCallbacks is how long callbacks may take when the program ends. The rest is
// sent after the next start.
const lastCallbacks = 5 * time.Second

// close ends all calls and then every part, in the order of the sound's way.
func (p *program) close() error {
	var errs []error
	if p.hangUp != nil {
		p.hangUp()
	}
	if p.sip != nil {
		errs = append(errs, p.sip.Close())
	}
	p.placed.Wait()
	if p.calls != nil {
		p.calls.Close()
	}
	if p.stop != nil {
		late := time.AfterFunc(lastCallbacks, p.stop)
		<-p.texts
		<-p.delivered // each that is due has been tried
		late.Stop()
		p.stop()
	}
	p.following.Wait()
	if p.http != nil { // it was there as long as callbacks told of recordings
		errs = append(errs, p.http.Close())
	}
	p.serving.Wait()
	if p.pacer != nil {
		p.pacer.Close()
	}
	if p.web != nil {
		errs = append(errs, p.web.Close())
	}
	if p.speech != nil {
		errs = append(errs, p.speech.close())
	}
	if p.store != nil {
		errs = append(errs, p.store.Close())
	}
	if p.folder != nil {
		errs = append(errs, p.folder.Close())
	}
	if p.passing != "" {
		errs = append(errs, os.RemoveAll(p.passing))
	}
	return errors.Join(append(errs, p.files.Close())...)
}
