package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSize is more than any SIP message may be.
const maxSize = 64 << 10

// Parse reads a description. It fails only where a stream cannot be placed:
// no line of SDP at all, a version other than 0, an m= line without a port,
// more than 64 KB. Everything else that is wrong is left out.
func Parse(b []byte) (*Session, error) {
	if len(b) > maxSize {
		return nil, fmt.Errorf("sdp: %d bytes, more than %d", len(b), maxSize)
	}
	s := &Session{}
	seen := false
	n := 0
	for line := range strings.Lines(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(b))) {
		n++
		// Some senders indent lines or end them with blanks or a zero byte.
		key, value, found := strings.Cut(strings.Trim(line, " \t\n\x00"), "=")
		if !found || len(key) != 1 || strings.Contains(value, "\x00") {
			continue
		}
		seen = true
		value = strings.TrimSpace(value)
		var m *Media
		if len(s.Media) > 0 {
			m = &s.Media[len(s.Media)-1]
		}
		switch {
		case key == "v" && value != "0":
			return nil, fmt.Errorf("sdp: line %d: version %q; only 0 is known", n, clip(value))
		case key == "o" && m == nil:
			s.Origin = origin(value)
		case key == "s" && m == nil:
			s.Name = value
		case key == "c" && m == nil:
			s.Addr, s.Host = address(value)
		case key == "c":
			m.Addr, m.Host = address(value)
		case key == "m":
			media, err := mediaLine(value)
			if err != nil {
				return nil, fmt.Errorf("sdp: line %d: %w", n, err)
			}
			s.Media = append(s.Media, media)
		case key == "a" && m == nil:
			if direction(value) {
				s.Direction = strings.ToLower(value)
			} else if value != "" {
				s.Attributes = append(s.Attributes, value)
			}
		case key == "a":
			m.attribute(value)
		}
	}
	if !seen {
		return nil, fmt.Errorf("sdp: no line of a session description in %d bytes", len(b))
	}
	for i := range s.Media {
		for j := range s.Media[i].Formats {
			s.Media[i].nameFormat(j)
		}
	}
	return s, nil
}

// clip shortens what a stranger wrote for an error message.
func clip(s string) string { return s[:min(len(s), 40)] }

// origin reads o= from its end, because the user name may hold blanks.
func origin(value string) Origin {
	f := strings.Fields(value)
	var o Origin
	if n := len(f); n >= 6 {
		o = Origin{User: strings.Join(f[:n-5], " "), ID: f[n-5], Version: f[n-4], Host: f[n-1]}
	} else if n >= 3 {
		o = Origin{User: f[0], ID: f[1], Version: f[2]}
	}
	return o
}

// address reads the value of c=: "IN IP4 192.0.2.1/127". A host name comes
// back as such; nothing is looked up.
func address(value string) (netip.Addr, string) {
	f := strings.Fields(value)
	if len(f) == 0 {
		return netip.Addr{}, ""
	}
	host, _, _ := strings.Cut(f[len(f)-1], "/")
	if len(f) < 3 && !strings.ContainsAny(host, ".:") {
		return netip.Addr{}, "" // "IN IP4", the address forgotten
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return netip.Addr{}, strings.Trim(host, "[]")
	}
	return addr.Unmap().WithZone(""), ""
}

// mediaLine reads the value of m=: "audio 5004/2 RTP/AVP 0 8 101".
func mediaLine(value string) (Media, error) {
	f := strings.Fields(value)
	if len(f) < 2 {
		return Media{}, fmt.Errorf("m=%s has no port", clip(value))
	}
	ports, _, _ := strings.Cut(f[1], "/")
	port, err := strconv.ParseUint(ports, 10, 16)
	if err != nil {
		return Media{}, fmt.Errorf("m=%s: port %q is not a number from 0 to 65535", clip(f[0]), clip(f[1]))
	}
	m := Media{Kind: strings.ToLower(f[0]), Port: int(port)}
	if len(f) > 2 {
		m.Proto = f[2]
		for _, id := range f[3:] {
			if slices.ContainsFunc(m.Formats, func(f Format) bool { return f.ID == id }) {
				continue
			}
			m.Formats = append(m.Formats, Format{ID: id})
		}
	}
	return m, nil
}

