package runtime

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/runtime/stream"
)

// taken is what an outbox gives until it is empty, in short.
func taken(o *outbox) string {
	var all []string
	var s sound
	for {
		write, ok := o.take(&s)
		switch {
		case !ok:
			return strings.Join(all, " ")
		case write != nil:
			all = append(all, string(write(nil)))
		default:
			all = append(all, fmt.Sprintf("%s%d@%d", s.track[:1], s.samples[0], s.at.Milliseconds()))
		}
	}
}

func say(what string) func(*stream.Wire) []byte {
	return func(*stream.Wire) []byte { return []byte(what) }
}

func frame(n int16) pcm.Frame {
	f := make(pcm.Frame, 160)
	f[0] = n
	return f
}

func TestOutboxKeepsTheOrder(t *testing.T) {
	o := newOutbox(2, 8000)
	o.hear(stream.Inbound, frame(1))
	o.tell(say("mark"))
	o.tell(say("key"))
	o.hear(stream.Outbound, frame(2))
	o.hear(stream.Inbound, frame(3))
	if got, want := taken(o), "i1@0 mark key o2@0 i3@20"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	o.hear(stream.Outbound, frame(4))
	o.close()
	o.hear(stream.Outbound, frame(5))
	o.tell(say("late"))
	if got, want := taken(o), "o4@20"; got != want {
		t.Errorf("after the end %q, want %q", got, want)
	}
}

func TestOutboxLosesTheOldestSound(t *testing.T) {
	for _, tt := range []struct {
		name         string
		tracks, rate int
		most         int
	}{
		{"3 s of a track", 1, 8000, 150},
		{"3 s of both tracks", 2, 8000, 300},
		{"256 KB of both tracks of a wideband call", 2, 16000, 300},
		{"256 KB at 48 kHz", 2, 48000, 136},
	} {
		o := newOutbox(tt.tracks, tt.rate)
		o.tell(say("first"))
		samples := make(pcm.Frame, pcm.FrameLen(tt.rate))
		const n = 1000
		for i := range n {
			samples[0] = int16(i)
			o.hear(stream.Inbound, samples)
		}
		if len(o.ring) > tt.most || o.count != tt.most || 2*len(samples)*len(o.ring) > outboxBytes {
			t.Errorf("%s: a ring of %d with %d in it, want %d", tt.name, len(o.ring), o.count, tt.most)
		}
		got := strings.Fields(taken(o))
		if len(got) != 1+tt.most || got[0] != "first" || got[1] != fmt.Sprintf("i%d@%d", n-tt.most, 20*(n-tt.most)) || got[tt.most] != "i999@19980" {
			t.Errorf("%s: %d taken, from %v on", tt.name, len(got), got[:2])
		}
		if got, want := o.losses(), n-tt.most; got != want {
			t.Errorf("%s: %d lost, want %d", tt.name, got, want)
		}
		if got := o.losses(); got != 0 {
			t.Errorf("%s: %d lost again", tt.name, got)
		}
	}
}

func TestOutboxTakesSoManyMessages(t *testing.T) {
	o := newOutbox(1, 8000)
	for range outboxNews + 7 {
		o.tell(say("m"))
	}
	if got := o.losses(); got != 7 {
		t.Errorf("%d lost, want 7", got)
	}
}

func TestOutboxDoesNotAllocate(t *testing.T) {
	o := newOutbox(1, 8000)
	f := frame(1)
	var s sound
	got := testing.AllocsPerRun(100, func() {
		o.hear(stream.Inbound, f)
		o.take(&s)
	})
	if got != 0 {
		t.Errorf("%v allocations for 20 ms, want 0", got)
	}
}
