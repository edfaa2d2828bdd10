// Package amd tells from the sound of a called side whether a person, a machine
// or a fax has answered, as the platforms' machine detection does.
//
// A person says a word or two and waits; a machine talks on, and beeps. So what
// counts is how long the first speech lasts and how long the silence after it,
// and the tones of beeps and fax machines. Nothing knows words.
package amd

import (
	"fmt"
	"math"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/tones"
	"github.com/hookswitch/hookswitch/media/vad"
)

// Options are the parameters of the platforms' machine detection.
type Options struct {
	Rate               int           // Hz
	Timeout            time.Duration // the longest that it may take
	SpeechThreshold    time.Duration // speech of this length is a machine's
	SpeechEndThreshold time.Duration // a silence of this length ends speech
	SilenceTimeout     time.Duration // nothing is heard from the answer on: unknown

	// MessageEnd waits for the end of a machine's greeting.
	MessageEnd bool

	// FreqOnly takes any tone of a beep's pitch for one, at once and however
	// long it is. Without it a beep lasts 100 to 1500 ms, and is over when it
	// is told.
	FreqOnly bool
}

// Verdict is who has answered.
type Verdict struct {
	// AnsweredBy is human, machine_start, machine_end_beep,
	// machine_end_silence, machine_end_other, fax or unknown, as callbacks
	// have it.
	AnsweredBy string

	After time.Duration // since the answer
	Why   string        // what was heard, in one line for people
}

// Beeps of machines, and fax tones (ITU-T T.30 §4.3.3: CNG of 1100 ± 38 Hz for
// half a second, CED of 2100 ± 15 Hz for at least 2.6 s).
const (
	beepLow, beepHigh = 350.0, 2200.0
	shortestBeep      = 100 * time.Millisecond
	longestBeep       = 1500 * time.Millisecond
	faxTone           = 400 * time.Millisecond

	// ringing is the pitch under which a single tone before any speech is a
	// ringing tone that goes on after the answer; in most countries that is
	// 425 Hz for a second.
	ringing = 500.0

	// hush is by how much a silence is softer than the speech before it, in
	// power: 6 dB.
	hush = 4.0

	// lull is the shortest silence that ends a greeting whose beep is waited
	// for: between the last word and the beep there is often a second.
	lull = 2 * time.Second
)

// Detector hears the called side from the answer on. It serves one goroutine.
type Detector struct {
	o     Options
	voice *vad.Detector
	tones *tones.Detector

	now      time.Duration // since the answer, to the end of the last frame
	speaking bool
	began    time.Duration // when the first speech did; valid with phrases > 0
	ended    time.Duration // when the last speech did; now while there is some
	quiet    time.Duration // since when there is neither speech nor a tone
	phrases  int           // stretches of voice, with pauses of 200 ms and more between
	loud     power         // of all speech
	soft     power         // of what came after the last
	machine  string        // why it is one; "": not known

	tone  tones.Tone    // Low 0: none; its Since is of the whole
	first time.Duration // when it began
	gone  int           // frames since it was heard

	verdict Verdict
}

// New makes a detector.
func New(o Options) *Detector {
	return &Detector{o: o, voice: vad.New(o.Rate), tones: tones.NewDetector(o.Rate)}
}

// Hear takes the next 20 ms of the called side. It reports true once there is a
// verdict, which is the same for ever then. It costs 4 µs and does not block.
func (d *Detector) Hear(f pcm.Frame) (Verdict, bool) {
	if d.verdict.AnsweredBy != "" {
		return d.verdict, true
	}
	d.now += pcm.FrameTime
	speech := d.voice.Hear(f)
	who, why := d.signals(f)
	if who == "" {
		who, why = d.speaks(speech, f)
	}
	if who == "" && d.now >= d.o.Timeout {
		who, why = d.late()
	}
	if who == "" {
		return Verdict{}, false
	}
	d.verdict = Verdict{AnsweredBy: who, After: d.now, Why: fmt.Sprintf("%s after %s: %s", who, seconds(d.now), why)}
	return d.verdict, true
}

// signals follows beeps, fax and progress tones.
func (d *Detector) signals(f pcm.Frame) (who, why string) {
	over := d.follow(f)
	t := d.tone
	if over {
		d.tone = tones.Tone{}
	}
	if t.Low == 0 {
		return "", ""
	}
	if d.gone == 0 {
		d.quiet = d.now
	}
	switch {
	case d.phrases == 0 && (t.Single(1100, 38) || t.Single(2100, 25)):
		if t.Since >= faxTone {
			return "fax", fmt.Sprintf("a fax tone of %.0f Hz", t.Low)
		}
		if over {
			return d.beep(t)
		}
	case !d.beeps(t): // ringing, keys
	case d.o.FreqOnly && t.Since >= shortestBeep, over && t.Since >= shortestBeep && t.Since <= longestBeep:
		return d.beep(t)
	case t.Since > longestBeep && d.machine != "":
		return "machine_end_other", d.greeting() + fmt.Sprintf(", then a tone of %.0f Hz for more than %s", t.Low, seconds(longestBeep))
	}
	return "", ""
}

