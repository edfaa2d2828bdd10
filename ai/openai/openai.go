// Package openai speaks and hears through servers with the API of OpenAI:
// OpenAI itself, Telnyx, and kokoro, speaches, whisper.cpp or vLLM on a machine
// of one's own. [TTS] voices text, [ASR] has each utterance transcribed by a
// request, and [RealtimeASR] sends the sound as it comes over a WebSocket.
package openai

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	api "github.com/sashabaranov/go-openai"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wire"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// DefaultURL is the BaseURL of OpenAI itself.
const DefaultURL = "https://api.openai.com/v1"

const maxMessage = 1 << 20 // bytes of an answer that is text

// Config is one provider as the configuration names it. Its zero value is
// OpenAI itself without a key.
type Config struct {
	Name     string // as configured, for errors; "": openai
	BaseURL  string // before /audio/speech, /audio/transcriptions, /realtime; "": DefaultURL
	APIKey   string // "": none is sent
	Model    string // "": gpt-4o-mini-tts, gpt-transcribe or gpt-live-transcribe
	Voice    string // for a Speech without one; "": alloy
	Language string // BCP 47, for a Hearing without one

	// Timeout is how long a transcription may take, and the first byte of
	// speech, and each one after it; 0: 10 s.
	Timeout time.Duration

	// Extra is what only some servers know. "instructions" tells a voice how
	// to speak. "prompt" goes before the hints of a Hearing. "words" set to
	// "true" asks for the place of each word, which whisper-1 is asked for
	// anyway. "realtime" set to "speaches" puts a RealtimeASR's settings into
	// its URL, as that wants.
	Extra map[string]string

	// HTTP is used for all requests, without following redirects; a Timeout
	// of its own would cut long speech. nil: one with warm connections.
	HTTP *http.Client

	// Speech makes a detector for frames at rate (Hz), which tells those with
	// voice in them. It matters to an ASR. nil: what is louder than -45 dBFS.
	Speech func(rate int) func(pcm.Frame) bool
}

// service is what all that ask one provider have in common.
type service struct {
	Config
	section string // of the configuration: "tts", "asr"
	own     bool   // HTTP is ours to close
	api     *api.Client
}

func newService(c Config, section, model string) *service {
	s := &service{Config: c, section: section, own: c.HTTP == nil}
	if s.Name == "" {
		s.Name = "openai"
	}
	if s.BaseURL == "" {
		s.BaseURL = DefaultURL
	}
	s.BaseURL = strings.TrimRight(s.BaseURL, "/")
	if s.Model == "" {
		s.Model = model
	}
	if s.Timeout <= 0 {
		s.Timeout = wire.Patience
	}
	if s.Speech == nil {
		s.Speech = func(int) func(pcm.Frame) bool {
			return func(f pcm.Frame) bool { return pcm.Level(f) > -45 }
		}
	}
	s.HTTP = wire.Client(c.HTTP)

	requests := api.DefaultConfig(s.APIKey)
	requests.BaseURL, requests.HTTPClient = s.BaseURL, doer{s}
	s.api = api.NewClientWithConfig(requests)
	return s
}

// Warm opens a connection, so that the first words need not wait for one, and
// asks for the list of models with it. The error is an *ai.Error when the
// server cannot be reached or refuses the key; a server without such a list is
// fine.
func (s *service) Warm(ctx context.Context) error {
	ctx, w := s.watch(ctx)
	defer w.stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.BaseURL+"/models", nil)
	if err != nil {
		return s.badURL(err)
	}
	s.authorize(req.Header)
	resp, err := doer{s}.Do(req)
	if err != nil {
		var e *ai.Error
		if errors.As(err, &e) && (e.Kind == ai.Unsupported || e.Kind == ai.Content || e.Kind == ai.Protocol) {
			return nil
		}
		return s.failed(ctx, err)
	}
	defer resp.Body.Close()
	// The connection is free for the next request once the answer was read.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxMessage)); err != nil {
		return s.failed(ctx, err)
	}
	return nil
}

// Close lets go of the warm connections. Requests under way go on.
func (s *service) Close() error {
	if s.own {
		s.HTTP.CloseIdleConnections()
	}
	return nil
}

func (s *service) authorize(h http.Header) {
	if s.APIKey != "" {
		h.Set("Authorization", "Bearer "+s.APIKey)
	}
}

// doer makes the requests of the API's client. Any answer but a good one is an
// *ai.Error: the client would read one of any length, and lose Retry-After.
type doer struct{ *service }

func (s doer) Do(req *http.Request) (*http.Response, error) {
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, s.refused(resp)
	}
	if mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mediaType == "text/html" {
		resp.Body.Close()
		return nil, s.fault(ai.Protocol, "answered with a web page", "set "+s.key("baseUrl")+" to the URL of the API, without /audio/...", nil)
	}
	if s.section == "asr" {
		resp.Body = &bounded{resp.Body, maxMessage}
	}
	return resp, nil
}

// errTooMuch is what the body of an answer over maxMessage ends with.
var errTooMuch = errors.New("the answer is too long")

// bounded is a body that ends with errTooMuch after n bytes.
type bounded struct {
	io.ReadCloser
	n int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.n <= 0 {
		return 0, errTooMuch
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.n)])
	b.n -= n
	return n, err
}

// errSlow is the cause when a server is given up.
var errSlow = errors.New("nothing came in time")

// watch makes a context that ends with errSlow once nothing is fed to the
// watch for the service's Timeout.
func (s *service) watch(ctx context.Context) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watch{timeout: s.Timeout, cancel: cancel, timer: time.AfterFunc(s.Timeout, func() { cancel(errSlow) })}
}

type watch struct {
	timeout time.Duration
	cancel  context.CancelCauseFunc
	timer   *time.Timer
}

func (w *watch) feed() { w.timer.Reset(w.timeout) }

// rest stops the clock while the server is not asked for anything.
func (w *watch) rest() { w.timer.Stop() }

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}
