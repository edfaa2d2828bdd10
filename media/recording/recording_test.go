package recording

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// source gives frames of a tone that goes on, or of silence.
type source struct {
	clip pcm.Clip
	at   int
}

func tone(rate int, hz ...float64) *source {
	return &source{clip: pcm.Tone(rate, time.Second, 0.5, hz...)}
}

// voice is a sound at some pitches with a gap of 100 ms each half second: a
// detector that has heard nothing else takes one without for a noise. One of the
// pitches is under 330 Hz, where no exchange has a tone.
func voice(rate int, hz ...float64) *source {
	c := pcm.Tone(rate, 400*time.Millisecond, 0.5, hz...)
	c.Samples = append(c.Samples, make([]int16, rate/10)...)
	return &source{clip: c}
}

func (s *source) next() pcm.Frame {
	n := pcm.FrameLen(s.clip.Rate)
	f := pcm.Frame(s.clip.Samples[s.at : s.at+n])
	s.at = (s.at + n) % len(s.clip.Samples)
	return f
}

// hear lets d pass, 20 ms at a time, and gives each tap a frame of its source.
func hear(d time.Duration, taps ...any) {
	for ; d > 0; d -= pcm.FrameTime {
		for i := 0; i < len(taps); i += 2 {
			taps[i].(func(pcm.Frame))(taps[i+1].(*source).next())
		}
		time.Sleep(pcm.FrameTime)
	}
}

func begin(t *testing.T, f File, o Options) *Recording {
	t.Helper()
	r, err := New(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func end(t *testing.T, r *Recording) Summary {
	t.Helper()
	s, err := r.Close()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// parse reads what a strict reader makes of a file: what the header says, and
// not more. It returns the samples of each channel.
func parse(t *testing.T, b []byte) [][]int16 {
	t.Helper()
	if len(b) < headerSize || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || string(b[36:40]) != "data" {
		t.Fatalf("not a WAV file: %q", b[:min(len(b), headerSize)])
	}
	le := binary.LittleEndian
	size, channels := int(le.Uint32(b[40:])), int(le.Uint16(b[22:]))
	if size > len(b)-headerSize {
		t.Fatalf("the header says %d bytes of sound, the file has %d", size, len(b)-headerSize)
	}
	if size%(2*channels) != 0 {
		t.Fatalf("%d bytes are not whole samples of %d channels", size, channels)
	}
	out := make([][]int16, channels)
	for i := range size / 2 {
		out[i%channels] = append(out[i%channels], int16(le.Uint16(b[headerSize+2*i:])))
	}
	return out
}

func length(rate int, samples []int16) time.Duration {
	return pcm.Clip{Rate: rate, Samples: samples}.Duration()
}

func TestEachChannelHasItsTone(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var f Buffer
				r := begin(t, &f, Options{Rate: rate, Channels: 2})
				hear(4*time.Second, r.Input(0), tone(rate, 440), r.Input(1), tone(rate, 1000))
				s := end(t, r)
				if s.Duration != 4*time.Second || s.Lost != 0 || s.Bytes != int64(len(f.Bytes())) {
					t.Errorf("got %+v, want 4 s in %d bytes", s, len(f.Bytes()))
				}
				got := parse(t, f.Bytes())
				for i, hz := range []float64{440, 1000} {
					if share := pcm.Share(got[i], rate, hz); share < 0.99 {
						t.Errorf("channel %d: %.0f Hz is %.3f of it, want nearly all", i, hz, share)
					}
				}
				if clip, err := wav.Decode(f.Bytes()); err != nil || clip.Rate != rate || clip.Duration() != s.Duration {
					t.Errorf("got %v of %d Hz, %v; want %v", clip.Duration(), clip.Rate, err, s.Duration)
				}
			})
		})
	}
}

func TestInputsOfOneChannelAreMixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Buffer
		r := begin(t, &f, Options{Rate: 8000, Channels: 1})
		// There is no channel 1: what is meant for it goes to the last there is.
		hear(time.Second, r.Input(0), tone(8000, 440), r.Input(1), tone(8000, 1000), r.Input(0), tone(8000, 2000))
		end(t, r)
		got := parse(t, f.Bytes())[0]
		for _, hz := range []float64{440, 1000, 2000} {
			if share := pcm.Share(got, 8000, hz); math.Abs(share-1.0/3) > 0.03 {
				t.Errorf("%.0f Hz is %.3f of it, want a third", hz, share)
			}
		}
	})
}

