package media

import "net/netip"

// latchAfter is how many packets in a row lock a stream to their source.
const latchAfter = 4

// latch decides whose packets are a stream's (symmetric RTP, RFC 4961). Only
// the address in the SDP may send, and, where that one is private and so seen
// through a NAT, the address the signalling came from. A packet from the very
// port in the SDP locks the stream to that, whatever else is heard: of the
// branches of a forked call, which one gateway often serves from one address,
// the others may send for a while. Until the lock any port of such an address
// is heard; four packets in a row from one of them lock the stream to it, until
// the call is negotiated anew. The lock follows a source that a NAT has given
// another port: the same address and SSRC, numbers that go on, and four packets
// in a row with none from the old port between them.
type latch struct {
	sdp        netip.AddrPort
	signalling netip.Addr // invalid when it may not send
	locked     bool
	at         netip.AddrPort // the source heard last; once locked the only one
	ssrc       uint32         // of the last packet from there
	seq        uint16
	row        row
}

// row is a run of packets from one source whose numbers follow each other.
type row struct {
	from netip.AddrPort
	ssrc uint32
	seq  uint16
	n    int
}

func newLatch(remote netip.AddrPort, signalling netip.Addr) latch {
	l := latch{sdp: netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())}
	if !l.sdp.IsValid() || behindNAT(l.sdp.Addr()) {
		l.signalling = signalling.Unmap()
	}
	return l
}

// allows reports whether packets from this address may be the peer's.
func (l *latch) allows(a netip.Addr) bool {
	if l.locked {
		return a == l.at.Addr()
	}
	return a.IsValid() && (a == l.sdp.Addr() || a == l.signalling)
}

// accept reports whether the packet is the peer's, and whether it was the one
// that locked the stream to its source.
func (l *latch) accept(from netip.AddrPort, ssrc uint32, seq uint16) (ok, locks bool) {
	if !l.allows(from.Addr()) {
		return false, false
	}
	stated := from == l.sdp
	moved := l.locked && from != l.at
	if moved && !stated && (ssrc != l.ssrc || seq-l.seq > maxDropout) {
		return false, false
	}
	if r := l.row; from != r.from || ssrc != r.ssrc || seq != r.seq+1 {
		l.row.n = 0
	}
	l.row = row{from, ssrc, seq, min(l.row.n+1, latchAfter)}
	locks = (stated || l.row.n == latchAfter) && (moved || !l.locked)
	if moved && !locks {
		return false, false
	}
	l.locked = l.locked || locks
	l.at, l.ssrc, l.seq = from, ssrc, seq
	return true, locks
}

// behindNAT reports whether the address cannot be the one that packets from
// another network arrive from.
func behindNAT(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() ||
		netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10).Contains(a) // RFC 6598
}
