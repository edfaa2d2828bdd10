package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestSplit(t *testing.T) {
	const whole = "Via: v\r\nFrom: f\r\nTo: t\r\nCall-ID: c\r\nCSeq: 1 OPTIONS"
	for _, c := range []struct {
		name, head, fault string
		fields            []field
	}{
		{"compact names are written out", "f: a\r\nT : b\r\nI: c\r\nv:d\r\ncseq:1   OPTIONS", "", []field{{"From", "a"}, {"To", "b"}, {"Call-ID", "c"}, {"Via", "d"}, {"cseq", "1 OPTIONS"}}},
		{"a folded value is one line", whole + "\r\nX: a\r\n  b\r\n\tc", "", []field{{"X", "a b c"}}},
		{"space around marks goes", "Via: SIP / 2.0 / UDP  h : 5060 ; branch = z\r\nFrom: \"A = ; B\"  <sip:a ; b> ; tag = 1\r\nTo: t\r\nCall-ID: c\r\nCSeq: 1 X", "",
			[]field{{"Via", "SIP/2.0/UDP h:5060;branch=z"}, {"From", `"A = ; B" <sip:a ; b>;tag=1`}}},
		{"no name", whole + "\r\n: a", "a header line has no name", nil},
		{"no colon", whole + "\r\nabc", "a header line has no name", nil},
		{"a bare LF", whole + "\r\nX: a\nEvil: 1", "a header line has a control character", nil},
		{"a bare CR", whole + "\r\nX: a\rEvil: 1", "a header line has a control character", nil},
		{"NUL", whole + "\r\nX: a\x00", "a header line has a control character", nil},
		{"an open quote", strings.Replace(whole, "From: f", `From: "f <sip:a>`, 1), "a quote or a bracket is not closed", nil},
		{"two From", whole + "\r\nf: g", "From is there 2 times", nil},
		{"no Call-ID", strings.Replace(whole, "Call-ID: c\r\n", "", 1), "Call-ID is missing", nil},
		{"no Via", strings.Replace(whole, "Via: v\r\n", "", 1), "Via is missing", nil},
		{"two lengths", whole + "\r\nl: 1\r\nContent-Length: 1", "Content-Length is there 2 times", nil},
		{"a length below nothing", whole + "\r\nl: -1", "Content-Length is not a number of bytes", nil},
		{"too many lines", whole + strings.Repeat("\r\nX: y", 124), "more than 128 header lines", nil},
		{"too many parameters", whole + "\r\nX: " + strings.Repeat(";", 65), "a header line has more than 64 parameters", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, f := split("OPTIONS sip:x SIP/2.0\r\n" + c.head)
			got := ""
			if f != nil {
				got = f.text
			}
			if got != c.fault {
				t.Errorf("fault %q, want %q", got, c.fault)
			}
			for _, want := range c.fields {
				if got := m.get(want.name); got != want.value {
					t.Errorf("%s: %q, want %q", want.name, got, want.value)
				}
			}
		})
	}
}

