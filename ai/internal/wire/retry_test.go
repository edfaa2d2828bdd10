package wire_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/elevenlabs"
)

// A warm connection that the server gives up while a text is on its way costs
// the caller nothing.
func TestStaleConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var conns atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			first := conns.Add(1) == 1
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					req, err := http.ReadRequest(r)
					if err != nil || first && req.Method == http.MethodPost {
						return // a text on the warm connection is not answered
					}
					fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: audio/pcm\r\nContent-Length: 2\r\n\r\n")
					if req.Method == http.MethodPost {
						c.Write([]byte{1, 0})
						return
					}
				}
			}()
		}
	}()
	v := elevenlabs.NewTTS(elevenlabs.Config{BaseURL: "http://" + l.Addr().String()})
	defer v.Close()
	if err := v.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for frame, err := range v.Speak(t.Context(), ai.Speech{Text: "Hello."}, 16000) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(frame)
	}
	if n != 1 || conns.Load() != 2 {
		t.Errorf("%d samples over %d connections, want 1 over 2", n, conns.Load())
	}
}
