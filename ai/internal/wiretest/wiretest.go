// Package wiretest plays the servers of speech providers by script, over
// loopback or over pipes in memory: [Ear] is a WebSocket that hears, [Voice]
// answers requests with sound. Both note what came, with when.
package wiretest

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Serve serves h in memory, which virtual time can drive: client reaches it
// under any http URL. close ends the server and its connections.
func Serve(h http.Handler) (client *http.Client, close func()) {
	l := listener{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() {
		server.Serve(l)
		served <- struct{}{}
	}()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case l.conns <- theirs:
			return ours, nil
		case <-l.done:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}}
	return &http.Client{Transport: transport}, func() {
		transport.CloseIdleConnections()
		server.Close()
		<-served
	}
}

type listener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l listener) Close() error   { close(l.done); return nil }
func (l listener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// Line is one thing that an Ear does.
type Line struct {
	Bytes  int           // once so many bytes came in all
	Wait   time.Duration // and then so much later
	Tell   string        // a message; "": none
	Close  int           // a close frame with this code; 0: none
	Reason string        // of the close frame
	Cut    bool          // the connection breaks
}

// Ear is a server with one WebSocket at a time.
type Ear struct {
	Status  int           // refuses the handshake with it; 0: takes it
	Refusal string        // the body of a refusal
	Header  http.Header   // of a refusal
	Delay   time.Duration // before the handshake is answered
	Lines   []Line
	Last    []string // told after End came; then the socket is closed with 1000
	End     string   // the message at which the client has no more, as a part of it; "": CloseStream
	Mute    bool     // End is not answered
	Deaf    bool     // nothing is read

	mu   sync.Mutex
	came Came
	open int
	idle chan struct{} // closed when open falls to 0
}

// Came is what a server was given.
type Came struct {
	Query  url.Values
	Header http.Header
	Path   string
	Sound  []byte
	Texts  []string
	Times  []time.Time // of Texts
	Bodies []string
	Gone   bool // the client let go of the connection before it was over
}

// Came is what came so far.
func (e *Ear) Came() Came {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.came
}

func (e *Ear) note(f func(*Came)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.came)
}

// Wait waits until no socket is open.
func (e *Ear) Wait() {
	e.mu.Lock()
	idle, open := e.idle, e.open
	e.mu.Unlock()
	if open > 0 {
		<-idle
	}
}

// enter counts a socket until the function that it returns is called.
func (e *Ear) enter() (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open == 0 {
		e.idle = make(chan struct{})
	}
	e.open++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.open--; e.open == 0 {
			close(e.idle)
		}
	}
}

func (e *Ear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer e.enter()()
	e.note(func(c *Came) { *c = Came{Query: r.URL.Query(), Header: r.Header.Clone(), Path: r.URL.Path} })
	if !pause(r.Context(), e.Delay) {
		e.note(func(c *Came) { c.Gone = true })
		return
	}
	if e.Status != 0 {
		for name, values := range e.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(e.Status)
		w.Write([]byte(e.Refusal))
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	ws.SetReadLimit(-1)
	ctx, cancel := context.WithCancel(context.Background())
	heard := make(chan int) // bytes in all, or -1 after End
	var reading sync.WaitGroup
	defer func() {
		cancel()
		ws.CloseNow()
		reading.Wait()
	}()
	if !e.Deaf {
		reading.Go(func() {
			defer close(heard)
			e.read(ctx, ws, heard)
		})
	}
	e.tell(ctx, ws, heard)
}

// read notes what comes.
func (e *Ear) read(ctx context.Context, ws *websocket.Conn, heard chan<- int) {
	end := e.End
	if end == "" {
		end = "CloseStream"
	}
	for total := 0; ; {
		kind, data, err := ws.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageBinary {
			e.note(func(c *Came) { c.Sound = append(c.Sound, data...) })
			total += len(data)
		} else {
			e.note(func(c *Came) {
				c.Texts = append(c.Texts, string(data))
				c.Times = append(c.Times, time.Now())
			})
		}
		n := total
		if kind == websocket.MessageText && strings.Contains(string(data), end) {
			n = -1
		}
		select {
		case heard <- n:
		case <-ctx.Done():
			return
		}
	}
}

// tell plays the lines.
func (e *Ear) tell(ctx context.Context, ws *websocket.Conn, heard <-chan int) {
	total, ended := 0, false
	// next takes what comes for d, or until done says so. False: the client is
	// gone.
	next := func(d time.Duration, done func() bool) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		for !done() {
			select {
			case n, ok := <-heard:
				if !ok {
					e.note(func(c *Came) { c.Gone = true })
					return false
				}
				if n < 0 {
					ended = true
				} else {
					total = n
				}
			case <-timer.C:
				return true
			}
		}
		return true
	}
	for _, l := range e.Lines {
		if !next(time.Hour, func() bool { return total >= l.Bytes || ended }) {
			return
		}
		if !next(l.Wait, func() bool { return l.Wait == 0 }) {
			return
		}
		switch {
		case l.Cut:
			return
		case l.Close != 0:
			ws.Close(websocket.StatusCode(l.Close), l.Reason)
			return
		case ws.Write(ctx, websocket.MessageText, []byte(l.Tell)) != nil:
			return
		}
	}
	if !next(time.Hour, func() bool { return ended }) {
		return
	}
	if e.Mute {
		next(time.Hour, func() bool { return false })
		return
	}
	for _, m := range e.Last {
		if ws.Write(ctx, websocket.MessageText, []byte(m)) != nil {
			return
		}
	}
	ws.Close(websocket.StatusNormalClosure, "")
}

// Voice is a server that answers requests with sound.
type Voice struct {
	Status  int    // refuses with it; 0: 200
	Refusal string // the body of a refusal
	Header  http.Header
	Delay   time.Duration // before the answer begins
	Pieces  [][]byte      // of sound
	Gap     time.Duration // before each piece but the first
	Hang    bool          // nothing comes after the last piece, and no end
	Cut     bool          // the connection breaks after the last piece
	Type    string        // of the content; "": audio/pcm

	mu   sync.Mutex
	came Came
}

// Came is what came so far; all but Bodies is of the last request.
func (v *Voice) Came() Came {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.came
}

func (v *Voice) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := r.Body.Read(buf)
		body.Write(buf[:n])
		if err != nil {
			break
		}
	}
	v.mu.Lock()
	v.came = Came{Query: r.URL.Query(), Header: r.Header.Clone(), Path: r.URL.EscapedPath(), Bodies: append(v.came.Bodies, body.String())}
	v.mu.Unlock()
	defer func() {
		if r.Context().Err() != nil {
			v.mu.Lock()
			v.came.Gone = true
			v.mu.Unlock()
		}
	}()
	if !pause(r.Context(), v.Delay) {
		return
	}
	for name, values := range v.Header {
		w.Header()[name] = values
	}
	if v.Status != 0 {
		w.WriteHeader(v.Status)
		w.Write([]byte(v.Refusal))
		return
	}
	if v.Type == "" {
		w.Header().Set("Content-Type", "audio/pcm")
	} else {
		w.Header().Set("Content-Type", v.Type)
	}
	flush := http.NewResponseController(w).Flush
	for i, piece := range v.Pieces {
		if i > 0 && !pause(r.Context(), v.Gap) {
			return
		}
		if _, err := w.Write(piece); err != nil || flush() != nil {
			return
		}
	}
	if v.Cut {
		panic(http.ErrAbortHandler)
	}
	if v.Hang {
		flush()
		<-r.Context().Done()
	}
}

// pause waits, and tells whether the client is still there.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
