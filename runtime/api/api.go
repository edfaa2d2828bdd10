// Package api answers requests over HTTP: now the sound of recordings, in the
// shape of Twilio's 2010-04-01 API, which [New] describes.
package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/hookswitch/hookswitch/runtime"
)

// Config is what a Server answers from.
type Config struct {
	Tokens     map[string][]string // of each account, by its SID; any of them is right
	Store      runtime.Store
	Recordings runtime.Recordings
	URLKey     runtime.URLKey // opens signed URLs; empty: there are none
	Log        *slog.Logger   // nil: nothing is logged
}

// Server answers on one listener. Make one with [New].
type Server struct {
	http     http.Server
	accounts accounts
	guesses  guesses
	store    runtime.Store
	sounds   runtime.Recordings
	key      runtime.URLKey
	log      *slog.Logger

	// mp3 makes an MP3 of a WAV file; encoding holds a place for each one that is
	// being made.
	mp3      func(ctx context.Context, wave io.Reader) (io.ReadSeekCloser, error)
	encoding chan struct{}
}

// What a client may take of the server. Sounds may take any time to send.
const (
	largestBody    = 1 << 20
	largestHeaders = 64 << 10
	headersWithin  = 5 * time.Second
	requestWithin  = 30 * time.Second // headers and body
	idleFor        = time.Minute
	closeWithin    = 2 * time.Second // requests that are being answered
	atOnce         = 2               // encoders, so that they leave the calls alone
)

// New returns a server that answers
//
//	GET and HEAD /2010-04-01/Accounts/{account}/Recordings/{recording}
//
// also with the extension .wav or .mp3: its sound, whole or in ranges (RFC 9110
// section 14). An MP3 is made of a recording that is kept as WAV, if there is an
// encoder. It is there for those who send an
// account's SID and token (Basic, RFC 7617), or the query of [runtime.URLKey].
// Who sends wrong tokens is refused for the rest of the minute. Errors are JSON
// as Twilio has it.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{accounts: newAccounts(c.Tokens), store: c.Store, sounds: c.Recordings, key: c.URLKey, log: c.Log,
		mp3: runtime.AsMP3, encoding: make(chan struct{}, atOnce)}
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect() // X-Forwarded-For is anybody's
	e.HTTPErrorHandler = s.fail
	const path = "/2010-04-01/Accounts/:account/Recordings/:recording"
	e.GET(path, s.recording)
	e.HEAD(path, s.recording)
	s.http = http.Server{
		Handler:           http.MaxBytesHandler(e, largestBody),
		ReadHeaderTimeout: headersWithin, ReadTimeout: requestWithin, IdleTimeout: idleFor,
		MaxHeaderBytes: largestHeaders,
		ErrorLog:       slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers on l, which it closes, until Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends Serve. What is being answered may take two seconds more.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	if s.http.Shutdown(ctx) == nil {
		return nil
	}
	return s.http.Close()
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.http.Handler.ServeHTTP(w, r) }
