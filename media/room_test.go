package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// table is a room whose ticks a test makes itself.
type table struct {
	*Room
	members []*Member
	now     int64
}

// seat makes a room of n members that hear it, without streams.
func seat(tb testing.TB, n int, o RoomOptions) *table {
	tb.Helper()
	p := NewPacer(PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
	tb.Cleanup(p.Close)
	t := &table{Room: NewRoom(p, o)}
	for range n {
		t.sit(tb, MemberOptions{})
	}
	return t
}

func (t *table) sit(tb testing.TB, o MemberOptions) *Member {
	tb.Helper()
	m := t.Join(nil, o)
	if err := m.enter(func(error) {}); err != nil {
		tb.Fatal(err)
	}
	m.begun = 0
	t.members = append(t.members, m)
	return m
}

// say has the members say a frame each; nil is none that comes in time.
func (t *table) say(said ...pcm.Frame) {
	for i, f := range said {
		if f != nil {
			t.members[i].hear(f, t.now)
		}
	}
}

// heard is what the members hear in the next tick.
func (t *table) heard() (out []pcm.Frame) {
	t.now++
	for _, m := range t.members {
		f := make(pcm.Frame, pcm.FrameLen(t.rate))
		m.pull(f, t.now)
		out = append(out, f)
	}
	return out
}

// flat is a frame of one value.
func flat(v int16) pcm.Frame { return slices.Repeat(pcm.Frame{v}, 160) }

// values are the first samples of frames.
func values(fs []pcm.Frame) (out []int16) {
	for _, f := range fs {
		out = append(out, f[0])
	}
	return out
}

func TestMix(t *testing.T) {
	const max, min = math.MaxInt16, math.MinInt16
	tests := []struct {
		name string
		set  func(a, b, c *Member)
		said []pcm.Frame
		want []int16
	}{
		{"each hears the others", nil, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{320, 301, 21}},
		{"a late talker is silent", nil, []pcm.Frame{flat(1), flat(20), nil}, []int16{20, 1, 21}},
		{"clips, never wraps", nil, []pcm.Frame{flat(max), flat(max), flat(max)}, []int16{max, max, max}},
		{"clips downwards too", nil, []pcm.Frame{flat(min), flat(min), flat(min)}, []int16{min, min, min}},
		{"what is loud together is not clipped for who hears one alone", nil, []pcm.Frame{flat(max), flat(max), flat(-max)}, []int16{0, 0, max}},
		{"nobody says a thing", nil, []pcm.Frame{nil, nil, nil}, []int16{0, 0, 0}},
		{"a muted one hears", func(a, b, c *Member) { a.SetMuted(true) }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{320, 300, 20}},
		{"one on hold neither hears nor is heard", func(a, b, c *Member) { a.SetDeaf(true) }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{0, 300, 20}},
		{"a coach is heard by one, and hears all", func(a, b, c *Member) { a.Coach(b) }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{320, 301, 20}},
		{"two coaches of one do not hear each other", func(a, b, c *Member) { a.Coach(c); b.Coach(c) }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{300, 300, 21}},
		{"two who coach each other", func(a, b, c *Member) { a.Coach(b); b.Coach(a) }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{320, 301, 0}},
		{"a coach of another one", func(a, b, c *Member) { a.Coach(b); a.Coach(c) }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{320, 300, 21}},
		{"a coach no more", func(a, b, c *Member) { a.Coach(b); a.Coach(nil) }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{320, 301, 21}},
		{"a muted coach", func(a, b, c *Member) { a.Coach(b); a.SetMuted(true) }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{320, 300, 20}},
		{"a coach of one on hold", func(a, b, c *Member) { a.Coach(b); b.SetDeaf(true) }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{300, 0, 0}},
		{"a coach of itself is heard by nobody", func(a, b, c *Member) { a.Coach(a) }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{320, 300, 20}},
		{"the coach of one who left is heard by nobody", func(a, b, c *Member) { a.Coach(b); b.Leave(); b.exit() }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{300, 0, 0}},
		{"one that has left is not heard", func(a, b, c *Member) { a.Leave() }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{320, 300, 20}},
		{"a coach that left", func(a, b, c *Member) { a.Coach(b); a.Leave(); a.exit() }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{0, 300, 20}},
		{"a coach whose Play ends is not heard on and on", func(a, b, c *Member) { a.Coach(b); a.exit() }, []pcm.Frame{flat(1), flat(20), flat(300)}, []int16{0, 300, 20}},
	}
	for _, tt := range tests {
		r := seat(t, 3, RoomOptions{})
		for range 2 { // what was before is no matter
			r.say(flat(5), flat(50), flat(500))
			r.heard()
		}
		if tt.set != nil {
			tt.set(r.members[0], r.members[1], r.members[2])
		}
		r.say(tt.said...)
		if got := values(r.heard()); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Nobody hears itself: each hears the sum of the others, to the bit.
func TestMixIsTheSumOfTheOthers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		n := 1 + random.IntN(8)
		r := seat(t, n, RoomOptions{})
		for range 5 {
			said := make([]pcm.Frame, n)
			for i := range said {
				if random.IntN(4) == 0 {
					continue // nothing in time
				}
				said[i] = make(pcm.Frame, 160)
				for k := range said[i] {
					said[i][k] = int16(random.Uint32())
				}
			}
			r.say(said...)
			for i, got := range r.heard() {
				for k := range got {
					want := 0
					for j, f := range said {
						if j != i && f != nil {
							want += int(f[k])
						}
					}
					want = min(max(want, math.MinInt16), math.MaxInt16)
					if int(got[k]) != want {
						t.Fatalf("%d members: sample %d of %d is %d, want %d", n, k, i, got[k], want)
					}
				}
			}
		}
	}
}

// Shards are not in step: a member may come to a tick when another has come to
// the next one already.
func TestLateOnes(t *testing.T) {
	r := seat(t, 2, RoomOptions{})
	a, b, f := r.members[0], r.members[1], make(pcm.Frame, 160)
	value := func(m *Member, n int64) int16 {
		m.pull(f, n)
		return f[0]
	}
	a.hear(flat(1), 1)
	b.hear(flat(10), 1)
	if got := value(a, 2); got != 10 {
		t.Errorf("in time: %d, want 10", got)
	}
	a.hear(flat(2), 2)
	b.hear(flat(20), 2)
	if got := value(a, 3); got != 20 {
		t.Errorf("a tick later: %d, want 20", got)
	}
	if got := value(b, 2); got != 1 {
		t.Errorf("one that is late hears %d of its own tick, want 1", got)
	}
	if got := value(b, 3); got != 2 {
		t.Errorf("and then %d, want 2", got)
	}
	a.hear(flat(3), 3)
	b.hear(flat(30), 3)
	value(a, 4)
	value(a, 5)
	if got := value(b, 2); got != 0 {
		t.Errorf("one that is later than that hears %d, want the newest, 0", got)
	}
}

// What the room plays to all but one is taken off for that one in the tick in
// which it was heard, also when that is over.
func TestAllButOne(t *testing.T) {
	r := seat(t, 2, RoomOptions{})
	a, b, f := r.members[0], r.members[1], make(pcm.Frame, 160)
	s := &show{src: onlyNext{NewClip(clipOf(2), 8000)}, except: a, done: make(chan struct{})}
	if err := r.begin(s); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		m    *Member
		tick int64
		want int16
	}{
		{"the other hears it", b, 1, 1000},
		{"to the end", b, 2, 2000},
		{"it is over", b, 3, 0},
		{"the one comes late", a, 2, 0},
		{"it is over for the one too", a, 3, 0},
		{"and stays over", a, 4, 0},
	} {
		if tt.m.pull(f, tt.tick); f[0] != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, f[0], tt.want)
		}
	}
	if len(r.shows) != 0 {
		t.Error("it is kept")
	}
}

