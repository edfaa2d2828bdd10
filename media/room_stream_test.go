package media

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// guest is a caller who may be in a room, with a pitch of its own.
type guest struct {
	*Stream
	*Member
	line *line
	hz   float64
}

var pitches = []float64{440, 1000, 1700}

// announced is the pitch of what a room plays.
const announced = 2500

// inRoom runs f with three guests, who are not members yet, in virtual time.
func inRoom(t *testing.T, o RoomOptions, f func(t *testing.T, r *Room, a, b, c *guest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
		r := NewRoom(p, o)
		var gs []*guest
		for _, hz := range pitches {
			l := newLine()
			s := NewStream(p, l, agreed())
			s.Start()
			gs = append(gs, &guest{s, r.Join(s, MemberOptions{}), l, hz})
		}
		f(t, r, gs[0], gs[1], gs[2])
		r.Close()
		for _, g := range gs {
			g.Stream.Close()
		}
		p.Close()
	})
}

// enter has the guest hear the room until the test is over or stop is called,
// which waits for it.
func (g *guest) enter(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var playing sync.WaitGroup
	playing.Go(func() { g.Member.Play(ctx) })
	synctest.Wait()
	return func() {
		cancel()
		playing.Wait()
	}
}

// hum has guests say their pitches for so long, and waits.
func hum(d time.Duration, gs ...*guest) {
	var humming sync.WaitGroup
	for _, g := range gs {
		humming.Go(func() { sayTo(g.Stream, pcm.Tone(8000, d, 0.2, g.hz), uint16(time.Since(g.line.start)/pcm.FrameTime)) })
	}
	humming.Wait()
}

// sounds is what was sent to the guest in a time since the start.
func (g *guest) sounds(from, to time.Duration) (s []int16) {
	for _, p := range g.line.packets() {
		if p.at >= from && p.at < to && p.PayloadType == 0 {
			f := make([]int16, len(p.Payload))
			g711.DecodeULaw(f, p.Payload)
			s = append(s, f...)
		}
	}
	return s
}

// hears names who is heard by a guest in a time: a, b, c, and ! for what the
// room plays.
func (g *guest) hears(from, to time.Duration) (who string) { return tones(g.sounds(from, to)) }

func tones(s []int16) (who string) {
	for i, hz := range append(slices.Clone(pitches), announced) {
		if pcm.Level(s) > -50 && pcm.Share(s, 8000, hz) > 0.1 {
			who += string("abc!"[i])
		}
	}
	return who
}

