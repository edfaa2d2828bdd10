package media

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/pion/rtcp"
)

// firstReport is when the first RTCP packet is sent; the rest follow every 5
// seconds on average, at random so that calls do not fall into step (RFC 3550
// section 6.2).
const firstReport = 2500 * time.Millisecond

func reportInterval() time.Duration {
	return firstReport + rand.N(5*time.Second)
}

func randomCNAME() string { return fmt.Sprintf("%016x@hookswitch", rand.Uint64()) }

// report is the RTCP side of a stream.
type report struct {
	next    time.Duration // since the pacer's start
	remote  netip.AddrPort
	latched bool // remote is where RTCP came from

	senderNTP uint32 // the middle of the last sender report's time
	senderAt  time.Time
}

// sendReport sends a sender or receiver report, and a BYE at the end. s.mu is
// held.
func (s *Stream) sendReport(bye bool) {
	if !s.report.remote.IsValid() || s.report.remote.Port() == 0 {
		return
	}
	now := time.Now()
	var blocks []rtcp.ReceptionReport
	if s.heard.known {
		block := rtcp.ReceptionReport{
			SSRC:               s.heard.ssrc,
			FractionLost:       s.heard.fractionLost(),
			TotalLost:          uint32(min(s.heard.lost(), 0x7fffff)),
			LastSequenceNumber: uint32(s.heard.highest - 1<<16),
			Jitter:             uint32(s.heard.jitter),
			LastSenderReport:   s.report.senderNTP,
		}
		if s.report.senderNTP != 0 {
			block.Delay = uint32(now.Sub(s.report.senderAt) * 65536 / time.Second)
		}
		blocks = append(blocks, block)
	}
	var packets []rtcp.Packet
	if s.cfg.Send && s.stats.Sent > 0 {
		packets = append(packets, &rtcp.SenderReport{
			SSRC: s.out.SSRC, NTPTime: ntpTime(now), RTPTime: s.out.Timestamp,
			PacketCount: uint32(s.stats.Sent), OctetCount: uint32(s.stats.SentBytes), Reports: blocks,
		})
	} else {
		packets = append(packets, &rtcp.ReceiverReport{SSRC: s.out.SSRC, Reports: blocks})
	}
	packets = append(packets, rtcp.NewCNAMESourceDescription(s.out.SSRC, s.cfg.CNAME))
	if bye {
		packets = append(packets, &rtcp.Goodbye{Sources: []uint32{s.out.SSRC}})
	}
	b, err := rtcp.Marshal(packets)
	if err == nil {
		err = s.wire.SendRTCP(b)
	}
	if err != nil {
		s.stats.SendErrors++
	}
}

// ReceiveRTCP takes one RTCP packet. A BYE in it is not believed: a call ends
// by its signalling only.
func (s *Stream) ReceiveRTCP(b []byte, from netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if !s.latch.allows(from.Addr()) || s.report.latched && from != s.report.remote {
		s.stats.Foreign++
		return
	}
	if len(b) > maxPacket || len(b) < 8 || b[0]>>6 != 2 {
		s.stats.Malformed++
		return
	}
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		s.stats.Malformed++
		return
	}
	now := time.Now()
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			s.report.senderNTP, s.report.senderAt = uint32(p.NTPTime>>16), now
			s.readReports(p.Reports, now)
		case *rtcp.ReceiverReport:
			s.readReports(p.Reports, now)
		default:
			continue
		}
		s.stats.LastRTCP = now
		if s.latch.locked && !s.report.latched {
			s.report.latched = true
			if from != s.report.remote {
				s.report.remote = from
				s.wire.SetRemote(s.stats.Remote, from)
			}
		}
	}
}

// readReports takes what the peer says of our packets (RFC 3550 section 6.4.1).
func (s *Stream) readReports(blocks []rtcp.ReceptionReport, now time.Time) {
	for _, r := range blocks {
		if r.SSRC != s.out.SSRC {
			continue
		}
		s.stats.RemoteLost = int64(int32(r.TotalLost<<8) >> 8) // 24 bits, signed
		s.stats.RemoteJitter = ticksTime(float64(r.Jitter), clockRate)
		if r.LastSenderReport == 0 {
			continue
		}
		rtt := uint32(ntpTime(now)>>16) - r.LastSenderReport - r.Delay
		if rtt < 1<<20 { // 16 s; more is a wrong clock
			s.stats.RTT = time.Duration(rtt) * time.Second / 65536
		}
	}
}

// ntpTime is t in seconds since 1900 with 32 bits of fraction (RFC 3550
// section 4).
func ntpTime(t time.Time) uint64 {
	const to1900 = 2208988800
	return uint64(t.Unix()+to1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}