// follow keeps track of the tone that is heard. It reports whether one is over:
// noise may hide it for one frame, not for two.
func (d *Detector) follow(f pcm.Frame) (over bool) {
	t, ok := d.tones.Hear(f)
	if t.High != 0 && d.tone.High == 0 && t.High-t.Low < 60 && math.Abs((t.Low+t.High)/2-d.tone.Low) < 30 {
		t.Low, t.High = d.tone.Low, 0 // it fades, which looks like two that are close
	}
	switch {
	case !ok && d.tone.Low == 0:
		return false
	case !ok:
		d.gone++
		return d.gone == 2
	case d.tone.Low == 0, math.Abs(t.Low-d.tone.Low) > 30, math.Abs(t.High-d.tone.High) > 30:
		d.first = d.now - t.Since
	}
	d.gone, d.tone = 0, t
	d.tone.Since = d.now - d.first
	return false
}

// beeps reports whether t may be a machine's beep. A machine may beep without a
// word.
func (d *Detector) beeps(t tones.Tone) bool {
	low := beepLow
	if d.phrases == 0 {
		low = ringing
	}
	return t.High == 0 && t.Low >= low && t.Low <= beepHigh
}

func (d *Detector) beep(t tones.Tone) (who, why string) {
	why = fmt.Sprintf("a beep of %.0f Hz, %s", t.Low, seconds(t.Since))
	if d.phrases > 0 {
		why = d.greeting() + ", then " + why
	}
	if d.o.MessageEnd {
		return "machine_end_beep", why
	}
	return "machine_start", why
}

// speaks follows speech and silence.
func (d *Detector) speaks(speech bool, f pcm.Frame) (who, why string) {
	if speech {
		d.loud.add(f)
		d.soft = power{}
	} else if d.quiet == d.now { // a tone
		d.soft = power{}
	} else {
		d.soft.add(f)
	}
	switch {
	case speech && !d.speaking:
		if d.phrases == 0 {
			d.began = d.now - pcm.FrameTime - vad.Onset
		}
		d.phrases++
		d.ended = d.now
	case speech:
		d.ended = d.now
	case d.speaking: // the voice was over a while ago
		d.ended = d.now - vad.Hang
	}
	d.speaking = speech
	silence := d.now - max(d.quiet, d.ended)
	if d.phrases > 0 && silence >= d.o.SpeechEndThreshold && d.soft.mean() > d.loud.mean()/hush {
		d.ended, silence = d.now, 0 // music, which a voice detector takes for noise after a while
	}
	switch {
	case d.phrases == 0 && silence >= d.o.SilenceTimeout:
		return "unknown", "silence for " + seconds(silence)
	case d.phrases == 0:
	case d.machine == "" && d.length() >= d.o.SpeechThreshold:
		d.machine = d.greeting()
		if !d.o.MessageEnd {
			return "machine_start", d.machine
		}
	case d.machine == "" && silence >= d.o.SpeechEndThreshold:
		return "human", d.greeting() + ", then silence for " + seconds(silence)
	case d.machine != "" && silence >= max(lull, 2*d.o.SpeechEndThreshold):
		return "machine_end_silence", d.greeting() + ", then silence for " + seconds(silence)
	}
	return "", ""
}

// length is how long the speech has been, to the last word. While a voice is
// only held on to it is not known to go on.
func (d *Detector) length() time.Duration {
	if d.speaking {
		return d.ended - vad.Hang - d.began
	}
	return d.ended - d.began
}

// late is the verdict when time is up.
func (d *Detector) late() (who, why string) {
	switch {
	case d.machine != "":
		return "machine_end_other", d.greeting() + ", and no end of it in time"
	case d.phrases > 0:
		return "unknown", d.greeting() + ", and no end of it in time"
	}
	return "unknown", "nothing was heard in time"
}

func (d *Detector) greeting() string {
	phrases := "1 phrase"
	if d.phrases > 1 {
		phrases = fmt.Sprint(d.phrases, " phrases")
	}
	return fmt.Sprintf("%s of speech in %s", seconds(d.length()), phrases)
}

// power is that of frames.
type power struct {
	sum     float64
	samples int
}

func (p *power) add(f pcm.Frame) {
	for _, v := range f {
		p.sum += float64(v) * float64(v)
	}
	p.samples += len(f)
}

func (p *power) mean() float64 { return p.sum / float64(max(1, p.samples)) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
