package sip

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// panics is a log that fails the test when the server has had to recover.
func panics(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(writer(func(b []byte) {
		if strings.Contains(string(b), "panic") {
			t.Errorf("%s", b)
		}
	}), nil))
}

type writer func(b []byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }

// onLine is a server with one TCP line to it, in memory.
func onLine(t *testing.T) (*Server, net.Conn) {
	t.Helper()
	s, err := newServer(Config{Log: panics(t), Answer: func(context.Context, *Leg) {}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	if s.addLine(addressed{ours}) == nil {
		t.Fatal("the line is refused")
	}
	go io.Copy(io.Discard, theirs)
	return s, theirs
}

// addressed is an end of a pipe that looks like TCP on loopback.
type addressed struct{ net.Conn }

func (addressed) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:5060"))
}
func (addressed) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:40000"))
}

func TestLine(t *testing.T) {
	for _, c := range []struct {
		name  string
		write []string // in pieces, a second apart
		want  string   // what comes back
		open  bool     // whether the line stays
		ends  time.Duration
	}{
		{"a ping", []string{"\r\n\r\n"}, "\r\n", true, idleTime},
		{"half a ping", []string{"\r\n"}, "", true, idleTime},
		{"one message in pieces", []string{probe(0)[:30], probe(0)[30:100], probe(0)[100:]}, "SIP/2.0 200", true, idleTime},
		{"two messages in one piece", []string{probe(0) + probe(1)}, "SIP/2.0 200", true, idleTime},
		{"half a message", []string{probe(0)[:100]}, "", true, messageTime},
		{"a body that does not come", []string{strings.Replace(probe(0), "Length: 0", "Length: 5", 1)}, "", true, messageTime},
		{"no Content-Length", []string{strings.Replace(probe(0), "Content-Length: 0\r\n", "", 1)}, "SIP/2.0 400", false, 0},
		{"two Content-Lengths", []string{strings.Replace(probe(0), "Content-Length: 0\r\n", "l: 0\r\nl: 5\r\n", 1)}, "SIP/2.0 400", false, 0},
		{"a header without end", []string{"OPTIONS sip:x SIP/2.0\r\n" + strings.Repeat("X: y\r\n", 2000)}, "", false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := newServer(Config{Answer: func(context.Context, *Leg) {}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				ours, theirs := net.Pipe()
				defer theirs.Close()
				s.addLine(addressed{ours})
				var got []byte
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					got, _ = io.ReadAll(theirs)
				}()
				start := time.Now()
				for i, piece := range c.write {
					if i > 0 {
						time.Sleep(time.Second)
						start = time.Now()
					}
					theirs.Write([]byte(piece))
				}
				synctest.Wait()
				if open := !isClosed(closed); open != c.open {
					t.Errorf("the line is open: %v", open)
				}
				<-closed
				after := time.Since(start)
				if len(c.write) > 1 && c.ends == messageTime {
					after += time.Second
				}
				if after != c.ends {
					t.Errorf("closed after %v, want %v", after, c.ends)
				}
				if !strings.HasPrefix(string(got), c.want) || c.want == "" && len(got) > 0 {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if n := strings.Count(string(got), "SIP/2.0 200"); c.name == "two messages in one piece" && n != 2 {
					t.Errorf("%d answers", n)
				}
			})
		})
	}
}

func TestTooManyLines(t *testing.T) {
	s := listenTest(t, nil)
	addr := strings.TrimPrefix(s.Addrs()[1], "tcp://")
	var lines []net.Conn
	defer func() {
		for _, c := range lines {
			c.Close()
		}
	}()
	for i := range maxLinesPeer + 1 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, c)
		c.Write([]byte(probe(i)))
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = c.Read(make([]byte, 1000))
		if refused := err != nil; refused != (i == maxLinesPeer) {
			t.Errorf("line %d: %v", i+1, err)
		}
	}
}

