package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/audio"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime/stream"
	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// What a server may send, and how long we wait for it.
const (
	mostAhead   = 5 * time.Minute             // sound that waits to be played: 5 MB at 8 kHz
	mostMarks   = 1000                        // that wait for their sound
	longestRTP  = 30 * time.Second            // sound in one message (Telnyx)
	betweenMP3s = 900 * time.Millisecond      // one a second, and what the network takes away from that
	goodbye     = time.Second                 // for what is still to be sent when a stream ends
	warnAgain   = 10 * time.Second            // after a warning of the same kind
	mostWrong   = 100                         // messages in that time; more are read slowly
	slowly      = 10 * time.Millisecond       // before the next one
	lostAgain   = warnAgain + pcm.FrameTime/2 // for losses: between two frames, so that each is counted once at a time that is its own
)

// link is a stream on one socket, from its first message to its last.
type link struct {
	*mediaStream
	socket webhook.Socket
	out    *outbox
	list   *media.Playlist // what the server sends; nil: it is not played
	fed    chan struct{}   // holds a value when list has got something
	marks  atomic.Int32    // that wait

	// What follows is the reader's.
	decoder *stream.Decoder // nil: MP3s
	lastMP3 time.Time
	warned  map[string]warned // by what it was
}

// warned is what a server did wrong.
type warned struct {
	code  int
	at    time.Time // of the last warning
	count int       // times since then
}

// run sends and plays until ctx is done, when it is stopped in good order, or the
// socket ends. Then it returns nil when the server has closed it, or what went
// wrong.
func (m *mediaStream) run(ctx context.Context, socket webhook.Socket) error {
	rate := m.leg.Stream().Rate()
	l := &link{mediaStream: m, socket: socket, out: newOutbox(len(m.start.Tracks), rate), fed: make(chan struct{}, 1), warned: map[string]warned{}}
	if m.back != nil {
		l.list = media.NewPlaylist(rate)
		if !m.mp3 {
			var err error
			if l.decoder, err = stream.NewDecoder(*m.back, rate); err != nil {
				socket.Close(1011, "")
				return err
			}
		}
	}

	live, end := context.WithCancelCause(ctx)
	defer end(nil)
	// What is under way when the stream ends is sent, if the server takes it.
	open, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var beside sync.WaitGroup
	beside.Go(func() {
		err := io.ErrUnexpectedEOF // a fault of ours ends the stream
		l.call.guard(func() { err = l.read(open, live) })
		end(err)
	})
	beside.Go(func() { l.watch(live) })
	if l.list != nil {
		beside.Go(func() { l.play(live) })
	}
	beside.Go(func() {
		<-live.Done()
		late := time.NewTimer(goodbye)
		defer late.Stop()
		select {
		case <-late.C:
			cut()
		case <-open.Done():
		}
	})

	end(l.write(ctx, open, live))
	socket.Close(1000, "")
	cut()
	beside.Wait()
	l.tellLost()
	for _, what := range slices.Sorted(maps.Keys(l.warned)) {
		l.tellWrong(what)
	}
	if cause := context.Cause(live); ctx.Err() == nil && !errors.Is(cause, io.EOF) {
		return cause
	}
	return nil
}

// write sends what there is to send until ctx is done, and then what is left of
// it and the goodbye. It ends early when live does, or with an error.
func (l *link) write(ctx, open, live context.Context) error {
	wire := stream.New(l.start)
	for _, first := range [][]byte{wire.Connected(), wire.Start()} {
		if err := l.socket.Write(open, first); err != nil {
			return err
		}
	}
	for _, track := range l.start.Tracks {
		from := l.leg.Stream().Tap
		if track == stream.Outbound {
			from = l.leg.Stream().TapSent
		}
		defer from(func(f pcm.Frame) { l.out.hear(track, f) })()
	}
	defer context.AfterFunc(live, l.out.close)()
	var encoder *stream.Encoder
	var rate int // of what it encodes
	var piece sound
	var payload, msg []byte
	for {
		if live.Err() != nil && ctx.Err() == nil { // nobody is there any more
			return nil
		}
		write, ok := l.out.take(&piece)
		switch {
		case ok && write != nil:
			msg = write(wire)
		case ok:
			var err error
			if now := len(piece.samples) * int(time.Second/pcm.FrameTime); now != rate { // a re-INVITE changed the codec
				if encoder, err = stream.NewEncoder(l.start.Format, now); err != nil {
					return err
				}
				rate = now
			}
			if payload, err = encoder.Encode(payload, piece.samples); err != nil {
				return err
			}
			msg = wire.Media(msg[:0], piece.track, piece.at, payload)
		case ctx.Err() != nil:
			return l.socket.Write(open, wire.Stop())
		default:
			select {
			case <-l.out.ready:
			case <-live.Done():
			}
			continue
		}
		if err := l.socket.Write(open, msg); err != nil {
			return err
		}
	}
}

