//go:build unix && !linux

package media

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// batchSize is 1 where the system has no call for more.
const batchSize = 1

// batch is the memory of one recvfrom(2).
type batch struct {
	buffer [maxPacket + 1]byte // a byte more, to tell what is too long
	n      int
	from   netip.AddrPort
}

func newBatch() *batch { return new(batch) }

func (b *batch) packet(int) ([]byte, netip.AddrPort) { return b.buffer[:b.n], b.from }

// socket is a UDP socket and where it sends to.
type socket struct {
	fd int
	to unix.Sockaddr
}

// receive takes the packet that is there, if any.
func (s *socket) receive(b *batch) int {
	n, from, err := unix.Recvfrom(s.fd, b.buffer[:], unix.MSG_DONTWAIT)
	if err != nil {
		return 0
	}
	b.n, b.from = n, netip.AddrPort{}
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		b.from = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		b.from = netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return 1
}

func (s *socket) send(p []byte) error {
	if s.to == nil {
		return net.ErrClosed
	}
	return unix.Sendto(s.fd, p, unix.MSG_DONTWAIT, s.to)
}

func (s *socket) setRemote(a netip.AddrPort) {
	s.to = nil
	if a.IsValid() {
		s.to = sockaddr(netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
}
