//go:build unix

package media

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// receiveBuffer holds about a second of packets, should the pacer be kept
	// from its work that long.
	receiveBuffer = 128 << 10
	sendBuffer    = 64 << 10

	// expedited is the DSCP of voice, EF (RFC 4594 section 4.1), in the
	// byte of the IP header that holds it.
	expedited = 0xb8

	// drainAtMost bounds what one socket may take of a tick: a flood fills its
	// own buffer and nothing else.
	drainAtMost = 64

	// rtcpEvery is how many drains pass between two looks at the RTCP socket.
	rtcpEvery = 4
)

// UDP is the [Wire] of a real call: a pair of sockets that are not known to
// Go's network poller. A goroutine parked on a socket costs more to wake than
// its packet costs to handle; these are read when the pacer comes round.
type UDP struct {
	port int
	free func()

	mu        sync.Mutex
	rtp, rtcp socket
	drains    int
	closed    bool
}

// openUDP binds port and port+1.
func openUDP(addr netip.Addr, port int) (*UDP, error) {
	rtp, err := openSocket(netip.AddrPortFrom(addr, uint16(port)))
	if err != nil {
		return nil, err
	}
	rtcp, err := openSocket(netip.AddrPortFrom(addr, uint16(port+1)))
	if err != nil {
		unix.Close(rtp)
		return nil, err
	}
	return &UDP{port: port, rtp: socket{fd: rtp}, rtcp: socket{fd: rtcp}}, nil
}

// openSocket binds a UDP socket that never blocks.
func openSocket(at netip.AddrPort) (fd int, err error) {
	family := unix.AF_INET
	if at.Addr().Is6() {
		family = unix.AF_INET6
	}
	syscall.ForkLock.RLock() // until the flag below, a child process would inherit it
	fd, err = unix.Socket(family, unix.SOCK_DGRAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, fmt.Errorf("media: open a UDP socket: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("media: open a UDP socket: %w", err)
	}
	// What the system refuses of these it does without.
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	if family == unix.AF_INET6 {
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, expedited)
	} else {
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, expedited)
	}
	if err := unix.Bind(fd, sockaddr(at)); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("media: bind udp %s: %w", at, err)
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: zone(a.Addr())}
}

// zone is the index of a link-local address's interface, 0 without.
func zone(a netip.Addr) uint32 {
	if a.Zone() == "" {
		return 0
	}
	i, err := net.InterfaceByName(a.Zone())
	if err != nil {
		return 0
	}
	return uint32(i.Index)
}

// Port is the local RTP port; RTCP has the next one.
func (u *UDP) Port() int { return u.port }

// Send sends an RTP packet, or drops it if that would block.
func (u *UDP) Send(rtp []byte) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return net.ErrClosed
	}
	return u.rtp.send(rtp)
}

// SendRTCP sends an RTCP packet, or drops it if that would block.
func (u *UDP) SendRTCP(b []byte) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return net.ErrClosed
	}
	return u.rtcp.send(b)
}

// SetRemote says where packets go; an invalid address means nowhere.
func (u *UDP) SetRemote(rtp, rtcp netip.AddrPort) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rtp.setRemote(rtp)
	u.rtcp.setRemote(rtcp)
}

// Drain hands over what has arrived, at most 64 packets a socket. RTCP is
// looked for every fourth time.
func (u *UDP) Drain(rtp, rtcp func(b []byte, from netip.AddrPort)) {
	u.drain(&u.rtp, rtp)
	if u.drains++; u.drains%rtcpEvery == 0 {
		u.drain(&u.rtcp, rtcp)
	}
}

// drainSocket is Drain for the one of the two sockets that has something.
func (u *UDP) drainSocket(fd int, rtp, rtcp func(b []byte, from netip.AddrPort)) {
	if fd == u.rtp.fd {
		u.drain(&u.rtp, rtp)
	} else {
		u.drain(&u.rtcp, rtcp)
	}
}

func (u *UDP) drain(s *socket, f func(b []byte, from netip.AddrPort)) {
	in := batches.Get().(*batch)
	defer batches.Put(in)
	for total := 0; total < drainAtMost; {
		u.mu.Lock()
		n := 0
		if !u.closed {
			n = s.receive(in)
		}
		u.mu.Unlock()
		for i := range n {
			f(in.packet(i))
		}
		if total += n; n < batchSize {
			return
		}
	}
}

// Close closes both sockets and gives the ports back to their range, which
// lets them rest for 2 seconds. Nothing is handed over afterwards.
func (u *UDP) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	u.closed = true
	err := unix.Close(u.rtp.fd)
	if e := unix.Close(u.rtcp.fd); err == nil {
		err = e
	}
	if u.free != nil {
		u.free()
	}
	return err
}

// batches are the receive buffers that no pacer is using at the moment.
var batches = sync.Pool{New: func() any { return newBatch() }}
