// Package sdp reads and writes session descriptions (RFC 8866) and does the
// offer/answer sums of telephone calls (RFC 3264).
//
// [Parse] takes what real phones and carriers send, not only what the RFC
// allows: lines in any order, missing s= and t=, bare line feeds, unknown
// protocols. [Offer], [Answer] and [Accept] agree on one audio stream; every
// other stream of the other side keeps its place and is refused with port 0.
package sdp

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Session is one description. Lines that are not named here are kept in
// Attributes when they are attributes (a=) and dropped otherwise.
type Session struct {
	Origin     Origin
	Name       string     // s=
	Addr       netip.Addr // c=, not valid when there is none or it is a host name
	Host       string     // the host name of c=, "" when it is an address
	Direction  string     // a=sendrecv and so on, "" when not said
	Attributes []string   // the other a= lines before the first m=, without "a="
	Media      []Media
}

// Origin is the o= line. ID and Version are digits; they are strings because
// some senders write more than fit in 64 bits.
type Origin struct {
	User, ID, Version string
	Host              string // an address or a host name
}

// Media is one m= line and what belongs to it.
type Media struct {
	Kind       string // "audio", "video", "image", "application", ...
	Port       int    // 0 = refused or switched off
	Proto      string // "RTP/AVP", "udptl", ...
	Formats    []Format
	Addr       netip.Addr // c= of its own; not valid when there is none
	Host       string
	Direction  string         // "" when not said
	RTCP       netip.AddrPort // a=rtcp; the address is not valid when only a port was given
	RTCPMux    bool
	Ptime      time.Duration // 0 when not said
	Attributes []string      // the other a= lines
}

// Format is one format of an m= line: a payload type with its a=rtpmap and
// a=fmtp, or any other word for streams that are not RTP.
type Format struct {
	ID       string // as it stands in the m= line: "0", "101", "t38"
	Name     string // encoding name as written, "" when unknown
	Rate     int    // clock rate in Hz
	Channels int    // 0 when not said, which means 1
	Fmtp     string
}

// PayloadType is the format's RTP payload type; ok is false when it is not a
// number from 0 to 127.
func (f Format) PayloadType() (pt uint8, ok bool) {
	n, err := strconv.ParseUint(f.ID, 10, 8)
	return uint8(n), err == nil && n < 128
}

// Bytes is the description as it goes on the wire, lines in the order of RFC
// 8866 section 9 and ended by CRLF.
func (s *Session) Bytes() []byte {
	var b strings.Builder
	line := func(parts ...string) {
		for _, p := range parts {
			b.WriteString(p)
		}
		b.WriteString("\r\n")
	}
	attributes := func(direction string, others []string) {
		for _, a := range others {
			line("a=", a)
		}
		if direction != "" {
			line("a=", direction)
		}
	}
	line("v=0")
	line("o=", or(s.Origin.User, "-"), " ", or(s.Origin.ID, "0"), " ", or(s.Origin.Version, "0"), " ", network(s.Origin.Host))
	line("s=", or(s.Name, "-"))
	if c := connection(s.Addr, s.Host); c != "" {
		line("c=", c)
	}
	line("t=0 0")
	attributes(s.Direction, s.Attributes)
	for i := range s.Media {
		m := &s.Media[i]
		ids := make([]string, len(m.Formats))
		for i, f := range m.Formats {
			ids[i] = f.ID
		}
		line("m=", or(m.Kind, "-"), " ", strconv.Itoa(m.Port), " ", or(m.Proto, "-"), " ", or(strings.Join(ids, " "), "-"))
		if c := connection(m.Addr, m.Host); c != "" {
			line("c=", c)
		}
		for _, f := range m.Formats {
			if f.Name != "" {
				channels := ""
				if f.Channels > 0 {
					channels = "/" + strconv.Itoa(f.Channels)
				}
				line("a=rtpmap:", f.ID, " ", f.Name, "/", strconv.Itoa(f.Rate), channels)
			}
			if f.Fmtp != "" {
				line("a=fmtp:", f.ID, " ", f.Fmtp)
			}
		}
		if m.Ptime > 0 {
			line("a=ptime:", strconv.FormatFloat(float64(m.Ptime)/float64(time.Millisecond), 'f', -1, 64))
		}
		if port := m.RTCP.Port(); port != 0 {
			addr := ""
			if m.RTCP.Addr().IsValid() {
				addr = " " + network(m.RTCP.Addr().String())
			}
			line("a=rtcp:", strconv.Itoa(int(port)), addr)
		}
		if m.RTCPMux {
			line("a=rtcp-mux")
		}
		attributes(m.Direction, m.Attributes)
	}
	return []byte(b.String())
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func connection(addr netip.Addr, host string) string {
	switch {
	case addr.IsValid():
		return network(addr.String())
	case host != "":
		return network(host)
	}
	return ""
}

// network writes the network type, address type and address of o= and c=.
func network(host string) string {
	if host == "" {
		host = "0.0.0.0"
	}
	if strings.Contains(host, ":") {
		return "IN IP6 " + host
	}
	return "IN IP4 " + host
}
