// Package aitest holds scripted providers: servers that speak a provider's
// wire and answer as a test says, as late and as badly as it likes.
package aitest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/hookswitch/hookswitch/ai/internal/wiretest"
)

// OpenAI is a scripted server of OpenAI's API, safe for concurrent use. It
// notes what it is asked and gives its answers in order, the last one again
// and again. It is an [http.Handler].
type OpenAI struct {
	Answers []OpenAIAnswer

	// Realtime serves the sockets of the Realtime API; nil: there are none.
	Realtime func(*OpenAISocket)

	mu    sync.Mutex
	asked []OpenAIRequest
}

// OpenAIAnswer is one answer of HTTP. Its zero value is 200 without a body.
type OpenAIAnswer struct {
	Status  int // 0: 200
	Header  map[string]string
	Body    string
	Delay   time.Duration // before the status
	Piece   int           // bytes written at once; 0: all of them
	Gap     time.Duration // between pieces
	Cut     bool          // the connection is cut after the body, before the answer ends
	Endless bool          // the body comes again and again
}

// OpenAIRequest is what was asked, by HTTP or as a socket.
type OpenAIRequest struct {
	At     time.Time
	Method string
	Path   string // with the query
	Header http.Header
	Form   map[string]string // of a JSON or multipart body, files among it
	Type   map[string]string // Content-Type of the parts that have one
}

// Asked is what was asked so far.
func (o *OpenAI) Asked() []OpenAIRequest {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]OpenAIRequest(nil), o.asked...)
}

func (o *OpenAI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := OpenAIRequest{At: time.Now(), Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header, Form: map[string]string{}, Type: map[string]string{}}
	readForm(r, &asked)
	o.mu.Lock()
	o.asked = append(o.asked, asked)
	n := len(o.asked) - 1
	o.mu.Unlock()

	if o.Realtime != nil && strings.HasSuffix(r.URL.Path, "/realtime") {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		conn.SetReadLimit(-1)
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		o.Realtime(&OpenAISocket{conn: conn, ctx: ctx})
		return
	}
	if len(o.Answers) == 0 {
		http.NotFound(w, r)
		return
	}
	o.Answers[min(n, len(o.Answers)-1)].write(w, r)
}

func readForm(r *http.Request, asked *OpenAIRequest) {
	if parts, err := r.MultipartReader(); err == nil {
		for {
			part, err := parts.NextPart()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(part)
			asked.Form[part.FormName()] += string(b)
			asked.Type[part.FormName()] = part.Header.Get("Content-Type")
		}
	}
	var fields map[string]any
	if json.NewDecoder(r.Body).Decode(&fields) == nil {
		for name, v := range fields {
			b, _ := json.Marshal(v)
			asked.Form[name] = strings.Trim(string(b), `"`)
		}
	}
}

func (a OpenAIAnswer) write(w http.ResponseWriter, r *http.Request) {
	if !pause(r.Context(), a.Delay) {
		return
	}
	w.Header()["Content-Type"] = nil // none is guessed
	for name, v := range a.Header {
		w.Header().Set(name, v)
	}
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	flush := http.NewResponseController(w)
	for rest := a.Body; ; {
		n := len(rest)
		if a.Piece > 0 {
			n = min(n, a.Piece)
		}
		if _, err := io.WriteString(w, rest[:n]); err != nil || flush.Flush() != nil {
			return
		}
		if rest = rest[n:]; rest == "" && a.Endless {
			rest = a.Body
		}
		if rest == "" {
			break
		}
		if !pause(r.Context(), a.Gap) {
			return
		}
	}
	if a.Cut {
		panic(http.ErrAbortHandler) // how net/http has it
	}
}

// pause waits, and reports false if the client left meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// OpenAISocket is a socket of the Realtime API, seen from the server.
type OpenAISocket struct {
	conn *websocket.Conn
	ctx  context.Context
}

// Next is the next event of the client; nil at the end.
func (s *OpenAISocket) Next() map[string]any {
	_, b, err := s.conn.Read(s.ctx)
	if err != nil {
		return nil
	}
	var e map[string]any
	_ = json.Unmarshal(b, &e)
	return e
}

// Send sends an event, as JSON or as whatever text is given.
func (s *OpenAISocket) Send(event string) {
	_ = s.conn.Write(s.ctx, websocket.MessageText, []byte(event))
}

// Close closes it with a code of RFC 6455 section 7.4; 0 cuts it.
func (s *OpenAISocket) Close(code int) {
	if code == 0 {
		s.conn.CloseNow()
		return
	}
	s.conn.Close(websocket.StatusCode(code), "")
}

// Client serves o in memory, for tests in virtual time, and returns a client
// that reaches it at any http URL. Stop ends both and waits.
func (o *OpenAI) Client() (client *http.Client, stop func()) { return wiretest.Serve(o) }