// Nothing is left of what a member said before it went.
func TestBackAgain(t *testing.T) {
	r := seat(t, 2, RoomOptions{})
	a := r.members[0]
	r.say(flat(1), flat(10))
	a.exit()
	if err := a.enter(func(error) {}); err != nil {
		t.Fatal(err)
	}
	a.begun = 100 * time.Millisecond
	for n := range int16(8) {
		want := n
		if n < 5 { // what came in at 100 ms is heard in the tick after that
			want = 0
		}
		if got := r.heard()[1][0]; got != want {
			t.Errorf("tick %d: %d is heard, want %d", n+1, got, want)
		}
		r.say(flat(n+1), nil)
	}
	a.Coach(r.members[1])
	r.say(flat(9), nil)
	r.heard()
	a.exit()
	if got := r.heard()[1][0]; got != 0 {
		t.Errorf("the last word of a coach is heard again: %d", got)
	}
	if got := r.heard()[1][0]; got != 0 {
		t.Errorf("and again: %d", got)
	}
	a.Leave()
	if len(r.members[1].coaches) != 0 {
		t.Error("a coach that left is kept")
	}
}

// What comes in late is heard late up to Jitter, and never out of order.
func TestBacklog(t *testing.T) {
	tests := []struct {
		name   string
		jitter time.Duration
		came   []int // frames that came in before each tick
		want   []int // which of them was heard, from 1; 0 for none
	}{
		{"off: in time", 0, []int{1, 1, 1, 1}, []int{1, 2, 3, 4}},
		{"off: late is lost", 0, []int{1, 0, 2, 1}, []int{1, 0, 3, 4}},
		{"small: one late is kept", 20 * time.Millisecond, []int{1, 0, 2, 1, 1}, []int{1, 0, 2, 3, 4}},
		{"small: and the next time nothing is missing", 20 * time.Millisecond, []int{1, 0, 2, 0, 2, 1}, []int{1, 0, 2, 3, 4, 5}},
		{"small: of three the last two are", 20 * time.Millisecond, []int{1, 0, 0, 3, 1}, []int{1, 0, 0, 3, 4}},
		{"large: of three all are", 60 * time.Millisecond, []int{1, 0, 0, 3, 1}, []int{1, 0, 0, 2, 3}},
		{"large: of five the last four are", 60 * time.Millisecond, []int{0, 5, 0, 0, 0, 0}, []int{0, 2, 3, 4, 5, 0}},
	}
	for _, tt := range tests {
		r := seat(t, 1, RoomOptions{})
		m := r.sit(t, MemberOptions{Jitter: tt.jitter})
		var got []int
		came := 0
		for _, n := range tt.came {
			for range n {
				came++
				m.hear(flat(int16(came)), r.now)
			}
			got = append(got, int(r.heard()[0][0]))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// The delay of one that was late once is taken back after five seconds.
func TestBacklogIsGivenBack(t *testing.T) {
	r := seat(t, 1, RoomOptions{})
	m := r.sit(t, MemberOptions{Jitter: 60 * time.Millisecond})
	m.hear(flat(1), r.now)
	m.hear(flat(2), r.now)
	for i := range int16(600) {
		got := r.heard()[0][0]
		want := i + 1
		if i >= spareAfter {
			want++ // one was left out
		}
		if got != want {
			t.Fatalf("tick %d: frame %d is heard, want %d", i, got, want)
		}
		m.hear(flat(i+3), r.now)
	}
}

func TestRoomTap(t *testing.T) {
	r := seat(t, 2, RoomOptions{})
	a, b := r.members[0], r.members[1]
	var got []int16
	remove := r.Tap(func(f pcm.Frame) { got = append(got, f[0]) })
	r.say(flat(1), flat(10))
	r.heard()
	r.say(flat(2), flat(20)) // the tap hears what was heard with the first that comes in
	r.heard()
	a.Coach(b)
	r.say(flat(3), flat(30))
	r.heard()
	a.Coach(nil)
	a.SetDeaf(true)
	b.SetDeaf(true)
	r.say(flat(4), flat(40))
	r.now++ // on hold they hear something else: nobody asks the room for a frame
	r.say(flat(5), flat(50))
	a.SetDeaf(false)
	r.now += 4 // the pacer slept for three ticks, whose frames it hands out at once
	r.say(flat(6), flat(60))
	r.say(flat(7), nil)
	if want := []int16{11, 22, 30, 0, 0, 0, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	remove()
	r.heard()
	r.say(flat(7), flat(70))
	if len(got) != 8 {
		t.Error("it goes on after remove")
	}
}

// A tap that is late hears the two ticks that are kept, and silence before.
func TestRoomTapIsLate(t *testing.T) {
	r := seat(t, 0, RoomOptions{})
	m := r.sit(t, MemberOptions{Jitter: 60 * time.Millisecond})
	var got []int16
	r.Tap(func(f pcm.Frame) { got = append(got, f[0]) })
	for i := range int16(4) {
		m.hear(flat(i+1), 0)
	}
	for range 4 {
		r.heard()
	}
	m.hear(flat(5), 4)
	if want := []int16{0, 0, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A room that was empty for two seconds missed nothing.
func TestRoomTapOfAnEmptyRoom(t *testing.T) {
	r := seat(t, 1, RoomOptions{})
	n := 0
	r.Tap(func(pcm.Frame) { n++ })
	for range 50 {
		r.say(flat(1))
		r.now++
	}
	r.members[0].exit()
	was := n
	r.now += 100
	if err := r.members[0].enter(func(error) {}); err != nil {
		t.Fatal(err)
	}
	r.members[0].begun = 0
	for range 50 {
		r.say(flat(1))
		r.now++
	}
	if was < 49 || was > 50 || n-was < 49 || n-was > 50 {
		t.Errorf("%d ticks of the first second and %d of the second, want 50", was, n-was)
	}
}

// clipOf is a source of n frames with the values 1000, 2000, …
func clipOf(n int) pcm.Clip {
	c := pcm.Clip{Rate: 8000}
	for i := range n {
		c.Samples = append(c.Samples, flat(int16(1000*(i+1)))...)
	}
	return c
}

func TestRoomOfOtherRates(t *testing.T) {
	r := seat(t, 2, RoomOptions{Rate: 16000})
	a, b := r.members[0], r.members[1]
	narrow, wide := pcm.Tone(8000, time.Second, 0.3, 440), pcm.Tone(16000, time.Second, 0.3, 1000)
	var atA, atB []int16
	for n := range int64(50) {
		f, g := make(pcm.Frame, 160), make(pcm.Frame, 320)
		a.pull(f, n+1)
		b.pull(g, n+1)
		atA, atB = append(atA, f...), append(atB, g...)
		a.hear(narrow.Samples[160*n:160*n+160], n+1)
		b.hear(wide.Samples[320*n:320*n+320], n+1)
	}
	if got := pcm.Share(atA[800:], 8000, 1000); got < 0.99 {
		t.Errorf("at 8 kHz %.3f of what is heard is the other's tone", got)
	}
	if got := pcm.Share(atB[1600:], 16000, 440); got < 0.99 {
		t.Errorf("at 16 kHz %.3f of what is heard is the other's tone", got)
	}
}

func TestTalk(t *testing.T) {
	voice, quiet := pcm.Tone(8000, pcm.FrameTime, 0.3, 200).Samples, make(pcm.Frame, 160)
	parts := func(s string) (fs []pcm.Frame) { // v is 100 ms of voice, . of silence
		for _, c := range s {
			f := quiet
			if c == 'v' {
				f = voice
			}
			fs = append(fs, f, f, f, f, f)
		}
		return fs
	}
	tests := []struct{ name, said, want string }{
		{"a word", ".vvvvv..........", "380ms talks, 1.2s stops"},
		{"a cough of 60 ms is none", "60", ""},
		{"two words with a pause of half a second", ".vvvvv.....vvvvv..........", "380ms talks, 2.2s stops"},
		{"two words with a pause of a second", ".vvvvv..........vvvvv..........", "380ms talks, 1.2s stops, 1.88s talks, 2.7s stops"},
		{"who mutes itself stops", ".vvvvvmvvvvv.....", "380ms talks, 1s stops"},
		{"who is muted does not talk", "m.vvvvv.....", ""},
		{"nor who is on hold", "d.vvvvv.....", ""},
		{"nor who has left", "l.vvvvv.....", ""},
		{"who goes stops", ".vvvvv", "380ms talks, 600ms stops"},
	}
	for _, tt := range tests {
		var got bytes.Buffer
		var r *table
		r = seat(t, 0, RoomOptions{Talk: func(m *Member, talking bool) {
			if m != r.members[0] {
				t.Errorf("%s: another one talks", tt.name)
			}
			if got.Len() > 0 {
				got.WriteString(", ")
			}
			fmt.Fprint(&got, time.Duration(r.now)*pcm.FrameTime, map[bool]string{true: " talks", false: " stops"}[talking])
		}})
		m := r.sit(t, MemberOptions{})
		say := func(fs ...pcm.Frame) {
			for _, f := range fs {
				r.now++
				r.say(f)
			}
		}
		for _, c := range tt.said {
			switch c {
			case 'm':
				m.SetMuted(true)
			case 'd':
				m.SetDeaf(true)
			case 'l':
				m.Leave()
			case '6':
				say(quiet, voice, voice, voice)
			case '0':
				say(parts("......")...)
			default:
				say(parts(string(c))...)
			}
		}
		m.exit()
		if got.String() != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got.String(), tt.want)
		}
	}
}

func TestClosedRoom(t *testing.T) {
	r := seat(t, 1, RoomOptions{})
	r.Close()
	if err := r.Join(nil, MemberOptions{}).Play(context.Background()); !errors.Is(err, ErrRoomClosed) {
		t.Errorf("a member's Play: %v, want ErrRoomClosed", err)
	}
	if err := r.Play(context.Background(), NewClip(clipOf(1), 8000), nil); !errors.Is(err, ErrRoomClosed) {
		t.Errorf("the room's Play: %v, want ErrRoomClosed", err)
	}
	r.Tap(func(pcm.Frame) { t.Error("a tap hears") })()
	open := seat(t, 1, RoomOptions{})
	open.members[0].Leave()
	if err := open.members[0].Play(context.Background()); !errors.Is(err, ErrLeft) {
		t.Errorf("the Play of one that left: %v, want ErrLeft", err)
	}
}

func TestRoomDoesNotAllocate(t *testing.T) {
	r := seat(t, 4, RoomOptions{Talk: func(*Member, bool) {}})
	r.Tap(func(pcm.Frame) {})
	r.members[0].Coach(r.members[1])
	if err := r.begin(&show{src: NewLoop(clipOf(3), 8000), except: r.members[2], done: make(chan struct{})}); err != nil {
		t.Fatal(err)
	}
	in, out := flat(1000), flat(0)
	if n := testing.AllocsPerRun(100, func() {
		r.now++
		for _, m := range r.members {
			m.pull(out, r.now)
			m.hear(in, r.now)
		}
	}); n != 0 {
		t.Errorf("%v allocations a tick, want 0", n)
	}
}

// BenchmarkRoom is a whole tick: each member is heard, and hears.
func BenchmarkRoom(b *testing.B) {
	for _, n := range []int{3, 10, 50, 250} {
		for _, talk := range []bool{false, true} {
			name, o := fmt.Sprint(n), RoomOptions{}
			if talk {
				name, o.Talk = fmt.Sprint(n, " with talk"), func(*Member, bool) {}
			}
			b.Run(name, func(b *testing.B) { benchmarkRoom(b, n, o) })
		}
	}
}

func benchmarkRoom(b *testing.B, n int, o RoomOptions) {
	r := seat(b, n, o)
	r.Tap(func(pcm.Frame) {})
	in, out := pcm.Tone(8000, pcm.FrameTime, 0.1, 440).Samples, make(pcm.Frame, 160)
	b.ReportAllocs()
	for b.Loop() {
		r.now++
		for _, m := range r.members {
			m.pull(out, r.now)
			m.hear(in, r.now)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/member")
}
