package openai

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	realtimeRate = 24000       // Hz, the only one of audio/pcm
	maxUnsent    = 60 * 50     // messages of 20 ms of sound: a minute
	maxItems     = 64          // utterances that the server has not finished
	ownTurns     = "gpt-live-" // models without turn detection at the server
)

// RealtimeASR hears by a transcription session of the Realtime API. It is an
// [ai.ASR], safe for concurrent use. Each Hear is one connection.
type RealtimeASR struct{ *service }

// NewRealtimeASR makes no connection yet. Warm only tries the key: a session
// is always a connection of its own.
func NewRealtimeASR(c Config) *RealtimeASR {
	return &RealtimeASR{newService(c, "asr", "gpt-live-transcribe")}
}

// Hear sends sound as it comes, and yields a final result for each utterance:
// where the server finds one, or, for models named gpt-live-…, where
// Config.Speech does. A connection that breaks ends it; so does a server that
// owes an answer, or takes no sound, for Config.Timeout. Errors are *ai.Error.
//
// While more than a minute of sound is unsent, which happens when it comes
// faster than in real time, it takes no more frames.
func (a *RealtimeASR) Hear(ctx context.Context, h ai.Hearing, sound <-chan pcm.Frame) iter.Seq2[ai.Result, error] {
	return func(yield func(ai.Result, error) bool) {
		if h.Rate <= 0 {
			h.Rate = 8000
		}
		conn, err := a.dial(ctx, h)
		if err != nil {
			yield(ai.Result{}, err)
			return
		}
		l, stop := context.WithCancel(ctx)
		s := newSession(a.service, h)
		var both sync.WaitGroup
		defer both.Wait()
		defer conn.CloseNow()
		defer stop()
		in, out := make(chan []byte), make(chan []byte)
		broken, sent := make(chan error, 1), make(chan error, 1)
		both.Go(func() { broken <- a.receive(l, conn, in) })
		both.Go(func() { sent <- a.send(l, conn, out) })

		late := time.NewTimer(a.Timeout)
		defer late.Stop()
		for {
			if s.owed() == 0 {
				late.Stop()
			}
			if sound == nil && s.done() {
				return
			}
			frames, to, unsent := sound, (chan []byte)(nil), []byte(nil)
			if len(s.unsent) > 0 {
				to, unsent = out, s.unsent[0]
			}
			if len(s.unsent) > maxUnsent {
				frames = nil
			}
			owed := s.owed()
			select {
			case <-ctx.Done():
			case f, ok := <-frames:
				if ok {
					s.hear(f)
				} else {
					sound = nil
					s.end()
				}
				if owed == 0 && s.owed() > 0 {
					late.Reset(a.Timeout)
				}
			case to <- unsent:
				s.unsent = s.unsent[1:]
				if s.ended { // its answer cannot come before the rest was sent
					late.Reset(a.Timeout)
				}
			case msg := <-in:
				r, ok, err := s.event(msg)
				late.Reset(a.Timeout)
				if err != nil {
					yield(ai.Result{}, err)
					return
				}
				if ok && !yield(r, nil) {
					return
				}
			case err := <-broken:
				if ctx.Err() == nil {
					stop()
					// A message that took too long breaks the connection.
					if slow := <-sent; slow != nil {
						err = slow
					}
					yield(ai.Result{}, err)
					return
				}
			case <-late.C:
				if s.owed() > 0 {
					yield(ai.Result{}, a.failed(ctx, context.DeadlineExceeded))
					return
				}
			}
			if ctx.Err() != nil {
				yield(ai.Result{}, context.Cause(ctx))
				return
			}
		}
	}
}

// dial opens the socket of a session.
func (a *RealtimeASR) dial(ctx context.Context, h ai.Hearing) (*websocket.Conn, error) {
	u, err := url.Parse(a.BaseURL + "/realtime")
	if err != nil || u.Host == "" {
		return nil, a.badURL(err)
	}
	query := u.Query()
	query.Set("intent", "transcription")
	if a.speaches() {
		query.Set("model", a.model(h))
		if l := languageCode(cmp.Or(h.Language, a.Language)); l != "" {
			query.Set("language", l)
		}
	}
	u.RawQuery = query.Encode()
	header := http.Header{}
	a.authorize(header)

	ctx, w := a.watch(ctx)
	defer w.stop()
	// http and https are ws and wss to Dial.
	conn, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPClient: a.HTTP, HTTPHeader: header})
	switch {
	case err == nil:
		conn.SetReadLimit(maxMessage)
		return conn, nil
	case resp == nil || ctx.Err() != nil:
		return nil, a.failed(ctx, err)
	case resp.StatusCode >= 200 && resp.StatusCode < 300, resp.StatusCode == http.StatusSwitchingProtocols:
		return nil, a.fault(ai.Protocol, "the server does not speak WebSocket here", "set "+a.key("baseUrl")+" to one with a Realtime API, or use another kind of provider", nil)
	}
	return nil, a.refused(resp)
}

func (s *service) speaches() bool { return strings.EqualFold(s.Extra["realtime"], "speaches") }

// receive hands on messages until ctx or the connection ends.
func (a *RealtimeASR) receive(ctx context.Context, conn *websocket.Conn, in chan<- []byte) error {
	for {
		_, msg, err := conn.Read(ctx)
		if err != nil {
			return a.closed(err)
		}
		select {
		case in <- msg:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send writes messages until ctx ends; one may take the service's Timeout.
func (a *RealtimeASR) send(ctx context.Context, conn *websocket.Conn, out <-chan []byte) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg := <-out:
			ctx, w := a.watch(ctx)
			err := conn.Write(ctx, websocket.MessageText, msg)
			slow := context.Cause(ctx) == errSlow
			w.stop()
			if slow {
				return a.fault(ai.Timeout, fmt.Sprintf("the server took no sound for %v", a.Timeout), "see whether the server is slow or raise "+a.key("timeout"), errSlow)
			}
			if err != nil {
				return nil // receive tells why
			}
		}
	}
}

// closed is the error of a connection that ended.
func (a *RealtimeASR) closed(err error) error {
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return a.fault(ai.Protocol, fmt.Sprintf("a message is longer than %d bytes", maxMessage), "see whether "+a.key("baseUrl")+" is such an API", nil)
	}
	switch code := websocket.CloseStatus(err); code {
	case websocket.StatusPolicyViolation, 3000: // 3000 is Unauthorized in the IANA registry
		return a.fault(ai.Auth, fmt.Sprintf("the server closed the connection (%d)", code), "set "+a.key("apiKey")+" to a key that is valid and may use "+a.Model, nil)
	case websocket.StatusProtocolError, websocket.StatusUnsupportedData, websocket.StatusInvalidFramePayloadData, websocket.StatusMessageTooBig:
		return a.fault(ai.Protocol, fmt.Sprintf("the server did not understand us (%d)", code), "see whether "+a.key("baseUrl")+" has a Realtime API for transcription", nil)
	case -1:
		return a.fault(ai.Unavailable, "the connection was cut", "see whether the server is well", err)
	default:
		return a.fault(ai.Unavailable, fmt.Sprintf("the server closed the connection (%d)", code), "see whether the server is well", nil)
	}
}

// message is what is sent, as JSON.
func message(v any) []byte {
	b, _ := json.Marshal(v) // of our own types, which marshal
	return b
}
