package calltest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/ai"
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
	// perWord is how long a voice takes for a word at its normal speed.
	perWord = 400 * time.Millisecond

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
	ids := numbered
	if !now.IsZero() {
		time.Sleep(time.Until(now)) // a bubble begins in the year 2000
		ids = hashed(now.String() + s.Name)
	}
	ctx, stop := context.WithCancel(t.Context())
	tr := newTrace(s, base)
	pacer := media.NewPacer(media.PacerConfig{Poll: pcm.FrameTime, Goroutines: 1})
	client := webhook.New(webhook.Config{
		Transport: &server{script: s, trace: tr, base: base, real: env.Outside, asked: map[string]int{}},
	})
	var web runtime.Web = client
	if env.Files != nil {
		web = runtime.WithFiles(client, env.Files)
	}
	owed := store.Memory()
	conf := runtime.Config{
		Web: watched{web, tr}, Store: owed, Observe: tr.saw,
		MaxCall: s.limit + tie,
		NewID:   ids(),
	}
	if s.voice {
		conf.Voice = voice{}
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

	a := newPhone(pacer, tr)
	over := make(chan struct{})
	s.act(a, tr, over, func() {
		set := s.setup(account, base)
		go func() { srv.Run(ctx, a, set); close(over) }()
	})
	await(ctx, owed)
	a.close()
	stop()
	<-delivered
	srv.Close()
	pacer.Close()
	client.Close()
	return tr.String()
}

// act does what the caller does, until the call is over. Before each thing it
// waits until everything else of that moment has happened.
func (s *Script) act(a *phone, tr *trace, over <-chan struct{}, call func()) {
	ended := func() bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	}
	for _, step := range s.steps() {
		time.Sleep(step.at - time.Since(tr.start))
		synctest.Wait()
		switch {
		case step.verb == "call":
			call()
		case ended():
			step.unheard(tr, "the call is over")
		case step.verb != "hangup" && a.Stream() == nil:
			step.unheard(tr, "nobody has answered")
		default:
			step.do(a, tr)
		}
	}
	patient := time.NewTimer(patience + tie)
	defer patient.Stop()
	select {
	case <-over:
	case <-patient.C:
		hangup(a, tr)
		<-over
	}
}

// await waits until the callbacks that are due have been delivered. Those to be
// tried again are not waited for.
func await(ctx context.Context, owed runtime.Store) {
	for {
		synctest.Wait()
		at, ok, err := owed.NextDue(ctx)
		if !ok || err != nil || at.After(time.Now()) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// setup is what the runtime is told of the call.
func (s *Script) setup(account runtime.Account, base string) runtime.Setup {
	to, m := s.first(), s.method
	if args := s.actions[0].args; len(args) == 2 {
		m = args[0]
	}
	if m == "" {
		m = http.MethodPost
		if len(s.answers["GET "+to]) > 0 && len(s.answers["POST "+to]) == 0 {
			m = http.MethodGet
		}
	}
	return runtime.Setup{
		Account: account, Dialect: s.dialect, Direction: "inbound",
		From: s.from, To: s.to, FromURI: s.from + "@192.0.2.1", ToURI: s.to + "@192.0.2.9",
		SIPCallID: "script", SourceIP: "192.0.2.1", Headers: s.headers,
		First:          runtime.Request{URL: s.url(to, base), Method: m},
		Fallback:       runtime.Request{URL: s.url(s.fallback, base), Method: m},
		StatusCallback: runtime.Request{URL: s.url(s.status, base)},
		StatusEvents:   s.events,
	}
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

// File is the path of the document a call begins with when that is a file
// beside the script, and "" otherwise.
func (s *Script) File() string {
	ref := s.first()
	if strings.HasPrefix(ref, "/") || strings.Contains(ref, "://") {
		return ""
	}
	return filepath.Join(s.dir, ref)
}

// first is what the caller calls, as it is written.
func (s *Script) first() string { return s.actions[0].args[len(s.actions[0].args)-1] }

// numbered makes identifiers that count from one, the same on every run.
func numbered() func(prefix string) string {
	n := 0
	return func(prefix string) string { n++; return fmt.Sprintf("%s%032x", prefix, n) }
}

// hashed makes identifiers that no other run has.
func hashed(seed string) func() func(prefix string) string {
	return func() func(string) string {
		n := 0
		return func(prefix string) string {
			n++
			sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", seed, n))
			return prefix + hex.EncodeToString(sum[:16])
		}
	}
}

// voice is the scripted voice: a tone of 200 Hz, 400 ms for each word.
type voice struct{}

func (voice) Speak(_ context.Context, s ai.Speech, rate int) iter.Seq2[pcm.Frame, error] {
	return func(yield func(pcm.Frame, error) bool) {
		d := time.Duration(len(strings.Fields(s.Text))) * perWord
		if s.Rate > 0 {
			d = time.Duration(float64(d) / s.Rate).Round(pcm.FrameTime)
		}
		yield(pcm.Tone(rate, d, 0.3, 200).Samples, nil)
	}
}
