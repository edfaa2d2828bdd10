package media

import (
	"encoding/binary"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many packets one system call takes at most.
const batchSize = 8

// batch is the memory of one recvmmsg(2).
type batch struct {
	messages [batchSize]unix.Mmsghdr
	vectors  [batchSize]unix.Iovec
	names    [batchSize]unix.RawSockaddrInet6 // large enough for both families
	buffers  [batchSize][maxPacket + 1]byte   // a byte more, to tell what is too long
}

func newBatch() *batch {
	b := new(batch)
	for i := range b.messages {
		b.vectors[i].Base = &b.buffers[i][0]
		b.vectors[i].SetLen(len(b.buffers[i]))
		h := &b.messages[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
	}
	return b
}

// packet is the i-th packet received and where it came from.
func (b *batch) packet(i int) ([]byte, netip.AddrPort) {
	n := min(int(b.messages[i].Len), len(b.buffers[i]))
	return b.buffers[i][:n], addrPort(&b.names[i])
}

// socket is a UDP socket and where it sends to. Calls that cannot block need
// not tell the scheduler, which saves its share of the price.
type socket struct {
	fd   int
	to   unix.RawSockaddrInet6
	size uintptr // of to, 0 without a remote address
}

// receive takes the packets that are there, up to batchSize.
func (s *socket) receive(b *batch) int {
	for i := range b.messages {
		b.messages[i].Hdr.Namelen = unix.SizeofSockaddrInet6
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd),
			uintptr(unsafe.Pointer(&b.messages[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return 0
		}
		return int(n)
	}
}

func (s *socket) send(p []byte) error {
	if s.size == 0 || len(p) == 0 {
		return net.ErrClosed
	}
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd),
			uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL,
			uintptr(unsafe.Pointer(&s.to)), s.size)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		return nil
	}
}

func (s *socket) setRemote(a netip.AddrPort) {
	s.to, s.size = unix.RawSockaddrInet6{}, 0
	switch {
	case !a.IsValid():
	case a.Addr().Unmap().Is4():
		to := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.to))
		to.Family, to.Addr = unix.AF_INET, a.Addr().Unmap().As4()
		putPort(&to.Port, a.Port())
		s.size = unix.SizeofSockaddrInet4
	default:
		s.to.Family, s.to.Addr, s.to.Scope_id = unix.AF_INET6, a.Addr().As16(), zone(a.Addr())
		putPort(&s.to.Port, a.Port())
		s.size = unix.SizeofSockaddrInet6
	}
}

func addrPort(name *unix.RawSockaddrInet6) netip.AddrPort {
	switch name.Family {
	case unix.AF_INET:
		n := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(n.Addr), port(&n.Port))
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), port(&name.Port))
	}
	return netip.AddrPort{}
}

// A port stands in network byte order.
func port(p *uint16) uint16 { return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:]) }

func putPort(p *uint16, v uint16) {
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(p))[:], v)
}
