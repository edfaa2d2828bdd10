package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Local is our side of one audio stream. With Last set, [Offer] and [Answer]
// keep its o= line and raise the version exactly when something else has
// changed, and an offer keeps its m= lines in their order and its payload
// numbers (RFC 3264 section 8).
type Local struct {
	Addr      netip.Addr
	Port      int      // of RTP; RTCP is one above
	SessionID uint64   // o=, the same for the whole dialog; used when Last is nil
	Version   uint64   // o= of the first description; used when Last is nil
	Codecs    []string // "PCMU", "PCMA", "G722", "opus", best first; other names are skipped
	Direction string   // what we would like; "" is sendrecv
	Last      *Session // our description before this one in the dialog, nil at first
}

// Agreed is what both sides will do.
type Agreed struct {
	Codec       string // as named in Local.Codecs
	PayloadType uint8
	ClockRate   int            // of the RTP timestamp, Hz
	EventType   uint8          // payload type of telephone-event (RFC 4733), 0 when there is none
	Remote      netip.AddrPort // where to send; not valid while the other side is on hold (c=0.0.0.0), multicast, or gave a host name
	RemoteRTCP  netip.AddrPort // not valid when Remote is not
	Direction   string         // ours: sendrecv, sendonly, recvonly or inactive
	Ptime       time.Duration  // the packet time the other side asks for, 20 ms when it does not
	CN          bool           // comfort noise, payload type 13 (RFC 3389)
}

const (
	eventName  = "telephone-event"
	eventCodes = "0-15" // the keys 0-9 * # A-D
	ptime      = 20 * time.Millisecond
)

// codecs are those that can be agreed on, with the payload type that we offer.
var codecs = []Format{
	{ID: "0", Name: "PCMU", Rate: 8000},
	{ID: "8", Name: "PCMA", Rate: 8000},
	{ID: "9", Name: "G722", Rate: 8000}, // the clock of RFC 3551 section 4.5.2, not the sampling rate
	{ID: "111", Name: "opus", Rate: 48000, Channels: 2, Fmtp: "useinbandfec=1"},
}

// Offer is a description of our side with all of l.Codecs and the keys.
func Offer(l Local) *Session {
	var formats []Format
	rates := []int{8000}
	for _, name := range l.Codecs {
		if c, ok := codec(name); ok && find(formats, c) == nil {
			formats = append(formats, c)
			if !slices.Contains(rates, c.Rate) {
				rates = append(rates, c.Rate)
			}
		}
	}
	for i, rate := range rates {
		formats = append(formats, Format{ID: strconv.Itoa(101 + i), Name: eventName, Rate: rate, Fmtp: eventCodes})
	}
	audio := l.audio("RTP/AVP", formats)
	audio.Direction = directionOf(l.Direction).String()

	s := l.session()
	at := -1
	if l.Last != nil {
		for _, m := range l.Last.Media {
			s.Media = append(s.Media, refused(m))
		}
		at = firstAudio(l.Last)
	}
	if at < 0 {
		s.Media = append(s.Media, audio)
	} else {
		last := l.Last.Media[at]
		audio.Proto = last.Proto
		keepNumbers(audio.Formats, last.Formats)
		s.Media[at] = audio
	}
	l.number(s)
	return s
}

// Answer answers an offer: the first audio stream that we can speak, in the
// first of its codecs that we know, and every other stream refused. The error
// says what was offered and what we speak; the SIP answer to it is 488.
func Answer(offer *Session, l Local) (*Session, Agreed, error) {
	s := l.session()
	var agreed Agreed
	found := false
	for i := range offer.Media {
		m := &offer.Media[i]
		if found || !plainAudio(m) {
			s.Media = append(s.Media, refused(*m))
			continue
		}
		chosen := choose(m.Formats, l.Codecs)
		if chosen == nil {
			s.Media = append(s.Media, refused(*m))
			continue
		}
		found = true
		var formats []Format
		agreed, formats = settle(offer, m, *chosen, directionOf(l.Direction))
		audio := l.audio(m.Proto, formats)
		audio.Direction = agreed.Direction
		s.Media = append(s.Media, audio)
	}
	if !found {
		return nil, Agreed{}, fmt.Errorf("%s; we speak %s", lacking("offer", offer), strings.Join(l.Codecs, ", "))
	}
	l.number(s)
	return s, agreed, nil
}