func TestWhoHearsWhom(t *testing.T) {
	all := func(t *testing.T, r *Room, a, b, c *guest) {
		a.enter(t)
		b.enter(t)
		c.enter(t)
	}
	announce := func(t *testing.T, r *Room, except *Member) {
		src := NewClip(pcm.Tone(8000, time.Minute, 0.2, announced), 8000)
		go r.Play(t.Context(), src, except)
	}
	tests := []struct {
		name string
		set  func(t *testing.T, r *Room, a, b, c *guest)
		want string // heard by a, b and c, and by a tap
	}{
		{"all", all, "bc ac ab abc"},
		{"one is muted", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			a.SetMuted(true)
		}, "bc c b bc"},
		{"one comes in muted", func(t *testing.T, r *Room, a, b, c *guest) {
			a.Member = r.Join(a.Stream, MemberOptions{Muted: true})
			all(t, r, a, b, c)
		}, "bc c b bc"},
		{"one is muted and is not", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			a.SetMuted(true)
			a.SetMuted(false)
		}, "bc ac ab abc"},
		{"one is on hold", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			a.SetDeaf(true)
		}, "- c b bc"},
		{"one is on hold with music", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			a.SetDeaf(true)
			go a.Stream.Play(t.Context(), NewLoop(pcm.Tone(8000, time.Second, 0.2, announced), 8000))
		}, "! c b bc"},
		{"one is told something and is heard all the while", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			go a.Stream.Play(t.Context(), NewLoop(pcm.Tone(8000, time.Second, 0.2, announced), 8000))
		}, "! ac ab abc"},
		{"one waits", func(t *testing.T, r *Room, a, b, c *guest) {
			b.enter(t)
			c.enter(t)
		}, "- c b bc"},
		{"one coaches", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			a.Coach(b.Member)
		}, "bc ac b bc"},
		{"an announcement", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			announce(t, r, nil)
		}, "bc! ac! ab! abc!"},
		{"an announcement to all but one", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			announce(t, r, a.Member)
		}, "bc ac! ab! abc!"},
		{"an announcement while one is on hold", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			a.SetDeaf(true)
			announce(t, r, nil)
		}, "- c! b! bc!"},
		{"one has left", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			a.Leave()
		}, "- c b bc"},
		{"one went and came back", func(t *testing.T, r *Room, a, b, c *guest) {
			b.enter(t)
			c.enter(t)
			a.enter(t)()
			time.Sleep(time.Second)
			a.enter(t)
		}, "bc ac ab abc"},
		{"one has hung up", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			a.Stream.Close()
		}, "- c b bc"},
		{"the room is closed", func(t *testing.T, r *Room, a, b, c *guest) {
			all(t, r, a, b, c)
			r.Close()
		}, "- - - -"},
		{"alone", func(t *testing.T, r *Room, a, b, c *guest) { a.enter(t) }, "- - - a"},
	}
	for _, tt := range tests {
		inRoom(t, RoomOptions{}, func(t *testing.T, r *Room, a, b, c *guest) {
			var taped []int16
			r.Tap(func(f pcm.Frame) { taped = append(taped, f...) })
			tt.set(t, r, a, b, c)
			at := time.Since(a.line.start)
			hum(time.Second, a, b, c)
			got := ""
			for _, g := range []*guest{a, b, c} {
				got += orDash(g.hears(at+200*time.Millisecond, at+time.Second)) + " "
			}
			synctest.Wait()
			taped = taped[max(0, len(taped)-6400):]
			if got += orDash(tones(taped)); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
			}
		})
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// A voice is sent to the others one frame after it came out of the stream's
// jitter buffer.
func TestRoomDelay(t *testing.T) {
	inRoom(t, RoomOptions{}, func(t *testing.T, r *Room, a, b, c *guest) {
		var tapped time.Duration
		a.Tap(func(f pcm.Frame) {
			if tapped == 0 && pcm.Level(f) > -40 {
				tapped = time.Since(a.line.start)
			}
		})
		a.enter(t)
		b.enter(t)
		hum(500*time.Millisecond, a)
		for _, p := range b.line.packets() {
			f := make([]int16, len(p.Payload))
			if g711.DecodeULaw(f, p.Payload); pcm.Level(f) > -40 {
				if got := p.at - tapped; got != 20*time.Millisecond {
					t.Errorf("%v, want 20ms", got)
				}
				return
			}
		}
		t.Error("nothing is heard")
	})
}

// A tick is the same for who plays and who listens, also when the pacer was
// kept from its work, and for streams of each slot.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Poll: 5 * time.Millisecond, Goroutines: 1})
		ctx, cancel := context.WithCancel(t.Context())
		var playing sync.WaitGroup
		var streams []*Stream
		for range 4 {
			s := NewStream(p, newLine(), agreed())
			s.Start()
			streams = append(streams, s)
			var played, tapped []int64
			frames := 0
			s.Tap(func(pcm.Frame) {
				tapped = append(tapped, s.tapTick())
				if frames++; frames == 20 {
					time.Sleep(70 * time.Millisecond)
				}
				want := int64(p.since() / pcm.FrameTime)
				if got := played[len(played)-1]; frames != 20 && (got != tapped[len(tapped)-1] || got > want) {
					t.Errorf("frame %d: tick %d is played and %d heard at %v", frames, got, tapped[len(tapped)-1], p.since())
				}
				if frames > 50 && want != tapped[len(tapped)-1] {
					t.Errorf("frame %d: it is tick %d at %v", frames, tapped[len(tapped)-1], p.since())
				}
			})
			playing.Go(func() { s.Play(ctx, sourceFunc(func() { played = append(played, s.playTick()) })) })
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if n := streams[0].Stats().Skipped; n == 0 {
			t.Error("nothing was skipped")
		}
		cancel()
		playing.Wait()
		for _, s := range streams {
			s.Close()
		}
		p.Close()
	})
}

