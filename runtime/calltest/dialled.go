package calltest

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime"
)

// Progress brings the statuses of a dialled phone (runtime.Outgoing).
func (p *phone) Progress() <-chan int { return p.progress }

// Headers are those of the final answer (runtime.Outgoing).
func (p *phone) Headers() map[string][]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.answered && p.err == nil {
		return nil
	}
	return p.stage.script.known(p.letter).headers
}

// tell tells a provisional status, each once.
func (p *phone) tell(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.final && !slices.Contains(p.told, status) {
		p.told = append(p.told, status)
		p.progress <- status
	}
}

// early sends a tone from before the answer, until there is one.
func (p *phone) early(hz float64) {
	p.speaks(context.Background(), false)
	p.tell(183)
	p.tone(hz, 0)
}

// tone sends frame n of an early tone, and the ones after it.
func (p *phone) tone(hz float64, n int) {
	f := make(pcm.Frame, pcm.FrameLen(rate))
	for i := range f {
		f[i] = int16(0.3 * 32767 * math.Sin(2*math.Pi*hz*float64(n*len(f)+i)/rate))
	}
	p.speak(f)
	p.stage.add(step{
		action: action{at: p.stage.trace.now() + pcm.FrameTime, leg: p.letter, verb: "early"},
		behind: true,
		do:     func(p *phone) { p.tone(hz, n+1) },
	})
}

// finish tells the final status, and reports whether it is the first one.
func (p *phone) finish(status int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conclude(status)
}

// conclude is finish while p.mu is held.
func (p *phone) conclude(status int) bool {
	if p.final {
		return false
	}
	p.final = true
	p.progress <- status
	close(p.progress)
	return true
}

// answer takes the call of a dialled phone.
func (p *phone) answer() { p.speaks(context.Background(), true) }

// refuse ends the call of a dialled phone that has not answered. It is told in
// the trace as what says: nothing else would tell of it.
func (p *phone) refuse(status int, says string) {
	if p.finish(status) {
		p.note(says)
		p.end(fmt.Errorf("%s answered %d", p.letter, status))
	}
}

// invite is what the INVITE to a dialled leg says, for the trace.
func invite(to runtime.Destination) string {
	var b strings.Builder
	from := to.From
	if from == "" {
		from = "anonymous"
	}
	b.WriteString(" from " + from)
	if to.Display != "" {
		fmt.Fprintf(&b, " %q", to.Display)
	}
	b.WriteString(headers(to.Headers))
	if to.Username != "" {
		b.WriteString(" as " + to.Username)
	}
	return b.String()
}

// headers are headers in a line of the trace, in order of their names.
func headers(h map[string][]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			fmt.Fprintf(&b, " %s: %s", name, value)
		}
	}
	return b.String()
}
