package calltest

import (
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
)

// recordings are those of a script: kept in memory, and told in the trace by
// what can be heard in them.
type recordings struct {
	runtime.Recordings
	trace *trace
}

// Commit keeps a recording (runtime.Recordings).
func (r recordings) Commit(ctx context.Context, sid, format string) (got string, err error) {
	if got, err = r.Recordings.Commit(ctx, sid, format); got == "" {
		return got, err
	}
	file, _, openErr := r.Open(sid)
	if openErr != nil {
		return got, err
	}
	defer file.Close()
	if b, readErr := io.ReadAll(file); readErr == nil {
		r.trace.note(sid, "recording "+described(b))
	}
	return got, err
}

// wavHeader is the size of a WAV header as recordings have it: 16-bit PCM.
const wavHeader = 44

// described says how long the recording in a WAV file is, and what is in each
// of its channels.
func described(file []byte) string {
	if len(file) < wavHeader {
		return "without sound"
	}
	le := binary.LittleEndian
	channels, hz := int(le.Uint16(file[22:])), int(le.Uint32(file[24:]))
	sound := make([][]int16, channels)
	for i := 0; wavHeader+2*i+2 <= len(file) && channels > 0; i++ {
		sound[i%channels] = append(sound[i%channels], int16(le.Uint16(file[wavHeader+2*i:])))
	}
	said := make([]string, channels)
	total := time.Duration(0)
	for i, channel := range sound {
		said[i] = contents(channel, hz)
		total = pcm.Clip{Rate: hz, Samples: channel}.Duration()
	}
	return total.Round(tenth).String() + ": " + strings.Join(said, " | ")
}

const tenth = 100 * time.Millisecond

// mostSounds are named of one channel; the rest is left out.
const mostSounds = 16

// span is a part of a channel with the same pitches all through.
type span struct {
	sound  string // in words
	frames int
}

// contents says what is in one channel: pitches and silence with their lengths,
// to 100 ms.
func contents(sound []int16, rate int) string {
	var told []string
	end, from := 0, time.Duration(0)
	for _, s := range spans(sound, rate) {
		end += s.frames
		to := (time.Duration(end) * pcm.FrameTime).Round(tenth)
		switch {
		case to == from:
		case len(told) == mostSounds:
			return strings.Join(told, ", ") + ", …"
		default:
			told = append(told, s.sound+" "+(to-from).String())
		}
		from = to
	}
	return strings.Join(told, ", ")
}

// spans takes a channel apart. What lasts less than 60 ms belongs to what was
// there before: it is where one sound ends and another begins.
func spans(sound []int16, rate int) (list []span) {
	known, frame := allPitches(sound, rate), pcm.FrameLen(rate)
	var raw []span
	for at := 0; at+frame <= len(sound); at += frame {
		label := inWords(among(known, sound[at:at+frame], rate))
		if n := len(raw); n > 0 && raw[n-1].sound == label {
			raw[n-1].frames++
		} else {
			raw = append(raw, span{label, 1})
		}
	}
	for _, s := range raw {
		if n := len(list); n > 0 && (s.frames < 3 || list[n-1].sound == s.sound) {
			list[n-1].frames += s.frames
		} else {
			list = append(list, s)
		}
	}
	return list
}

// allPitches are those that can be heard anywhere in sound, the most frequent
// first.
func allPitches(sound []int16, rate int) (all []float64) {
	count := map[float64]int{}
	window := 5 * pcm.FrameLen(rate)
	for at := 0; at+window <= len(sound); at += window {
		for _, hz := range pitches(sound[at:at+window], rate) {
			count[hz]++
		}
	}
	for hz := range count {
		all = append(all, hz)
	}
	slices.SortFunc(all, func(a, b float64) int { return cmp.Or(count[b]-count[a], cmp.Compare(a, b)) })
	var apart []float64
	for _, hz := range all {
		if !near(apart, hz) {
			apart = append(apart, hz)
		}
	}
	return apart
}

// among are those of the known pitches that can be heard in one frame, from low
// to high.
func among(known []float64, frame []int16, rate int) (heard []float64) {
	if pcm.Level(frame) < quiet {
		return nil
	}
	most := 0.0
	for _, hz := range known {
		most = max(most, pcm.Share(frame, rate, hz))
	}
	for _, hz := range known {
		if pcm.Share(frame, rate, hz) > most/4 {
			heard = append(heard, hz)
		}
	}
	slices.Sort(heard)
	return heard
}
