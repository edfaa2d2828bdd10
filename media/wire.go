package media

import "net/netip"

// Wire carries a stream's packets: [UDP], or an end in memory for tests. A
// stream calls Send, SendRTCP, SetRemote and Close one at a time; Drain is
// called from the pacer's goroutine. None may block.
type Wire interface {
	// Send sends one RTP packet to the remote address. The bytes are the
	// stream's again when it returns.
	Send(rtp []byte) error
	SendRTCP(b []byte) error

	// Drain hands over the packets that have arrived since the last call;
	// their bytes are valid only during the callback. A wire whose packets
	// are given to Stream.Receive directly has nothing to do here. It may be
	// called once more after Close.
	Drain(rtp, rtcp func(b []byte, from netip.AddrPort))

	// SetRemote says where to send from now on. An invalid address means
	// nowhere.
	SetRemote(rtp, rtcp netip.AddrPort)

	Close() error
}
