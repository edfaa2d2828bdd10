package sip

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/sdp"
)

// Recording says where a recording session goes, and what of (RFC 7866).
type Recording struct {
	Destination
	Labels   []string      // of the streams that are sent, one for each (RFC 4574)
	Metadata []byte        // application/rs-metadata+xml (RFC 7865)
	Expires  time.Duration // the session timer (RFC 4028), kept alive at half of it; 0 is none
}

// recorded are the codecs that a session is offered unless its destination
// says otherwise: those that every recorder takes.
var recorded = []string{"PCMU", "PCMA"}

// recording is what only a leg has that is a recording session.
type recording struct {
	metadata []byte
	expires  time.Duration

	// Guarded by Leg.mu.
	tracks   []*track
	version  uint64      // of our last description
	inviting bool        // an INVITE of ours within the dialog is under way
	next     *time.Timer // when that is sent; nil when none is planned
}

// track is one stream of a recording session.
type track struct {
	label  string
	wire   media.Wire // owned by stream as soon as there is one; nil when the server did not want it
	port   int
	agreed sdp.Agreed // no codec: the server does not want it
	stream *media.Stream
}

// Record begins a recording session. It is as [Server.Dial], but that the leg
// has a stream for each label, on which nothing is received; see
// [Leg.Streams].
func (s *Server) Record(r Recording) (*Leg, error) {
	if len(r.Labels) == 0 {
		return nil, errors.New("sip: record: no stream")
	}
	if r.Codecs == nil {
		r.Codecs = recorded
	}
	rec := &recording{metadata: r.Metadata, expires: r.Expires}
	for _, label := range r.Labels {
		rec.tracks = append(rec.tracks, &track{label: label})
	}
	return s.call(r.Destination, rec)
}

// contact is our Contact, which tells that we record (RFC 7866 §6.1.1).
func (l *Leg) contact() field {
	c := l.dialog.contact()
	if l.recording != nil {
		c.value += ";+sip.src"
	}
	return c
}

// Streams are those of a recording session that is answered, in the order of
// its labels; one that the server did not want is nil. They are closed once the
// leg is over.
func (l *Leg) Streams() []*media.Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.recording == nil {
		return nil
	}
	var streams []*media.Stream
	for _, t := range l.recording.tracks {
		streams = append(streams, t.stream)
	}
	return streams
}

// openTracks takes the ports for the sound of a recording session.
func (l *Leg) openTracks() error {
	for _, t := range l.recording.tracks {
		wire, port, err := l.server.openWire()
		if err != nil {
			return err // those that are open are closed with the leg
		}
		l.mu.Lock()
		if l.Err() != nil {
			l.mu.Unlock()
			wire.Close()
			return nil
		}
		t.wire, t.port = wire, port
		l.mu.Unlock()
	}
	return nil
}

// close ends the sound of a recording session. Leg.mu is held.
func (r *recording) close(l *Leg) {
	if r.next != nil {
		r.next.Stop()
	}
	for _, t := range r.tracks {
		switch {
		case t.stream != nil:
			l.server.calling.Go(t.stream.Close)
		case t.wire != nil:
			t.wire.Close()
		}
		t.wire = nil
	}
}

