// Package recording writes the sound of calls to WAV files as it is heard.
//
// A [Recording] is fed by taps on the pacer's goroutine and never keeps it
// waiting: frames are mixed into a buffer, and a goroutine of its own takes
// them to the [File]. A file whose program was killed opens as it is and holds
// all but the last second; [Repair] brings its header up to date. [EncodeMP3]
// makes the smaller file that some people ask for.
package recording

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/vad"
)

// File is where a recording grows: *os.File is one, [Buffer] another.
type File interface {
	io.WriterAt
	io.ReaderAt
	Sync() error
	Truncate(size int64) error
	Close() error
}

// Options say what a recording is like.
type Options struct {
	Rate      int           // Hz, a multiple of 50
	Channels  int           // 1 or 2
	Trim      bool          // leave out silence before the first voice or tone and after the last
	MaxLength time.Duration // of what is recorded, before it is trimmed; 0 is what a WAV file can hold, 4 GB
}

// Summary is what became of a recording.
type Summary struct {
	Duration time.Duration // of the file
	Speech   bool          // a voice or a tone was heard, on any channel
	Bytes    int64         // of the file, its header included
	Lost     time.Duration // of Duration: silence in place of what the disk was too slow for
}

const (
	second     = 50         // frames
	flushEvery = second / 2 // half of what a crash may cost: the other half is what the header tells too late
	mostHeld   = 5 * second // that wait for the disk
	around     = second / 5 // silence left before and after voice when trimmed
	mostLead   = second     // in which the first voice has begun when it is heard
	mostQueued = 3          // frames of an input that wait for the clock
)

// Recording is one that is under way. Its methods may be called from any
// goroutine.
type Recording struct {
	frame   int // samples of one channel in 20 ms
	block   int // bytes of all channels in 20 ms
	trim    bool
	longest int // frames
	file    wavFile
	full    chan struct{} // closed at longest
	wake    chan struct{} // there is something to write; closed by Close
	written chan struct{} // closed when the writer has ended

	mu           sync.Mutex // never held while the file is touched
	over         bool       // what is heard from now on is not recorded
	paused, skip bool
	inputs       []*input // the first is the clock
	channels     []channel
	pending      []byte    // heard, not with the writer yet
	lead         []float64 // levels of the pending frames, while there was no sound to trim to
	writing      int       // bytes that are with the writer
	missed       int       // frames dropped since pending became full
	lost         int       // frames dropped in all
	length       int       // frames recorded
	quiet        int       // frames heard since the last voice on channel 0
	sound        bool      // there was voice, or a tone
	after        int       // frames recorded since the last of either on any

	closing sync.Once
	summary Summary
	err     error
}

// channel is one of the file's.
type channel struct {
	sum    []int32
	frame  pcm.Frame
	voice  *vad.Detector
	speech bool // was heard
}

// New begins a recording in an empty file and writes its header. The file
// belongs to the recording from then on, unless New returns an error.
func New(f File, o Options) (*Recording, error) {
	if o.Rate < second || o.Rate%second != 0 || o.Channels < 1 || o.Channels > 2 {
		return nil, fmt.Errorf("recording of %d channels at %d Hz: want 1 or 2, and a multiple of 50 Hz", o.Channels, o.Rate)
	}
	r := &Recording{
		frame: pcm.FrameLen(o.Rate),
		trim:  o.Trim,
		file:  wavFile{f: f, rate: o.Rate, channels: o.Channels},
		full:  make(chan struct{}), wake: make(chan struct{}, 1), written: make(chan struct{}),
		channels: make([]channel, o.Channels),
	}
	r.block = 2 * o.Channels * r.frame
	r.longest = maxData / r.block
	if o.MaxLength > 0 {
		r.longest = max(1, min(r.longest, int(o.MaxLength/pcm.FrameTime)))
	}
	for i := range r.channels {
		r.channels[i] = channel{sum: make([]int32, r.frame), frame: make(pcm.Frame, r.frame), voice: vad.New(o.Rate)}
	}
	r.pending = make([]byte, 0, (mostLead+1)*r.block)
	if o.Trim {
		r.lead = make([]float64, 0, mostLead)
	}
	if err := r.file.setSize(0); err != nil {
		return nil, err
	}
	go r.write()
	return r, nil
}

// Input makes an input of a channel, counted from 0; one beyond the last goes
// to the last. Inputs of one channel are mixed. What is returned is a tap: it
// does not block, and does not keep the frame. A frame of another rate than the
// recording's is told by its length and resampled.
//
// The first input made is the clock: each of its frames is 20 ms of the
// recording. The others are at most 60 ms behind it: silence stands for what
// has not come, and what comes too fast is dropped, the oldest first.
func (r *Recording) Input(channel int) func(pcm.Frame) {
	in := &input{channel: min(max(channel, 0), len(r.channels)-1), frame: r.frame, queue: make([]int16, 0, mostQueued*r.frame)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inputs = append(r.inputs, in)
	return func(f pcm.Frame) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.over {
			return
		}
		in.put(f)
		if in == r.inputs[0] {
			r.tick()
		}
	}
}

// Pause goes on without sound until Resume: the time is left out of the
// recording when skip is set, and is silence else.
func (r *Recording) Pause(skip bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused, r.skip = true, skip
	if !r.over {
		r.rouse() // a pause may be long: what was heard before must not wait for its end
	}
}