// read takes what the server sends until the socket ends, and returns why it did.
func (l *link) read(open, live context.Context) error {
	for {
		b, err := l.socket.Read(open)
		if err != nil {
			return err
		}
		// Where nothing is played, messages have no effect.
		if l.list == nil || live.Err() != nil {
			continue
		}
		m, err := stream.Read(l.start.Telnyx, l.start.StreamSID, b)
		if err == nil {
			err = l.take(m)
		}
		if fault, ok := errors.AsType[*stream.Fault](err); ok {
			if l.start.Telnyx {
				l.out.tell(func(w *stream.Wire) []byte { return w.Error(fault) })
			}
			l.wrong(fault.Code, fault.Detail)
			if l.warned[fault.Detail].count > mostWrong { // its nonsense is not to cost other calls their time
				select {
				case <-time.After(slowly):
				case <-open.Done():
				}
			}
		}
	}
}

// take does what a message asks for.
func (l *link) take(m stream.Message) error {
	switch m.Event {
	case "media":
		samples, err := l.decode(m.Payload)
		if err != nil {
			return err
		}
		if l.list.Buffered() >= mostAhead {
			l.wrong(31930, fmt.Sprintf("sound is dropped: %v of it wait already to be played", mostAhead))
			return nil
		}
		l.list.Append(samples)
	case "mark":
		if l.marks.Add(1) > mostMarks {
			l.marks.Add(-1)
			l.wrong(31930, fmt.Sprintf("a mark is dropped: %d of them wait already", mostMarks))
			return nil
		}
		l.list.Mark(func() {
			l.marks.Add(-1)
			l.out.tell(func(w *stream.Wire) []byte { return w.Mark(m.Mark) })
		})
	case "clear":
		l.list.Flush()
	}
	signal(l.fed)
	return nil
}

// decode gives the sound of a payload.
func (l *link) decode(payload []byte) ([]int16, error) {
	telnyx, rate := l.start.Telnyx, l.list.Rate()
	if l.decoder != nil {
		samples, err := l.decoder.Decode(payload)
		switch {
		case err != nil:
			return nil, stream.BadMedia(telnyx, err.Error())
		case telnyx && len(samples) > rate*int(longestRTP/time.Second):
			return nil, stream.BadMedia(telnyx, fmt.Sprintf("the payload has more than %v of sound", longestRTP))
		}
		return samples, nil
	}
	now := time.Now()
	if now.Sub(l.lastMP3) < betweenMP3s {
		return nil, stream.RateLimit()
	}
	l.lastMP3 = now
	clip, err := audio.Decode("audio/mpeg", "", payload)
	if err != nil || len(clip.Samples) == 0 {
		return nil, stream.BadMedia(telnyx, "the payload is no MP3; with bidirectionalMode rtp it may be a codec's")
	}
	return clip.At(rate).Samples, nil
}

// play plays what the server sends until ctx is done. In <Connect> nothing else
// is heard. Beside other verbs only what there is: what plays stops for it, and
// a caller who is joined with somebody goes on hearing them.
func (l *link) play(ctx context.Context) {
	if l.alone {
		l.leg.Stream().Play(ctx, l.list)
		return
	}
	for {
		select {
		case <-l.fed:
			if l.leg.Stream().Play(ctx, available{l.list}) == nil {
				continue
			}
		case <-ctx.Done():
		}
		return
	}
}

// available is a playlist that ends when nothing of it is left.
type available struct{ *media.Playlist }

func (a available) Next(f pcm.Frame) bool {
	more := a.Buffered() > 0
	a.Playlist.Next(f) // the marks at its end are due with it
	return more
}

// watch tells the server of keys, and us of what was lost, until ctx is done.
func (l *link) watch(ctx context.Context) {
	var keys <-chan rune
	if l.keys {
		keys = l.leg.Stream().Keys(ctx)
	}
	var again <-chan time.Time // since a loss was told; until then none is
	loss := l.out.loss
	for {
		select {
		case key, ok := <-keys:
			if !ok {
				return
			}
			at := time.Now()
			l.out.tell(func(w *stream.Wire) []byte { return w.DTMF(key, at) })
		case <-loss:
			l.tellLost()
			loss, again = nil, time.After(lostAgain)
		case <-again:
			loss, again = l.out.loss, nil
		case <-ctx.Done():
			return
		}
	}
}

// tellLost notes how much the server has missed since the last time.
func (l *link) tellLost() {
	if n := l.out.losses(); n > 0 {
		l.call.note("warning", fmt.Sprintf("%sthe server of the stream is too slow; messages lost: %d", l.place, n), "", 31931)
	}
}

// wrong notes what the server did wrong; the same again only from time to time.
func (l *link) wrong(code int, what string) {
	w, known := l.warned[what]
	if known && time.Since(w.at) < warnAgain {
		w.count++
	} else {
		l.tellWrong(what)
		l.call.note("warning", l.place+"stream: "+what, "", code)
		w = warned{code: code, at: time.Now()}
	}
	l.warned[what] = w
}

// tellWrong notes how often the server did something since the last warning.
func (l *link) tellWrong(what string) {
	if w := l.warned[what]; w.count > 0 {
		l.call.note("warning", fmt.Sprintf("%sstream: %d times more: %s", l.place, w.count, what), "", w.code)
	}
}
