//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// A peer is a small server for the bench to call: it answers at once, plays
// the bench's tones, and refuses every tenth call when it is moody.
type peer struct {
	conn  *net.UDPConn
	moody bool

	mu      sync.Mutex
	invites int
	byes    int
	acks    map[string]func() // by Call-ID
	stops   map[string]func()
	sounds  sync.WaitGroup
}

func newPeer(t *testing.T, moody bool) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{conn: conn, moody: moody, acks: map[string]func(){}, stops: map[string]func(){}}
	over := make(chan struct{})
	go func() { defer close(over); p.serve() }()
	t.Cleanup(func() {
		conn.Close()
		<-over
		for _, stop := range p.stops {
			stop()
		}
		p.sounds.Wait()
	})
	return p
}

func (p *peer) uri() string { return "sip:" + p.conn.LocalAddr().String() }

func (p *peer) seen() (invites, byes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.invites, p.byes
}

func (p *peer) serve() {
	buf := make([]byte, 4096)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		m, ok := parseSIP(buf[:n])
		if err != nil || !ok {
			continue
		}
		id := m.header("call-id")
		p.mu.Lock()
		switch method, _, _ := strings.Cut(m.first, " "); method {
		case "INVITE":
			p.invites++
			if p.moody && p.invites%10 == 0 {
				p.reply(m, from, "486 Busy Here", "")
				break
			}
			to, err := audioAddress(m.body)
			if err != nil {
				p.reply(m, from, "400 Bad Request", "")
				break
			}
			rtp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				p.reply(m, from, "503 Service Unavailable", "")
				break
			}
			ctx, stop := context.WithCancel(context.Background())
			acked := make(chan struct{})
			p.acks[id] = sync.OnceFunc(func() { close(acked) })
			p.stops[id] = stop
			p.sounds.Go(func() {
				select {
				case <-acked:
				case <-ctx.Done():
				}
				play(ctx, rtp, to)
			})
			port := rtp.LocalAddr().(*net.UDPAddr).Port
			p.reply(m, from, "100 Trying", "")
			p.reply(m, from, "200 OK", fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\n", port))
		case "ACK":
			if acked := p.acks[id]; acked != nil {
				acked()
			}
		case "BYE":
			p.byes++
			if stop := p.stops[id]; stop != nil {
				stop()
				delete(p.stops, id)
			}
			p.reply(m, from, "200 OK", "")
		case "OPTIONS":
			p.reply(m, from, "200 OK", "")
		}
		p.mu.Unlock()
	}
}

func (p *peer) reply(m sipMessage, to netip.AddrPort, status, sdp string) {
	b := fmt.Appendf(nil, "SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=peer\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:%s>\r\nContent-Length: %d\r\n\r\n%s",
		status, m.header("via"), m.header("from"), m.header("to"), m.header("call-id"), m.header("cseq"), p.conn.LocalAddr(), len(sdp), sdp)
	p.conn.WriteToUDPAddrPort(b, to)
}

// play sends the prompt's tone until a telephone-event comes, then the other.
func play(ctx context.Context, conn *net.UDPConn, to netip.AddrPort) {
	pressed := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 2048)
		for open := pressed; ; {
			n, err := conn.Read(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil && n > 12 && buf[1]&0x7f == 101 && open != nil {
				close(open)
				open = nil
			}
		}
	}()
	defer func() { conn.Close(); <-read }()
	tones := map[float64][]byte{promptTone: nil, changedTone: nil}
	for hz := range tones {
		tones[hz] = make([]byte, frameLen)
		g711.EncodeULaw(tones[hz], pcm.Tone(8000, pcm.FrameTime, 0.5, hz).Samples)
	}
	hz := float64(promptTone)
	ticks := time.NewTicker(pcm.FrameTime)
	defer ticks.Stop()
	for seq := uint16(65500); ; seq++ {
		b := rtpPacket(seq, uint32(seq)*frameLen, 7)
		conn.WriteToUDPAddrPort(append(b, tones[hz]...), to)
		select {
		case <-ticks.C:
		case <-pressed:
			hz, pressed = changedTone, nil
		case <-ctx.Done():
			return
		}
	}
}

func rtpPacket(seq uint16, stamp, ssrc uint32) []byte {
	b := make([]byte, 12, 12+frameLen)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], stamp)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return b
}

func newCallers(t *testing.T, p *peer) *callers {
	t.Helper()
	u, err := newUAC(p.uri())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	clock, stopped := newRTPClock(ctx)
	t.Cleanup(func() { stop(); <-stopped; u.Close() })
	return &callers{uac: u, clock: clock}
}

