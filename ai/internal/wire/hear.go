package wire

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

const (
	aliveEvery      = 4 * time.Second // Deepgram asks for one in 3 to 5 s
	longestMessage  = 5               // frames; more than one only when sound has piled up
	transcriptLimit = 32 << 10        // bytes of one result
)

// Ears is a WebSocket that takes sound as binary messages of 16-bit samples
// and answers with text messages.
type Ears struct {
	Provider Provider
	URL      string
	Header   http.Header

	KeepAlive string // the message that holds the connection while no sound comes
	End       string // the message after the last sound

	// Steady says that the engine tells something of all sound, of silence
	// too: then silence of its own is a fault, not only within an utterance.
	Steady bool

	// Quiet is for engines that do not end the connection after End: they are
	// taken to be done when they were silent for so long. 0: they do end it.
	Quiet time.Duration

	// Decode reads one message: results to yield, or an *ai.Error.
	Decode func(msg []byte) ([]ai.Result, error)
}

// Hear opens the socket and yields what comes of sound, as ai.ASR has it.
// Results that are not final are left out unless h wants them.
func (e Ears) Hear(ctx context.Context, h ai.Hearing, sound <-chan pcm.Frame) iter.Seq2[ai.Result, error] {
	return func(yield func(ai.Result, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		var works sync.WaitGroup
		held := newBacklog()
		defer func() {
			cancel(errDone)
			works.Wait()
		}()
		works.Go(func() { held.fill(ctx, sound) })

		s, err := e.Provider.Dial(ctx, e.URL, e.Header)
		if err != nil {
			yield(ai.Result{}, err)
			return
		}
		defer s.Close()
		var told debt
		works.Go(func() {
			// A write that hangs ends the hearing, and its cause with it.
			stalled := time.AfterFunc(e.Provider.timeout, func() {
				cancel(e.Provider.Fault(ai.Timeout, fmt.Sprintf("took no sound for %v", e.Provider.timeout), nil))
			})
			defer stalled.Stop()
			e.send(ctx, s, held, &told, stalled)
		})
		if err := e.listen(ctx, h, s, &told, yield); err != nil {
			yield(ai.Result{}, err)
		}
	}
}

// debt is what the engine was given since it last said something.
type debt struct {
	since atomic.Int64 // when the first of it was sent, in ns since 1970; 0: none
	sound atomic.Int64 // how much, in ns
	ended atomic.Bool  // End was sent
}

func (d *debt) add(frames int) {
	d.since.CompareAndSwap(0, time.Now().UnixNano())
	d.sound.Add(int64(frames) * int64(pcm.FrameTime))
}

func (d *debt) end() {
	d.since.Store(time.Now().UnixNano())
	d.ended.Store(true)
}

// answered notes that the engine has said something. After the end it owes
// more until it closes.
func (d *debt) answered() {
	if d.ended.Load() {
		d.since.Store(time.Now().UnixNano())
		return
	}
	d.since.Store(0)
	d.sound.Store(0)
}

// send writes what is held until no more comes, then End. Frames that have
// piled up go together. stalled runs while a message is being written. When a
// write fails the connection has ended, and its reader knows why.
func (e Ears) send(ctx context.Context, s *Socket, held backlog, told *debt, stalled *time.Timer) {
	idle := time.NewTimer(aliveEvery)
	defer idle.Stop()
	var msg []byte
	for {
		stalled.Stop()
		var err error
		select {
		case frame, more := <-held:
			stalled.Reset(e.Provider.timeout)
			if !more {
				if ctx.Err() == nil {
					told.end()
					s.Send(ctx, e.End)
				}
				return
			}
			msg = pcm.AppendBytes(msg[:0], frame)
			frames := 1
			for ; frames < longestMessage && len(held) > 0; frames++ {
				msg = pcm.AppendBytes(msg, <-held)
			}
			err = s.ws.Write(ctx, websocket.MessageBinary, msg)
			told.add(frames)
		case <-idle.C:
			stalled.Reset(e.Provider.timeout)
			err = s.Send(ctx, e.KeepAlive)
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		idle.Reset(aliveEvery)
	}
}

// listen yields results until the engine ends (nil), the consumer wants no more
// (nil), or something is wrong.
func (e Ears) listen(ctx context.Context, h ai.Hearing, s *Socket, told *debt, yield func(ai.Result, error) bool) error {
	partial := false // an utterance is under way
	watch := time.NewTimer(watchEvery)
	defer watch.Stop()
	for {
		var msg Message
		var more bool
		select {
		case msg, more = <-s.Messages:
		case <-watch.C:
			watch.Reset(watchEvery)
			if len(s.Messages) > 0 {
				continue // it was the consumer that took its time
			}
			if over, err := e.overdue(told, partial); over || err != nil {
				return err
			}
			continue
		case <-ctx.Done():
		}
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if !more {
			if told.ended.Load() && s.Ended() {
				return nil
			}
			return e.Provider.Closed(s.Err())
		}
		told.answered()
		if msg.Binary {
			return e.Provider.Fault(ai.Protocol, "answered with sound in place of text", nil)
		}
		results, err := e.Decode(msg.Data)
		if err != nil {
			return err
		}
		for _, r := range results {
			if len(r.Text) > transcriptLimit {
				return e.Provider.Fault(ai.Protocol, fmt.Sprintf("sent a transcript above %d bytes", transcriptLimit), nil)
			}
			partial = !r.Final && !r.Over && r.Text != ""
			if !r.Final && !r.Over && !h.Interim {
				continue
			}
			if !yield(r, nil) {
				return nil
			}
		}
	}
}

// watchEvery is how often a debt is looked at. An engine is found silent so
// much late at most.
const watchEvery = 250 * time.Millisecond

// overdue tells whether an engine that says nothing is done, or has failed: it
// must answer the end, sound within an utterance, and all sound if it is
// steady. Half the time must have been sound, for a silent line is owed
// nothing.
func (e Ears) overdue(told *debt, partial bool) (done bool, err error) {
	since := told.since.Load()
	if since == 0 {
		return false, nil
	}
	silent := time.Since(time.Unix(0, since))
	switch ended := told.ended.Load(); {
	case ended && e.Quiet > 0:
		return silent >= e.Quiet, nil
	case silent < e.Provider.timeout:
		return false, nil
	case ended, (partial || e.Steady) && time.Duration(told.sound.Load()) >= e.Provider.timeout/2:
		return false, e.Provider.Silent()
	}
	return false, nil
}
