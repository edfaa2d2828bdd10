package sdp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// lines joins the lines of a description as the wire does.
func lines(s ...string) []byte { return []byte(strings.Join(s, "\r\n") + "\r\n") }

func parse(t testing.TB, s ...string) *Session {
	t.Helper()
	p, err := Parse(lines(s...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseWhatPhonesSend(t *testing.T) {
	const ok = "audio 5004 RTP/AVP PCMU/8000 telephone-event/8000 at 192.0.2.1"
	tests := []struct {
		name string
		sdp  string
		want string
	}{
		{"by the book", "v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n", ok},
		{"no s= and no t=", "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 5004 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n", ok},
		{"attributes before c= and t=", "v=0\r\na=x:y\r\nt=0 0\r\nb=AS:64\r\nc=IN IP4 192.0.2.1\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 5004 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n", ok},
		{"line feeds alone, no last one", "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 5004 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000", ok},
		{"carriage returns alone", "v=0\rc=IN IP4 192.0.2.1\rm=audio 5004 RTP/AVP 0 101\ra=rtpmap:101 telephone-event/8000", ok},
		{"c= of the stream", "v=0\nc=IN IP4 198.51.100.9\nm=audio 5004 RTP/AVP 0 101\nc=IN IP4 192.0.2.1\na=rtpmap:101 telephone-event/8000\n", ok},
		{"c= with a TTL", "v=0\nc=IN IP4 192.0.2.1/127\nm=audio 5004/2 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n", ok},
		{"events without an rtpmap", "v=0\nc=IN IP4 192.0.2.1\nm=audio 5004 RTP/AVP 0 101\na=fmtp:101 0-15\n", ok},
		{"a format twice", "v=0\nc=IN IP4 192.0.2.1\nm=audio 5004 RTP/AVP 0 0 101\na=rtpmap:101 telephone-event/8000\n", ok},
		{"blanks around", " v=0 \n c = IN IP4 192.0.2.1\n\nc=IN IP4 192.0.2.1\nm=audio  5004  RTP/AVP 0 101 \na=rtpmap:101  telephone-event/8000\n", ok},
		{"an rtpmap without a clock", "c=IN IP4 192.0.2.1\nm=audio 5004 RTP/AVP 0 101\na=rtpmap:0 PCMU\na=rtpmap:101 telephone-event\n", ok},
		{"a mapped IPv6 address", "c=IN IP6 ::ffff:192.0.2.1\nm=audio 5004 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n", ok},
		{"IPv6", "c=IN IP6 2001:db8::1\nm=audio 5004 RTP/AVP 8\n", "audio 5004 RTP/AVP PCMA/8000 at 2001:db8::1"},
		{"a host name", "c=IN IP4 pbx.example\nm=audio 5004 RTP/AVP 8\n", "audio 5004 RTP/AVP PCMA/8000 at pbx.example"},
		{"T.38 beside audio", "c=IN IP4 192.0.2.1\nm=image 5006 udptl t38\na=T38FaxVersion:0\nm=audio 5004 RTP/AVP 8\n", "image 5006 udptl t38 at 192.0.2.1; audio 5004 RTP/AVP PCMA/8000 at 192.0.2.1"},
		{"a protocol nobody knows", "c=IN IP4 192.0.2.1\nm=audio 5004 TCP/WARP 0\n", "audio 5004 TCP/WARP 0 at 192.0.2.1"},
		{"a stream without formats", "c=IN IP4 192.0.2.1\nm=audio 5004\n", "audio 5004  at 192.0.2.1"},
		{"no stream", "v=0\nc=IN IP4 192.0.2.1\n", ""},
		{"no address", "v=0\nc=IN IP4\nm=audio 5004 RTP/AVP 8\n", "audio 5004 RTP/AVP PCMA/8000 at "},
		{"stereo at a clock of its own", "c=IN IP4 192.0.2.1\nm=audio 5004 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n", "audio 5004 RTP/AVP opus/48000 at 192.0.2.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse([]byte(tt.sdp))
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(s); got != tt.want {
				t.Errorf("read %q, want %q", got, tt.want)
			}
		})
	}
}

func summary(s *Session) string {
	var streams []string
	for _, m := range s.Media {
		text := fmt.Sprint(m.Kind, " ", m.Port, " ", m.Proto)
		for _, f := range m.Formats {
			if f.Name != "" {
				text += fmt.Sprint(" ", f.Name, "/", f.Rate)
			} else {
				text += " " + f.ID
			}
		}
		addr, host := m.Addr, m.Host
		if !addr.IsValid() && host == "" {
			addr, host = s.Addr, s.Host
		}
		if addr.IsValid() {
			host = addr.String()
		}
		streams = append(streams, text+" at "+host)
	}
	return strings.Join(streams, "; ")
}

func TestParseDetails(t *testing.T) {
	s := parse(t, "v=0", "o=My Phone 20 123456789012345678901 7 IN IP4 192.0.2.1", "s=a call", "c=IN IP4 192.0.2.1", "a=inactive", "a=tool:x",
		"m=audio 5004 RTP/AVP 96", "a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1; stereo=0", "a=ptime:30", "a=rtcp:6001 IN IP4 192.0.2.2", "a=rtcp-mux", "a=sendonly", "a=ssrc:1 cname:x")
	m := s.Media[0]
	tests := []struct{ name, got, want string }{
		{"the user name may hold blanks", s.Origin.User, "My Phone 20"},
		{"a session id longer than 64 bits", s.Origin.ID, "123456789012345678901"},
		{"the version", s.Origin.Version, "7"},
		{"the name", s.Name, "a call"},
		{"the direction of the session", s.Direction, "inactive"},
		{"other attributes of the session", strings.Join(s.Attributes, ","), "tool:x"},
		{"the direction of the stream", m.Direction, "sendonly"},
		{"parameters", m.Formats[0].Fmtp, "useinbandfec=1; stereo=0"},
		{"the packet time", m.Ptime.String(), "30ms"},
		{"the RTCP address", m.RTCP.String(), "192.0.2.2:6001"},
		{"other attributes", strings.Join(m.Attributes, ","), "ssrc:1 cname:x"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	if !m.RTCPMux || m.Formats[0].Channels != 2 {
		t.Errorf("rtcp-mux %v and %d channels, want true and 2", m.RTCPMux, m.Formats[0].Channels)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, sdp, want string }{
		{"nothing", "", "no line of a session description"},
		{"something else", "<xml/>\n", "no line of a session description"},
		{"a later version", "v=1\r\n", `line 1: version "1"`},
		{"a port in words", "v=0\r\nm=audio five RTP/AVP 0\r\n", `line 2: m=audio: port "five" is not a number`},
		{"a port out of range", "v=0\nm=audio 65536 RTP/AVP 0\n", `line 2: m=audio: port "65536" is not a number`},
		{"no port", "v=0\n\nm=audio\n", "line 3: m=audio has no port"},
		{"too long", strings.Repeat("a=x\n", 20000), "80000 bytes, more than 65536"},
	}
	for _, tt := range tests {
		if _, err := Parse([]byte(tt.sdp)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestBytes(t *testing.T) {
	got := string(Offer(Local{Addr: netip.MustParseAddr("192.0.2.7"), Port: 10000, SessionID: 42, Version: 3, Codecs: []string{"PCMU", "PCMA"}}).Bytes())
	want := string(lines("v=0", "o=- 42 3 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "t=0 0", "m=audio 10000 RTP/AVP 0 8 101",
		"a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv"))
	if got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
	six := string(Offer(Local{Addr: netip.MustParseAddr("2001:db8::1"), Port: 10000, Codecs: []string{"PCMU"}}).Bytes())
	if !strings.Contains(six, "c=IN IP6 2001:db8::1\r\n") || !strings.Contains(six, "o=- 0 0 IN IP6 2001:db8::1\r\n") {
		t.Errorf("wrote\n%s\nwant IP6 lines", six)
	}
}

// What is read and written again is read as the same, and what strangers
// write never makes a description that says something else.
func FuzzParse(f *testing.F) {
	f.Add(lines("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 5004 RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20", "a=sendrecv"))
	f.Add(lines("c=IN IP6 ::ffff:192.0.2.1", "m=image 0 udptl t38", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=rtpmap:111 opus/48000/2", "a=rtcp:9 IN IP4 0.0.0.0", "a=rtcp-mux", "m=audio 5004/2 RTP/AVP 0 13", "c=IN IP4 0.0.0.0", "a=inactive"))
	f.Add([]byte("m=audio 1 RTP/AVP 18\na=ptime:0.125\na=rtcp:65535\nm=x 0"))
	local := Local{Addr: netip.MustParseAddr("192.0.2.7"), Port: 10000, Codecs: []string{"opus", "PCMU", "PCMA"}}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		once := s.Bytes()
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("%q is refused: %v", once, err)
		}
		if twice := again.Bytes(); string(twice) != string(once) {
			t.Fatalf("%q becomes %q", once, twice)
		}
		answer, agreed, err := Answer(s, local)
		if err != nil {
			return
		}
		if len(answer.Media) != len(s.Media) {
			t.Fatalf("%d streams answered with %d", len(s.Media), len(answer.Media))
		}
		if agreed.PayloadType > 127 || agreed.EventType > 127 || agreed.Ptime <= 0 || agreed.Ptime > time.Second {
			t.Fatalf("agreed on %+v", agreed)
		}
		read, err := Parse(answer.Bytes())
		if err != nil {
			t.Fatalf("our answer %q is refused: %v", answer.Bytes(), err)
		}
		if len(read.Media) != len(answer.Media) {
			t.Fatalf("our answer %q has %d streams, want %d", answer.Bytes(), len(read.Media), len(answer.Media))
		}
	})
}
