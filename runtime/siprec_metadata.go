package runtime

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// recordingMetadata tells a session recording server what it records, as
// application/rs-metadata+xml (RFC 7865 §6). Ids are the base64 of 16 bytes; those
// of the session and the group are in the SIDs of the call and of the one that
// has dialled it.
type recordingMetadata struct {
	XMLName      xml.Name              `xml:"urn:ietf:params:xml:ns:recording:1 recording"`
	DataMode     string                `xml:"datamode"`
	Group        metadataGroup         `xml:"group"`
	Session      metadataSession       `xml:"session"`
	Participants []metadataParticipant `xml:"participant"`
	Streams      []metadataStream      `xml:"stream"`
	Recorded     metadataAssoc         `xml:"sessionrecordingassoc"`
	InSession    []metadataAssoc       `xml:"participantsessionassoc"`
	OnStreams    []metadataOnStreams   `xml:"participantstreamassoc"`
}

type metadataGroup struct {
	ID    string `xml:"group_id,attr"`
	Since string `xml:"associate-time"`
}

type metadataSession struct {
	ID         string              `xml:"session_id,attr"`
	Group      string              `xml:"group-ref"`
	Since      string              `xml:"start-time"`
	Parameters *metadataParameters `xml:"urn:hookswitch:siprec:1 ExtensionParameters"` // where Telnyx has them
}

type metadataParameters struct {
	List []metadataParameter `xml:"Parameter"`
}

type metadataParameter struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type metadataParticipant struct {
	ID   string       `xml:"participant_id,attr"`
	Name metadataName `xml:"nameID"`
}

type metadataName struct {
	AOR  string `xml:"aor,attr"`
	Name string `xml:"name,omitempty"`
}

type metadataStream struct {
	ID      string `xml:"stream_id,attr"`
	Session string `xml:"session_id,attr"`
	Label   string `xml:"label"`
}

type metadataAssoc struct {
	Participant string `xml:"participant_id,attr,omitempty"`
	Session     string `xml:"session_id,attr"`
	Since       string `xml:"associate-time"`
}

// metadataOnStreams has the streams that a participant is heard on, and hears.
type metadataOnStreams struct {
	Participant string   `xml:"participant_id,attr"`
	Send        []string `xml:"send"`
	Receive     []string `xml:"recv"`
}

// The labels of the two sides of a call (RFC 4574): the other side of its leg,
// and what that hears.
const (
	labelInbound  = "1"
	labelOutbound = "2"
)

// metadata tells of the recording session sid of the call, with the streams of
// those labels.
func (c *call) metadata(sid string, labels []string, parameters []texml.Parameter, now time.Time) ([]byte, error) {
	at := now.UTC().Format(time.RFC3339)
	session := sidBytes(c.rec.SID)
	group := session
	if c.rec.ParentSID != "" {
		group = sidBytes(c.rec.ParentSID)
	}
	id := func(what string) string { return derived(sid + " " + what) }

	// Who is on the leg's other side is the called one when we have placed it.
	there := metadataName{aor(c.set.FromURI, c.rec.From), c.set.CallerName}
	here := metadataName{AOR: aor(c.set.ToURI, c.rec.To)}
	if strings.HasPrefix(c.rec.Direction, "outbound") {
		there, here = here, there
	}
	m := recordingMetadata{
		DataMode: "complete",
		Group:    metadataGroup{group, at},
		Session:  metadataSession{ID: session, Group: group, Since: at},
		Recorded: metadataAssoc{Session: session, Since: at},
	}
	for _, p := range parameters {
		if m.Session.Parameters == nil {
			m.Session.Parameters = &metadataParameters{}
		}
		m.Session.Parameters.List = append(m.Session.Parameters.List, metadataParameter(p))
	}
	for _, label := range labels {
		m.Streams = append(m.Streams, metadataStream{id("stream " + label), session, label})
	}
	for _, p := range []struct {
		label string
		name  metadataName
	}{{labelInbound, there}, {labelOutbound, here}} {
		who := id("participant " + p.label)
		m.Participants = append(m.Participants, metadataParticipant{who, p.name})
		m.InSession = append(m.InSession, metadataAssoc{who, session, at})
		on := metadataOnStreams{Participant: who}
		for _, s := range m.Streams {
			if s.Label == p.label {
				on.Send = append(on.Send, s.ID)
			} else {
				on.Receive = append(on.Receive, s.ID)
			}
		}
		m.OnStreams = append(m.OnStreams, on)
	}
	b, err := xml.MarshalIndent(m, "", " ")
	return append([]byte(xml.Header), b...), err
}

// sidBytes is the id in a SID, whose 32 hex digits are 16 bytes.
func sidBytes(sid string) string {
	b, err := hex.DecodeString(sid[min(2, len(sid)):])
	if err != nil || len(b) != 16 {
		return derived(sid)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// derived is an id made of a text: a UUID of version 8 (RFC 9562 §5.8).
func derived(text string) string {
	sum := sha256.Sum256([]byte(text))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return base64.StdEncoding.EncodeToString(sum[:16])
}

// aor is the address of a party: that of its SIP messages, or a number.
func aor(uri, party string) string {
	switch {
	case uri != "":
		return "sip:" + uri
	case callingParty(party) == "pstn":
		return "tel:" + party
	case strings.Contains(party, ":"):
		return party
	}
	return "sip:anonymous@anonymous.invalid" // RFC 3323 §4.1.1.3
}
