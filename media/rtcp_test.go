package media

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
)

func TestReportsBetweenTwoStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
		a, b := newLine(), newLine()
		one, two := NewStream(p, a, agreed()), NewStream(p, b, agreed())
		const way = 15 * time.Millisecond // how long RTCP travels
		sent := 0
		a.far = func(rtp []byte) {
			if sent++; sent%10 != 0 {
				two.Receive(rtp, peer)
			}
		}
		b.far = func(rtp []byte) { one.Receive(rtp, peer) }
		a.farRTC = func(b []byte) { time.AfterFunc(way, func() { two.ReceiveRTCP(b, peerRTCP) }) }
		b.farRTC = func(b []byte) { time.AfterFunc(way, func() { one.ReceiveRTCP(b, peerRTCP) }) }
		one.Start()
		two.Start()
		time.Sleep(time.Minute)

		if n := len(a.reports()); n < 8 || n > 24 {
			t.Errorf("%d reports in a minute, want about 12", n)
		}
		st := one.Stats()
		if st.RTT < 2*way-time.Millisecond || st.RTT > 2*way+time.Millisecond {
			t.Errorf("round trip %v, want %v", st.RTT, 2*way)
		}
		if st.RemoteLost < 200 || st.RemoteLost > 300 {
			t.Errorf("the other side reports %d lost, want about 260", st.RemoteLost)
		}
		if since := time.Since(st.LastRTCP); since > 8*time.Second {
			t.Errorf("last RTCP %v ago", since)
		}
		packets, err := rtcp.Unmarshal(a.reports()[1])
		if err != nil {
			t.Fatal(err)
		}
		sr, ok := packets[0].(*rtcp.SenderReport)
		if !ok || len(sr.Reports) != 1 || sr.PacketCount == 0 || sr.OctetCount != 160*sr.PacketCount {
			t.Errorf("first of the compound is %v", packets[0])
		}
		sdes, ok := packets[1].(*rtcp.SourceDescription)
		if !ok || sdes.Chunks[0].Items[0].Text != "us" {
			t.Errorf("second of the compound is %v", packets[1])
		}

		one.Close()
		packets, err = rtcp.Unmarshal(a.reports()[len(a.reports())-1])
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := packets[len(packets)-1].(*rtcp.Goodbye); !ok {
			t.Errorf("no BYE at the end: %v", packets)
		}
		time.Sleep(way)
		n := len(b.packets())
		time.Sleep(time.Second)
		if len(b.packets()) == n {
			t.Error("a BYE by RTCP ended the other stream")
		}
		two.Close()
		p.Close()
	})
}

func TestHeldStreamSendsReceiverReports(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		c := agreed()
		c.Send = false
		s.Configure(c)
		time.Sleep(10 * time.Second)
		reports := l.reports()
		packets, err := rtcp.Unmarshal(reports[len(reports)-1])
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := packets[0].(*rtcp.ReceiverReport); !ok {
			t.Errorf("got %v, want a receiver report", packets[0])
		}
	})
}

func TestRTCPOnlyFromThePeer(t *testing.T) {
	report, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 7}})
	if err != nil {
		t.Fatal(err)
	}
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		s.ReceiveRTCP(report, stranger)
		if st := s.Stats(); st.Foreign != 1 || !st.LastRTCP.IsZero() {
			t.Errorf("from a stranger: foreign %d, last RTCP %v", st.Foreign, st.LastRTCP)
		}
		s.ReceiveRTCP([]byte{1, 2, 3}, peerRTCP)
		if got := s.Stats().Malformed; got != 1 {
			t.Errorf("malformed %d, want 1", got)
		}
		for i := range uint16(4) {
			s.Receive(level(0, i, 160*uint32(i), 7), peer)
		}
		moved := netip.AddrPortFrom(peer.Addr(), 61001)
		s.ReceiveRTCP(report, moved)
		s.ReceiveRTCP(report, peerRTCP)
		if st := s.Stats(); st.Foreign != 2 || !st.LastRTCP.Equal(time.Now()) {
			t.Errorf("after RTCP came from another port: foreign %d, want 2; last RTCP %v", st.Foreign, st.LastRTCP)
		}
	})
}
