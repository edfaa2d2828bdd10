package runtime

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// recordedCall is what a recorder reads of the metadata (RFC 7865).
type recordedCall struct {
	XMLName  xml.Name `xml:"urn:ietf:params:xml:ns:recording:1 recording"`
	DataMode string   `xml:"datamode"`
	Group    struct {
		ID string `xml:"group_id,attr"`
	} `xml:"group"`
	Session struct {
		ID    string `xml:"session_id,attr"`
		Group string `xml:"group-ref"`
		Start string `xml:"start-time"`
	} `xml:"session"`
	Participants []struct {
		ID     string `xml:"participant_id,attr"`
		NameID struct {
			AOR  string `xml:"aor,attr"`
			Name string `xml:"name"`
		} `xml:"nameID"`
	} `xml:"participant"`
	Streams []struct {
		ID      string `xml:"stream_id,attr"`
		Session string `xml:"session_id,attr"`
		Label   string `xml:"label"`
	} `xml:"stream"`
	Recorded struct {
		Session string `xml:"session_id,attr"`
	} `xml:"sessionrecordingassoc"`
	InSession []struct {
		Participant string `xml:"participant_id,attr"`
		Session     string `xml:"session_id,attr"`
	} `xml:"participantsessionassoc"`
	OnStreams []struct {
		Participant string   `xml:"participant_id,attr"`
		Send        []string `xml:"send"`
		Receive     []string `xml:"recv"`
	} `xml:"participantstreamassoc"`
}

func TestMetadata(t *testing.T) {
	const sid = "00112233445566778899aabbccddeeff"
	inbound := Setup{Direction: "inbound", From: "+15550100", To: "+15550101", FromURI: "+15550100@sip.example.com", CallerName: `Al "the" <Ice>`}
	for _, tt := range []struct {
		name   string
		set    Setup
		parent string
		labels []string
		aors   [2]string // who is on label 1, and on label 2
		caller string
		group  string // "" is the call's own
	}{
		{"somebody called us", inbound, "", []string{"1", "2"}, [2]string{"sip:+15550100@sip.example.com", "tel:+15550101"}, inbound.CallerName, ""},
		{"only the caller", inbound, "", []string{"1"}, [2]string{"sip:+15550100@sip.example.com", "tel:+15550101"}, inbound.CallerName, ""},
		{"only what the caller hears", inbound, "", []string{"2"}, [2]string{"sip:+15550100@sip.example.com", "tel:+15550101"}, inbound.CallerName, ""},
		{"we called somebody", Setup{Direction: "outbound-dial", From: "+15550100", To: "sip:bob@example.com"}, "CAffeeddccbbaa99887766554433221100",
			[]string{"1", "2"}, [2]string{"sip:bob@example.com", "tel:+15550100"}, "", "ffeeddccbbaa99887766554433221100"},
		{"a caller without a number", Setup{Direction: "inbound", From: "anonymous", To: "client:ann"}, "",
			[]string{"1", "2"}, [2]string{"sip:anonymous@anonymous.invalid", "client:ann"}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.set.SID, tt.set.ParentSID, tt.set.Dialect = "CA"+sid, tt.parent, texml.Twilio
			c := newCall(New(Config{}), nil, tt.set)
			c.s.Close()
			b, err := c.metadata("SR1", tt.labels, nil, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			var m recordedCall
			if err := xml.Unmarshal(b, &m); err != nil {
				t.Fatalf("%v in\n%s", err, b)
			}
			hexOf := func(id string) string {
				b, err := base64.StdEncoding.DecodeString(id)
				if err != nil || len(b) != 16 {
					t.Errorf("the id %q is not the base64 of 16 bytes", id)
				}
				return hex.EncodeToString(b)
			}
			if tt.group == "" {
				tt.group = sid
			}
			if hexOf(m.Session.ID) != sid || m.Session.Group != m.Group.ID || hexOf(m.Group.ID) != tt.group || m.Session.Start != "2026-03-01T12:00:00Z" || m.DataMode != "complete" {
				t.Errorf("session %+v, group %q, datamode %q", m.Session, m.Group.ID, m.DataMode)
			}
			if m.Recorded.Session != m.Session.ID || len(m.Participants) != 2 || len(m.InSession) != 2 || len(m.OnStreams) != 2 {
				t.Fatalf("%d participants, %d in the session, %d on streams, session recorded %q", len(m.Participants), len(m.InSession), len(m.OnStreams), m.Recorded.Session)
			}
			streams := map[string]string{} // ids by label
			var labels []string
			for _, s := range m.Streams {
				hexOf(s.ID)
				streams[s.Label] = s.ID
				labels = append(labels, s.Label)
				if s.Session != m.Session.ID {
					t.Errorf("stream %s is of the session %q", s.Label, s.Session)
				}
			}
			if !slices.Equal(labels, tt.labels) {
				t.Errorf("labels %q, want %q", labels, tt.labels)
			}
			for i, p := range m.Participants {
				hexOf(p.ID)
				if p.NameID.AOR != tt.aors[i] {
					t.Errorf("participant %d is %q, want %q", i+1, p.NameID.AOR, tt.aors[i])
				}
				if m.InSession[i].Participant != p.ID || m.InSession[i].Session != m.Session.ID || m.OnStreams[i].Participant != p.ID {
					t.Errorf("participant %d: %+v, %+v", i+1, m.InSession[i], m.OnStreams[i])
				}
				own, other := []string{"1", "2"}[i], []string{"2", "1"}[i]
				if want := ids(streams[own]); !slices.Equal(m.OnStreams[i].Send, want) {
					t.Errorf("participant %d sends %q, want %q", i+1, m.OnStreams[i].Send, want)
				}
				if want := ids(streams[other]); !slices.Equal(m.OnStreams[i].Receive, want) {
					t.Errorf("participant %d hears %q, want %q", i+1, m.OnStreams[i].Receive, want)
				}
			}
			if got := m.Participants[0].NameID.Name; got != tt.caller {
				t.Errorf("the caller's name is %q, want %q", got, tt.caller)
			}
		})
	}
}

// ids is a list of the id, none when there is none.
func ids(id string) []string {
	if id == "" {
		return nil
	}
	return []string{id}
}