func TestBenchLightLoad(t *testing.T) {
	t.Parallel()
	p := newPeer(t, true)
	rows, err := newCallers(t, p).light(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := "5 of 50 failed: 486 Busy Here to INVITE"; !strings.Contains(rows[0].note, want) {
		t.Errorf("note %q does not say %q", rows[0].note, want)
	}
	if want := "45 of 45 keys, "; !strings.HasPrefix(rows[3].note, want) {
		t.Errorf("note %q does not begin with %q", rows[3].note, want)
	}
	for _, r := range rows {
		if len(r.figures) != 2 || r.figures[0].value <= 0 || r.figures[0].value > r.figures[1].value {
			t.Errorf("%s: figures %v", r.name, r.figures)
		}
	}
	if invites, byes := p.seen(); invites != 50 || byes != 45 {
		t.Errorf("the peer saw %d INVITE and %d BYE, want 50 and 45", invites, byes)
	}
}

func TestBenchPlaying(t *testing.T) {
	t.Parallel()
	p := newPeer(t, false)
	rows, err := newCallers(t, p).playing(t.Context(), "5 calls: ", 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 { // the process is not known, so neither CPU nor memory
		t.Fatalf("got %d rows, want 1", len(rows))
	}
	if strings.Contains(rows[0].note, "heard nothing") {
		t.Error(rows[0].note)
	}
	if _, byes := p.seen(); byes != 5 {
		t.Errorf("%d of 5 calls were hung up", byes)
	}
}

func TestBenchRampStopsAtAFailure(t *testing.T) {
	t.Parallel()
	p := newPeer(t, true)
	rows, err := newCallers(t, p).ramp(t.Context(), "new calls", []int{4, 20, 40})
	if err != nil {
		t.Fatal(err)
	}
	if got := rows[0].figures[0].value; got != 4 {
		t.Errorf("got %v calls a second, want 4", got)
	}
	if want := "at 20/s 2 of 20 failed: 486 Busy Here to INVITE"; !strings.Contains(rows[0].note, want) {
		t.Errorf("note %q does not say %q", rows[0].note, want)
	}
}

func TestBenchWithNobodyThere(t *testing.T) {
	t.Parallel()
	l, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}) // takes, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := newUAC("sip:" + l.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	ctx, stop := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("enough"))
	defer stop()
	if _, err := u.Call(ctx, u.local); err == nil || err.Error() != "enough" {
		t.Errorf("got %v, want enough", err)
	}
	if len(u.calls) != 0 {
		t.Error("the call is still known")
	}
}

func TestLateness(t *testing.T) {
	type packet struct {
		seq   uint16
		stamp uint32
		ssrc  uint32
		at    time.Duration
	}
	const ms = time.Millisecond
	for _, tt := range []struct {
		name    string
		packets []packet
		late    []time.Duration
		lost    int
	}{
		{"even frames are on time", []packet{{1, 160, 7, 5 * ms}, {2, 320, 7, 25 * ms}, {3, 480, 7, 45 * ms}}, []time.Duration{0, 0, 0}, 0},
		{"one comes late", []packet{{1, 160, 7, 0}, {2, 320, 7, 28 * ms}, {3, 480, 7, 40 * ms}}, []time.Duration{0, 8 * ms, 0}, 0},
		{"the first was late, so the rest is early", []packet{{1, 160, 7, 9 * ms}, {2, 320, 7, 20 * ms}}, []time.Duration{9 * ms, 0}, 0},
		{"a gap of sequence is loss", []packet{{1, 160, 7, 0}, {4, 640, 7, 60 * ms}}, []time.Duration{0, 0}, 2},
		{"a packet overtaken is lost", []packet{{2, 320, 7, 20 * ms}, {1, 160, 7, 21 * ms}, {2, 320, 7, 22 * ms}}, []time.Duration{0, 21 * ms, 2 * ms}, 1},
		{"a pause in the stamps is not late", []packet{{1, 160, 7, 0}, {2, 1760, 7, 200 * ms}}, []time.Duration{0, 0}, 0},
		{"both counters wrap", []packet{{65535, 1<<32 - 160, 7, 0}, {0, 0, 7, 20 * ms}}, []time.Duration{0, 0}, 0},
		{"another stream begins anew", []packet{{1, 160, 7, 0}, {900, 7777, 8, 33 * ms}, {901, 7937, 8, 53 * ms}}, []time.Duration{0, 0}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &rtpEnd{clock: new(rtpClock)}
			e.Watch(1)
			for _, p := range tt.packets {
				e.received(rtpPacket(p.seq, p.stamp, p.ssrc), time.Unix(1, int64(p.at)))
			}
			late, lost := e.Lateness()
			if !slices.Equal(late, tt.late) || lost != tt.lost {
				t.Errorf("got %v and %d lost, want %v and %d", late, lost, tt.late, tt.lost)
			}
		})
	}
}

