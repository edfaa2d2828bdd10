package calltest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	rate      = 8000 // of a scripted call, PCMU
	eventType = 101
	eventKeys = "0123456789*#ABCD" // by their codes (RFC 4733 §3.2)
)

// phone is a telephone of a script and, as a runtime.Incoming or a
// runtime.Outgoing, the line to it. What it sends and hears are RTP packets that
// go through memory.
type phone struct {
	stage  *stage
	letter string
	sid    string // of its call
	addr   netip.AddrPort
	since  time.Time
	done   chan struct{}

	progress chan int       // of one that is dialled, nil of a caller
	asked    sync.WaitGroup // goroutines of refer

	mu       sync.Mutex
	stream   *media.Stream // nil until there is sound
	answered bool
	told     []int // provisional statuses
	final    bool  // progress is closed
	decide   func(uri string, notify func(status int)) bool
	heard    pcm.Frame // the last of it, heardFor long
	words    *decoder  // of what is heard; nil in a script without words
	last     time.Time // when it came
	err      error
	sequence uint16
}

// heardFor is how much of what it hears a phone remembers.
const heardFor = 100 * time.Millisecond

func newPhone(st *stage, letter string) *phone {
	p := &phone{stage: st, letter: letter, addr: netip.AddrPortFrom(netip.MustParseAddr(addrOf(letter)), 4000),
		done: make(chan struct{}), since: time.Now()}
	if words := st.script.words; words != nil {
		p.words = &decoder{known: words, rate: rate}
	}
	return p
}

// addrOf is where the phone of a leg is (RFC 5737); our side is at 192.0.2.9.
func addrOf(letter string) string {
	if letter == "A" {
		return "192.0.2.1"
	}
	return fmt.Sprintf("192.0.2.%d", 100+letter[0]-'A')
}

var (
	errHungUp   = errors.New("the other side hung up")
	errEnded    = errors.New("the call was ended from this side")
	errCanceled = errors.New("the call was given up before it was answered")
)

// note adds a line of this side to the trace.
func (p *phone) note(text string) { p.stage.trace.note(p.letter, text) }

func (p *phone) Ring(context.Context) error { return nil }

// Early gives the caller sound before the answer (runtime.Incoming).
func (p *phone) Early(ctx context.Context) error { return p.speaks(ctx, false) }

// Answer takes the call (runtime.Incoming).
func (p *phone) Answer(ctx context.Context) error { return p.speaks(ctx, true) }

// speaks is the call from when there is sound.
func (p *phone) speaks(ctx context.Context, answered bool) error {
	p.mu.Lock()
	if p.err != nil {
		defer p.mu.Unlock()
		return p.err
	}
	stream := p.stream
	p.mu.Unlock()
	if stream == nil {
		stream = media.NewStream(p.stage.pacer, (*memory)(p), p.config(true, true))
		stream.Start() // sends at once, which takes the lock
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = p.answered || answered
	p.stream = stream
	if answered && p.progress != nil {
		p.conclude(200)
	}
	return context.Cause(ctx)
}

// config is what the two sides agree on; send and receive are our directions.
func (p *phone) config(send, receive bool) media.Config {
	return media.Config{Codec: "PCMU", EventType: eventType, Remote: p.addr, Signalling: p.addr.Addr(), Send: send, Receive: receive}
}

// unable is why this phone cannot do what verb says, "" when it can.
func (p *phone) unable(verb string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, outcome := outcomes[verb]
	switch {
	case outcome && p.answered:
		return p.letter + " has answered"
	case outcome:
		return ""
	case p.progress == nil && verb == "hangup", p.stream != nil && verb != "hangup" && verb != "refer", p.answered:
		return ""
	case p.progress != nil:
		return p.letter + " has not answered"
	}
	return "nobody has answered"
}

// hangup is this phone's end of the call.
func (p *phone) hangup() {
	if p.letter == "A" {
		p.note("caller hangs up")
	} else {
		p.note("hangs up")
	}
	p.end(errHungUp)
}

// Reject refuses the call (runtime.Incoming).
func (p *phone) Reject(context.Context, int, string) error { p.end(errEnded); return nil }

// Hangup ends the call; one that was dialled and not answered is canceled
// (runtime.Leg).
func (p *phone) Hangup(context.Context) error {
	if p.progress != nil && p.finish(487) {
		p.note("canceled")
		p.end(errCanceled)
		return nil
	}
	p.end(errEnded)
	return nil
}

// end is the end of the call, from whichever side. The stream goes on until
// close, so that a verb which is cut short by the end sees just that.
func (p *phone) end(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = why
		close(p.done)
		if p.progress != nil && !p.final {
			p.final = true
			close(p.progress)
		}
		p.stage.news()
	}
}