// A call over TCP: answers and our BYE come on the caller's line; when that is
// gone, we call back.
func TestCallOnLine(t *testing.T) {
	for _, callBack := range []bool{false, true} {
		t.Run(fmt.Sprint("line gone ", callBack), func(t *testing.T) {
			hang := make(chan struct{})
			s := listenTest(t, func(c *Config) {
				c.Answer = func(ctx context.Context, l *Leg) {
					if err := l.Answer(ctx); err != nil {
						t.Errorf("answer: %v", err)
					}
					<-hang
				}
			})
			phone, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer phone.Close()
			c, err := net.Dial("tcp", strings.TrimPrefix(s.Addrs()[1], "tcp://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			send := func(method, tag, more, body string) {
				fmt.Fprintf(c, "%s sip:1@h SIP/2.0\r\nVia: SIP/2.0/TCP 10.1.1.1;branch=z9hG4bK%s\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:1@h>%s\r\nCall-ID: line\r\nCSeq: 1 %s\r\nContact: <sip:a@%s;transport=tcp>\r\n%sContent-Length: %d\r\n\r\n%s",
					method, method, tag, method, phone.Addr(), more, len(body), body)
			}
			read := func(c net.Conn, want string) string {
				c.SetReadDeadline(time.Now().Add(5 * time.Second))
				var got []byte
				buf := make([]byte, 4096)
				for !strings.Contains(string(got), want) || !strings.Contains(string(got), "\r\n\r\n") {
					n, err := c.Read(buf)
					if err != nil {
						t.Fatalf("%v after %q", err, got)
					}
					got = append(got, buf[:n]...)
				}
				return string(got)
			}
			send("INVITE", "", "Content-Type: application/sdp\r\n", pcmu)
			ok := read(c, "SIP/2.0 200")
			ok = ok[strings.Index(ok, "SIP/2.0 200"):]
			if got := headerOf(ok, "Contact"); !strings.HasPrefix(got, "<sip:hookswitch@127.0.0.1:") || !strings.HasSuffix(got, ";transport=tcp>") {
				t.Errorf("Contact: %s", got)
			}
			send("ACK", ";tag="+tagOf(headerOf(ok, "To")), "", "")
			at := c
			if callBack {
				send("OPTIONS", "", "", "") // its answer says that the ACK is in
				read(c, "CSeq: 1 OPTIONS")
				c.(*net.TCPConn).CloseWrite()
				io.ReadAll(c) // until the server has closed it too
			}
			close(hang)
			if callBack {
				if at, err = phone.Accept(); err != nil {
					t.Fatal(err)
				}
				defer at.Close()
			}
			bye := read(at, "BYE ")
			bye = bye[strings.Index(bye, "BYE "):]
			fmt.Fprintf(at, "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: line\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
				headerOf(bye, "Via"), headerOf(bye, "From"), headerOf(bye, "To"), headerOf(bye, "CSeq"))
		})
	}
}

func TestIdleLineWithCall(t *testing.T) {
	bubble(t, func(c *Config) { c.ACL = nil }, func(b *bench) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		b.addLine(addressed{ours})
		in := bufio.NewReader(theirs)
		read := func(want string) (head string) {
			for {
				l, err := in.ReadString('\n')
				if err != nil {
					t.Fatalf("%v before %s", err, want)
				}
				if head += l; l != "\r\n" {
					continue
				}
				var n int
				fmt.Sscan(headerOf(head, "Content-Length"), &n)
				in.Discard(n)
				if strings.HasPrefix(head, want) {
					return head
				}
				head = ""
			}
		}
		send := func(method, tag, body string) {
			fmt.Fprintf(theirs, "%s sip:1@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK%s\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:1@h>%s\r\nCall-ID: idle\r\nCSeq: 1 %s\r\nContact: <sip:a@h>\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
				method, method, tag, method, len(body), body)
		}
		send("INVITE", "", pcmu)
		send("ACK", ";tag="+tagOf(headerOf(read("SIP/2.0 200"), "To")), "")
		time.Sleep(10 * idleTime)
		send("OPTIONS", "", "")
		read("SIP/2.0 200")
		go io.Copy(io.Discard, in) // our BYE at the end
	})
}

