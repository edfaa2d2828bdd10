//go:build linux

package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// TestE2EMany connects callers of the built program with each other, and keeps
// what they say.
func TestE2EMany(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls for a minute")
	}
	program := buildProgram(t)
	t.Run("two baresips through Dial", func(t *testing.T) { testBridge(t, program) })
	t.Run("a conference of five", func(t *testing.T) { testConference(t, program) })
	t.Run("a queue", func(t *testing.T) { testQueue(t, program) })
	t.Run("recordings", func(t *testing.T) { testRecordings(t, program) })
	t.Run("a recording survives a crash", func(t *testing.T) { testCrash(t, program) })
	t.Run("five hundred dialled calls", func(t *testing.T) { testDialled(t, program) })
}

// A phone is a call to the server, with its sound.
type phone struct {
	*ear
	*uacCall
}

// call calls a user of the server; the phone sings a tone, 0 for silence.
func (s *benchServer) call(t *testing.T, user string, hz float64) phone {
	t.Helper()
	u, err := newUAC(fmt.Sprintf("sip:%s@%s", user, s.addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	e := newEar(t)
	e.sing(hz)
	c, err := u.Call(t.Context(), netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), e.port()))
	if err != nil {
		t.Fatalf("call %s: %v", user, err)
	}
	return phone{e, c}
}

// hangUp ends the call.
func (p phone) hangUp(t *testing.T) {
	t.Helper()
	if err := p.Hangup(t.Context()); err != nil {
		t.Errorf("hang-up: %v", err)
	}
}

// wantHungUp waits until the other side hangs up.
func (p phone) wantHungUp(t *testing.T) {
	t.Helper()
	select {
	case <-p.hungUp:
	case <-time.After(15 * time.Second):
		t.Error("the server did not hang up")
	}
}

// testBridge has two telephones of others talk through a <Dial>.
func testBridge(t *testing.T, program string) {
	need(t, "baresip")
	bob := newBaresip(t, 600)
	d := newDesk(t, map[string]string{
		"both": fmt.Sprintf(`<Dial timeout="10" action="/done"><Sip>sip:phone@127.0.0.1:%d</Sip></Dial>`, bob.port),
	})
	s := serveFor(t, program, d.URL+"/voice")
	sockets := udpSockets(t, s)
	alice := newBaresip(t, 400)
	alice.command("dial", fmt.Sprintf("sip:both@%s", s.addr))
	alice.wantEvent("CALL_ESTABLISHED")
	bob.wantEvent("CALL_ESTABLISHED")
	<-time.After(2 * time.Second)
	bob.command("hangup", "")
	bob.wantEvent("CALL_CLOSED")
	if got := d.wantTold(t, "done").Get("DialCallStatus"); got != "completed" {
		t.Errorf("DialCallStatus=%s, want completed", got)
	}
	alice.wantEvent("CALL_CLOSED")
	atAlice, atBob := alice.quit(), bob.quit()
	if got := heardSeconds(atAlice, 600); got < 1.2 {
		t.Errorf("alice heard %.2f s of bob in 2 s", got)
	}
	if got := heardSeconds(atBob, 400); got < 1.2 {
		t.Errorf("bob heard %.2f s of alice in 2 s", got)
	}
	if a, b := heardSeconds(atAlice, 400), heardSeconds(atBob, 600); a > 0.1 || b > 0.1 {
		t.Errorf("they heard themselves: alice for %.2f s, bob for %.2f s", a, b)
	}
	settle(t, "UDP sockets", sockets, func() int { return udpSockets(t, s) })
}

// testConference gives each of five speakers a pitch, and looks for it with all
// others.
func testConference(t *testing.T, program string) {
	d := newDesk(t, map[string]string{
		"room": `<Dial><Conference beep="false" statusCallback="/room" statusCallbackEvent="join leave end">five</Conference></Dial>`,
	})
	s := serveFor(t, program, d.URL+"/voice")
	pitches := []float64{400, 550, 700, 850, 1150}
	var phones []phone
	for _, hz := range pitches {
		phones = append(phones, s.call(t, "room", hz))
	}
	for i, p := range phones {
		if !p.hearsOnly(pitches, i) {
			last := p.last(50)
			for j, hz := range pitches {
				t.Errorf("%.0f Hz hears %.2f of %.0f Hz, want a quarter of each other", pitches[i], pcm.Share(last, 8000, pitches[j]), hz)
			}
		}
	}
	phones[0].sing(0)
	if !phones[1].hearsOnly(pitches[1:], 0) {
		t.Errorf("who is silent is still heard, or others are not any more")
	}
	for _, p := range phones {
		p.hangUp(t)
	}
	for _, want := range []string{"join", "join", "join", "join", "join", "leave", "leave", "leave", "leave", "leave", "end"} {
		got := d.wantTold(t, "room").Get("StatusCallbackEvent")
		if !strings.HasSuffix(got, want) {
			t.Errorf("StatusCallbackEvent=%s, want %s", got, want)
		}
	}
}

