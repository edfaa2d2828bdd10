package sdp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var us = Local{Addr: netip.MustParseAddr("192.0.2.7"), Port: 10000, SessionID: 1, Version: 1, Codecs: []string{"PCMU", "PCMA"}}

// head begins the offers below.
var head = []string{"v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"}

func offer(t testing.TB, s ...string) *Session {
	return parse(t, append(append([]string(nil), head...), s...)...)
}

func TestAnswer(t *testing.T) {
	at := netip.MustParseAddrPort
	ms := time.Millisecond
	tests := []struct {
		name  string
		offer []string
		want  Agreed
		media string // the m= lines of the answer
	}{
		{"PCMU and keys", []string{"m=audio 5004 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"},
			Agreed{"PCMU", 0, 8000, 101, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 0 101"},
		{"the offerer's first choice wins", []string{"m=audio 5004 RTP/AVP 18 8 0"},
			Agreed{"PCMA", 8, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 8"},
		{"the offerer's numbers stay", []string{"m=audio 5004 RTP/AVP 100 96", "a=rtpmap:96 telephone-event/8000", "a=rtpmap:100 pcmu/8000"},
			Agreed{"PCMU", 100, 8000, 96, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 100 96"},
		{"a number that means something else", []string{"m=audio 5004 RTP/AVP 0 8", "a=rtpmap:0 G726-32/8000"},
			Agreed{"PCMA", 8, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 8"},
		{"wide-band PCMU is another codec", []string{"m=audio 5004 RTP/AVP 96 8", "a=rtpmap:96 PCMU/16000"},
			Agreed{"PCMA", 8, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 8"},
		{"keys only at another clock are none", []string{"m=audio 5004 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/16000"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"keys at the clock of the codec", []string{"m=audio 5004 RTP/AVP 0 102 101", "a=rtpmap:102 telephone-event/48000", "a=rtpmap:101 telephone-event/8000"},
			Agreed{"PCMU", 0, 8000, 101, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 0 101"},
		{"comfort noise", []string{"m=audio 5004 RTP/AVP 0 13"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, true}, "audio 10000 RTP/AVP 0 13"},
		{"a packet time and an RTCP port", []string{"m=audio 5004 RTP/AVP 0", "a=ptime:30", "a=rtcp:7000"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:7000"), "sendrecv", 30 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"an RTCP address", []string{"m=audio 5004 RTP/AVP 0", "a=rtcp:7000 IN IP4 192.0.2.99"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.99:7000"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"rtcp-mux is declined", []string{"m=audio 5004 RTP/AVP 0", "a=rtcp-mux"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"sendonly", []string{"m=audio 5004 RTP/AVP 0", "a=sendonly"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "recvonly", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"recvonly", []string{"m=audio 5004 RTP/AVP 0", "a=recvonly"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendonly", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"inactive for the whole session", []string{"a=inactive", "m=audio 5004 RTP/AVP 0"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "inactive", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"the stream overrides the session", []string{"a=inactive", "m=audio 5004 RTP/AVP 0", "a=sendrecv"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"the old hold", []string{"m=audio 5004 RTP/AVP 0", "c=IN IP4 0.0.0.0"},
			Agreed{"PCMU", 0, 8000, 0, netip.AddrPort{}, netip.AddrPort{}, "recvonly", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"the old hold of one who only receives", []string{"m=audio 5004 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=recvonly"},
			Agreed{"PCMU", 0, 8000, 0, netip.AddrPort{}, netip.AddrPort{}, "inactive", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"a host name is not looked up", []string{"m=audio 5004 RTP/AVP 0", "c=IN IP4 pbx.example"},
			Agreed{"PCMU", 0, 8000, 0, netip.AddrPort{}, netip.AddrPort{}, "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"nothing is sent to many at once", []string{"m=audio 5004 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"},
			Agreed{"PCMU", 0, 8000, 0, netip.AddrPort{}, netip.AddrPort{}, "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"IPv6", []string{"m=audio 5004 RTP/AVP 0", "c=IN IP6 2001:db8::1"},
			Agreed{"PCMU", 0, 8000, 0, at("[2001:db8::1]:5004"), at("[2001:db8::1]:5005"), "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
		{"T.38, video and audio", []string{"m=image 5006 udptl t38", "m=audio 5004 RTP/AVP 0", "m=video 5008 RTP/AVP 31 34"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "image 0 udptl t38; audio 10000 RTP/AVP 0; video 0 RTP/AVP 31 34"},
		{"the second audio stream is the one we speak", []string{"m=audio 5002 RTP/AVP 18", "m=audio 5004 RTP/AVP 0", "m=audio 5006 RTP/AVP 0"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 0 RTP/AVP 18; audio 10000 RTP/AVP 0; audio 0 RTP/AVP 0"},
		{"encrypted or plain", []string{"m=audio 5002 RTP/SAVP 0", "m=audio 5004 RTP/AVP 0"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 0 RTP/SAVP 0; audio 10000 RTP/AVP 0"},
		{"a stream switched off before", []string{"m=audio 0 RTP/AVP 0", "m=audio 5004 rtp/avpf 0"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:5004"), at("192.0.2.1:5005"), "sendrecv", 20 * ms, false}, "audio 0 RTP/AVP 0; audio 10000 rtp/avpf 0"},
		{"no RTCP above the last port", []string{"m=audio 65535 RTP/AVP 0"},
			Agreed{"PCMU", 0, 8000, 0, at("192.0.2.1:65535"), netip.AddrPort{}, "sendrecv", 20 * ms, false}, "audio 10000 RTP/AVP 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer, got, err := Answer(offer(t, tt.offer...), us)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("agreed on\n%+v, want\n%+v", got, tt.want)
			}
			var media []string
			for line := range strings.Lines(string(answer.Bytes())) {
				if m, ok := strings.CutPrefix(line, "m="); ok {
					media = append(media, strings.TrimSpace(m))
				}
			}
			if got := strings.Join(media, "; "); got != tt.media {
				t.Errorf("answered %q, want %q", got, tt.media)
			}
			if got := string(answer.Bytes()); !strings.Contains(got, "a="+tt.want.Direction+"\r\n") {
				t.Errorf("the answer does not say %s:\n%s", tt.want.Direction, got)
			}
		})
	}
}

func TestAnswerSaysWhatIsLacking(t *testing.T) {
	tests := []struct {
		name  string
		offer []string
		want  string
	}{
		{"another codec", []string{"m=audio 5004 RTP/AVP 18 101", "a=rtpmap:101 telephone-event/8000"}, "the offer has only G729; we speak PCMU, PCMA"},
		{"two audio streams of others", []string{"m=audio 5004 RTP/AVP 18", "m=audio 5006 RTP/AVP 96", "a=rtpmap:96 AMR-WB/16000"}, "the offer has only G729, AMR-WB; we speak PCMU, PCMA"},
		{"a number without a name", []string{"m=audio 5004 RTP/AVP 97"}, "the offer has only payload type 97; we speak PCMU, PCMA"},
		{"encrypted", []string{"m=audio 5004 RTP/SAVP 0"}, "the offer has only encrypted audio (RTP/SAVP) and we have no SRTP; we speak PCMU, PCMA"},
		{"a browser", []string{"m=audio 9 UDP/TLS/RTP/SAVPF 0"}, "the offer has only encrypted audio (UDP/TLS/RTP/SAVPF) and we have no SRTP; we speak PCMU, PCMA"},
		{"over TCP", []string{"m=audio 5004 TCP/RTP/AVP 0"}, "the offer has audio only over TCP/RTP/AVP, not RTP/AVP; we speak PCMU, PCMA"},
		{"a fax", []string{"m=image 5004 udptl t38"}, "the offer has no audio, only image; we speak PCMU, PCMA"},
		{"switched off", []string{"m=audio 0 RTP/AVP 0"}, "the offer has its audio switched off (port 0); we speak PCMU, PCMA"},
		{"no stream", nil, "the offer has no audio; we speak PCMU, PCMA"},
	}
	for _, tt := range tests {
		if _, _, err := Answer(offer(t, tt.offer...), us); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, err, tt.want)
		}
	}
}

func TestAnswerKeepsToOurDirection(t *testing.T) {
	tests := []struct{ theirs, ours, want string }{
		{"sendrecv", "sendonly", "sendonly"},
		{"sendrecv", "recvonly", "recvonly"},
		{"sendrecv", "inactive", "inactive"},
		{"sendonly", "sendonly", "inactive"},
		{"recvonly", "sendonly", "sendonly"},
	}
	for _, tt := range tests {
		l := us
		l.Direction = tt.ours
		if _, got, err := Answer(offer(t, "m=audio 5004 RTP/AVP 0", "a="+tt.theirs), l); err != nil || got.Direction != tt.want {
			t.Errorf("%s offered, %s wanted: %s (%v), want %s", tt.theirs, tt.ours, got.Direction, err, tt.want)
		}
	}
}

func TestAccept(t *testing.T) {
	ours := Offer(us)
	tests := []struct {
		name   string
		answer []string
		want   string // codec, payload type, events, remote, direction; or the error
	}{
		{"as offered", []string{"m=audio 5004 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"}, "PCMU 0 101 192.0.2.1:5004 sendrecv"},
		{"our second choice", []string{"m=audio 5004 RTP/AVP 8"}, "PCMA 8 0 192.0.2.1:5004 sendrecv"},
		{"the answerer's number for events", []string{"m=audio 5004 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000"}, "PCMU 0 96 192.0.2.1:5004 sendrecv"},
		{"they only listen", []string{"m=audio 5004 RTP/AVP 0", "a=recvonly"}, "PCMU 0 0 192.0.2.1:5004 sendonly"},
		{"comfort noise that was not offered", []string{"m=audio 5004 RTP/AVP 0 13"}, "PCMU 0 0 192.0.2.1:5004 sendrecv"},
		{"refused", []string{"m=audio 0 RTP/AVP 0"}, "the answer has its audio switched off (port 0); we offered PCMU, PCMA"},
		{"a codec that was not offered", []string{"m=audio 5004 RTP/AVP 9"}, "the answer has only G722; we offered PCMU, PCMA"},
		{"nothing", nil, "the answer has no audio; we offered PCMU, PCMA"},
	}
	for _, tt := range tests {
		a, err := Accept(ours, offer(t, tt.answer...), us)
		got := fmt.Sprint(a.Codec, " ", a.PayloadType, " ", a.EventType, " ", a.Remote, " ", a.Direction)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want || a.CN {
			t.Errorf("%s: %q (comfort noise %v), want %q", tt.name, got, a.CN, tt.want)
		}
	}
}

func TestAcceptMirrorsHold(t *testing.T) {
	hold := us
	hold.Direction = "sendonly"
	a, err := Accept(Offer(hold), offer(t, "m=audio 5004 RTP/AVP 0", "a=recvonly"), hold)
	if err != nil || a.Direction != "sendonly" {
		t.Errorf("%s (%v), want sendonly", a.Direction, err)
	}
	// An answerer that ignores the hold may not undo it.
	a, err = Accept(Offer(hold), offer(t, "m=audio 5004 RTP/AVP 0", "a=sendrecv"), hold)
	if err != nil || a.Direction != "sendonly" {
		t.Errorf("%s (%v), want sendonly", a.Direction, err)
	}
}

func TestBothEndsAgree(t *testing.T) {
	them := us
	them.Addr, them.Port, them.Codecs = netip.MustParseAddr("192.0.2.1"), 20000, []string{"opus", "PCMA"}
	us := us
	us.Codecs = []string{"G722", "opus", "PCMA"}
	o := Offer(us)
	answer, theirs, err := Answer(o, them)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Accept(o, answer, us)
	if err != nil {
		t.Fatal(err)
	}
	if ours.Codec != "opus" || ours.PayloadType != 111 || ours.ClockRate != 48000 || ours.EventType != 102 {
		t.Errorf("we agreed on %+v, want opus as 111 with events as 102", ours)
	}
	if theirs.Codec != ours.Codec || theirs.PayloadType != ours.PayloadType || theirs.EventType != ours.EventType {
		t.Errorf("they have %+v, we have %+v", theirs, ours)
	}
	if got, want := theirs.Remote.String()+" "+ours.Remote.String(), "192.0.2.7:10000 192.0.2.1:20000"; got != want {
		t.Errorf("they send to and we send to %s, want %s", got, want)
	}
}

// RFC 3551 section 4.5.2: the clock of G.722 is said to be 8000, and so is that
// of the keys beside it.
func TestG722(t *testing.T) {
	us := us
	us.Codecs = []string{"PCMA", "G722"}
	o := Offer(us)
	if got := string(o.Bytes()); !strings.Contains(got, "m=audio 10000 RTP/AVP 8 9 101\r\n") || !strings.Contains(got, "a=rtpmap:9 G722/8000\r\n") {
		t.Errorf("offered\n%s", got)
	}
	tests := []struct {
		name  string
		lines []string
	}{
		{"by its number", []string{"m=audio 5004 RTP/AVP 9 0 13 101", "a=rtpmap:101 telephone-event/8000"}},
		{"by its name", []string{"m=audio 5004 RTP/AVP 9 101 13", "a=rtpmap:9 g722/8000", "a=rtpmap:101 telephone-event/8000"}},
	}
	for _, tt := range tests {
		answer, got, err := Answer(offer(t, tt.lines...), us)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got.Codec != "G722" || got.PayloadType != 9 || got.ClockRate != 8000 || got.EventType != 101 || !got.CN {
			t.Errorf("%s: agreed on %+v", tt.name, got)
		}
		if got := string(answer.Bytes()); !strings.Contains(got, "m=audio 10000 RTP/AVP 9 101 13\r\n") {
			t.Errorf("%s: answered\n%s", tt.name, got)
		}
	}
	got, err := Accept(o, offer(t, "m=audio 5004 RTP/AVP 9 101", "a=rtpmap:101 telephone-event/8000"), us)
	if err != nil || got.Codec != "G722" || got.PayloadType != 9 || got.EventType != 101 {
		t.Errorf("accepted %+v, %v", got, err)
	}
}

// RFC 3264 section 8: within a dialog the version rises with each change and
// only then, streams keep their place and formats their numbers.
func TestNextDescription(t *testing.T) {
	first, _, err := Answer(offer(t, "m=image 5006 udptl t38", "m=audio 5004 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000"), us)
	if err != nil {
		t.Fatal(err)
	}
	next := us
	next.Last = first
	same, _, err := Answer(offer(t, "m=image 5006 udptl t38", "m=audio 5004 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000"), next)
	if err != nil || string(same.Bytes()) != string(first.Bytes()) {
		t.Errorf("the same offer again is answered with (%v)\n%s\nwant\n%s", err, same.Bytes(), first.Bytes())
	}
	next.Direction = "sendonly"
	hold := string(Offer(next).Bytes())
	want := string(lines("v=0", "o=- 1 2 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "t=0 0", "m=image 0 udptl t38", "m=audio 10000 RTP/AVP 0 8 96",
		"a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-15", "a=ptime:20", "a=sendonly"))
	if hold != want {
		t.Errorf("our hold is\n%s\nwant\n%s", hold, want)
	}
}