// Resume ends a pause.
func (r *Recording) Resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = false
}

// Heard tells whether there was voice on channel 0 at all, and how long there
// has been none since: since the start, when there was none at all. Pauses do
// not count.
func (r *Recording) Heard() (speech bool, quiet time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.channels[0].speech, time.Duration(r.quiet) * pcm.FrameTime
}

// Done is closed when the recording has its greatest length. It takes no more
// sound then, and is to be closed all the same.
func (r *Recording) Done() <-chan struct{} { return r.full }

// Close ends the recording, and syncs and closes the file. The error is the
// first of the file: nothing was written after it, and the summary tells what
// is there. A further Close returns the same again.
func (r *Recording) Close() (Summary, error) {
	r.closing.Do(func() {
		r.mu.Lock()
		r.over = true
		close(r.wake)
		r.mu.Unlock()
		<-r.written
		if r.trim {
			r.file.cut(int64(max(0, r.after-around)) * int64(r.block))
		}
		r.err = r.file.close()
		r.summary = Summary{
			Duration: r.file.duration(), Speech: r.sound,
			Bytes: headerSize + r.file.size, Lost: time.Duration(r.lost) * pcm.FrameTime,
		}
	})
	return r.summary, r.err
}

// tick records 20 ms: the oldest frame of each input.
func (r *Recording) tick() {
	for i := range r.channels {
		clear(r.channels[i].sum)
	}
	for _, in := range r.inputs {
		in.mix(r.channels[in.channel].sum)
	}
	switch {
	case r.paused && r.skip:
		return
	case r.paused:
		for i := range r.channels {
			clear(r.channels[i].frame)
		}
		r.after++
	default:
		r.listen()
	}
	r.keep()
	if r.length++; r.length == r.longest {
		r.over = true
		close(r.full)
		r.rouse()
	}
}

// listen makes frames of the sums, and hears whether somebody speaks.
func (r *Recording) listen() {
	r.quiet++
	r.after++
	for i := range r.channels {
		c := &r.channels[i]
		for n, v := range c.sum {
			c.frame[n] = int16(min(max(v, math.MinInt16), math.MaxInt16))
		}
		voice := c.voice.Hear(c.frame)
		switch {
		case voice:
			r.sound, r.after = true, 0
		case c.voice.Tone(): // what is trimmed is silence, not a beep
			r.sound, r.after = true, -int(vad.Hang/pcm.FrameTime) // a voice is held on for as long
		}
		c.speech = c.speech || voice
		if voice && i == 0 {
			r.quiet = 0
		}
	}
}

// keep adds the frames to what is to be written.
func (r *Recording) keep() {
	// Once there is no room there is none until the writer takes what is
	// pending, and puts silence behind it for all that was missed.
	if len(r.pending)+r.writing >= mostHeld*r.block {
		r.missed++
		r.lost++
		return
	}
	for n := range r.frame {
		for i := range r.channels {
			r.pending = binary.LittleEndian.AppendUint16(r.pending, uint16(r.channels[i].frame[n]))
		}
	}
	if r.lead != nil && !r.begun() {
		return
	}
	if len(r.pending) >= flushEvery*r.block {
		r.rouse()
	}
}

// begun holds back what is heard until there is voice or a tone, and cuts the silence
// before it then.
//
// A detector is sure of a voice that was there from the first frame only after
// the first gap in it. So where the voice began is found when it is heard: at
// the first frame that stands out from the quietest by what a detector asks
// for.
func (r *Recording) begun() bool {
	const floor, margin = -60, 9 // dB
	loudest := math.Inf(-1)
	for i := range r.channels {
		loudest = max(loudest, pcm.Level(r.channels[i].frame))
	}
	if len(r.lead) == mostLead {
		r.cutLead(1)
	}
	r.lead = append(r.lead, loudest)
	if !r.sound {
		return false
	}
	quietest := max(floor, slices.Min(r.lead))
	r.cutLead(slices.IndexFunc(r.lead, func(level float64) bool { return level > quietest+margin }) - around)
	r.lead = nil
	return true
}

// cutLead drops the first n frames that are held back.
func (r *Recording) cutLead(n int) {
	if n = max(n, 0); n > 0 {
		r.pending = r.pending[:copy(r.pending, r.pending[n*r.block:])]
		r.lead = r.lead[:copy(r.lead, r.lead[n:])]
	}
}

// rouse wakes the writer.
func (r *Recording) rouse() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
}

// write takes to the file what is pending, each time it is woken. The buffer
// that it has written out is the next to be filled.
func (r *Recording) write() {
	defer close(r.written)
	var out []byte
	for open := true; open; {
		_, open = <-r.wake
		var missed int
		out, missed = r.take(out[:0])
		r.file.append(out)
		r.file.appendSilence(missed, r.block)
	}
}

// take exchanges what is pending for an empty buffer. missed is how many frames
// were dropped behind it.
func (r *Recording) take(empty []byte) (out []byte, missed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writing = 0; r.lead != nil {
		return empty, 0
	}
	out, r.pending = r.pending, empty
	missed, r.missed = r.missed, 0
	r.writing = len(out)
	return out, missed
}