// Accept reads the answer to our offer. The payload numbers are the other
// side's, to which we send.
func Accept(offer, answer *Session, l Local) (Agreed, error) {
	ours := firstAudio(offer)
	if ours < 0 {
		return Agreed{}, fmt.Errorf("we offered no audio")
	}
	at := ours
	if at >= len(answer.Media) || answer.Media[at].Kind != "audio" {
		// Some answer with fewer streams than were offered.
		at = firstAudio(answer)
	}
	if at < 0 || !plainAudio(&answer.Media[at]) {
		return Agreed{}, fmt.Errorf("%s; we offered %s", lacking("answer", answer), strings.Join(l.Codecs, ", "))
	}
	m := &answer.Media[at]
	var offered []string
	for _, f := range offer.Media[ours].Formats {
		if _, ok := codec(f.Name); ok {
			offered = append(offered, f.Name)
		}
	}
	chosen := choose(m.Formats, offered)
	if chosen == nil {
		return Agreed{}, fmt.Errorf("%s; we offered %s", lacking("answer", answer), strings.Join(offered, ", "))
	}
	agreed, _ := settle(answer, m, *chosen, directionOf(offer.Media[ours].Direction))
	if find(offer.Media[ours].Formats, Format{Name: "CN", Rate: 8000}) == nil {
		agreed.CN = false
	}
	return agreed, nil
}

// settle is what follows from the other side's stream and the codec chosen
// from it: the facts for the media, and the formats of an answer.
func settle(s *Session, m *Media, chosen Format, want way) (Agreed, []Format) {
	known, _ := codec(chosen.Name)
	pt, _ := chosen.PayloadType()
	a := Agreed{Codec: known.Name, PayloadType: pt, ClockRate: known.Rate, Ptime: m.Ptime}
	if a.Ptime == 0 {
		a.Ptime = ptime
	}
	chosen.Fmtp = known.Fmtp
	formats := []Format{chosen}

	// Keys come at the clock of the audio (RFC 4733 section 2.1), but many
	// phones know them only at 8000 Hz.
	for _, rate := range []int{known.Rate, 8000} {
		if e := find(m.Formats, Format{Name: eventName, Rate: rate}); e != nil && a.EventType == 0 {
			a.EventType, _ = e.PayloadType()
			formats = append(formats, Format{ID: e.ID, Name: eventName, Rate: rate, Fmtp: eventCodes})
		}
	}
	if cn := find(m.Formats, Format{Name: "CN", Rate: 8000}); cn != nil && known.Rate == 8000 {
		a.CN = true
		formats = append(formats, *cn)
	}

	theirs := directionOf(or(m.Direction, s.Direction))
	addr := m.Addr
	if !addr.IsValid() && m.Host == "" {
		addr = s.Addr
	}
	if addr.IsValid() && addr.IsUnspecified() {
		// The hold of RFC 2543: nothing may be sent there (RFC 3264 section 8.4).
		theirs &^= receive
	} else if addr.IsValid() && !addr.IsMulticast() {
		a.Remote = netip.AddrPortFrom(addr, uint16(m.Port))
		a.RemoteRTCP = remoteRTCP(m, addr)
	}
	a.Direction = (theirs.mirror() & want).String()
	return a, formats
}

// remoteRTCP is where the other side wants RTCP: as a=rtcp says (RFC 3605),
// else one port above RTP. It is not valid when that port is beyond the last.
func remoteRTCP(m *Media, addr netip.Addr) netip.AddrPort {
	port := m.RTCP.Port()
	if port == 0 && m.Port < 65535 {
		port = uint16(m.Port + 1)
	}
	if own := m.RTCP.Addr(); own.IsValid() && !own.IsUnspecified() && !own.IsMulticast() {
		addr = own
	}
	if port == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, port)
}

// choose is the first of the other side's formats that is one of ours.
func choose(theirs []Format, ours []string) *Format {
	for i, f := range theirs {
		known, ok := codec(f.Name)
		if _, numbered := f.PayloadType(); !ok || !numbered || f.Rate != known.Rate {
			continue
		}
		if slices.ContainsFunc(ours, func(name string) bool { return strings.EqualFold(name, f.Name) }) {
			return &theirs[i]
		}
	}
	return nil
}

// find is the format with the name and the clock of f, nil when there is none
// or its number is not a payload type.
func find(formats []Format, f Format) *Format {
	for i, g := range formats {
		if _, ok := g.PayloadType(); ok && strings.EqualFold(f.Name, g.Name) && f.Rate == g.Rate {
			return &formats[i]
		}
	}
	return nil
}

