//go:build unix && !linux

package media

// watch watches nothing where only Linux's epoll is known: all sockets are
// looked at.
type watch struct{}

func (*watch) add(*Stream) bool { return false }
func (*watch) remove(*Stream)   {}
func (*watch) drain()           {}
func (*watch) close()           {}