// Who does not read its line must not hold up anybody else, and loses it.
func TestCloggedLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := newServer(Config{Answer: func(context.Context, *Leg) {}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ours, theirs := net.Pipe()
		defer theirs.Close()
		l := s.addLine(addressed{ours})
		start := time.Now()
		for range maxQueued {
			if err := l.send([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("sending has waited for %v", got)
		}
		<-l.done
		if got := time.Since(start); got != messageTime {
			t.Errorf("the line was given up after %v, want %v", got, messageTime)
		}
		if err := l.send([]byte("x")); err != net.ErrClosed {
			t.Errorf("after that: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		l := newLine(ours)
		for range maxQueued {
			l.send([]byte("x"))
		}
		if err := l.send([]byte("x")); err != errClogged {
			t.Errorf("one more than is kept: %v", err)
		}
		l.write() // ends, since the connection has
	})
}

func TestNoDialToStrangers(t *testing.T) {
	s := listenTest(t, nil)
	for _, to := range []string{"203.0.113.1:22", "169.254.169.254:80", "[2001:db8::1]:5060"} {
		if _, err := s.dial(t.Context(), netip.MustParseAddrPort(to)); err == nil || !strings.Contains(err.Error(), "is not a peer") {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// Without ExternalIP a peer is told the address that it can reach us under,
// also when we listen on all.
func TestOwnAddress(t *testing.T) {
	for _, c := range []struct{ listen, dial, want string }{
		{"udp://127.0.0.1:0", "127.0.0.1", "127.0.0.1"},
		{"udp://0.0.0.0:0", "127.0.0.1", "127.0.0.1"},
		{"udp://[::]:0", "127.0.0.1", "127.0.0.1"},
		{"udp://[::1]:0", "::1", "[::1]"},
	} {
		t.Run(c.listen+" from "+c.dial, func(t *testing.T) {
			if l, err := net.ListenPacket("udp", net.JoinHostPort(c.dial, "0")); err != nil {
				t.Skip(err)
			} else {
				l.Close()
			}
			s := listenTest(t, func(cfg *Config) {
				cfg.Listen = []string{c.listen}
				cfg.Answer = func(ctx context.Context, l *Leg) { l.Answer(ctx) }
			})
			port := strconv.Itoa(int(addrPort(s.sockets[0].LocalAddr()).Port()))
			conn, err := net.Dial("udp", net.JoinHostPort(c.dial, port))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			send := func(method, tag, body string) {
				fmt.Fprintf(conn, "%s sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%s;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:1@h>%s\r\nCall-ID: own\r\nCSeq: 1 %s\r\nContact: <sip:a@h>\r\nContent-Type: application/sdp\r\n\r\n%s",
					method, method, tag, method, body)
			}
			read := func(start string) string {
				buf := make([]byte, 4096)
				for {
					conn.SetReadDeadline(time.Now().Add(5 * time.Second))
					n, err := conn.Read(buf)
					if err != nil {
						t.Fatalf("%v before %s", err, start)
					}
					if strings.HasPrefix(string(buf[:n]), start) {
						return string(buf[:n])
					}
				}
			}
			send("INVITE", "", pcmu)
			ok := read("SIP/2.0 200")
			if got, want := headerOf(ok, "Contact"), "<sip:hookswitch@"+c.want+":"+port+">"; got != want {
				t.Errorf("Contact %s, want %s", got, want)
			}
			if ip := strings.Trim(c.want, "[]"); !strings.Contains(ok, " "+ip+"\r\n") {
				t.Errorf("the description does not name %s: %s", ip, ok)
			}
			send("ACK", ";tag="+tagOf(headerOf(ok, "To")), "")
			bye := read("BYE ")
			if via := headerOf(bye, "Via"); !strings.HasPrefix(via, "SIP/2.0/UDP "+c.want+":"+port+";branch=") {
				t.Errorf("Via: %s", via)
			}
			fmt.Fprintf(conn, "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: own\r\nCSeq: %s\r\n\r\n",
				headerOf(bye, "Via"), headerOf(bye, "From"), headerOf(bye, "To"), headerOf(bye, "CSeq"))
		})
	}
}

// A line that we dial begins at the address that we listen on, on a machine that
// has others too: sound is awaited there and nowhere else.
func TestOwnAddressOfDialledLine(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.9:0"); err != nil {
		t.Skip(err)
	} else {
		l.Close()
	}
	phone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer phone.Close()
	s := listenTest(t, func(cfg *Config) { cfg.Listen = []string{"udp://127.0.0.9:0", "tcp://127.0.0.9:0"} })
	if _, err := s.Dial(Destination{URI: "sip:bob@" + phone.Addr().String() + ";transport=tcp"}); err != nil {
		t.Fatal(err)
	}
	c, err := phone.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 4096)
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	inv := string(buf[:n])
	port := strconv.Itoa(int(addrPort(s.listeners[0].Addr()).Port()))
	if got, want := headerOf(inv, "Contact"), "<sip:hookswitch@127.0.0.9:"+port+";transport=tcp>"; got != want {
		t.Errorf("Contact %s, want %s", got, want)
	}
	if !strings.Contains(inv, "\r\nc=IN IP4 127.0.0.9\r\n") {
		t.Errorf("the description does not name 127.0.0.9: %s", inv)
	}
}

// A line is kept open for its calls and for no longer, also when an answer takes a
// call back to the line that the INVITE went over.
func TestLegsOfLines(t *testing.T) {
	s, err := newServer(Config{Answer: func(context.Context, *Leg) {}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := s.newLeg()
	first, second := new(line), new(line)
	legs := func(want1, want2 int32) {
		t.Helper()
		if got1, got2 := first.legs.Load(), second.legs.Load(); got1 != want1 || got2 != want2 {
			t.Errorf("%d and %d legs, want %d and %d", got1, got2, want1, want2)
		}
	}
	l.take(path{line: first})
	legs(1, 0)
	d := l.dialog
	l.take(path{line: second}) // their request came over another one
	legs(0, 1)
	l.join(d)
	legs(1, 0)
	l.forget()
	legs(0, 0)
}