// sourceFunc is silence that calls a function for each frame.
type sourceFunc func()

func (s sourceFunc) Next(f pcm.Frame) bool {
	s()
	clear(f)
	return true
}

// On several shards, whose ticks come at once, each frame is heard once, in
// order, also by those who have no time to spare.
func TestRoomOnShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Poll: 5 * time.Millisecond, Goroutines: 3})
		r := NewRoom(p, RoomOptions{})
		var gs []*guest
		var taped []int16
		r.Tap(func(f pcm.Frame) { taped = append(taped, f[0]) })
		for i := range 13 {
			l := newLine()
			s := NewStream(p, l, agreed())
			s.Start()
			gs = append(gs, &guest{s, r.Join(s, MemberOptions{Muted: i > 0}), l, 440})
			gs[i].enter(t)
			time.Sleep(3 * time.Millisecond)
		}
		sayTo(gs[0].Stream, clipOf(30), 1)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		inOrder := func(who string, heard []int16) {
			var said []int16
			for _, v := range heard {
				if v = (v + 500) / 1000; v != 0 {
					said = append(said, v)
				}
			}
			for i := range int16(30) { // what follows is a loss concealed
				if int(i) >= len(said) || said[i] != i+1 {
					t.Errorf("%s hears %v, want 1 to 30", who, said)
					return
				}
			}
		}
		for i, g := range gs {
			var heard []int16
			for k, v := range g.sounds(0, time.Minute) {
				if k%160 == 80 {
					heard = append(heard, v)
				}
			}
			if i > 0 {
				inOrder(fmt.Sprint("guest ", i), heard)
			}
		}
		inOrder("a tap", taped)
		r.Close()
		for _, g := range gs {
			g.Stream.Close()
		}
		p.Close()
	})
}

// While all are on hold nobody pulls, and a recording goes on.
func TestRoomTapKeepsTime(t *testing.T) {
	inRoom(t, RoomOptions{}, func(t *testing.T, r *Room, a, b, c *guest) {
		n := 0
		r.Tap(func(pcm.Frame) { n++ })
		a.enter(t)
		leave := b.enter(t)
		time.Sleep(time.Second)
		for _, g := range []*guest{a, b} {
			g.SetDeaf(true)
			go g.Stream.Play(t.Context(), NewLoop(clipOf(4), 8000))
		}
		time.Sleep(10 * time.Second)
		leave()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n < 21*50-1 || n > 21*50+1 {
			t.Errorf("%d ticks in 21 s, want 1050", n)
		}
	})
}

