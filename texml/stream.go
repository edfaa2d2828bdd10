package texml

import "strings"

// Stream sends the call's audio over a WebSocket.
type Stream struct {
	base
	URL   string // ws or wss
	Label string // the name attribute
	Track string // inbound_track, outbound_track, both_tracks
	StatusCallbacks
	ConnectorName string

	Codec                     string // PCMU, PCMA, G722, OPUS, AMR-WB; default: the call's
	BidirectionalMode         string // mp3 or rtp
	BidirectionalCodec        string // as Codec, or L16
	BidirectionalSamplingRate int    // in Hz
	EnableReconnect           bool
	Parameters                []Parameter
}

func stream(e *element) Node {
	s := &Stream{
		base:  e.base(),
		Label: e.attr("name", 0).text(),
		Track: e.attr("track", 0).oneOf("inbound_track", "inbound_track", "outbound_track", "both_tracks"),
		StatusCallbacks: StatusCallbacks{
			StatusCallback:       e.attr("statusCallback", 0).url(),
			StatusCallbackMethod: e.attr("statusCallbackMethod", 0).method("POST"),
		},
		ConnectorName: e.attr("connectorName", 0).on(Twilio).text(),

		Codec:                     e.attr("codec", 0).on(Telnyx).oneOf("default", "PCMU", "PCMA", "G722", "OPUS", "AMR-WB", "default"),
		BidirectionalMode:         e.attr("bidirectionalMode", 0).on(Telnyx).oneOf("mp3", "mp3", "rtp"),
		BidirectionalCodec:        e.attr("bidirectionalCodec", 0).on(Telnyx).oneOf("PCMU", "PCMU", "PCMA", "G722", "OPUS", "AMR-WB", "L16"),
		BidirectionalSamplingRate: samplingRate(e.attr("bidirectionalSamplingRate", 0).on(Telnyx)),
		EnableReconnect:           e.attr("enableReconnect", 0).on(Telnyx).boolean(true),
		Parameters:                e.parameters(),
	}
	a := e.attr("url", 31920)
	if s.URL = a.webSocket(); s.URL == "" && s.ConnectorName == "" {
		e.slip(Warning, 31920, "<Stream> goes nowhere and is skipped", `write url="wss://…"`, "")
		return nil
	}
	if e.p.dialect == Twilio && strings.Contains(s.URL, "?") {
		a.bad("has a query, which Twilio cuts off", "use <Parameter> inside")
	}
	if e.parent.name == "Connect" && s.Track != "inbound_track" {
		e.attr("track", 0).bad("has no effect in <Connect>: only the caller is heard", "use <Start> to hear both")
		s.Track = "inbound_track"
	}
	return s
}

// webSocket gives a URL that starts with wss: or ws:, or a relative one.
func (a attr) webSocket() string {
	u := a.address()
	scheme, _, absolute := strings.Cut(u, "://")
	switch {
	case !absolute || equalFold(scheme, "wss"):
	case equalFold(scheme, "ws"):
		a.slip(Note, a.code, "Twilio takes wss only", "use wss outside of your own network", "")
	default:
		a.bad("is no WebSocket and is ignored", "write wss://…")
		return ""
	}
	return u
}

func samplingRate(a attr) int {
	switch a.oneOf("8000", "8000", "16000", "22050", "24000", "48000") {
	case "16000":
		return 16000
	case "22050":
		return 22050
	case "24000":
		return 24000
	case "48000":
		return 48000
	}
	return 8000
}
