//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// An ear is the sound of a call whose signalling another program does: it
// keeps what it hears, and sends a tone or silence, and keys, to where that comes
// from.
type ear struct {
	conn *net.UDPConn

	mu    sync.Mutex
	hz    float64        // of the tone; 0 is silence
	from  netip.AddrPort // of the last packet heard
	heard []int16
	keys  []byte // to press
}

func newEar(t *testing.T) *ear {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	e := &ear{conn: conn}
	var both sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	both.Go(e.listen)
	both.Go(func() { e.talk(ctx) })
	t.Cleanup(func() {
		stop()
		conn.Close()
		both.Wait()
	})
	return e
}

func (e *ear) port() uint16 { return uint16(e.conn.LocalAddr().(*net.UDPAddr).Port) }

func (e *ear) listen() {
	buf := make([]byte, 2048)
	for {
		n, from, err := e.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n <= 12 || buf[1]&0x7f != 0 {
			continue
		}
		frame := make([]int16, n-12)
		g711.DecodeULaw(frame, buf[12:n])
		e.mu.Lock()
		e.from, e.heard = from, append(e.heard, frame...)
		e.mu.Unlock()
	}
}

// talk sends a packet every 20 ms. A key takes seven of them: four that last
// 80 ms together, and the end three times.
func (e *ear) talk(ctx context.Context) {
	ticks := time.NewTicker(pcm.FrameTime)
	defer ticks.Stop()
	var sings float64
	sound := make([]byte, frameLen)
	g711.EncodeULaw(sound, make([]int16, frameLen))
	var seq uint16
	var stamp, began uint32
	part := 0
	for ; ; seq, stamp = seq+1, stamp+frameLen {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		e.mu.Lock()
		to := e.from
		if e.hz != sings {
			sings = e.hz
			g711.EncodeULaw(sound, pcm.Tone(8000, time.Second, 0.2, sings).Samples[10*frameLen:11*frameLen])
		}
		key := byte(0)
		if len(e.keys) > 0 {
			key = e.keys[0]
			if part++; part == 1 {
				began = stamp
			}
		}
		if part == 7 {
			e.keys, part = e.keys[1:], 0
		}
		e.mu.Unlock()
		switch {
		case !to.IsValid():
		case key == 0:
			e.conn.WriteToUDPAddrPort(append(rtpPacket(seq, stamp, 9), sound...), to)
		default:
			b := rtpPacket(seq, began, 9)
			b[1] = 101
			if stamp == began {
				b[1] |= 0x80
			}
			end := byte(0)
			if part == 0 || part > 4 {
				end = 0x80
			}
			b = append(b, byte(strings.IndexByte("0123456789*#ABCD", key)), 10|end, 0, 0)
			lasted := min(stamp-began+frameLen, 5*frameLen)
			b[14], b[15] = byte(lasted>>8), byte(lasted)
			e.conn.WriteToUDPAddrPort(b, to)
		}
	}
}

func (e *ear) press(key byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys = append(e.keys, key)
}

// sing sends a tone from now on, of whole periods within 20 ms: a multiple of 50
// Hz.
func (e *ear) sing(hz float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hz = hz
}

// last is what was heard last, or nil when it is less than that.
func (e *ear) last(frames int) []int16 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.heard) < frames*frameLen {
		return nil
	}
	return slices.Clone(e.heard[len(e.heard)-frames*frameLen:])
}

// hears waits until the last 200 ms were a tone, at most ten seconds.
func (e *ear) hears(hz float64) bool {
	ticks := time.NewTicker(pcm.FrameTime)
	defer ticks.Stop()
	for began := time.Now(); time.Since(began) < 10*time.Second; <-ticks.C {
		if last := e.last(10); last != nil && pcm.Share(last, 8000, hz) > 0.9 {
			return true
		}
	}
	return false
}

// A baresip is a running baresip without a sound card: it plays a tone or
// silence, and records what it hears. It takes every call, and is told what else
// to do over its control connection.
type baresip struct {
	t      *testing.T
	port   int // where it can be called, on 127.0.0.1
	conn   net.Conn
	events chan string
	dir    string
	end    func()
}

// newBaresip starts one that speaks PCMU and plays a tone, 0 for silence.
func newBaresip(t *testing.T, hz float64) *baresip {
	t.Helper()
	return newBaresipIn(t, "PCMU", 8000, hz)
}

