package media

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// watch asks the kernel which sockets of a shard have packets (epoll(7)). There
// are four polls to a packet, and looking at every socket in each would be a
// quarter of the price of a call. It belongs to the shard's goroutine.
type watch struct {
	fd      int // 0 until the first add
	events  [64]unix.EpollEvent
	streams map[int32]*Stream // by socket, two each
}

// add watches s and reports whether it does: not if its wire is another than
// [UDP], or the system refuses. Such a stream has to be drained at each poll.
func (w *watch) add(s *Stream) bool {
	u, ok := s.wire.(*UDP)
	if !ok {
		return false
	}
	if w.fd == 0 {
		fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return false
		}
		w.fd, w.streams = fd, make(map[int32]*Stream)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return true // its sockets may be somebody else's by now
	}
	for _, fd := range []int{u.rtp.fd, u.rtcp.fd} {
		e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
			return false
		}
		w.streams[int32(fd)] = s
	}
	return true
}

// remove forgets s, whose sockets are closed; the kernel has forgotten them
// then.
func (w *watch) remove(s *Stream) {
	if u, ok := s.wire.(*UDP); ok {
		for _, fd := range []int{u.rtp.fd, u.rtcp.fd} {
			if w.streams[int32(fd)] == s {
				delete(w.streams, int32(fd))
			}
		}
	}
}

// drain drains the sockets that have something. One that still has after that
// is reported again; the bound keeps a flood on one from holding up the tick.
func (w *watch) drain() {
	if w.fd == 0 {
		return
	}
	for range 1 + len(w.streams)/len(w.events) {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(w.fd),
			uintptr(unsafe.Pointer(&w.events[0])), uintptr(len(w.events)), 0, 0, 0)
		if errno != 0 {
			return
		}
		for _, e := range w.events[:n] {
			if s := w.streams[e.Fd]; s != nil {
				s.wire.(*UDP).drainSocket(int(e.Fd), s.onRTP, s.onRTCP)
			}
		}
		if int(n) < len(w.events) {
			return
		}
	}
}

func (w *watch) close() {
	if w.fd != 0 {
		unix.Close(w.fd)
	}
}