func TestTheMixClipsAndNeverWraps(t *testing.T) {
	var f Buffer
	r := begin(t, &f, Options{Rate: 8000, Channels: 1})
	a, b := r.Input(0), r.Input(0)
	loud := make(pcm.Frame, 160)
	loud[0], loud[1], loud[2] = 32767, -32768, 20000
	b(loud)
	a(loud)
	end(t, r)
	if got, want := parse(t, f.Bytes())[0][:4], []int16{32767, -32768, 32767, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// level makes a frame that can be told by its value.
func level(v int16) pcm.Frame { return slices.Repeat(pcm.Frame{v}, 160) }

// levels gives back the values of the frames of a channel.
func levels(samples []int16) (values []int16) {
	for ; len(samples) >= 160; samples = samples[160:] {
		values = append(values, samples[0])
	}
	return values
}

func TestTheFirstInputIsTheClock(t *testing.T) {
	for _, c := range []struct {
		name   string
		before []int   // how many frames of the other input come before each tick
		want   []int16 // of the other input's channel
	}{
		{"nothing comes: silence", []int{0, 0, 0, 0}, []int16{0, 0, 0, 0}},
		{"one for each tick", []int{1, 1, 1, 1}, []int16{1, 2, 3, 4}},
		{"too fast: the oldest are dropped", []int{2, 2, 2, 2, 2}, []int16{1, 2, 4, 6, 8}},
		{"a burst: three are kept", []int{5, 0, 0, 0}, []int16{3, 4, 5, 0}},
		{"two in every second tick", []int{2, 0, 2, 0}, []int16{1, 2, 3, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f Buffer
			r := begin(t, &f, Options{Rate: 8000, Channels: 2})
			clock, other := r.Input(0), r.Input(1)
			sent := int16(0)
			for _, n := range c.before {
				for range n {
					sent++
					other(level(sent))
				}
				clock(level(100))
			}
			if s := end(t, r); s.Duration != time.Duration(len(c.before))*pcm.FrameTime {
				t.Errorf("got %v, want the clock's %d frames", s.Duration, len(c.before))
			}
			got := parse(t, f.Bytes())
			if !slices.Equal(levels(got[1]), c.want) {
				t.Errorf("got %v, want %v", levels(got[1]), c.want)
			}
			if want := slices.Repeat([]int16{100}, len(c.before)); !slices.Equal(levels(got[0]), want) {
				t.Errorf("the clock's channel: got %v, want %v", levels(got[0]), want)
			}
		})
	}
}

func TestATapKeepsNoFrame(t *testing.T) {
	var f Buffer
	r := begin(t, &f, Options{Rate: 8000, Channels: 2})
	clock, other := r.Input(0), r.Input(1)
	shared := level(7)
	other(shared)
	clock(shared)
	copy(shared, level(9)) // the stream's next frame
	end(t, r)
	for i, c := range parse(t, f.Bytes()) {
		if got := levels(c); !slices.Equal(got, []int16{7}) {
			t.Errorf("channel %d: got %v, want 7", i, got)
		}
	}
}

func TestAnotherRateIsResampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Buffer
		r := begin(t, &f, Options{Rate: 8000, Channels: 2})
		hear(3*time.Second, r.Input(0), tone(48000, 440), r.Input(1), tone(16000, 1000))
		if s := end(t, r); s.Duration != 3*time.Second {
			t.Errorf("got %v, want 3 s", s.Duration)
		}
		for i, hz := range []float64{440, 1000} {
			if share := pcm.Share(parse(t, f.Bytes())[i], 8000, hz); share < 0.99 {
				t.Errorf("channel %d: %.0f Hz is %.3f of it, want nearly all", i, hz, share)
			}
		}
	})
}