// say adds to an INVITE what makes it one of a recording session: our role, the
// description and the metadata, in a body of two parts (RFC 7866 §6.1, §9.1).
func (l *Leg) say(req *sipgo.Request, description []byte) {
	r := l.recording
	req.AppendHeader(sipgo.NewHeader("Require", "siprec"))
	if r.expires > 0 {
		req.AppendHeader(sipgo.NewHeader("Supported", "timer"))
		req.AppendHeader(sipgo.NewHeader("Session-Expires", fmt.Sprintf("%d;refresher=uac", int(r.expires.Seconds()))))
		req.AppendHeader(sipgo.NewHeader("Min-SE", "90"))
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	part := func(content []byte, header ...string) {
		h := textproto.MIMEHeader{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		w, err := parts.CreatePart(h)
		if err == nil { // a buffer takes all
			w.Write(content)
		}
	}
	part(description, "Content-Type", "application/sdp")
	part(r.metadata, "Content-Type", "application/rs-metadata+xml", "Content-Disposition", "recording-session")
	parts.Close()
	req.AppendHeader(sipgo.NewHeader("Content-Type", "multipart/mixed;boundary="+parts.Boundary()))
	req.SetBody(body.Bytes())
}

// offerTracks describes the streams, those that the server does not want with
// port 0. l.mu is held.
func (l *Leg) offerTracks() *sdp.Session {
	s := l.sessionOf()
	for _, t := range l.recording.tracks {
		m := sdp.Offer(sdp.Local{Addr: l.host, Port: t.port, Codecs: l.codecs(), Direction: "sendonly"}).Media[0]
		if t.wire == nil {
			m = off(m)
		}
		s.Media = append(s.Media, t.labelled(m))
	}
	return l.numbered(s)
}

// acceptTracks reads the answer to our offer: stream by stream, in their order
// (RFC 3264 §6). The labels are ours, so those of the answer say nothing.
func (l *Leg) acceptTracks(answer *sdp.Session) {
	for i, t := range l.recording.tracks {
		t.agreed = sdp.Agreed{}
		if i < min(len(answer.Media), len(l.described.Media)) && l.described.Media[i].Port != 0 {
			// The zero value of an error is a stream that is not wanted.
			t.agreed, _ = sdp.Accept(only(l.described, i), only(answer, i), sdp.Local{Codecs: l.codecs()})
		}
		t.follow(l)
	}
}

// answerTracks answers an offer of the server: a pause, a resumption, another
// place. After an error everything is as before.
func (l *Leg) answerTracks(offer *sdp.Session) error {
	s := l.sessionOf()
	tracks := l.recording.tracks
	agreed := make([]sdp.Agreed, len(tracks))
	var err error
	for i := range offer.Media {
		m := off(offer.Media[i])
		if i < len(tracks) && tracks[i].wire != nil {
			var one *sdp.Session
			one, agreed[i], err = sdp.Answer(only(offer, i), sdp.Local{Addr: l.host, Port: tracks[i].port, Codecs: l.codecs(), Direction: "sendonly"})
			if err == nil {
				m = one.Media[0]
			}
			m = tracks[i].labelled(m)
		}
		s.Media = append(s.Media, m)
	}
	if !slices.ContainsFunc(agreed, func(a sdp.Agreed) bool { return a.Codec != "" }) {
		if err == nil {
			err = errors.New("the offer has none of our streams")
		}
		return err
	}
	l.described = l.numbered(s)
	for i, t := range tracks {
		t.agreed = agreed[i]
		t.follow(l)
	}
	return nil
}

// follow makes the stream, if there is one already, do what has been agreed on.
func (t *track) follow(l *Leg) {
	if t.stream != nil {
		t.stream.Configure(l.mediaConfig(t.agreed))
	}
}

// wanted reports whether the server takes any stream.
func (r *recording) wanted() bool {
	return slices.ContainsFunc(r.tracks, func(t *track) bool { return t.agreed.Codec != "" })
}

// sound makes the streams that the server wants and gives back the ports of
// the others. Leg.mu is held.
func (r *recording) sound(l *Leg) {
	for _, t := range r.tracks {
		switch {
		case t.agreed.Codec == "":
			t.wire.Close()
			t.wire = nil
		case t.stream == nil:
			t.stream = media.NewStream(l.server.cfg.Pacer, t.wire, l.mediaConfig(t.agreed))
			t.stream.Start()
		}
	}
}

// labelled is m as one of our streams: with its label, and without the keys,
// which are not for the recorder.
func (t *track) labelled(m sdp.Media) sdp.Media {
	m.Formats = slices.DeleteFunc(m.Formats, func(f sdp.Format) bool { return strings.EqualFold(f.Name, "telephone-event") })
	m.Attributes = append(m.Attributes, "label:"+t.label)
	return m
}

// off is the line that refuses a stream (RFC 3264 §6).
func off(m sdp.Media) sdp.Media {
	r := sdp.Media{Kind: m.Kind, Proto: m.Proto}
	for _, f := range m.Formats {
		r.Formats = append(r.Formats, sdp.Format{ID: f.ID})
	}
	return r
}

// only is s with one stream of its own.
func only(s *sdp.Session, i int) *sdp.Session {
	one := *s
	one.Media = s.Media[i : i+1]
	return &one
}

// sessionOf is the head of our descriptions.
func (l *Leg) sessionOf() *sdp.Session {
	return &sdp.Session{Origin: sdp.Origin{Host: l.host.String()}, Addr: l.host}
}

// numbered gives s the session id and the version of o=, which is raised when
// anything else has changed (RFC 3264 §8).
func (l *Leg) numbered(s *sdp.Session) *sdp.Session {
	r := l.recording
	s.Origin.ID, s.Origin.Version = fmt.Sprint(l.session), fmt.Sprint(r.version)
	if l.described != nil && !bytes.Equal(s.Bytes(), l.described.Bytes()) {
		r.version++
		s.Origin.Version = fmt.Sprint(r.version)
	}
	return s
}