func TestAudioAddress(t *testing.T) {
	for _, tt := range []struct{ name, sdp, want string }{
		{"the session's address", "v=0\r\nc=IN IP4 127.0.0.9\r\nm=audio 4000 RTP/AVP 0\r\n", "127.0.0.9:4000"},
		{"the media's own wins", "c=IN IP4 127.0.0.9\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 127.0.0.8\r\n", "127.0.0.8:4000"},
		{"a refused line", "c=IN IP4 127.0.0.9\r\nm=audio 0 RTP/AVP 0\r\n", "invalid AddrPort"},
		{"IPv6", "c=IN IP6 ::1\r\nm=audio 4000 RTP/AVP 0\r\n", "invalid AddrPort"},
		{"nothing", "", "invalid AddrPort"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := audioAddress([]byte(tt.sdp)); got.String() != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("SIP/2.0 200 OK\r\nv: SIP/2.0/UDP h;branch=z\r\nContact: \"A\" <sip:a@127.0.0.1>;x=y\r\nRecord-Route: <sip:p;lr>\r\n\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n"))
	f.Add([]byte("SIP/2.0 1\r\n\r\n"))
	f.Add([]byte("BYE sip:x SIP/2.0\r\ncseq\r\n: 3\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parseSIP(b)
		if !ok {
			return
		}
		if uri := uriOf(m.header("contact")); strings.ContainsAny(uri, "<\r\n") && !strings.Contains(m.header("contact"), "<") {
			t.Errorf("URI %q", uri)
		}
		if a, err := audioAddress(m.body); err == nil && (a.Port() == 0 || !a.Addr().Is4()) {
			t.Errorf("address %v", a)
		}
	})
}

func TestBenchFlags(t *testing.T) {
	for _, tt := range []struct{ name, args, want string }{
		{"no number", "--calls many", "--calls many: each number is 1 to 5000"},
		{"too many calls", "--calls 100,5001", "--calls 100,5001: each number is 1 to 5000"},
		{"too long", "--seconds 601", "--seconds 601: 1 to 600"},
		{"a process of nobody's", "--pid 1", "--pid goes with --target; our own server's process is known"},
		{"no number of bridged calls", "--bridged 10,,20", "--bridged 10,,20: each number is 1 to 5000"},
		{"a conference too large", "--rooms 251", "--rooms 251: each number is 1 to 250"},
		{"nothing to record", "--record", "--transcode and --record go with --bridged, --dials or --rooms"},
		{"callees nowhere", "--dials --target sip:127.0.0.1", "--callee names the host:port that the target dials"},
		{"conferences elsewhere", "--rooms 3 --target sip:127.0.0.1", "--rooms goes without --target: only our own server can be told who meets where"},
		{"a word", "fast", `"fast": bench takes flags only`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseBenchFlags(strings.Fields(tt.args), io.Discard)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestBenchTargetWithoutScheme(t *testing.T) {
	var errOut strings.Builder
	if got := bench([]string{"--target", "127.0.0.1:5060"}, io.Discard, &errOut); got != 1 {
		t.Errorf("exit code %d, want 1", got)
	}
	if want := `target "127.0.0.1:5060": write it as sip:host:port`; !strings.Contains(errOut.String(), want) {
		t.Errorf("got %q, want it to say %s", errOut.String(), want)
	}
}

func TestBenchReport(t *testing.T) {
	rows := []benchRow{
		{"setup", []figure{ms("p50", 612*time.Microsecond), ms("p99", 3210*time.Microsecond)}, "50 calls"},
		{"CPU", []figure{{"", 0.934, "ms per call-second"}}, ""},
		{"memory, µ", []figure{{"", 41.06, "KB per call"}}, "18 MB"},
		{"rate", []figure{{"", 1300, "/s"}, {"late", 0, "%"}}, ""},
	}
	var table strings.Builder
	writeTable(&table, rows)
	want := `setup       p50 0.61 ms  p99 3.21 ms   50 calls
CPU         0.93 ms per call-second
memory, µ   41.1 KB per call           18 MB
rate        1300/s  late 0.00%
`
	if table.String() != want {
		t.Errorf("got\n%s\nwant\n%s", table.String(), want)
	}
	b, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	want = `[{"note":"50 calls","p50_ms":0.612,"p99_ms":3.21,"row":"setup"},{"ms_per_call_second":0.934,"row":"CPU"},` +
		`{"kb_per_call":41.06,"note":"18 MB","row":"memory, µ"},{"late_percent":0,"per_second":1300,"row":"rate"}]`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestPercentile(t *testing.T) {
	for _, tt := range []struct {
		name string
		all  []time.Duration
		p    float64
		want time.Duration
	}{
		{"of none", nil, 0.99, 0},
		{"of one", []time.Duration{7}, 0.5, 7},
		{"the middle, unsorted", []time.Duration{3, 1, 2}, 0.5, 2},
		{"the last of a hundred is not p99", append(make([]time.Duration, 99), 5), 0.99, 0},
		{"of two hundred, it is the second last", append(make([]time.Duration, 197), 4, 5, 6), 0.99, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := percentile(tt.all, tt.p); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
