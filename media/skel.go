package media

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

type Source interface{ Next(f pcm.Frame) bool }
type Player struct{}

func NewClip(c pcm.Clip, rate int) *Player { return &Player{} }
func (p *Player) Next(f pcm.Frame) bool    { return false }
func (p *Player) Played() time.Duration    { return 0 }

type Key struct {
	Digit rune
	At    time.Time
}
type Wire interface {
	Send(rtp []byte) error
	SendRTCP(b []byte) error
	Drain(rtp, rtcp func(b []byte, from netip.AddrPort))
	SetRemote(rtp, rtcp netip.AddrPort)
	Close() error
}

var ErrNoPorts = errors.New("media: no free RTP port pair")
var ErrClosed = errors.New("media: stream closed")

type Ports struct{}

func NewPorts(addr netip.Addr, lo, hi int) (*Ports, error) { return &Ports{}, nil }
func (p *Ports) Open() (*UDP, error)                       { return nil, ErrNoPorts }

type UDP struct{}

func (u *UDP) Port() int                                           { return 0 }
func (u *UDP) Send(rtp []byte) error                               { return nil }
func (u *UDP) SendRTCP(b []byte) error                             { return nil }
func (u *UDP) Drain(rtp, rtcp func(b []byte, from netip.AddrPort)) {}
func (u *UDP) SetRemote(rtp, rtcp netip.AddrPort)                  {}
func (u *UDP) Close() error                                        { return nil }

type PacerConfig struct {
	Poll       time.Duration
	Goroutines int
}
type PacerStats struct {
	Streams      int
	Frames, Late uint64
	Worst        time.Duration
}
type Pacer struct{}

func NewPacer(c PacerConfig) *Pacer { return &Pacer{} }
func (p *Pacer) Close()             {}
func (p *Pacer) Stats() PacerStats  { return PacerStats{} }

type Config struct {
	Codec              string
	PayloadType        uint8
	EventType          uint8
	Remote, RemoteRTCP netip.AddrPort
	Signalling         netip.Addr
	Send, Receive      bool
	CNAME              string
}
type Stream struct{}
type Stats struct{ LastReceived time.Time }

func NewStream(p *Pacer, w Wire, c Config) *Stream                    { return &Stream{} }
func (s *Stream) Start()                                              {}
func (s *Stream) Configure(c Config)                                  {}
func (s *Stream) Rate() int                                           { return 8000 }
func (s *Stream) Play(ctx context.Context, src Source) error          { return ErrClosed }
func (s *Stream) Keys(ctx context.Context) <-chan Key                 { return nil }
func (s *Stream) Press(digit rune)                                    {}
func (s *Stream) SendDigits(ctx context.Context, digits string) error { return ErrClosed }
func (s *Stream) Tap(f func(pcm.Frame)) (remove func())               { return func() {} }
func (s *Stream) Echo(ctx context.Context) error                      { return ErrClosed }
func (s *Stream) Receive(rtp []byte, from netip.AddrPort)             {}
func (s *Stream) ReceiveRTCP(b []byte, from netip.AddrPort)           {}
func (s *Stream) Stats() Stats                                        { return Stats{} }
func (s *Stream) Close()                                              {}