func TestReplyTo(t *testing.T) {
	from := netip.MustParseAddrPort("192.0.2.7:40000")
	for _, c := range []struct{ name, via, want string }{
		{"rport", "SIP/2.0/UDP 192.0.2.7:5070;rport;branch=z", "192.0.2.7:40000"},
		{"a phone that sends from another port", "SIP/2.0/UDP 192.0.2.7:5070;branch=z", "192.0.2.7:5070"},
		{"and listens on the usual one", "SIP/2.0/UDP 192.0.2.7;branch=z", "192.0.2.7:5060"},
		{"behind a NAT", "SIP/2.0/UDP 10.0.0.7:5070;branch=z", "192.0.2.7:40000"},
		{"a name", "SIP/2.0/UDP phone.example.com;branch=z", "192.0.2.7:40000"},
		{"maddr is not followed", "SIP/2.0/UDP 10.0.0.7;maddr=198.51.100.1", "192.0.2.7:40000"},
		{"IPv6", "SIP/2.0/UDP [2001:db8::1]:5070", "192.0.2.7:40000"},
		{"nonsense", "x", "192.0.2.7:40000"},
		{"port 0", "SIP/2.0/UDP 192.0.2.7:0", "192.0.2.7:40000"},
	} {
		if got := replyTo(from, c.via).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	v6 := netip.MustParseAddrPort("[2001:db8::1]:40000")
	if got := replyTo(v6, "SIP/2.0/UDP [2001:db8::1]:5070;branch=z").String(); got != "[2001:db8::1]:5070" {
		t.Errorf("IPv6: %s", got)
	}
}

func TestReceived(t *testing.T) {
	p := path{remote: netip.MustParseAddrPort("192.0.2.7:40000")}
	for _, c := range []struct{ name, via, want string }{
		{"rport is filled in", "SIP/2.0/UDP h;rport;branch=z, SIP/2.0/UDP i;rport", "SIP/2.0/UDP h;rport=40000;branch=z;received=192.0.2.7, SIP/2.0/UDP i;rport"},
		{"the right address stays", "SIP/2.0/UDP 192.0.2.7:5060;branch=z", "SIP/2.0/UDP 192.0.2.7:5060;branch=z"},
		{"a longer one is another", "SIP/2.0/UDP 192.0.2.77;branch=z", "SIP/2.0/UDP 192.0.2.77;branch=z;received=192.0.2.7"},
		{"a lie is replaced", "SIP/2.0/UDP h;received=1.2.3.4", "SIP/2.0/UDP h;received=192.0.2.7"},
		{"mapped IPv4 keeps its brackets", "SIP/2.0/UDP [::ffff:192.0.2.7]:19823", "SIP/2.0/UDP [::ffff:192.0.2.7]:19823"},
	} {
		if got := received(c.via, p); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestOwed(t *testing.T) {
	request := func(line, more string) string {
		method, _, _ := strings.Cut(line, " ")
		return line + "\r\nVia: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 " + method + "\r\n" + more + "\r\n"
	}
	invite := func(more string) string {
		return request("INVITE sip:c@d SIP/2.0", "Contact: <sip:a@192.0.2.7>\r\n"+more)
	}
	for _, c := range []struct{ name, message, want, header string }{
		{"OPTIONS", request("OPTIONS sip:c@d SIP/2.0", ""), "200 OK", "Allow: " + allow},
		{"tel URI", request("OPTIONS tel:+1555 SIP/2.0", ""), "200 OK", ""},
		{"no call for BYE", request("BYE sip:c@d SIP/2.0", ""), "481", ""},
		{"no call for CANCEL", request("CANCEL sip:c@d SIP/2.0", ""), "481", ""},
		{"no call for ACK", request("ACK sip:c@d SIP/2.0", ""), "", ""},
		{"a tag we never gave", strings.Replace(invite(""), "<sip:c@d>", "<sip:c@d>;tag=9", 1), "481", ""},
		{"REGISTER", request("REGISTER sip:d SIP/2.0", ""), "405", "Allow: " + allow},
		{"SUBSCRIBE", request("SUBSCRIBE sip:d SIP/2.0", ""), "405", ""},
		{"methods are case-sensitive", request("invite sip:c@d SIP/2.0", ""), "501", ""},
		{"another version", request("OPTIONS sip:c@d SIP/3.0", ""), "505", ""},
		{"another scheme", request("OPTIONS http://d SIP/2.0", ""), "416", ""},
		{"headers in the URI", request("INVITE sip:c@d?X=y SIP/2.0", ""), "400", ""},
		{"a user with a question mark", request("OPTIONS sip:c?x@d SIP/2.0", ""), "200", ""},
		{"an unknown extension", invite("Require: 100rel, precondition\r\n"), "420", "Unsupported: 100rel, precondition"},
		{"no Contact", request("INVITE sip:c@d SIP/2.0", ""), "400 Contact is missing", ""},
		{"a body that is not SDP", invite("Content-Type: text/plain\r\n\r\nhello"), "415", "Accept: application/sdp"},
		{"a compressed body", invite("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n\r\nhello"), "415", "Accept-Encoding: identity"},
		{"SDP that is not", invite("Content-Type: application/sdp\r\n\r\nhello"), "488", ""},
		{"a caller that does not take SDP", invite("Accept: text/plain\r\n"), "406", "Accept: application/sdp"},
		{"CSeq too high", strings.Replace(request("OPTIONS sip:c@d SIP/2.0", ""), "CSeq: 1", "CSeq: 2147483648", 1), "400", ""},
		{"too large", request("OPTIONS sip:c@d SIP/2.0", "X: "+strings.Repeat("x", 8200)+"\r\n"), "513", ""},
		{"a response", "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nCSeq: 1 BYE\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\n\r\n", "", ""},
		{"a keep-alive", "\r\n\r\n", "", ""},
		{"not SIP at all", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				p := b.phone("owed")
				p.raw(c.message)
				if c.want == "" {
					p.silent(time.Minute)
					return
				}
				m := p.want("SIP/2.0 " + c.want)
				if !strings.Contains(m, c.header) {
					t.Errorf("%q is not in %s", c.header, m)
				}
				p.raw(c.message) // a repetition gets the same, without being kept
				if again := p.next(time.Second); headerOf(again, "To") != headerOf(m, "To") {
					t.Errorf("To: %q, then %q", headerOf(m, "To"), headerOf(again, "To"))
				}
			})
		})
	}
}