// newBaresipIn starts one that speaks that codec, whose samples are at that
// rate.
func newBaresipIn(t *testing.T, codec string, rate int, hz float64) *baresip {
	t.Helper()
	sound := pcm.Silence(rate, time.Minute)
	if hz != 0 {
		sound = pcm.Tone(rate, time.Minute, 0.3, hz)
	}
	return newBaresipPlaying(t, codec, sound)
}

// newBaresipPlaying starts one that speaks that codec, whose samples are at the
// rate of the sound that it plays.
func newBaresipPlaying(t *testing.T, codec string, sound pcm.Clip) *baresip {
	t.Helper()
	var err error
	for range 3 { // another program may take a port before baresip does
		var b *baresip
		if b, err = startBaresip(t, codec, sound); err == nil {
			return b
		}
	}
	t.Fatalf("baresip does not listen for commands: %v", err)
	return nil
}

func startBaresip(t *testing.T, codec string, sound pcm.Clip) (*baresip, error) {
	t.Helper()
	dir := t.TempDir()
	control, port := freeTCP(t), freeUDP(t)
	modules, err := filepath.Glob("/usr/lib*/baresip/modules")
	if more, _ := filepath.Glob("/usr/lib/*/baresip/modules"); err == nil {
		modules = append(modules, more...)
	}
	if len(modules) == 0 {
		t.Fatal("baresip is here but not its modules")
	}
	plays := filepath.Join(dir, "plays.wav")
	for name, text := range map[string]string{
		"config": fmt.Sprintf(`module_path %s
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
audio_source aufile,%s
audio_player aubridge,nowhere
snd_path %s
ctrl_tcp_listen 127.0.0.1:%d
sip_listen 127.0.0.1:%d
net_interface 127.0.0.1
`, modules[0], plays, dir, control, port),
		"accounts":  fmt.Sprintf("<sip:phone@127.0.0.1>;regint=0;audio_codecs=%s/%d/1;answermode=auto\n", codec, sound.Rate),
		"plays.wav": string(wav.Encode(sound)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := new(lastWords)
	cmd := exec.CommandContext(t.Context(), "baresip", "-f", dir)
	cmd.Stdout, cmd.Stderr, cmd.Dir = said, said, dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &baresip{t: t, port: port, events: make(chan string, 64), dir: dir, end: sync.OnceFunc(func() { cmd.Wait() })}
	t.Cleanup(func() {
		cmd.Process.Kill()
		b.end()
		if t.Failed() {
			t.Logf("baresip said\n%s", said)
		}
	})
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for range 100 {
		if b.conn, err = net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(control))); err == nil {
			break
		}
		<-ticks.C
	}
	if err != nil {
		return nil, err
	}
	read := make(chan struct{})
	go func() { defer close(read); b.read() }()
	t.Cleanup(func() { b.conn.Close(); <-read })
	return b, nil
}

// read takes netstrings of JSON, "12:{"event":...},", and keeps the events.
func (b *baresip) read() {
	defer close(b.events)
	for r := bufio.NewReader(b.conn); ; {
		length, err := r.ReadString(':')
		n, bad := strconv.Atoi(strings.TrimSuffix(length, ":"))
		if err != nil || bad != nil || n > 1<<20 {
			return
		}
		text := make([]byte, n+1) // with the comma
		if _, err := io.ReadFull(r, text); err != nil {
			return
		}
		var e struct{ Type string }
		if json.Unmarshal(text[:n], &e) == nil && e.Type != "" {
			select {
			case b.events <- e.Type:
			default: // nobody waits for so many
			}
		}
	}
}

func (b *baresip) command(name, params string) {
	text, err := json.Marshal(map[string]string{"command": name, "params": params})
	if err == nil {
		_, err = fmt.Fprintf(b.conn, "%d:%s,", len(text), text)
	}
	if err != nil {
		b.t.Errorf("baresip, %s: %v", name, err)
	}
}

func (b *baresip) wantEvent(want string) {
	b.t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case got, ok := <-b.events:
			if got == want {
				return
			}
			if !ok || got == "CALL_CLOSED" {
				b.t.Fatalf("baresip: %q before %s", got, want)
			}
		case <-late:
			b.t.Fatalf("baresip: no %s", want)
		}
	}
}

// quit ends it and returns what it heard.
func (b *baresip) quit() pcm.Clip {
	b.t.Helper()
	b.command("quit", "")
	b.end()
	files, err := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	if err != nil || len(files) == 0 {
		return pcm.Clip{}
	}
	file, err := os.ReadFile(files[0])
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := wav.Decode(file)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func freeTCP(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