// hearsOnly waits until a second of sound is made of equal parts of all tones but
// one, at most ten seconds.
func (e *ear) hearsOnly(all []float64, but int) bool {
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	for range 100 {
		last := e.last(50)
		ok := last != nil
		for i, hz := range all {
			if !ok {
				break
			}
			share := pcm.Share(last, 8000, hz)
			part := 1 / float64(len(all)-1)
			ok = i == but && share < 0.01 || i != but && share > 0.8*part && share < 1.2*part
		}
		if ok {
			return true
		}
		<-ticks.C
	}
	return false
}

// testQueue has a caller wait until an agent comes, and both talk.
func testQueue(t *testing.T, program string) {
	d := newDesk(t, map[string]string{
		"line":  `<Enqueue waitUrl="/wait" action="/out">support</Enqueue>`,
		"wait":  `<Play loop="0">/tone/1000</Play>`,
		"agent": `<Dial action="/done"><Queue>support</Queue></Dial>`,
	})
	s := serveFor(t, program, d.URL+"/voice")
	caller := s.call(t, "line", 400)
	if !caller.hears(1000) {
		t.Error("the caller does not hear what /wait plays")
	}
	if got := d.wantTold(t, "wait"); got.Get("QueuePosition") != "1" || got.Get("CurrentQueueSize") != "1" {
		t.Errorf("/wait was told QueuePosition=%s CurrentQueueSize=%s, want 1 and 1", got.Get("QueuePosition"), got.Get("CurrentQueueSize"))
	}
	agent := s.call(t, "agent", 600)
	if !agent.hears(400) || !caller.hears(600) {
		t.Error("caller and agent do not hear each other")
	}
	agent.hangUp(t)
	if got := d.wantTold(t, "out").Get("QueueResult"); got != "bridged" {
		t.Errorf("QueueResult=%s, want bridged", got)
	}
	d.wantTold(t, "done")
	caller.wantHungUp(t)
}

// testRecordings looks at recordings with the eyes of another program.
func testRecordings(t *testing.T, program string) {
	need(t, "sox")
	need(t, "lame")
	callee := newEar(t)
	callee.sing(600)
	d := newDesk(t, map[string]string{
		"message": `<Record format="wav" channels="single" playBeep="true" timeout="0" maxLength="2" trim="do-not-trim" action="/done" recordingStatusCallback="/status"/>`,
		"mp3":     `<Record format="mp3" playBeep="false" timeout="0" maxLength="2" trim="do-not-trim" action="/done" recordingStatusCallback="/status"/>`,
	})
	data := t.TempDir()
	s, err := startServer(t.Context(), program, d.URL+"/voice", data)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	file := func(t *testing.T, told map[string][]string, end string) string {
		t.Helper()
		sid := told["RecordingSid"]
		if len(sid) != 1 || !strings.HasPrefix(sid[0], "RE") {
			t.Fatalf("RecordingSid=%q", sid)
		}
		return filepath.Join(data, "recordings", sid[0]+end)
	}

	t.Run("a message in WAV", func(t *testing.T) {
		p := s.call(t, "message", 400)
		told := d.wantTold(t, "status")
		d.wantTold(t, "done")
		p.wantHungUp(t)
		f := file(t, told, ".wav")
		if got := [3]string{soxi(t, "-c", f), soxi(t, "-r", f), soxi(t, "-e", f)}; got != [3]string{"1", "8000", "Signed Integer PCM"} {
			t.Errorf("soxi says %q", got)
		}
		if got := heardSeconds(channel(t, f, 1), 400); got < 1.8 || got > 2.1 {
			t.Errorf("%.2f s of the caller, want 2", got)
		}
	})
	t.Run("a message in MP3", func(t *testing.T) {
		p := s.call(t, "mp3", 400)
		told := d.wantTold(t, "status")
		d.wantTold(t, "done")
		p.wantHungUp(t)
		b, err := os.ReadFile(file(t, told, ".mp3"))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) < 2000 || b[0] != 0xff && string(b[:3]) != "ID3" {
			t.Errorf("%d bytes that begin with %x are no MP3 of 2 s", len(b), b[:min(len(b), 4)])
		}
	})
	t.Run("both sides of a Dial", func(t *testing.T) {
		need(t, "sipp")
		c := newCallee(t, "answers", callee.port())
		d.set("both", fmt.Sprintf(`<Dial record="record-from-answer-dual" action="/done" recordingStatusCallback="/status"><Sip>%s</Sip></Dial>`, c.uri))
		p := s.call(t, "both", 400)
		if !p.hears(600) || !callee.hears(400) {
			t.Error("they do not hear each other")
		}
		<-time.After(time.Second)
		p.hangUp(t)
		c.over(t)
		mp3 := file(t, d.wantTold(t, "status"), ".mp3") // telnyx' default
		f := filepath.Join(t.TempDir(), "both.wav")
		if said, err := exec.Command("lame", "--quiet", "--decode", mp3, f).CombinedOutput(); err != nil {
			t.Fatalf("lame: %v %s", err, said)
		}
		left, right := channels(t, f)
		if l, r := heardSeconds(left, 400), heardSeconds(right, 600); l < 1 || r < 1 {
			t.Errorf("%.2f s of the caller on the left, %.2f s of the callee on the right, want more than 1 of each", l, r)
		}
		if l, r := heardSeconds(left, 600), heardSeconds(right, 400); l > 0 || r > 0 {
			t.Errorf("%.2f s of the callee on the left, %.2f s of the caller on the right", l, r)
		}
	})
	if err := s.Stop(); err != nil {
		t.Errorf("hookswitch serve: %v\n%s", err, s.said)
	}
}