func codec(name string) (Format, bool) {
	for _, c := range codecs {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return Format{}, false
}

// plainAudio says whether m is an audio stream in use that is not encrypted.
func plainAudio(m *Media) bool {
	return m.Kind == "audio" && m.Port != 0 && (strings.EqualFold(m.Proto, "RTP/AVP") || strings.EqualFold(m.Proto, "RTP/AVPF"))
}

// firstAudio is the place of the audio stream in use, else of any, else -1.
func firstAudio(s *Session) int {
	at := slices.IndexFunc(s.Media, func(m Media) bool { return m.Kind == "audio" && m.Port != 0 })
	if at < 0 {
		at = slices.IndexFunc(s.Media, func(m Media) bool { return m.Kind == "audio" })
	}
	return at
}

// refused is the m= line that refuses m: its kind, protocol and formats with
// port 0 (RFC 3264 section 6).
func refused(m Media) Media {
	r := Media{Kind: m.Kind, Proto: m.Proto}
	for _, f := range m.Formats {
		r.Formats = append(r.Formats, Format{ID: f.ID})
	}
	return r
}

// keepNumbers gives formats the payload numbers that they had in last, and
// moves those whose number last used for something else.
func keepNumbers(formats, last []Format) {
	used := func(id string) bool {
		same := func(f Format) bool { return f.ID == id }
		return slices.ContainsFunc(last, same) || slices.ContainsFunc(formats, same)
	}
	for i := range formats {
		f := &formats[i]
		if was := find(last, *f); was != nil {
			f.ID = was.ID
		} else if slices.ContainsFunc(last, func(l Format) bool { return l.ID == f.ID }) {
			for n := 96; n < 128 && used(f.ID); n++ {
				f.ID = strconv.Itoa(n)
			}
		}
	}
}

func (l Local) session() *Session {
	return &Session{Origin: Origin{Host: l.Addr.String()}, Addr: l.Addr}
}

func (l Local) audio(proto string, formats []Format) Media {
	return Media{Kind: "audio", Port: l.Port, Proto: proto, Formats: formats, Ptime: ptime}
}

// number writes the session id and the version of o=.
func (l Local) number(s *Session) {
	if l.Last == nil {
		s.Origin.ID, s.Origin.Version = strconv.FormatUint(l.SessionID, 10), strconv.FormatUint(l.Version, 10)
		return
	}
	s.Origin = l.Last.Origin
	if string(s.Bytes()) == string(l.Last.Bytes()) {
		return
	}
	version, _ := strconv.ParseUint(s.Origin.Version, 10, 64)
	s.Origin.Version = strconv.FormatUint(version+1, 10)
}

// lacking says why nothing in a description of the other side suits us.
func lacking(what string, s *Session) string {
	var names, protos, others []string
	off := false
	for i := range s.Media {
		m := &s.Media[i]
		switch {
		case m.Kind != "audio":
			others = add(others, m.Kind)
		case m.Port == 0:
			off = true
		case !plainAudio(m):
			protos = add(protos, or(m.Proto, "no protocol"))
		default:
			for _, f := range m.Formats {
				if !strings.EqualFold(f.Name, eventName) && !strings.EqualFold(f.Name, "CN") {
					names = add(names, or(f.Name, "payload type "+f.ID))
				}
			}
			if len(m.Formats) == 0 {
				names = add(names, "audio without a format")
			}
		}
	}
	switch {
	case len(names) > 0:
		return fmt.Sprintf("the %s has only %s", what, strings.Join(names, ", "))
	case len(protos) > 0 && strings.Contains(strings.Join(protos, " "), "SAVP"):
		return fmt.Sprintf("the %s has only encrypted audio (%s) and we have no SRTP", what, strings.Join(protos, ", "))
	case len(protos) > 0:
		return fmt.Sprintf("the %s has audio only over %s, not RTP/AVP", what, strings.Join(protos, ", "))
	case off:
		return fmt.Sprintf("the %s has its audio switched off (port 0)", what)
	case len(others) > 0:
		return fmt.Sprintf("the %s has no audio, only %s", what, strings.Join(others, ", "))
	}
	return fmt.Sprintf("the %s has no audio", what)
}

// add appends a stranger's word for an error message, once, and not without
// end.
func add(words []string, word string) []string {
	if word = clip(word); len(words) >= 10 || slices.Contains(words, word) {
		return words
	}
	return append(words, word)
}

// way is a direction as two bits.
type way uint8

const (
	send way = 1 << iota
	receive
)

func directionOf(s string) way {
	switch s {
	case "sendonly":
		return send
	case "recvonly":
		return receive
	case "inactive":
		return 0
	}
	return send | receive
}

func (w way) String() string {
	return [...]string{"inactive", "sendonly", "recvonly", "sendrecv"}[w]
}

// mirror is the same stream seen from the other side.
func (w way) mirror() way { return w&send<<1 | w&receive>>1 }
