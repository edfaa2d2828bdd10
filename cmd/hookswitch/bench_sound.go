//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// An rtpClock is the sound of all callers: one goroutine that sends a frame of
// each every 20 ms and then reads what has come for it, so that no packet
// wakes anything. The kernel stamps arrivals; how late they are read does not
// matter.
type rtpClock struct {
	mu    sync.Mutex // guards everything of every end
	slots [20 * time.Millisecond / rtpTick][]*rtpEnd
	next  int // slot of the next new end
	voice map[law][]byte
	own   sentFrames
	log   *sendLog
}

// law is a law of G.711, by its payload type.
type law byte

const (
	ulaw law = 0
	alaw law = 8
)

// sentFrames counts the frames that a clock sent, and those of them that it
// sent more than 5 ms after their time.
type sentFrames struct{ all, late int }

func (s sentFrames) since(before sentFrames) sentFrames {
	return sentFrames{s.all - before.all, s.late - before.late}
}

// share is the late part in percent.
func (s sentFrames) share() float64 { return 100 * float64(s.late) / float64(max(1, s.all)) }

// stampNS is SO_TIMESTAMPNS_NEW of Linux's asm-generic/socket.h, whose seconds
// and nanoseconds are 64 bits each on every machine.
const stampNS = 64

const (
	rtpTick  = 2 * time.Millisecond
	tooLate  = 5 * time.Millisecond
	frameLen = 160 // samples of G.711, and bytes
)

// An rtpEnd is the sound of one caller, with a socket of its own.
type rtpEnd struct {
	clock  *rtpClock
	fd     int
	addr   netip.AddrPort
	law    law
	remote syscall.Sockaddr // nil: nothing is sent yet
	packet [12 + frameLen]byte
	seq    uint16
	stamp  uint32
	key    *keyPress

	first   time.Time // the first packet's arrival
	ssrc    uint32
	offsets []time.Duration // of arrivals against the packets' own time stamps, while not nil
	zero    uint32          // the time stamp they count from
	lost    int             // frames that came not at all or after a later one, in that time
	lastSeq uint16
	delays  []time.Duration // of numbered frames, from their sender to here, in that time
	hear    func(payload []byte, at time.Time)
}

// A keyPress is one telephone-event on its way (RFC 4733 §2.5).
type keyPress struct {
	digit byte
	sent  int // packets
	stamp uint32
	began time.Time
}

// newRTPClock starts the clock; it runs until ctx is done, and done is closed
// then.
func newRTPClock(ctx context.Context) (c *rtpClock, done <-chan struct{}) {
	tone := pcm.Tone(8000, pcm.FrameTime, 0.3, 1000) // whole periods: it repeats without a seam
	c = &rtpClock{voice: map[law][]byte{ulaw: make([]byte, frameLen), alaw: make([]byte, frameLen)}, log: new(sendLog)}
	g711.EncodeULaw(c.voice[ulaw], tone.Samples)
	g711.EncodeALaw(c.voice[alaw], tone.Samples)
	over := make(chan struct{})
	go func() {
		defer close(over)
		c.run(ctx)
	}()
	return c, over
}

func (c *rtpClock) run(ctx context.Context) {
	buf, oob := make([]byte, 2048), make([]byte, 128)
	due := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		due = due.Add(rtpTick)
		time.Sleep(time.Until(due))
		c.mu.Lock()
		late := time.Since(due) > tooLate
		for _, e := range c.slots[n%len(c.slots)] {
			if e.remote != nil {
				e.send()
				c.own.all++
				if late {
					c.own.late++
				}
			}
			e.drain(buf, oob)
		}
		c.mu.Unlock()
	}
}

// Open gives a new caller a socket on addr.
func (c *rtpClock) Open(addr netip.Addr) (*rtpEnd, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	e := &rtpEnd{clock: c, fd: fd, seq: uint16(rand.Uint32()), stamp: rand.Uint32()}
	bound := func() error {
		if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: addr.As4()}); err != nil {
			return err
		}
		name, err := syscall.Getsockname(fd)
		if err != nil {
			return err
		}
		e.addr = netip.AddrPortFrom(addr, uint16(name.(*syscall.SockaddrInet4).Port))
		return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, stampNS, 1)
	}
	if err := bound(); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	e.packet[0] = 0x80
	binary.BigEndian.PutUint32(e.packet[8:], rand.Uint32())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slots[c.next] = append(c.slots[c.next], e)
	c.next = (c.next + 1) % len(c.slots)
	return e, nil
}

func (e *rtpEnd) Close() {
	e.clock.mu.Lock()
	defer e.clock.mu.Unlock()
	for i, slot := range e.clock.slots {
		e.clock.slots[i] = slices.DeleteFunc(slot, func(o *rtpEnd) bool { return o == e })
	}
	syscall.Close(e.fd)
}

// Sent is what the clock has sent so far.
func (c *rtpClock) Sent() sentFrames {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.own
}

// Hear calls f for each packet of audio, on the clock's goroutine.
func (e *rtpEnd) Hear(f func(payload []byte, at time.Time)) {
	e.clock.mu.Lock()
	defer e.clock.mu.Unlock()
	e.hear = f
}

// Talk sends to the peer from now on.
func (e *rtpEnd) Talk(to netip.AddrPort) {
	e.clock.mu.Lock()
	defer e.clock.mu.Unlock()
	e.remote = &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
}

// Speak sends, and expects, that law of G.711 from now on; at first it is μ-law.
func (e *rtpEnd) Speak(l law) {
	e.clock.mu.Lock()
	defer e.clock.mu.Unlock()
	e.law = l
}

