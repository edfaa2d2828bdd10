// Package runtime runs calls: it fetches the document a call begins with, runs
// its verbs, follows them to the next document, and keeps the record of what
// happened.
//
// A call has one goroutine, its interpreter ([Server.Run]). Its sound is served
// by the pacer of package media, its status callbacks by [Server.Deliver].
package runtime

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/runtime/webhook"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// Web fetches documents, sends callbacks, loads sounds and opens sockets.
// *webhook.Client is the one for HTTP; a script has its documents at hand.
type Web interface {
	Do(ctx context.Context, r webhook.Request) (*webhook.Response, error)
	Media(ctx context.Context, url string) (*webhook.Response, error)
	Socket(ctx context.Context, r webhook.Request) (webhook.Socket, error)
}

// Account owns calls and signs their requests.
type Account struct {
	SID        string             // AC and 32 hex digits
	AuthToken  string             // signs in the Twilio dialect
	SigningKey ed25519.PrivateKey // signs in the Telnyx dialect
}

// Config is what a Server is made of.
type Config struct {
	Web   Web
	Voice ai.TTS // nil: <Say> is a warning and is skipped
	Ears  ai.ASR // nil: speech is not understood, which is a warning where it is asked for
	Store Store
	Log   *slog.Logger

	// Recordings keeps the sound of recordings; nil: nothing is recorded.
	Recordings Recordings

	// PublicURL is how others reach this server's API, such as
	// https://voice.example.com: what the URLs of recordings begin with.
	PublicURL string

	// URLKey signs the URLs of recordings in the Telnyx dialect; empty: they
	// are told plain.
	URLKey URLKey

	// Dial places a call and returns at once; what becomes of it is told by
	// the leg. Its error, one with a method Code() int, says why the
	// destination may not be called. Nil: nobody may be.
	Dial func(ctx context.Context, to Destination) (Outgoing, error)

	// Connectors are the servers that documents may name, by their names.
	Connectors map[string]Connector

	// Recorder begins a recording session and returns when the server has
	// agreed to it. An error that is a *[RecordingError] has a code. Nil: there
	// is none.
	Recorder func(ctx context.Context, s RecordingSession) (RecordingLeg, error)

	// Observe, when not nil, sees every event of every call as it happens. It
	// is called on the call's goroutines and must not block.
	Observe func(callSID string, e Event)

	// NewID makes an identifier with a two-letter prefix; nil is random.
	NewID func(prefix string) string

	MaxCall time.Duration // longest call; 0 is 4 hours
}

// Server runs calls. Make one with [New]; all its methods may be called from
// any goroutine.
type Server struct {
	Config
	documents *texml.Cache
	clips     *clips
	records   *recorder
	queues    Queues
	bridges   bridges
	rooms     Rooms
	due       chan struct{} // holds one value when a callback was queued
	closed    chan struct{} // closed when nothing more comes to be told
	end       func()        // closes it, once

	transcripts  chan struct{} // holds one value when a transcript was ordered
	transcribing atomic.Bool   // Transcribe runs, and calls end
	closing      chan struct{} // closed when no more are ordered
	close        func()        // closes it, once
}

// New returns a server. Close it when its calls are over.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.NewID == nil {
		c.NewID = newID
	}
	if c.MaxCall == 0 {
		c.MaxCall = 4 * time.Hour
	}
	s := &Server{
		Config:    c,
		documents: texml.NewCache(1024),
		clips:     newClips(128 << 20),
		due:       make(chan struct{}, 1),
		closed:    make(chan struct{}),

		transcripts: make(chan struct{}, 1),
		closing:     make(chan struct{}),
	}
	s.close = sync.OnceFunc(func() { close(s.closing) })
	s.end = sync.OnceFunc(func() { close(s.closed) })
	s.records = newRecorder(s)
	s.queues = newQueues(c.NewID)
	s.bridges.of = map[bridgeName]*bridge{}
	s.rooms = newRooms(s)
	return s
}

// Rooms are the conferences that are not over.
func (s *Server) Rooms() Rooms { return s.rooms }

// Close waits until the records of finished calls are stored. Then
// [Server.Transcribe] makes the texts that are due and returns, and after it
// [Server.Deliver] sends the callbacks that are.
func (s *Server) Close() {
	s.records.close()
	s.close()
	if !s.transcribing.Load() {
		s.end()
	}
}

// newID is prefix and 128 random bits, as the platforms write their SIDs.
func newID(prefix string) string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return prefix + hex.EncodeToString(b[:])
}

// Setup is what is known of a call before its first document runs.
type Setup struct {
	SID       string // CA and 32 hex digits; "" makes one
	ParentSID string // of the call that dialled this one
	Account   Account
	Dialect   texml.Dialect
	Direction string // inbound, outbound-api, outbound-dial

	From, To       string // as documents see them: E.164 or a SIP user
	CallerName     string
	FromURI, ToURI string // user@host
	SIPCallID      string
	SourceIP       string
	Headers        map[string][]string // of the INVITE; X- and User-to-User ones reach the webhook
	Diversion      string              // number the call was forwarded from, or ""
	First          Request             // brings the first document
	Fallback       Request             // URL "" is none
	StatusCallback Request             // URL "" is none
	Transfers      bool                // a called side may move the call elsewhere by REFER
	Patience       time.Duration       // how long a placed call rings; 0 is a minute
	Record         bool                // a placed call is recorded from its answer on, one side a channel
	AMD            AMD                 // who has answered a placed call is to be found out
	StatusEvents   []string            // initiated ringing answered completed amd; empty is completed
}

// Request asks for a document, or says where a callback goes.
type Request struct {
	URL, Method string
	Form        url.Values

	outcome bool   // verbs.Fetch.Outcome
	token   string // idempotency token; "" makes one
}

// Causes of a call's end, on its context. They are not faults.
var (
	ErrHungUp    = errors.New("the other side hung up")
	ErrTimeLimit = errors.New("the call reached its time limit")
)

// ErrNoCall is the error of a store that has no call of that SID.
var ErrNoCall = errors.New("no such call")

// Run takes a leg through its documents and returns when the call is over and
// its record is handed to the store. When ctx ends, the call is hung up.
func (s *Server) Run(ctx context.Context, leg Incoming, set Setup) {
	c := newCall(s, leg, set)
	c.incoming = leg
	live, stop := alive(ctx, leg, s.MaxCall)
	c.begin(live)
	err := verbs.Guard(func() error { return c.main().run(live) })
	c.finish(ctx, stop(), err)
}

// alive is ctx until leg is over or limit has passed; its cause says which. stop
// ends it, and returns the cause that it had before, nil for none.
func alive(ctx context.Context, leg Leg, limit time.Duration) (_ context.Context, stop func() error) {
	ctx, free := context.WithTimeoutCause(ctx, limit, ErrTimeLimit)
	ctx, leave := whileThere(ctx, leg.Done())
	return ctx, func() error {
		cause := context.Cause(ctx)
		leave()
		free()
		return cause
	}
}

// whileThere is ctx until gone is closed.
func whileThere(ctx context.Context, gone <-chan struct{}) (_ context.Context, stop func()) {
	ctx, end := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-gone:
			end(ErrHungUp)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		end(nil)
		watch.Wait()
	}
}

// Signer signs what the account sends, in the one dialect or the other.
func (a Account) Signer(telnyx bool) webhook.Signer {
	if telnyx {
		return webhook.Telnyx(a.SigningKey)
	}
	return webhook.Twilio(a.AuthToken)
}

func method(m string) string {
	if m == "" {
		return http.MethodPost
	}
	return m
}
