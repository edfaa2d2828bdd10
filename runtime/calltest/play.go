package calltest

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// Env is what scripts need of the world outside. The zero Env has none of it.
type Env struct {
	// Outside makes the requests for real webhook URLs; nil refuses them.
	Outside *Outside

	// Server is the real server that paths without a section lead to, in
	// place of the script's own setting; "" leaves that.
	Server string

	// Files reads the document at a file: URL; nil refuses them.
	Files func(url string) (*webhook.Response, error)
}

const (
	// patience is how long a caller stays who has nothing more to do.
	patience = 10 * time.Minute

	// tie is added to what ends a call from outside, so that what lasts just
	// as long is over first: of two timers of one instant in virtual time
	// either may be the first. No trace shows it.
	tie = 100 * time.Microsecond
)

// Play plays a script in virtual time and returns its trace. It makes the
// bubble itself, so it must not be called inside one.
//
// Without a real server the trace of a script is the same on every run, and so
// are the SIDs and times in its requests. Calls to a real server have SIDs of
// their own and happen now, as the server may remember and compare them.
func Play(t *testing.T, s *Script, env Env) (got string) {
	base := origin
	if s.server != "" {
		base = s.server
	}
	if env.Server != "" {
		base = env.Server
	}
	first := s.url(s.first(), base)
	var now time.Time
	if strings.HasPrefix(first, "http") && !strings.HasPrefix(first, origin) {
		now = time.Now()
	}
	synctest.Test(t, func(t *testing.T) { got = play(t, s, env, base, now) })
	return got
}

func play(t *testing.T, s *Script, env Env, base string, now time.Time) string {
	seed := ""
	if !now.IsZero() {
		time.Sleep(time.Until(now)) // a bubble begins in the year 2000
		seed = now.String() + s.Name
	}
	ctx, stop := context.WithCancel(t.Context())
	tr, ids := newTrace(s, base), newIDs(seed)
	pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
	st := newStage(s, tr, pacer, ids)
	client := webhook.New(webhook.Config{
		Transport: &server{script: s, stage: st, base: base, real: env.Outside, asked: map[string]int{}},
	})
	var web runtime.Web = client
	if env.Files != nil {
		web = runtime.WithFiles(client, env.Files)
	}
	owed := store.Memory()
	conf := runtime.Config{
		Web: staged{web, st}, Store: owed, Observe: tr.saw,
		Dial:       st.dial,
		Connectors: map[string]runtime.Connector{"Default": {Kind: "pay", URL: base + "/pay"}},
		Recordings: recordings{store.MemoryRecordings(), tr},
		PublicURL:  "http://hookswitch.test",
		MaxCall:    s.limit + tie,
		NewID:      ids.make,
	}
	if !s.voice.off {
		conf.Voice = voice{s, tr}
	}
	if !s.ears.off {
		conf.Ears = ears{s, tr}
	}
	srv := runtime.New(conf)
	account := runtime.Account{
		SID: "AC" + strings.Repeat("a", 32), AuthToken: s.token,
		SigningKey: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)),
	}
	delivered := make(chan error, 1)
	go func() {
		delivered <- srv.Deliver(ctx, func(_ string, telnyx bool) (webhook.Signer, bool) {
			if telnyx {
				return webhook.Telnyx(account.SigningKey), true
			}
			return webhook.Twilio(account.AuthToken), true
		})
	}()

	transcribed := make(chan error, 1)
	go func() { transcribed <- srv.Transcribe(ctx) }()

	st.begin = func(p *phone, call action) { srv.Run(ctx, p, s.setup(p, call, account, base)) }
	st.run()
	st.free()
	await(ctx, owed)
	st.close()
	stop()
	<-transcribed
	<-delivered
	srv.Close()
	pacer.Close()
	client.Close()
	return tr.String()
}

// await waits until the texts that are due have been made, and the callbacks
// delivered. Those to be tried again are not waited for.
func await(ctx context.Context, owed runtime.Store) {
	for {
		synctest.Wait()
		now := time.Now()
		texts, err := owed.PendingTranscripts(ctx, 1)
		if err != nil || len(texts) == 0 || texts[0].Due.After(now) {
			at, ok, err := owed.NextDue(ctx)
			if !ok || err != nil || at.After(now) {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// setup is what the runtime is told of the call that p makes.
func (s *Script) setup(p *phone, call action, account runtime.Account, base string) runtime.Setup {
	to, m := call.args[len(call.args)-1], s.method
	if len(call.args) == 2 {
		m = call.args[0]
	}
	if m == "" {
		m = http.MethodPost
		if len(s.answers["GET "+to]) > 0 && len(s.answers["POST "+to]) == 0 {
			m = http.MethodGet
		}
	}
	who := s.known(p.letter)
	from, called := cmp.Or(who.from, s.fromOf(p.letter)), cmp.Or(who.to, s.to)
	source := p.addr.Addr().String()
	return runtime.Setup{
		SID: p.sid, Account: account, Dialect: s.dialect, Direction: "inbound",
		From: from, To: called, FromURI: from + "@" + source, ToURI: called + "@192.0.2.9",
		SIPCallID: p.CallID(), SourceIP: source, Headers: who.headers,
		First:          runtime.Request{URL: s.url(to, base), Method: m},
		Fallback:       runtime.Request{URL: s.url(s.fallback, base), Method: m},
		StatusCallback: runtime.Request{URL: s.url(s.status, base)},
		StatusEvents:   s.events,
		Transfers:      s.moves,
	}
}

// fromOf is the number of a caller whom no setting gives one.
func (s *Script) fromOf(letter string) string {
	if letter == "A" {
		return s.from
	}
	return fmt.Sprintf("+155501%02d", letter[0]-'A')
}

// url is ref as the runtime wants it: a path is on the script's server, a URL
// is used as it is, anything else is a file beside the script.
func (s *Script) url(ref, base string) string {
	switch {
	case ref == "" || strings.Contains(ref, "://"):
		return ref
	case strings.HasPrefix(ref, "/"):
		return base + ref
	}
	return fileURL(filepath.Join(s.dir, ref))
}

func fileURL(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}

// File is the path of the first document that a call begins with which is a
// file beside the script, "" when none is.
func (s *Script) File() string {
	for _, a := range s.actions {
		if ref := a.args; a.verb == "call" && !strings.HasPrefix(ref[len(ref)-1], "/") && !strings.Contains(ref[len(ref)-1], "://") {
			return filepath.Join(s.dir, ref[len(ref)-1])
		}
	}
	return ""
}

// first is what the caller calls, as it is written.
func (s *Script) first() string { return s.actions[0].args[len(s.actions[0].args)-1] }