// testCrash kills the server while it records.
func testCrash(t *testing.T, program string) {
	need(t, "sox")
	d := newDesk(t, map[string]string{
		"message": `<Record format="wav" channels="single" playBeep="false" timeout="0" maxLength="60" recordingStatusCallback="/status" recordingStatusCallbackEvent="in-progress completed"/>`,
	})
	data := t.TempDir()
	s, err := startServer(t.Context(), program, d.URL+"/voice", data)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	s.call(t, "message", 400)
	first := d.wantTold(t, "status")
	began := time.Now()
	if got := first.Get("RecordingStatus"); got != "in-progress" {
		t.Errorf("RecordingStatus=%s, want in-progress", got)
	}
	<-time.After(3500 * time.Millisecond)
	lasted := time.Since(began).Seconds()
	if err := syscall.Kill(s.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.waited
	s.waited <- nil

	again, err := startServer(t.Context(), program, d.URL+"/voice", data)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Stop()
	last := d.wantTold(t, "status")
	if got := last.Get("RecordingStatus"); got != "completed" || last.Get("RecordingSid") != first.Get("RecordingSid") {
		t.Errorf("RecordingStatus=%s of %s, want completed of %s", got, last.Get("RecordingSid"), first.Get("RecordingSid"))
	}
	f := filepath.Join(data, "recordings", first.Get("RecordingSid")+".wav")
	long, _ := strconv.ParseFloat(soxi(t, "-D", f), 64)
	if long < lasted-1 || long > lasted+0.3 {
		t.Errorf("%.2f s are kept of %.2f s", long, lasted)
	}
	if got := heardSeconds(channel(t, f, 1), 400); got < long-0.3 {
		t.Errorf("%.2f s of the caller in %.2f s", got, long)
	}
	if err := again.Stop(); err != nil {
		t.Errorf("hookswitch serve: %v\n%s", err, again.said)
	}
}

// testDialled compares a server after five hundred dialled calls with one after
// ten.
func testDialled(t *testing.T, program string) {
	need(t, "sipp")
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	sound := uint16(sink.LocalAddr().(*net.UDPAddr).Port)
	goroutines := map[int]int{} // by calls
	for _, calls := range []int{10, 500} {
		c := newCallee(t, "answers", sound, "-m", strconv.Itoa(calls))
		d := newDesk(t, map[string]string{"menu": fmt.Sprintf(`<Dial answerOnBridge="true"><Sip>%s</Sip></Dial>`, c.uri)})
		s, err := startServer(t.Context(), program, d.URL+"/voice", t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Stop()
		sipp(t, s, "caller_hangs_up", "u1", sound, "-m", "5", "-l", "1", "-r", "100", "-d", "40")
		settle(t, "UDP sockets after the first calls", 1, func() int { return udpSockets(t, s) })
		d.CloseClientConnections()
		files, memory := openFiles(t, s), resident(t, s)
		used, err := cpuTime(s.pid)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		sipp(t, s, "caller_hangs_up", "u1", sound, "-m", strconv.Itoa(calls-5), "-l", "20", "-r", "60", "-d", "200")
		took := time.Since(began)
		c.over(t)
		d.CloseClientConnections() // as many are kept open as were needed at a time
		settle(t, fmt.Sprintf("UDP sockets after %d calls", calls), 1, func() int { return udpSockets(t, s) })
		settle(t, fmt.Sprintf("open files after %d calls", calls), files, func() int { return openFiles(t, s) })
		now, err := cpuTime(s.pid)
		if err != nil {
			t.Fatal(err)
		}
		grown := resident(t, s) - memory
		t.Logf("%d dialled calls in %.1f s: %.2f ms of CPU per call, memory grew by %.0f KB, %d open files",
			calls, took.Seconds(), float64((now-used).Microseconds())/1000/float64(calls-5), grown, files)
		if grown > 40<<10 { // calls are remembered for another 32 s (RFC 6026)
			t.Errorf("memory grew by %.0f KB in %d calls", grown, calls)
		}
		goroutines[calls] = countGoroutines(t, s)
	}
	t.Logf("goroutines: %d after 10 calls, %d after 500", goroutines[10], goroutines[500])
	if goroutines[500] > goroutines[10]+2 {
		t.Errorf("goroutines: %d after 10 calls, %d after 500", goroutines[10], goroutines[500])
	}
}