func direction(value string) bool {
	switch strings.ToLower(value) {
	case "sendrecv", "sendonly", "recvonly", "inactive":
		return true
	}
	return false
}

// attribute takes one a= line of the stream.
func (m *Media) attribute(value string) {
	name, rest, _ := strings.Cut(value, ":")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "":
	case "sendrecv", "sendonly", "recvonly", "inactive":
		m.Direction = strings.ToLower(strings.TrimSpace(name))
	case "rtpmap":
		if f, text := m.format(rest); f != nil {
			f.rtpmap(text)
		}
	case "fmtp":
		if f, text := m.format(rest); f != nil {
			f.Fmtp = text
		}
	case "ptime":
		// A fraction is rare but allowed; above a second it is nonsense.
		if ms, err := strconv.ParseFloat(rest, 64); err == nil && ms > 0 && ms <= 1000 {
			m.Ptime = time.Duration(ms * float64(time.Millisecond)).Round(time.Microsecond)
		}
	case "rtcp":
		port, addr, _ := strings.Cut(rest, " ")
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			a, _ := address(addr)
			m.RTCP = netip.AddrPortFrom(a, uint16(n))
		}
	case "rtcp-mux":
		m.RTCPMux = true
	default:
		m.Attributes = append(m.Attributes, value)
	}
}

// format is the format that an rtpmap or fmtp speaks of, nil when the m= line
// does not have it, and the rest of the text.
func (m *Media) format(value string) (*Format, string) {
	id, text, _ := strings.Cut(value, " ")
	for i := range m.Formats {
		if m.Formats[i].ID == id {
			return &m.Formats[i], strings.TrimSpace(text)
		}
	}
	return nil, ""
}

// rtpmap reads "telephone-event/8000" or "opus/48000/2".
func (f *Format) rtpmap(text string) {
	parts := strings.Split(text, "/")
	name := strings.TrimSpace(parts[0])
	if name == "" || strings.ContainsAny(name, " \t") {
		return
	}
	f.Name, f.Rate, f.Channels = name, 8000, 0
	if len(parts) > 1 {
		if n, err := strconv.ParseUint(strings.TrimSpace(parts[1]), 10, 20); err == nil && n > 0 {
			f.Rate = int(n)
		}
	}
	if len(parts) > 2 {
		if n, err := strconv.ParseUint(strings.TrimSpace(parts[2]), 10, 8); err == nil {
			f.Channels = int(n)
		}
	}
}

// static holds the payload types of RFC 3551 tables 4 and 5 that telephones
// use; they need no rtpmap.
var static = map[string]Format{
	"0":  {Name: "PCMU", Rate: 8000},
	"3":  {Name: "GSM", Rate: 8000},
	"4":  {Name: "G723", Rate: 8000},
	"8":  {Name: "PCMA", Rate: 8000},
	"9":  {Name: "G722", Rate: 8000},
	"13": {Name: "CN", Rate: 8000},
	"15": {Name: "G728", Rate: 8000},
	"18": {Name: "G729", Rate: 8000},
}

// nameFormat fills in what senders leave out of an RTP stream: the rtpmap of
// a static type, and that of telephone-event at its customary number when its
// events are listed all the same.
func (m *Media) nameFormat(i int) {
	f := &m.Formats[i]
	if f.Name != "" || !strings.Contains(strings.ToUpper(m.Proto), "RTP/") {
		return
	}
	if known, ok := static[f.ID]; ok {
		f.Name, f.Rate = known.Name, known.Rate
	} else if f.ID == "101" && strings.HasPrefix(f.Fmtp, "0-") {
		f.Name, f.Rate = eventName, 8000
	}
}