func TestRoomPlay(t *testing.T) {
	errCut := errors.New("cut")
	tests := []struct {
		name string
		play func(t *testing.T, r *Room) error
		want string // heard by b in each tick from the third on, in thousands
		took time.Duration
		err  error
	}{
		{"a clip", func(t *testing.T, r *Room) error {
			return r.Play(t.Context(), NewClip(clipOf(4), 8000), nil)
		}, "12340000", 80 * time.Millisecond, nil},
		{"two without a gap", func(t *testing.T, r *Room) error {
			r.Play(t.Context(), NewClip(clipOf(2), 8000), nil)
			return r.Play(t.Context(), NewClip(clipOf(3), 8000), nil)
		}, "12123000", 100 * time.Millisecond, nil},
		{"two at once", func(t *testing.T, r *Room) error {
			go r.Play(t.Context(), NewClip(clipOf(3), 8000), nil)
			return r.Play(t.Context(), NewClip(clipOf(2), 8000), nil)
		}, "24300000", 40 * time.Millisecond, nil},
		{"one that does not know its end", func(t *testing.T, r *Room) error {
			return r.Play(t.Context(), onlyNext{NewClip(clipOf(2), 8000)}, nil)
		}, "12000000", 40 * time.Millisecond, nil},
		{"one with nothing in it", func(t *testing.T, r *Room) error {
			return r.Play(t.Context(), NewClip(pcm.Clip{Rate: 8000}, 8000), nil)
		}, "00000000", 0, nil},
		{"cut", func(t *testing.T, r *Room) error {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 60*time.Millisecond, errCut)
			defer cancel()
			return r.Play(ctx, NewClip(clipOf(9), 8000), nil)
		}, "12300000", 60 * time.Millisecond, errCut},
		{"the last frame cut", func(t *testing.T, r *Room) error {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Millisecond, errCut)
			defer cancel()
			return r.Play(ctx, NewClip(clipOf(2), 8000), nil)
		}, "12000000", 30 * time.Millisecond, errCut},
		{"cut as it ends", func(t *testing.T, r *Room) error {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 40*time.Millisecond, errCut)
			defer cancel()
			return r.Play(ctx, NewClip(clipOf(2), 8000), nil)
		}, "12000000", 40 * time.Millisecond, nil},
		{"cut before", func(t *testing.T, r *Room) error {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errCut)
			return r.Play(ctx, NewClip(clipOf(2), 8000), nil)
		}, "00000000", 0, errCut},
		{"the room closes", func(t *testing.T, r *Room) error {
			time.AfterFunc(40*time.Millisecond, r.Close)
			return r.Play(t.Context(), NewClip(clipOf(9), 8000), nil)
		}, "12000000", 40 * time.Millisecond, ErrRoomClosed},
	}
	for _, tt := range tests {
		inRoom(t, RoomOptions{}, func(t *testing.T, r *Room, a, b, c *guest) {
			b.enter(t)
			time.Sleep(40 * time.Millisecond)
			begun := time.Now()
			err := tt.play(t, r)
			took := time.Since(begun).Truncate(time.Millisecond)
			time.Sleep(time.Second)
			got := ""
			heard := b.sounds(begun.Sub(b.line.start), time.Minute)
			for i := range 8 {
				got += fmt.Sprint((heard[160*i] + 500) / 1000)
			}
			if got != tt.want || took != tt.took || !errors.Is(err, tt.err) {
				t.Errorf("%s: %s heard in %v, %v; want %s in %v, %v", tt.name, got, took, err, tt.want, tt.took, tt.err)
			}
		})
	}
}

// onlyNext is a source without Ended.
type onlyNext struct{ src Source }

func (o onlyNext) Next(f pcm.Frame) bool { return o.src.Next(f) }

// What the room plays waits for somebody to hear it.
func TestRoomPlayWaits(t *testing.T) {
	inRoom(t, RoomOptions{}, func(t *testing.T, r *Room, a, b, c *guest) {
		done := make(chan error, 1)
		go func() { done <- r.Play(t.Context(), NewClip(clipOf(4), 8000), nil) }()
		time.Sleep(time.Minute)
		select {
		case <-done:
			t.Fatal("it is over before anybody heard it")
		default:
		}
		b.enter(t)
		begun := time.Now()
		if err := <-done; err != nil || time.Since(begun) > 120*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if got := b.hears(time.Minute, 2*time.Minute); got != "" || pcm.Level(b.sounds(time.Minute, 2*time.Minute)) < -30 {
			t.Error("and then it is not heard")
		}
	})
}