// close frees the sound of a call that is over.
func (p *phone) close() {
	p.end(errEnded)
	p.asked.Wait()
	if s := p.Stream(); s != nil {
		s.Close()
	}
}

func (p *phone) Stream() *media.Stream { p.mu.Lock(); defer p.mu.Unlock(); return p.stream }
func (p *phone) Done() <-chan struct{} { return p.done }
func (p *phone) Err() error            { p.mu.Lock(); defer p.mu.Unlock(); return p.err }

// CallID is the dialog's, the same on every run.
func (p *phone) CallID() string {
	if p.letter == "A" {
		return "script"
	}
	return "script-" + p.letter
}

// send delivers one packet of this side. payload is of a payload type; at is
// its RTP time.
func (p *phone) send(payloadType uint8, marker bool, at uint32, payload []byte) {
	stream := p.Stream()
	if stream == nil {
		return // nobody has answered: there is nowhere to send to
	}
	p.sequence++
	packet := rtp.Packet{Header: rtp.Header{Version: 2, Marker: marker, PayloadType: payloadType,
		SequenceNumber: p.sequence, Timestamp: at, SSRC: 0xCA11E4}, Payload: payload}
	b, err := packet.Marshal()
	if err == nil {
		stream.Receive(b, p.addr)
	}
}

// now is the RTP time at which this side speaks now.
func (p *phone) now() uint32 { return uint32(time.Since(p.since) * rate / time.Second) }

// key sends the packet of a key that has been down for held (RFC 4733 §2.5).
// begun is the RTP time of its first packet.
func (p *phone) key(digit byte, begun uint32, held time.Duration, first, last bool) {
	code := byte(strings.IndexByte(eventKeys, digit))
	n := uint16(held * rate / time.Second)
	flags := byte(10) // volume, -10 dBm0
	if last {
		flags |= 0x80
	}
	p.send(eventType, first, begun, []byte{code, flags, byte(n >> 8), byte(n)})
}

// speak sends one frame of sound.
func (p *phone) speak(f pcm.Frame) {
	b := make([]byte, len(f))
	g711.EncodeULaw(b, f)
	p.send(0, false, p.now(), b)
}

// memory is a phone as the wire of its stream.
type memory phone

func (m *memory) Send(b []byte) error {
	var h rtp.Header
	n, err := h.Unmarshal(b)
	if err != nil {
		return err
	}
	if h.PayloadType == eventType {
		if code := int(b[n]); h.Marker && code < len(eventKeys) { // a key begins
			(*phone)(m).note("hears key " + eventKeys[code:code+1])
		}
		return nil
	}
	sound := make(pcm.Frame, len(b)-n)
	g711.DecodeULaw(sound, b[n:])
	p := (*phone)(m)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hear(sound)
	return nil
}

// hear adds sound to what is remembered, and silence before it when none came
// for a while. p.mu is held.
func (p *phone) hear(sound pcm.Frame) {
	now := time.Now()
	if gap := now.Sub(p.last); gap > 2*pcm.FrameTime && !p.last.IsZero() {
		gap = min(gap-pcm.FrameTime, time.Second)
		p.take(make(pcm.Frame, int(gap*rate/time.Second)))
	}
	p.last = now
	p.take(sound)
}

// take adds sound to what is remembered. p.mu is held.
func (p *phone) take(sound pcm.Frame) {
	if p.words != nil {
		if _, over := p.words.hear(sound); over {
			p.words.said = nil
		}
	}
	p.heard = append(p.heard, sound...)
	if over := len(p.heard) - int(heardFor*rate/time.Second); over > 0 {
		p.heard = p.heard[:copy(p.heard, p.heard[over:])]
	}
}

func (m *memory) SendRTCP([]byte) error                   { return nil }
func (m *memory) Drain(_, _ func([]byte, netip.AddrPort)) {}
func (m *memory) SetRemote(_, _ netip.AddrPort)           {}
func (m *memory) Close() error                            { return nil }
