package calltest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// step is an action, or one packet of an action that lasts.
type step struct {
	action
	begins bool // the first of its action
	do     func(*phone, *trace)
}

// steps are the actions with those that last taken apart, in order of time.
func (s *Script) steps() []step {
	var steps []step
	for _, a := range s.actions {
		begins := true
		add := func(at time.Duration, do func(*phone, *trace)) {
			b := a
			b.at = at
			steps = append(steps, step{b, begins, do})
			begins = false
		}
		switch a.verb {
		case "press":
			press(a, add)
		case "info":
			info(a, add)
		case "say":
			speech(a, pcm.Tone(rate, time.Duration(len(a.args))*perWord, 0.3, 300), add)
		case "tone":
			hz, _ := pitch(a.args[0]) // checked by Parse, as the lengths are
			d, _ := length(a.args[1])
			speech(a, pcm.Tone(rate, d, 0.3, hz), add)
		case "silence":
			d, _ := length(a.args[0])
			speech(a, pcm.Silence(rate, d), add)
		case "hold", "resume":
			add(a.at, func(p *phone, _ *trace) { p.Stream().Configure(p.config(a.verb == "resume")) })
		case "listen":
			add(a.at, func(p *phone, tr *trace) { tr.note("hears " + p.hears()) })
		case "hangup":
			add(a.at, hangup)
		default: // call, and wait, which only is there
			add(a.at, func(*phone, *trace) {})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return int(a.at - b.at) })
	return steps
}

// unheard notes that nobody was there for what the caller does now.
func (s step) unheard(tr *trace, why string) {
	if s.begins && s.verb != "hangup" && s.verb != "wait" {
		tr.note(strings.Join(append([]string{s.verb}, s.args...), " ") + ": " + why)
	}
}

// hangup is the caller's end of the call.
func hangup(p *phone, tr *trace) {
	tr.note("caller hangs up")
	p.end(errHungUp)
}

// Keys of a caller: held this long, and this far apart.
const (
	keyDown = 100 * time.Millisecond
	keyGap  = 100 * time.Millisecond
)

// keys calls f for each key of a with its time, pauses taken into account.
func keys(a action, f func(at time.Duration, key byte)) {
	at := a.at
	for _, key := range []byte(a.args[0]) {
		switch key {
		case 'w':
			at += 500 * time.Millisecond
		case 'W':
			at += time.Second
		default:
			f(at, key)
			at += keyDown + keyGap
		}
	}
}

// press presses keys as RFC 4733 events, a packet every 20 ms, whose end is
// told three times (its §2.5.1.4).
func press(a action, add func(time.Duration, func(*phone, *trace))) {
	keys(a, func(at time.Duration, key byte) {
		var begun uint32
		for held := time.Duration(0); held <= keyDown; held += pcm.FrameTime {
			add(at+held, func(p *phone, _ *trace) {
				if held == 0 {
					begun = p.now()
				}
				times := 1
				if held == keyDown {
					times = 3
				}
				for range times {
					p.key(key, begun, held+pcm.FrameTime, held == 0, held == keyDown)
				}
			})
		}
	})
}

// info presses keys as the signalling does, by SIP INFO.
func info(a action, add func(time.Duration, func(*phone, *trace))) {
	keys(a, func(at time.Duration, key byte) {
		add(at, func(p *phone, _ *trace) { p.Stream().Press(rune(key)) })
	})
}

// speech sends sound, a packet every 20 ms.
func speech(a action, sound pcm.Clip, add func(time.Duration, func(*phone, *trace))) {
	n := pcm.FrameLen(rate)
	for i := 0; i+n <= len(sound.Samples); i += n {
		add(a.at+time.Duration(i)*time.Second/rate, func(p *phone, _ *trace) { p.speak(sound.Samples[i : i+n]) })
	}
}

// hears says in words what came in the last 100 ms: silence, or the one or two
// pitches in it, to 10 Hz.
func (p *phone) hears() string {
	p.mu.Lock()
	p.hear(nil)
	sound := slices.Clone(p.heard)
	p.mu.Unlock()
	if len(sound) == 0 || pcm.Level(sound) < -50 {
		return "silence"
	}
	loudest := func(fits func(hz float64) bool) (best, share float64) {
		for hz := 50.0; hz <= 3500; hz += 10 {
			if s := pcm.Share(sound, rate, hz); fits(hz) && s > share {
				best, share = hz, s
			}
		}
		return best, share
	}
	first, most := loudest(func(float64) bool { return true })
	second, share := loudest(func(hz float64) bool { return math.Abs(hz-first) > 50 })
	if share > most/4 {
		return fmt.Sprintf("%g Hz and %g Hz", min(first, second), max(first, second))
	}
	return fmt.Sprintf("%g Hz", first)
}
