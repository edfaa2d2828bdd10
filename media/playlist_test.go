package media

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// playing runs f with a playlist that is played in a call at 8 kHz, begun at a
// tick, and returns what was sent.
func playing(t *testing.T, f func(p *Playlist)) (sent string) {
	t.Helper()
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		time.Sleep(40 * time.Millisecond)
		ctx, cancel := context.WithCancelCause(t.Context())
		p := NewPlaylist(8000)
		var played sync.WaitGroup
		played.Go(func() { s.Play(ctx, p) })
		f(p)
		cancel(errors.New("over"))
		played.Wait()
		sent = loud(l.packets())[3:] // before it: at once, at 0 and at 20 ms
	})
	return sent
}

func TestMarksArePlayedToTheFrame(t *testing.T) {
	const ms = time.Millisecond
	type step struct {
		at     time.Duration
		frames float64
		do     string
	}
	tests := []struct {
		name  string
		steps []step
		want  []string
	}{
		{"nothing was there", []step{{0, 0, "mark a"}}, []string{"a 0s"}},
		{"three frames", []step{{0, 3, "mark a"}}, []string{"a 60ms"}},
		{"between two pieces", []step{{0, 2, "mark a"}, {0, 2, "mark b"}}, []string{"a 40ms", "b 80ms"}},
		{"two at one place", []step{{0, 1, "mark a"}, {0, 0, "mark b"}}, []string{"a 20ms", "b 20ms"}},
		{"inside a frame", []step{{0, 1.5, "mark a"}, {0, 1.5, "mark b"}}, []string{"a 40ms", "b 60ms"}},
		{"behind what is under way", []step{{0, 1, "go"}, {10 * ms, 0, "mark a"}}, []string{"a 20ms"}},
		{"behind what is over", []step{{0, 1, "go"}, {30 * ms, 0, "mark a"}}, []string{"a 30ms"}},
		{"after a wait for sound", []step{{50 * ms, 1, "mark a"}}, []string{"a 80ms"}},
		{"a pause moves them", []step{{0, 2, "mark a"}, {30 * ms, 0, "pause"}, {100 * ms, 0, "resume"}}, []string{"a 40ms"}},
		{"a pause before the last frame moves them", []step{{0, 3, "mark a"}, {30 * ms, 0, "pause"}, {110 * ms, 0, "resume"}}, []string{"a 140ms"}},
		{"a flush is told in order", []step{{0, 5, "mark a"}, {0, 5, "mark b"}, {30 * ms, 0, "flush"}, {30 * ms, 1, "mark c"}}, []string{"a 30ms", "b 30ms", "c 60ms"}},
		{"the end of a playlist that ended", []step{{0, 2, "mark a"}, {0, 0, "end"}}, []string{"a 40ms"}},
		{"after the end nothing is appended", []step{{0, 1, "end"}, {0, 4, "mark a"}}, []string{"a 20ms"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			var mu sync.Mutex
			playing(t, func(p *Playlist) {
				begun := time.Now()
				for _, s := range tt.steps {
					time.Sleep(s.at - time.Since(begun))
					p.Append(tone(10).Samples[:int(s.frames*160)])
					switch s.do {
					case "pause":
						p.Pause()
					case "resume":
						p.Resume()
					case "flush":
						p.Flush()
					case "end":
						p.End()
					case "go":
					default:
						p.Mark(func() {
							mu.Lock()
							defer mu.Unlock()
							got = append(got, fmt.Sprint(s.do[len("mark "):], " ", time.Since(begun).Truncate(time.Microsecond)))
						})
					}
				}
				time.Sleep(time.Second)
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("marks %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPlaylistIsHeard(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name string
		do   func(p *Playlist)
		want string
	}{
		{"silence while it has nothing", func(p *Playlist) {
			time.Sleep(50 * ms)
			p.Append(tone(2).Samples)
			time.Sleep(70 * ms)
		}, "...##."},
		{"a pause and what comes after it", func(p *Playlist) {
			p.Append(tone(4).Samples)
			time.Sleep(30 * ms)
			p.Pause()
			time.Sleep(40 * ms)
			p.Resume()
			time.Sleep(70 * ms)
		}, "##..##."},
		{"nothing from the frame after a flush on", func(p *Playlist) {
			p.Append(tone(9).Samples)
			time.Sleep(30 * ms)
			if got, want := p.Flush(), 140*ms; got != want {
				t.Errorf("dropped %v, want %v", got, want)
			}
			if got, want := p.Played(), 40*ms; got != want {
				t.Errorf("played %v, want %v", got, want)
			}
			p.Append(tone(1).Samples)
			if got, want := p.Buffered(), 20*ms; got != want {
				t.Errorf("buffered %v, want %v", got, want)
			}
			time.Sleep(40 * ms)
		}, "###."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := playing(t, tt.do); got != tt.want {
				t.Errorf("sent %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPlaylistEndsWithItsLastSample(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		time.Sleep(40 * time.Millisecond)
		for range 2 {
			p := NewPlaylist(8000)
			p.Append(tone(2).Samples[:300])
			p.End()
			begun := time.Now()
			if err := s.Play(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if got, want := time.Since(begun), 40*time.Millisecond; got != want {
				t.Errorf("took %v, want %v", got, want)
			}
		}
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		if got, want := loud(l.packets()), "...####."; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	})
}

// A room plays a playlist to its end too.
func TestMarkInARoom(t *testing.T) {
	inRoom := func(t *testing.T, s *Stream, l *line) {
		r := NewRoom(s.Pacer(), RoomOptions{})
		m := r.Join(s, MemberOptions{})
		var joined sync.WaitGroup
		joined.Go(func() { m.Play(t.Context()) })
		time.Sleep(time.Second)
		p := NewPlaylist(8000)
		p.Append(tone(2).Samples)
		marked := false
		p.Mark(func() { marked = true })
		p.End()
		if err := r.Play(t.Context(), p, nil); err != nil {
			t.Fatal(err)
		}
		if !marked {
			t.Error("not told of the mark at the end")
		}
		r.Close()
		joined.Wait()
	}
	inCall(t, inRoom)
}

// Whatever the pieces, pauses and frames are, each sample comes out once and
// in order, and each mark is told between its samples.
func TestPlaylistLosesNothing(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		p := NewPlaylist(8000)
		frame := make(pcm.Frame, 160)
		next, heard := int16(1), int16(0)
		take := func() {
			p.Next(frame)
			for _, v := range frame {
				if v == 0 {
					continue // silence: a pause, or nothing there
				}
				if heard++; v != heard {
					t.Fatalf("seed %d: heard sample %d, want %d", seed, v, heard)
				}
			}
		}
		for range 100 {
			switch rnd.IntN(5) {
			case 0:
				piece := make([]int16, rnd.IntN(400))
				for i := range piece {
					piece[i] = next
					next++
				}
				p.Append(piece)
			case 1:
				p.Pause()
			case 2:
				p.Resume()
			case 3:
				at := next - 1
				p.Mark(func() {
					if heard < at {
						t.Errorf("seed %d: told of the mark after %d at %d", seed, at, heard)
					}
				})
			default:
				take()
			}
		}
		p.Resume()
		for p.Buffered() > 0 {
			take()
		}
		if heard != next-1 {
			t.Errorf("seed %d: heard %d samples, want %d", seed, heard, next-1)
		}
	}
}

// Several may append and mark at once; every mark is told once.
func TestPlaylistFilledByMany(t *testing.T) {
	const each = 200
	told := 0
	playing(t, func(p *Playlist) {
		var fill sync.WaitGroup
		for range 4 {
			fill.Go(func() {
				for i := range each {
					p.Append(tone(1).Samples[:1+i%160])
					p.Mark(func() { told++ }) // under the playlist's lock
					if i%50 == 0 {
						p.Flush()
					}
				}
			})
		}
		fill.Wait()
		p.Flush()
		if p.Buffered() != 0 {
			t.Errorf("%v left after a flush", p.Buffered())
		}
	})
	if told != 4*each {
		t.Errorf("told of %d marks, want %d", told, 4*each)
	}
}

func TestPlaylistDoesNotAllocate(t *testing.T) {
	p := NewPlaylist(8000)
	for range 500 {
		p.Append(make([]int16, 170))
	}
	frame := make(pcm.Frame, 160)
	if n := testing.AllocsPerRun(400, func() { p.Next(frame) }); n != 0 {
		t.Errorf("%v allocations a frame, want 0", n)
	}
}