// Press sends a digit of 100 ms in place of the voice.
func (e *rtpEnd) Press(digit byte) {
	e.clock.mu.Lock()
	defer e.clock.mu.Unlock()
	e.key = &keyPress{digit: digit - '0'}
}

// Pressed is when the first packet of the last key went out.
func (e *rtpEnd) Pressed() time.Time {
	e.clock.mu.Lock()
	defer e.clock.mu.Unlock()
	return e.key.began
}

// send sends the next frame: voice, or a part of the key that is pressed.
func (e *rtpEnd) send() {
	b := e.packet[:]
	binary.BigEndian.PutUint16(b[2:], e.seq)
	binary.BigEndian.PutUint32(b[4:], e.stamp)
	b[1] = byte(e.law)
	copy(b[12:], e.clock.voice[e.law])
	e.seq++
	e.stamp += frameLen
	if k := e.key; k != nil && k.sent < 8 {
		if k.sent == 0 {
			k.stamp, k.began = e.stamp-frameLen, time.Now()
			b[1] = 0x80 // the marker: an event begins
		}
		b[1] |= 101
		binary.BigEndian.PutUint32(b[4:], k.stamp)
		k.sent++
		ends := byte(0)
		if k.sent > 5 { // the last packet three times
			ends = 0x80
		}
		b = append(b[:12], k.digit, ends|10)
		b = binary.BigEndian.AppendUint16(b, uint16(min(k.sent, 6)*frameLen))
	} else {
		e.clock.log.Number(b[12:], e.law, time.Now())
	}
	syscall.Sendto(e.fd, b, 0, e.remote) // refused by a peer that has hung up: the next frame meets it too
}

// drain reads what has arrived.
func (e *rtpEnd) drain(buf, oob []byte) {
	for {
		n, oobn, _, _, err := syscall.Recvmsg(e.fd, buf, oob, syscall.MSG_DONTWAIT)
		if err == syscall.ECONNREFUSED || err == syscall.EINTR {
			continue
		}
		if err != nil {
			return
		}
		if n > 12 && buf[0]>>6 == 2 && buf[1]&0x7f == byte(e.law) {
			e.received(buf[:n], arrival(oob[:oobn]))
		}
	}
}

// received takes a packet of audio.
func (e *rtpEnd) received(b []byte, at time.Time) {
	seq, stamp, ssrc := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	if e.first.IsZero() {
		e.first = at
	}
	if e.offsets != nil {
		if ssrc != e.ssrc { // another stream has another schedule
			e.offsets = e.offsets[:0]
		}
		if len(e.offsets) == 0 {
			e.zero = stamp
		} else if gap := int16(seq - e.lastSeq); gap != 1 {
			e.lost += max(1, int(gap)-1)
		}
		e.offsets = append(e.offsets, time.Duration(at.UnixNano())-time.Duration(int32(stamp-e.zero))*time.Second/8000)
		if sent, ok := e.clock.log.Sent(b[12:]); ok {
			e.delays = append(e.delays, at.Sub(sent))
		}
	}
	e.lastSeq, e.ssrc = seq, ssrc
	if e.hear != nil {
		e.hear(b[12:], at)
	}
}

// Watch begins to note how late frames arrive.
func (e *rtpEnd) Watch(seconds int) {
	e.clock.mu.Lock()
	defer e.clock.mu.Unlock()
	e.offsets, e.lost = make([]time.Duration, 0, 50*seconds+100), 0
	e.delays = make([]time.Duration, 0, cap(e.offsets))
}

// Delays are how long the frames of the watch, or the last one, were on their
// way here, of those whose sound came as it was sent.
func (e *rtpEnd) Delays() []time.Duration {
	e.clock.mu.Lock()
	defer e.clock.mu.Unlock()
	return e.delays
}

// Lateness ends the watch: of each frame how much later it came than the
// call's own schedule wants, and how many never came. The schedule is one frame
// each 20 ms of the RTP time stamp, through the earliest arrival.
func (e *rtpEnd) Lateness() (late []time.Duration, lost int) {
	e.clock.mu.Lock()
	defer e.clock.mu.Unlock()
	late, lost = e.offsets, e.lost
	e.offsets = nil
	if len(late) == 0 {
		return nil, lost
	}
	earliest := slices.Min(late)
	for i := range late {
		late[i] -= earliest
	}
	return late, lost
}

// sleeper measures the machine itself: how late a goroutine wakes that sleeps
// to every 20th millisecond, until ctx is done.
func sleeper(ctx context.Context) (late []time.Duration) {
	for due := time.Now(); ctx.Err() == nil; {
		due = due.Add(pcm.FrameTime)
		time.Sleep(time.Until(due))
		late = append(late, time.Since(due))
	}
	return late
}

// stampArrivals asks the kernel to note when each datagram arrived.
func stampArrivals(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, stampNS, 1)
	}); err != nil {
		return err
	}
	return failed
}

// arrival is the kernel's time stamp in the control message of a datagram, or
// now without one.
func arrival(oob []byte) time.Time {
	if len(oob) >= syscall.SizeofCmsghdr+16 {
		m, err := syscall.ParseSocketControlMessage(oob)
		if err == nil && len(m) > 0 && m[0].Header.Level == syscall.SOL_SOCKET && m[0].Header.Type == stampNS && len(m[0].Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m[0].Data)), int64(binary.NativeEndian.Uint64(m[0].Data[8:])))
		}
	}
	return time.Now()
}
