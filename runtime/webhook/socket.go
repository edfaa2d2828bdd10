package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

// Twilio's codes for what goes wrong with a WebSocket.
const (
	codeSocketTime      = 31901
	codeSocketRefused   = 31902
	codeSocketBroken    = 31903
	codeSocketNoRoute   = 31904
	codeSocketTLS       = 31910
	codeSocketHandshake = 31920
	codeSocketAbnormal  = 31921
	codeSocketScheme    = 31922
	codeSocketURL       = 31923
	codeSocketProtocol  = 31924
)

// messageBytes is the longest message that is taken: 20 ms of sound have 300
// bytes, and a whole sentence in an MP3 less than this.
const messageBytes = 1 << 20

// Socket is an open WebSocket (RFC 6455). Pings are answered while somebody
// reads. Errors of Read and Write are an *Error, or context.Cause(ctx) when ctx
// ended first; the socket is of no use after either.
type Socket interface {
	// Read waits for the next message, text or binary, at most 1 MB of it. It
	// is io.EOF when the other side has closed the socket as one should. Only
	// one goroutine may read.
	Read(ctx context.Context) ([]byte, error)

	// Write sends a text message. It blocks while the other side does not
	// take it. Only one goroutine may write.
	Write(ctx context.Context, msg []byte) error

	// Close says goodbye with a code of RFC 6455 §7.4 and waits for the other
	// side's, at most five seconds. Reads and writes under way end. The reason
	// has at most 123 bytes.
	Close(code int, reason string) error
}

// Socket opens a WebSocket to r.URL, ws or wss, signed as a GET of that URL. It
// blocks until the server has agreed, at most the time limit of a document. To
// connect it is guarded as every request is; it follows no redirect and is not
// tried again. Of r, Method and Form do not count. The error is an *Error with
// one of the codes 31901 to 31924, or context.Cause(ctx) when ctx ended first.
func (c *Client) Socket(ctx context.Context, r Request) (Socket, error) {
	target, err := parseSocketURL(r.URL)
	if err != nil {
		return nil, err
	}
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	at := safeURL(target)
	signed := *target // the URL as it is written: ws or wss
	target.Scheme = "http" + strings.TrimPrefix(target.Scheme, "ws")
	request := c.request(target, http.MethodGet, nil, true, Request{Header: r.Header, Jar: r.Jar}, purpose{})
	for _, name := range []string{"Accept", "Accept-Encoding", "Idempotency-Key"} {
		request.Header.Del(name)
	}
	if r.Sign != nil {
		r.Sign.Sign(request.Header, signed.String(), http.MethodGet, nil, nil, time.Now())
	}

	limited, cancel := context.WithTimeoutCause(ctx, max(c.total, c.connect), errTotal)
	defer cancel()
	connected := false
	traced := httptrace.WithClientTrace(limited, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }})
	traced = context.WithValue(traced, dialingKey{}, dialing{limited, c.connect})
	conn, answer, err := websocket.Dial(traced, request.URL.String(), &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     c.sockets,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPHeader: request.Header,
	})
	switch {
	case ctx.Err() != nil:
		if err == nil {
			conn.CloseNow()
		}
		return nil, context.Cause(ctx)
	case err != nil && answer != nil && answer.StatusCode != http.StatusSwitchingProtocols:
		return nil, &Error{Code: codeSocketHandshake, URL: at, Status: answer.StatusCode,
			Err: fmt.Errorf("the server answered %d %s and not 101; is this the path of its WebSocket?", answer.StatusCode, http.StatusText(answer.StatusCode))}
	case err != nil && answer != nil: // its text quotes headers of the answer
		return nil, &Error{Code: codeSocketProtocol, URL: at, Status: answer.StatusCode,
			Err: errors.New("the answer to the handshake is not that of a WebSocket (RFC 6455 section 4.2.2)")}
	case err != nil && limited.Err() != nil:
		return nil, &Error{Code: codeSocketTime, URL: at, Err: errors.New("the server did not open the socket in time")}
	case err != nil:
		failed := socketError(broken(err, connected))
		failed.URL = at
		return nil, failed
	}
	conn.SetReadLimit(messageBytes)
	if r.Jar != nil {
		r.Jar.SetCookies(target, answer.Cookies())
	}
	return &socket{conn, at}, nil
}

// parseSocketURL is parseURL for ws and wss.
func parseSocketURL(raw string) (*url.URL, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(raw), "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "ws" && scheme != "wss" {
		return nil, &Error{Code: codeSocketScheme, URL: Redact(raw), Err: errors.New("a WebSocket starts with ws:// or wss://")}
	}
	u, err := parseURL("http" + strings.TrimPrefix(scheme, "ws") + "://" + rest)
	if err != nil {
		failed, _ := errors.AsType[*Error](err)
		return nil, &Error{Code: codeSocketURL, URL: Redact(raw), Err: failed.Err}
	}
	u.Scheme, u.Fragment, u.RawFragment = scheme, "", ""
	return u, nil
}

// socketError gives a failed request the code of a WebSocket.
func socketError(e *Error) *Error {
	switch e.Code {
	case codeConnectTime, codeTotalTime:
		e.Code = codeSocketTime
	case codeRefused:
		e.Code = codeSocketRefused
	case codeTLS, codeCertHost, codeCertExpired, codeCertPath:
		e.Code = codeSocketTLS
	case codeHostName:
		e.Code = codeSocketNoRoute
	case codeProtocol:
		e.Code = codeSocketProtocol
	default:
		e.Code = codeSocketNoRoute
		if e.failure == brokenAnswer {
			e.Code = codeSocketBroken
		}
	}
	return e
}

// socket is a Socket on the network.
type socket struct {
	conn *websocket.Conn
	at   string // its URL, for errors
}

func (s *socket) Read(ctx context.Context) ([]byte, error) {
	_, msg, err := s.conn.Read(ctx)
	if err != nil {
		return nil, s.fault(ctx, err)
	}
	return msg, nil
}

func (s *socket) Write(ctx context.Context, msg []byte) error {
	if err := s.conn.Write(ctx, websocket.MessageText, msg); err != nil {
		return s.fault(ctx, err)
	}
	return nil
}

func (s *socket) Close(code int, reason string) error {
	return s.conn.Close(websocket.StatusCode(code), reason)
}

// fault says how a socket ended.
func (s *socket) fault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	code := codeSocketBroken
	text := "the connection broke"
	switch status := websocket.CloseStatus(err); {
	case status == websocket.StatusNormalClosure, status == websocket.StatusGoingAway, status == websocket.StatusNoStatusRcvd:
		return io.EOF
	case status >= 0: // its reason is the server's own, and not ours to print
		code, text = codeSocketAbnormal, fmt.Sprintf("the server closed the socket with code %d", status)
	case errors.Is(err, websocket.ErrMessageTooBig):
		code, text = codeSocketProtocol, fmt.Sprintf("a message is larger than %d MB", messageBytes>>20)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		code, text = codeSocketAbnormal, "the connection ended without a goodbye"
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), isTimeout(err):
	default:
		if _, network := errors.AsType[*net.OpError](err); !network {
			code, text = codeSocketProtocol, "what came is not a WebSocket (RFC 6455)"
		}
	}
	return &Error{Code: code, URL: s.at, Err: errors.New(text)}
}
