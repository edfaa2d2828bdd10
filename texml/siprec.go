package texml

import "time"

// Siprec sends the call's audio to a session recording server (RFC 7866).
type Siprec struct {
	base
	Label         string // the name attribute
	ConnectorName string
	Track         string // inbound_track, outbound_track, both_tracks
	StatusCallbacks
	IncludeMetadataCustomHeaders bool
	Secure                       bool          // SRTP and TLS
	SessionTimeout               time.Duration // sessionTimeoutSecs in XML; 0: off
	Parameters                   []Parameter
}

func siprec(e *element) Node {
	s := &Siprec{
		base:          e.base(),
		Label:         e.attr("name", 0).text(),
		ConnectorName: e.attr("connectorName", 0).need(),
		Track:         e.attr("track", 0).oneOf(is(e, "both_tracks", "inbound_track"), "inbound_track", "outbound_track", "both_tracks"),
		StatusCallbacks: StatusCallbacks{
			StatusCallback:       e.attr("statusCallback", 0).url(),
			StatusCallbackMethod: e.attr("statusCallbackMethod", 0).method("POST"),
		},
		IncludeMetadataCustomHeaders: e.attr("includeMetadataCustomHeaders", 0).on(Telnyx).boolean(false),
		Secure:                       e.attr("secure", 0).on(Telnyx).boolean(false),
		SessionTimeout:               sessionTimeout(e.attr("sessionTimeoutSecs", 0).on(Telnyx)),
		Parameters:                   e.parameters(),
	}
	if s.ConnectorName == "" {
		return nil
	}
	return s
}

func sessionTimeout(a attr) time.Duration {
	if a.value == "0" {
		return 0
	}
	return a.seconds(1800, 90, 14440)
}
