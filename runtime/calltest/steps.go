package calltest

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// step is an action, or one packet of an action that lasts.
type step struct {
	action
	begins bool // the first of an action that is a line of the script
	behind bool // goes on by itself for as long as the leg does: nothing to wait for
	do     func(*phone)
	on     func(*socket) // in place of do, of a WebSocket server
}

// steps are the actions with those that last taken apart, in order of time.
func (s *Script) steps() []step {
	var steps []step
	for _, a := range s.actions {
		steps = append(steps, s.stepsOf(a)...)
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return steps
}

// stepsOf takes an action apart.
func (s *Script) stepsOf(a action) (steps []step) {
	if isSocket(a.leg) {
		return s.socketSteps(a)
	}
	add := func(at time.Duration, do func(*phone)) {
		b := a
		b.at = at
		steps = append(steps, step{action: b, begins: len(steps) == 0, do: do})
	}
	switch a.verb {
	case "press":
		press(a, add)
	case "info":
		info(a, add)
	case "say":
		speech(a, pcm.Tone(rate, time.Duration(len(a.args))*perWord, 0.3, 300), add)
	case "says":
		speech(a, s.words.speak(a.says.words, rate, a.says.each()), add)
	case "tone":
		hz, _ := pitch(a.args[0]) // checked by Parse, as all words are
		d, _ := length(a.args[1])
		speech(a, pcm.Tone(rate, d, 0.3, hz), add)
	case "silence":
		d, _ := length(a.args[0])
		speech(a, pcm.Silence(rate, d), add)
	case "hold", "resume":
		add(a.at, func(p *phone) { p.Stream().Configure(p.config(a.verb == "resume", len(a.args) == 0)) })
	case "listen":
		add(a.at, func(p *phone) { p.note("hears " + p.hears()) })
	case "hangup":
		add(a.at, (*phone).hangup)
	case "refer":
		add(a.at, func(p *phone) { p.refer(a.args[0]) })
	case "ring":
		add(a.at, func(p *phone) { p.tell(180) })
	case "early":
		hz, _ := pitch(a.args[0])
		add(a.at, func(p *phone) { p.early(hz) })
	case "answer":
		add(a.at, (*phone).answer)
	case "busy":
		add(a.at, func(p *phone) { p.refuse(486, "busy") })
	case "reject":
		n, _ := strconv.Atoi(a.args[0])
		add(a.at, func(p *phone) { p.refuse(n, "rejects "+a.args[0]) })
	default: // call and wait, which have nothing to do with a phone
		add(a.at, func(*phone) {})
	}
	return steps
}

// take does a step on p, the phone of its leg; nil when there is none yet.
func (s step) take(st *stage, p *phone) {
	why := ""
	switch {
	case s.verb == "call":
		st.call(s.action)
		return
	case s.verb == "wait":
		return
	case s.on != nil:
		why = st.socket(s.leg).unable()
	case p == nil:
		why = "nobody calls " + s.leg
	case p.Err() != nil && s.verb == "hangup":
		return
	case p.Err() != nil:
		why = "the call is over"
	default:
		why = p.unable(s.verb)
	}
	switch {
	case why == "" && s.on != nil:
		s.on(st.socket(s.leg))
	case why == "":
		s.do(p)
	case s.begins:
		st.trace.note(s.leg, s.String()+": "+why)
	}
}

// Keys of a telephone: held this long, and this far apart.
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
func press(a action, add func(time.Duration, func(*phone))) {
	keys(a, func(at time.Duration, key byte) {
		var begun uint32
		for held := time.Duration(0); held <= keyDown; held += pcm.FrameTime {
			add(at+held, func(p *phone) {
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
func info(a action, add func(time.Duration, func(*phone))) {
	keys(a, func(at time.Duration, key byte) {
		add(at, func(p *phone) { p.Stream().Press(rune(key)) })
	})
}

// speech sends sound, a packet every 20 ms.
func speech(a action, sound pcm.Clip, add func(time.Duration, func(*phone))) {
	n := pcm.FrameLen(rate)
	for i := 0; i+n <= len(sound.Samples); i += n {
		add(a.at+time.Duration(i)*time.Second/rate, func(p *phone) { p.speak(sound.Samples[i : i+n]) })
	}
}
