//go:build linux

package media

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// loadEnv makes the test binary the far end of BenchmarkCalls.
const loadEnv = "HOOKSWITCH_LOAD"

// TestMain runs the far end in a process of its own, so that its processor
// time is not counted as ours.
func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(loadEnv)); err == nil {
		farEnd(n)
		return
	}
	os.Exit(m.Run())
}

// calls is n streams over UDP that play a tone for ever.
type calls struct {
	pacer   *Pacer
	wires   []*UDP
	streams []*Stream
	keys    int
	playing sync.WaitGroup
	cancel  context.CancelFunc
}

func openCalls(n, lo, hi int) (*calls, error) {
	ports, err := NewPorts(localhost, lo, hi)
	if err != nil {
		return nil, err
	}
	c := &calls{pacer: NewPacer(PacerConfig{})}
	for range n {
		u, err := ports.Open()
		if err != nil {
			return nil, err
		}
		c.wires = append(c.wires, u)
	}
	return c, nil
}

// begin starts the streams, one after another over 20 ms, each to its port. They
// play, or are bridged in twos, the second of which speaks codec.
func (c *calls) begin(ports []int, bridged bool, codec string) {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	music := pcm.Tone(8000, 8*time.Second, 0.5, 440)
	for i, u := range c.wires {
		cfg := agreed()
		cfg.Remote = netip.AddrPortFrom(localhost, uint16(ports[i]))
		cfg.RemoteRTCP = netip.AddrPortFrom(localhost, uint16(ports[i]+1))
		if bridged && i%2 == 1 {
			cfg.Codec = codec // by the same payload type: nobody hears it
		}
		s := NewStream(c.pacer, u, cfg)
		if bridged {
			c.bridge(s)
			continue
		}
		s.Tap(func(pcm.Frame) {})
		s.Keys(ctx)
		s.Start()
		c.streams = append(c.streams, s)
		c.playing.Go(func() {
			for s.Play(ctx, NewClip(music, 8000)) == nil {
			}
		})
		time.Sleep(20 * time.Millisecond / time.Duration(len(c.wires)))
	}
}

func (c *calls) bridge(s *Stream) {
	s.Start()
	c.streams = append(c.streams, s)
	if n := len(c.streams); n%2 == 0 {
		Relay(c.streams[n-2], s, Music{})
	}
	time.Sleep(20 * time.Millisecond / time.Duration(len(c.wires)))
}

func (c *calls) end() {
	c.cancel()
	c.playing.Wait()
	for _, s := range c.streams {
		s.Close()
	}
	c.pacer.Close()
}

func (c *calls) ports() string {
	var b strings.Builder
	for _, u := range c.wires {
		fmt.Fprint(&b, u.Port(), " ")
	}
	return b.String()
}

func readPorts(r *bufio.Reader) (ports []int, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	for f := range strings.FieldsSeq(line) {
		p, err := strconv.Atoi(f)
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}

func farEnd(n int) {
	c, err := openCalls(n, 40000, 50000)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.ports())
	in := bufio.NewReader(os.Stdin)
	ports, err := readPorts(in)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c.begin(ports, false, "")
	in.ReadString('\n') // until the parent closes it
	c.end()
}

// BenchmarkCalls measures the processor time of a call-second: playing, with
// as many packets coming in, over loopback. One op is one second.
func BenchmarkCalls(b *testing.B) {
	for _, n := range []int{200, 800} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmarkCalls(b, n, false, "") })
	}
}

// BenchmarkBridges measures the same of a bridged call, which is two streams.
func BenchmarkBridges(b *testing.B) {
	for _, codec := range []string{"PCMU", "PCMA"} {
		for _, n := range []int{100, 400} {
			b.Run(fmt.Sprintf("PCMU to %s/%d", codec, n), func(b *testing.B) { benchmarkCalls(b, 2*n, true, codec) })
		}
	}
}

func benchmarkCalls(b *testing.B, n int, bridged bool, codec string) {
	far := exec.Command(os.Args[0])
	far.Env = append(os.Environ(), loadEnv+"="+strconv.Itoa(n))
	far.Stderr = os.Stderr
	in, err := far.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := far.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := far.Start(); err != nil {
		b.Fatal(err)
	}
	defer far.Wait()
	defer in.Close()
	memory, units := resident(), n
	if bridged {
		units = n / 2
	}
	c, err := openCalls(n, 20000, 30000)
	if err != nil {
		b.Fatal(err)
	}
	ports, err := readPorts(bufio.NewReader(out))
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintln(in, c.ports())
	c.begin(ports, bridged, codec)
	defer c.end()
	time.Sleep(time.Second)

	before := c.pacer.Stats()
	cpu, begun := processorTime(), time.Now()
	b.ResetTimer()
	time.Sleep(time.Duration(b.N) * time.Second)
	b.StopTimer()
	cpu, took := processorTime()-cpu, time.Since(begun)
	st := c.pacer.Stats()
	b.ReportMetric(cpu.Seconds()*1000/took.Seconds()/float64(units), "cpu-ms/call-s")
	b.ReportMetric(100*float64(st.Late+st.Skipped-before.Late-before.Skipped)/float64(st.Frames+st.Skipped-before.Frames-before.Skipped), "%late")
	b.ReportMetric(float64(resident()-memory)/1024/float64(units), "KB/call")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(st.Worst)/1e6, "worst-ms")
	var received, lost uint64
	for _, s := range c.streams {
		st := s.Stats()
		received, lost = received+st.Received, lost+uint64(st.Lost)
	}
	if received == 0 {
		b.Error("nothing came in")
	}
	b.ReportMetric(100*float64(lost)/float64(received+lost), "%lost")
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of this process in bytes.
func resident() int {
	runtime.GC()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize()
}