func TestPauses(t *testing.T) {
	for _, c := range []struct {
		name string
		skip bool
		want time.Duration
		at   time.Duration // of the second tone
	}{
		{"skipped", true, 2200 * time.Millisecond, 1200 * time.Millisecond},
		{"silent", false, 3200 * time.Millisecond, 2200 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var f Buffer
				r := begin(t, &f, Options{Rate: 8000, Channels: 1})
				in := r.Input(0)
				hear(1200*time.Millisecond, in, tone(8000, 440))
				_, before := r.Heard()
				r.Pause(c.skip)
				synctest.Wait()
				if got := length(8000, parse(t, f.Bytes())[0]); got != 1200*time.Millisecond {
					t.Errorf("%v are in the file when the pause begins, want all of the 1.2 s before it", got)
				}
				hear(time.Second, in, tone(8000, 3000))
				if _, quiet := r.Heard(); quiet != before {
					t.Errorf("got %v of quiet, %v without the pause", quiet, before)
				}
				r.Resume()
				hear(time.Second, in, tone(8000, 1000))
				if s := end(t, r); s.Duration != c.want {
					t.Errorf("got %v, want %v", s.Duration, c.want)
				}
				got := parse(t, f.Bytes())[0]
				if share := pcm.Share(got[:9600], 8000, 440); share < 0.99 {
					t.Errorf("before: 440 Hz is %.3f of it", share)
				}
				if share := pcm.Share(got[c.at.Milliseconds()*8:], 8000, 1000); share < 0.99 {
					t.Errorf("after: 1000 Hz is %.3f of it", share)
				}
				if !c.skip && pcm.Level(got[9600:17600]) > -90 {
					t.Errorf("between: %.0f dB, want silence", pcm.Level(got[9600:17600]))
				}
			})
		})
	}
}

func TestTrim(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name                string
		silent, voice, tail time.Duration
		least, most         time.Duration
		speech              bool
	}{
		{"before and after", 3 * s, 2 * s, 4 * s, 2400 * time.Millisecond, 2700 * time.Millisecond, true},
		{"nothing to cut", 0, 2 * s, 0, 2 * s, 2 * s, true},
		{"a short lead stays", 100 * time.Millisecond, s, 0, 1100 * time.Millisecond, 1100 * time.Millisecond, true},
		{"after only", 0, s, 8 * s, 1200 * time.Millisecond, 1500 * time.Millisecond, true},
		{"no voice at all", 7 * s, 0, 0, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var f Buffer
				r := begin(t, &f, Options{Rate: 8000, Channels: 2, Trim: true})
				caller, other := r.Input(0), r.Input(1)
				silence := &source{clip: pcm.Silence(8000, s)}
				hear(c.silent, other, silence, caller, silence)
				// The other side speaks: a recording is not trimmed to one of its sides.
				hear(c.voice, other, voice(8000, 300, 700), caller, silence)
				hear(c.tail, other, silence, caller, silence)
				if speech, _ := r.Heard(); speech {
					t.Error("voice was heard on channel 0, want it on channel 1 only")
				}
				sum := end(t, r)
				if sum.Speech != c.speech || sum.Duration < c.least || sum.Duration > c.most || sum.Lost != 0 {
					t.Errorf("got %+v, want %v to %v, speech %v", sum, c.least, c.most, c.speech)
				}
				got := parse(t, f.Bytes())[1]
				if len(f.Bytes()) != int(sum.Bytes) || length(8000, got) != sum.Duration {
					t.Errorf("the file has %d bytes and %v, want %+v", len(f.Bytes()), length(8000, got), sum)
				}
				if c.voice > 0 {
					lead := int(min(c.silent, 200*time.Millisecond).Seconds() * 8000)
					if len(got) < lead+int(c.voice.Seconds())*8000 {
						t.Fatalf("%v are left, want all of the voice", length(8000, got))
					}
					if level := pcm.Level(got[:lead]); level > -90 {
						t.Errorf("the lead has %.0f dB, want %d samples of silence", level, lead)
					}
					if share := pcm.Share(got[lead:lead+int(c.voice.Seconds())*8000], 8000, 300); share < 0.35 {
						t.Errorf("300 Hz is %.2f of the voice, want 0.4", share)
					}
				}
			})
		})
	}
}

func TestHeardTellsHowLongThereWasQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, &Buffer{}, Options{Rate: 8000, Channels: 2})
		caller, other := r.Input(0), r.Input(1)
		silence := &source{clip: pcm.Silence(8000, time.Second)}
		hear(time.Second, other, tone(8000, 300, 700), caller, silence)
		if speech, quiet := r.Heard(); speech || quiet != time.Second {
			t.Errorf("before: got %v, %v; want no speech for 1 s", speech, quiet)
		}
		hear(time.Second, other, silence, caller, voice(8000, 300, 700))
		if speech, quiet := r.Heard(); !speech || quiet != 0 {
			t.Errorf("while it speaks: got %v, %v; want speech now", speech, quiet)
		}
		hear(3*time.Second, other, silence, caller, silence)
		if speech, quiet := r.Heard(); !speech || quiet < 2500*time.Millisecond || quiet > 3*time.Second {
			t.Errorf("after: got %v, %v; want speech, and about 3 s ago", speech, quiet)
		}
		end(t, r)
	})
}

func TestMaxLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Buffer
		r := begin(t, &f, Options{Rate: 8000, Channels: 1, MaxLength: 1500 * time.Millisecond})
		in := r.Input(0)
		hear(1480*time.Millisecond, in, tone(8000, 440))
		select {
		case <-r.Done():
			t.Error("done before its time")
		default:
		}
		hear(2*time.Second, in, tone(8000, 440))
		<-r.Done()
		if got := length(8000, parse(t, f.Bytes())[0]); got != 1500*time.Millisecond {
			t.Errorf("%v are in the file before Close, want all", got)
		}
		r.Pause(true) // too late, and no harm
		if s := end(t, r); s.Duration != 1500*time.Millisecond {
			t.Errorf("got %v, want 1.5 s", s.Duration)
		}
	})
}

func TestClosedItTakesNothingAndSaysTheSameAgain(t *testing.T) {
	var f Buffer
	r := begin(t, &f, Options{Rate: 8000, Channels: 1})
	in := r.Input(0)
	in(level(1))
	first := end(t, r)
	in(level(2))
	r.Pause(false)
	r.Resume()
	if again := end(t, r); again != first || again.Duration != pcm.FrameTime {
		t.Errorf("got %+v and then %+v, want 20 ms twice", first, again)
	}
	if got := levels(parse(t, f.Bytes())[0]); !slices.Equal(got, []int16{1}) {
		t.Errorf("got %v, want the one frame before", got)
	}
}

func TestAnHourHasNoDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Buffer
		r := begin(t, &f, Options{Rate: 8000, Channels: 1})
		hear(time.Hour, r.Input(0), tone(8000, 440))
		if s := end(t, r); s.Duration != time.Hour || s.Lost != 0 {
			t.Errorf("got %+v, want an hour", s)
		}
		if got := length(8000, parse(t, f.Bytes())[0]); got != time.Hour {
			t.Errorf("the file has %v, want an hour", got)
		}
	})
}

func TestOptionsThatMakeNoFile(t *testing.T) {
	for _, o := range []Options{{}, {Rate: 8000}, {Rate: 8000, Channels: 3}, {Rate: 8001, Channels: 1}, {Rate: -8000, Channels: 1}} {
		if _, err := New(&Buffer{}, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// Taps of two streams may be called by two goroutines of the pacer, while a
// third closes.
func TestTapsFromManyGoroutines(t *testing.T) {
	r := begin(t, &Buffer{}, Options{Rate: 8000, Channels: 2, Trim: true})
	var taps sync.WaitGroup
	for i := range 4 {
		in, s := r.Input(i%2), tone(8000, 440)
		taps.Go(func() {
			for range 500 {
				in(s.next())
				r.Heard()
			}
		})
	}
	taps.Go(func() { r.Pause(false); r.Resume() })
	end(t, r)
	taps.Wait()
}

// nowhere is a disk that is fast enough for a benchmark.
type nowhere struct{ Buffer }

func (*nowhere) WriteAt(p []byte, off int64) (int, error) { return len(p), nil }

func TestNoAllocationPerFrame(t *testing.T) {
	r := begin(t, &nowhere{}, Options{Rate: 8000, Channels: 2})
	a, b, s := r.Input(0), r.Input(1), tone(8000, 440)
	if got := testing.AllocsPerRun(1000, func() { b(s.next()); a(s.next()) }); got != 0 {
		t.Errorf("got %v allocations per frame, want none", got)
	}
	end(t, r)
}

func BenchmarkInput(b *testing.B) {
	for _, c := range []struct{ rate, channels int }{{8000, 1}, {8000, 2}, {48000, 2}} {
		b.Run(fmt.Sprintf("%d Hz, %d channels", c.rate, c.channels), func(b *testing.B) {
			r, err := New(&nowhere{}, Options{Rate: c.rate, Channels: c.channels})
			if err != nil {
				b.Fatal(err)
			}
			s := tone(c.rate, 440)
			var inputs []func(pcm.Frame)
			for i := range c.channels {
				inputs = append(inputs, r.Input(i))
			}
			b.ReportAllocs()
			for b.Loop() {
				f := s.next()
				for _, in := range inputs {
					in(f)
				}
			}
			if _, err := r.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
