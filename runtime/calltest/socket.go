package calltest

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// socket is a connection to a WebSocket server of the script. Its exported
// methods are our side's (webhook.Socket), the others the server's.
type socket struct {
	name  string // its path; "/media#2" is the second connection to that
	url   string
	stage *stage
	fresh chan struct{} // holds one value when there may be something to read
	room  chan struct{} // holds one value when there may be room to write
	done  chan struct{} // closed when the socket is

	mu     sync.Mutex
	toRead [][]byte // what the server has sent
	unread [][]byte // what it has not read, because it does not read
	stuck  bool     // it does not read
	ended  error    // what reads and writes end with
	app    app
}

// unreadBytes is how much a server that does not read takes in before writes to
// it block, as buffers of a network do.
const unreadBytes = 64 << 10

// Socket opens a WebSocket to a server of the script (runtime.Web).
func (w staged) Socket(ctx context.Context, r webhook.Request) (webhook.Socket, error) {
	if err := w.stage.enter(ctx, r.Form.Get("CallSid"), "GET "+r.URL); err != nil {
		return nil, err
	}
	return w.stage.connect(r)
}

// connect is a connection to the server that r names by its path. On which host
// that is does not matter.
func (st *stage) connect(r webhook.Request) (webhook.Socket, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, &webhook.Error{Code: 31923, Err: errors.New("this is not a URL")}
	}
	u.User, u.Fragment = nil, ""
	fail := func(code, status int, why string) (webhook.Socket, error) {
		return nil, &webhook.Error{Code: code, URL: u.String(), Status: status, Err: errors.New(why)}
	}
	where := st.script.sockets[u.Path]
	switch {
	case where == nil:
		missing := "the script has no socket " + u.Path
		st.trace.note("", missing)
		return fail(31920, http.StatusNotFound, missing)
	case where.unreachable:
		st.trace.note(u.Path, "refuses the connection")
		return fail(31902, 0, "the server refuses the connection")
	case where.refuses != 0:
		st.trace.note(u.Path, fmt.Sprintf("refuses %d", where.refuses))
		return fail(31920, where.refuses, fmt.Sprintf("the server answered %d and not 101", where.refuses))
	}
	s := &socket{name: u.Path, url: u.String(), stage: st, stuck: where.slow,
		fresh: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{})}
	st.mu.Lock()
	for n := 2; st.sockets[s.name] != nil; n++ {
		s.name = fmt.Sprintf("%s#%d", u.Path, n)
	}
	st.sockets[s.name] = s
	st.mu.Unlock()
	s.app = newApp(s)
	s.note("connected GET " + u.String() + " " + signature(r.Sign, u.String(), st.script.token))
	return s, nil
}

// signature says whether a GET of at would be signed as the platforms do.
func signature(by webhook.Signer, at, token string) string {
	if by == nil {
		return "not signed"
	}
	h := http.Header{}
	by.Sign(h, at, http.MethodGet, nil, nil, time.Now())
	ok := false
	if given := h.Get("X-Twilio-Signature"); given != "" {
		mac := hmac.New(sha1.New, []byte(token))
		mac.Write([]byte(at))
		ok = given == base64.StdEncoding.EncodeToString(mac.Sum(nil))
	} else if given, err := base64.StdEncoding.DecodeString(h.Get("telnyx-signature-ed25519")); err == nil && len(given) > 0 {
		key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
		ok = ed25519.Verify(key, []byte(h.Get("telnyx-timestamp")+"|"), given)
	}
	if ok {
		return "signature ok"
	}
	return "signature wrong"
}

func (s *socket) note(text string) { s.stage.trace.note(s.name, text) }

// Read waits for the next message of the server.
func (s *socket) Read(ctx context.Context) ([]byte, error) {
	for {
		s.mu.Lock()
		if len(s.toRead) > 0 {
			msg := s.toRead[0]
			s.toRead = s.toRead[1:]
			s.mu.Unlock()
			return msg, nil
		}
		err := s.ended
		s.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-s.fresh:
		case <-s.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Write brings a message to the server.
func (s *socket) Write(ctx context.Context, msg []byte) error {
	for {
		s.mu.Lock()
		waiting := 0
		for _, m := range s.unread {
			waiting += len(m)
		}
		switch {
		case s.ended != nil:
			defer s.mu.Unlock()
			return s.ended
		case !s.stuck:
			defer s.mu.Unlock()
			s.app.take(msg)
			return nil
		case waiting+len(msg) <= unreadBytes:
			defer s.mu.Unlock()
			s.unread = append(s.unread, append([]byte(nil), msg...))
			return nil
		}
		s.mu.Unlock()
		select {
		case <-s.room:
		case <-s.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close is our side's end of the socket.
func (s *socket) Close(code int, reason string) error {
	s.end(io.EOF, strings.TrimSpace(fmt.Sprintf("closed %d %s", code, reason)))
	return nil
}

// end closes the socket, from whichever side, unless it is closed.
func (s *socket) end(with error, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return
	}
	s.note(text)
	s.ended = with
	close(s.done)
}

// close is the server's end of the socket, with a code of RFC 6455 §7.4.
func (s *socket) close(code int) {
	var err error = io.EOF
	if code != 1000 && code != 1001 {
		err = &webhook.Error{Code: 31921, URL: s.url, Err: fmt.Errorf("the server closed the socket with code %d", code)}
	}
	s.end(err, fmt.Sprintf("closes %d", code))
}

// send is a message of the server.
func (s *socket) send(msg []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.toRead = append(s.toRead, msg)
	signal(s.fresh)
}

// reads lets a server read that did not, beginning with what waits.
func (s *socket) reads() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stuck = false
	for _, msg := range s.unread {
		s.app.take(msg)
	}
	s.unread = nil
	signal(s.room)
}

// signal leaves a value in ch, where one is enough.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// unable is why nothing can be done on s, "" when it can.
func (s *socket) unable() string {
	if s == nil {
		return "nobody has connected"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return "the socket is closed"
	}
	return ""
}