func TestMemberPlayEnds(t *testing.T) {
	errCut := errors.New("cut")
	tests := []struct {
		name string
		end  func(r *Room, g *guest, cancel context.CancelCauseFunc)
		want error
	}{
		{"cut", func(r *Room, g *guest, cancel context.CancelCauseFunc) { cancel(errCut) }, errCut},
		{"the member leaves", func(r *Room, g *guest, cancel context.CancelCauseFunc) { g.Leave() }, ErrLeft},
		{"the room closes", func(r *Room, g *guest, cancel context.CancelCauseFunc) { r.Close() }, ErrRoomClosed},
		{"the stream closes", func(r *Room, g *guest, cancel context.CancelCauseFunc) { g.Stream.Close() }, ErrClosed},
	}
	for _, tt := range tests {
		inRoom(t, RoomOptions{}, func(t *testing.T, r *Room, a, b, c *guest) {
			ctx, cancel := context.WithCancelCause(t.Context())
			begun := time.Now()
			time.AfterFunc(time.Second, func() { tt.end(r, a, cancel) })
			if err := a.Member.Play(ctx); !errors.Is(err, tt.want) || time.Since(begun) != time.Second {
				t.Errorf("%s: %v after %v, want %v after 1s", tt.name, err, time.Since(begun), tt.want)
			}
			if n := len(r.members); n != 0 {
				t.Errorf("%s: %d members are left", tt.name, n)
			}
			a.Stream.mu.Lock()
			defer a.Stream.mu.Unlock()
			if len(a.taps) != 0 {
				t.Errorf("%s: the stream is still listened to", tt.name)
			}
		})
	}
}

func TestTalkOfAStream(t *testing.T) {
	var mu sync.Mutex
	var got []string
	var start time.Time
	names := map[*Member]string{}
	talk := func(m *Member, talking bool) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprint(time.Since(start).Round(10*time.Millisecond), " ", names[m], " ", talking))
	}
	inRoom(t, RoomOptions{Talk: talk}, func(t *testing.T, r *Room, a, b, c *guest) {
		start = time.Now()
		names[a.Member], names[b.Member] = "a", "b"
		a.hz, b.hz = 200, 250 // deeper than any signal, and so voices
		a.enter(t)
		leave := b.enter(t)
		time.Sleep(time.Second)
		hum(time.Second, a)
		hum(time.Second, b)
		leave()
		hum(time.Second, b)
	})
	want := []string{"1.3s a true", "2.3s b true", "2.68s a false", "3s b false"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Guests come and go on several shards while others talk, and the room plays.
// The race detector looks on.
func TestComingAndGoing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two seconds of real time")
	}
	p := NewPacer(PacerConfig{Poll: 5 * time.Millisecond, Goroutines: 4})
	var talks, ticks atomic.Int64
	r := NewRoom(p, RoomOptions{Talk: func(*Member, bool) { talks.Add(1) }})
	r.Tap(func(pcm.Frame) { ticks.Add(1) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var all sync.WaitGroup
	var streams []*Stream
	var seen [2]atomic.Pointer[Member]
	for i := range 24 {
		s := NewStream(p, discard{}, agreed())
		s.Start()
		streams = append(streams, s)
		all.Go(func() { // the far end
			voice := pcm.Tone(8000, pcm.FrameTime, 0.2, 440)
			for n := uint16(0); ctx.Err() == nil; n++ {
				s.Receive(speech(voice.Samples, n, 160*uint32(n), 7), peer)
				time.Sleep(pcm.FrameTime)
			}
		})
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for ctx.Err() == nil {
				m := r.Join(s, MemberOptions{Jitter: 20 * time.Millisecond * time.Duration(random.IntN(4))})
				old := seen[random.IntN(2)].Swap(m)
				in, leave := context.WithTimeout(ctx, time.Duration(random.IntN(150))*time.Millisecond)
				jingle := NewClip(clipOf(random.IntN(5)), 8000)
				all.Go(func() { r.Play(in, jingle, m) })
				all.Go(func() {
					m.Coach(old)
					m.SetMuted(true)
					m.SetDeaf(true)
					m.Coach(nil)
					m.SetMuted(false)
					m.SetDeaf(false)
				})
				m.Play(in)
				leave()
				m.Leave()
			}
		})
	}
	all.Wait()
	if got := len(r.members); got != 0 {
		t.Errorf("%d members are left", got)
	}
	r.Close()
	for _, s := range streams {
		s.Close()
	}
	p.Close()
	if got := ticks.Load(); got < 50 || got > 105 {
		t.Errorf("a tap heard %d ticks in 2 s, want 100", got)
	}
}