func TestMultipartInvite(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		p := b.phone("parts")
		body := "--x\r\nContent-Type: application/pidf+xml\r\n\r\n<a/>\r\n--x\r\nContent-Type: application/sdp\r\n\r\n" + pcmu + "\r\n--x--\r\n"
		p.send("INVITE", "1", "Content-Type: multipart/mixed;boundary=x\r\n", body)
		p.want("SIP/2.0 100")
		p.toTag = tagOf(headerOf(p.want("SIP/2.0 200"), "To"))
		p.ack("")
		p.bye()
	})
}

func TestDTMFKey(t *testing.T) {
	for _, c := range []struct {
		name, mediaType, body string
		want                  rune
	}{
		{"relay", "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5'},
		{"relay with spaces", "application/dtmf-relay", "signal = * \nduration = 160", '*'},
		{"relay without a signal", "application/dtmf-relay", "Duration=160", 0},
		{"plain", "application/dtmf", "#\r\n", '#'},
		{"a letter", "application/dtmf", "d", 'D'},
		{"a number for *", "application/dtmf", "10", '*'},
		{"a number for #", "application/dtmf-relay", "Signal=11", '#'},
		{"flash is no key", "application/dtmf", "16", 0},
		{"empty", "application/dtmf", "", 0},
	} {
		if got, ok := dtmfKey(c.mediaType, []byte(c.body)); got != c.want || ok != (c.want != 0) {
			t.Errorf("%s: %q %v, want %q", c.name, got, ok, c.want)
		}
	}
}

func TestBucket(t *testing.T) {
	b := bucket{rate: 3}
	for i := range 3 {
		if !b.take() {
			t.Errorf("token %d is not there", i)
		}
	}
	if b.take() {
		t.Error("a fourth token")
	}
	b.last = b.last.Add(-time.Second / 2)
	if !b.take() || b.take() {
		t.Error("half a second brings one token")
	}
}

// bomb is a request whose cost would be quadratic in n if a line could have
// any number of parameters, and that has as many as it may.
func bomb(n int) string {
	var params strings.Builder
	for i := range maxMarks {
		fmt.Fprintf(&params, ";p%d=%d", i, i)
	}
	var fields strings.Builder
	for i := range n {
		fmt.Fprintf(&fields, "Via: SIP/2.0/UDP h%d%s\r\n", i, params.String()[:200])
	}
	return "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n" + fields.String() + "\r\n"
}

func BenchmarkBomb(b *testing.B) {
	for _, n := range []int{8, 16, 32} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := newServer(Config{Answer: func(_ context.Context, _ *Leg) {}}, nil)
			if err != nil {
				b.Fatal(err)
			}
			for i := range s.messages {
				s.messages[i].rate = 0
			}
			p := path{remote: netip.MustParseAddrPort("127.0.0.1:5060"), socket: nowhere{}}
			text := []byte(bomb(n))
			for b.Loop() {
				s.datagram(text, p)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/line")
		})
	}
}

// nowhere is a socket that swallows what is sent.
type nowhere struct{ socket }

func (nowhere) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) { return len(b), nil }
