package wire

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

	"github.com/hookswitch/hookswitch/ai"
)

const (
	messageLimit = 1 << 20 // bytes of one message
	readAhead    = 16      // messages that wait to be taken
)

// Message is one message of a WebSocket.
type Message struct {
	Data   []byte
	Binary bool
}

// Socket is a WebSocket that one goroutine reads ahead, for a cancelled read
// would close it. Messages is closed when the connection has ended; Err then
// tells why.
type Socket struct {
	Messages <-chan Message

	ws     *websocket.Conn
	err    error
	cancel context.CancelFunc
	read   chan struct{} // closed when the reader is gone
}

// Dial opens a WebSocket to url. Errors are *ai.Error, or context.Cause(ctx).
// The socket must be closed.
func (p Provider) Dial(ctx context.Context, url string, header http.Header) (*Socket, error) {
	dialling, cancel := context.WithTimeoutCause(ctx, p.timeout, errSilent)
	defer cancel()
	ws, resp, err := websocket.Dial(dialling, url, &websocket.DialOptions{HTTPClient: p.http, HTTPHeader: header})
	if err != nil {
		switch {
		case dialling.Err() != nil || resp == nil:
			return nil, p.unreachable(dialling, err)
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, p.Fault(ai.Protocol, "opened no proper WebSocket", err)
		}
		return nil, p.Refusal(resp)
	}
	ws.SetReadLimit(messageLimit)
	messages := make(chan Message, readAhead)
	reading, stop := context.WithCancel(context.Background())
	s := &Socket{Messages: messages, ws: ws, cancel: stop, read: make(chan struct{})}
	go func() {
		defer close(s.read)
		defer close(messages)
		for {
			kind, data, err := ws.Read(reading)
			if err != nil {
				s.err = err
				return
			}
			select {
			case messages <- Message{data, kind == websocket.MessageBinary}:
			case <-reading.Done():
				s.err = reading.Err()
				return
			}
		}
	}()
	return s, nil
}

// Err is why Messages was closed.
func (s *Socket) Err() error {
	<-s.read
	return s.err
}

// Ended tells whether the other side ended the connection in order.
func (s *Socket) Ended() bool {
	switch websocket.CloseStatus(s.Err()) {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		return true
	}
	return false
}

// Send writes a text message. It blocks until the network has taken it; when
// ctx ends before, the socket is closed. Why a write failed is told by Err.
func (s *Socket) Send(ctx context.Context, text string) error {
	return s.ws.Write(ctx, websocket.MessageText, []byte(text))
}

// Close lets go of the connection at once, without a closing handshake, and
// waits for the reader.
func (s *Socket) Close() {
	s.cancel()
	s.ws.CloseNow()
	<-s.read
}
