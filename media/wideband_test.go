package media

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

func speaking(codec string) Config {
	c := agreed()
	c.Codec = codec
	c.PayloadType = map[string]uint8{"PCMU": 0, "PCMA": 8, "G722": 9}[codec]
	return c
}

// talker is the peer of a stream, who says tones.
type talker struct {
	codec codec
	s     *Stream
	seq   uint16
	ts    uint32
	skip  int // every which packet is lost, 0 for none
}

func newTalker(s *Stream) *talker { return &talker{codec: codecFor(s.Codec()), s: s, seq: 100} }

// say says a tone for d, a packet every 20 ms, and waits.
func (k *talker) say(d time.Duration, hz float64) {
	c := pcm.Tone(k.codec.rate, d, 0.3, hz)
	n := k.codec.frame()
	for i := 0; i+n <= len(c.Samples); i += n {
		payload := make([]byte, frameTicks)
		k.codec.encode(payload, c.Samples[i:i+n])
		if k.skip == 0 || int(k.seq)%k.skip != 0 {
			pt := map[string]uint8{"PCMU": 0, "PCMA": 8, "G722": 9}[k.codec.name]
			k.s.Receive(packetOf(pt, false, k.seq, k.ts, 7, payload), peer)
		}
		k.seq++
		k.ts += frameTicks
		time.Sleep(pcm.FrameTime)
	}
}

// hearer keeps the frames of a tap.
type hearer struct {
	mu      sync.Mutex
	samples []int16
	frames  map[int]int // by their length
}

func (h *hearer) tap(f pcm.Frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.frames == nil {
		h.frames = map[int]int{}
	}
	h.frames[len(f)]++
	h.samples = append(h.samples, f...)
}

// decoded is the sound of packets, as a peer hears it.
func decoded(ps []sentPacket) (samples []int16, rate int) {
	byType := map[uint8]codec{0: codecFor("PCMU"), 8: codecFor("PCMA"), 9: codecFor("G722")}
	for _, p := range ps {
		c, ok := byType[p.PayloadType]
		if !ok {
			continue
		}
		f := make([]int16, len(p.Payload)*c.samples())
		c.decode(f, p.Payload)
		samples, rate = append(samples, f...), c.rate
	}
	return samples, rate
}

// has fails unless the samples are little else than a tone of hz.
func has(t *testing.T, what string, s []int16, rate int, hz float64) {
	t.Helper()
	if level, share := pcm.Level(s), pcm.Share(s, rate, hz); level < -20 || share < 0.8 {
		t.Errorf("%s: %.0f dB, %.0f %% of it at %v Hz, want the tone", what, level, 100*share, hz)
	}
}

func inCallAs(t *testing.T, c Config, f func(t *testing.T, s *Stream, l *line)) {
	t.Helper()
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		s.Configure(c)
		f(t, s, l)
	})
}

func TestWidebandIsHeard(t *testing.T) {
	tests := []struct {
		name string
		hz   float64
		skip int
	}{
		{"what telephones have too", 1000, 0},
		{"what only wideband has", 5000, 0},
		{"with losses", 5000, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inCallAs(t, speaking("G722"), func(t *testing.T, s *Stream, l *line) {
				var h hearer
				defer s.Tap(h.tap)()
				k := newTalker(s)
				k.skip = tt.skip
				k.say(2*time.Second, tt.hz)
				synctest.Wait()
				if h.frames[320] != len(h.samples)/320 {
					t.Errorf("frames by length: %v, want all of 320", h.frames)
				}
				has(t, "heard", h.samples[320*10:320*90], 16000, tt.hz)
				if st := s.Stats(); (st.Concealed > 0) != (tt.skip > 0) || st.TooLate > 0 || st.Delay > 60*time.Millisecond || st.Jitter > time.Millisecond {
					t.Errorf("%d concealed, %d too late, a delay of %v, a jitter of %v", st.Concealed, st.TooLate, st.Delay, st.Jitter)
				}
			})
		})
	}
}

func TestWidebandIsSent(t *testing.T) {
	inCallAs(t, speaking("G722"), func(t *testing.T, s *Stream, l *line) {
		time.Sleep(200 * time.Millisecond)
		if err := s.Play(t.Context(), NewClip(pcm.Tone(16000, time.Second, 0.3, 5000), s.Rate())); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		ps := l.packets()[1:] // before Configure it is PCMU
		inOneRow(t, ps)
		for i, p := range ps {
			if p.PayloadType != 9 || len(p.Payload) != 160 || i > 0 && p.Timestamp-ps[i-1].Timestamp != 160 {
				t.Fatalf("packet %d: payload type %d, %d bytes, timestamp moved by %d", i, p.PayloadType, len(p.Payload), p.Timestamp-ps[i-1].Timestamp)
			}
		}
		s16, rate := decoded(ps)
		has(t, "while it plays", s16[320*15:320*55], rate, 5000)
		if got := pcm.Level(s16[:320*9]); got > -60 {
			t.Errorf("silence at %.0f dB before it", got)
		}
		if got := pcm.Level(s16[320*70 : 320*100]); got > -60 {
			t.Errorf("silence at %.0f dB after it", got)
		}
	})
}

func TestSourceOfAnotherRate(t *testing.T) {
	inCall(t, func(t *testing.T, s *Stream, l *line) {
		time.Sleep(40 * time.Millisecond)
		begun := time.Now()
		if err := s.Play(t.Context(), NewClip(pcm.Tone(16000, time.Second, 0.3, 1000), 16000)); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(begun); got != time.Second {
			t.Errorf("a second took %v", got)
		}
		s8, rate := decoded(l.packets()[10:45])
		has(t, "sent", s8, rate, 1000)
	})
}

func TestKeysInWideband(t *testing.T) {
	inCallAs(t, speaking("G722"), func(t *testing.T, s *Stream, l *line) {
		n := len(l.packets())
		if err := s.SendDigits(t.Context(), "5"); err != nil {
			t.Fatal(err)
		}
		var longest uint16
		for _, p := range l.packets()[n:] {
			if p.PayloadType == 101 {
				longest = max(longest, uint16(p.Payload[2])<<8|uint16(p.Payload[3]))
			}
		}
		if longest != 800 {
			t.Errorf("the event lasts %d ticks, want 800: 100 ms", longest)
		}
		keys := s.Keys(t.Context())
		s.Receive(packetOf(101, true, 1, 160, 7, []byte{7, 10, 0, 160}), peer)
		if got := <-keys; got != '7' {
			t.Errorf("key %c, want 7", got)
		}
	})
}

func TestRelayOfWideband(t *testing.T) {
	tests := []struct {
		from, to string
		hz       float64
		want     bool
	}{
		{"G722", "G722", 5000, true},
		{"G722", "PCMU", 1000, true},
		{"G722", "PCMA", 1000, true},
		{"PCMU", "G722", 1000, true},
		{"PCMA", "G722", 1000, true},
		{"G722", "PCMU", 5000, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s to %s, %v Hz", tt.from, tt.to, tt.hz), func(t *testing.T) {
			joinedAs(t, speaking(tt.from), speaking(tt.to), Music{}, func(t *testing.T, a, b *side) {
				var sent, heard hearer
				defer b.TapSent(sent.tap)()
				defer a.Tap(heard.tap)()
				n := len(b.l.packets())
				newTalker(a.Stream).say(time.Second, tt.hz)
				synctest.Wait()
				ps := b.l.packets()[n:]
				inOneRow(t, ps)
				if len(ps) < 50 || len(ps) > 51 {
					t.Errorf("%d packets for 50", len(ps))
				}
				s, rate := decoded(ps)
				s = s[rate/5 : len(s)-rate/5]
				if !tt.want {
					if got := pcm.Level(s); got > -45 {
						t.Errorf("%.0f dB of what a telephone has not", got)
					}
					return
				}
				has(t, "the far end", s, rate, tt.hz)
				has(t, "the tap of what is sent", sent.samples[rate/5:len(sent.samples)-rate/5], rate, tt.hz)
				has(t, "the tap of what is heard", heard.samples[a.Rate()/5:len(heard.samples)-a.Rate()/5], a.Rate(), tt.hz)
			})
		})
	}
}

func TestCodecChangesInARelay(t *testing.T) {
	joinedAs(t, speaking("PCMA"), speaking("G722"), Music{}, func(t *testing.T, a, b *side) {
		var sent hearer
		defer b.TapSent(sent.tap)()
		seq, ts := uint16(100), uint32(0)
		for _, codecs := range [][2]string{{"PCMA", "G722"}, {"PCMU", "G722"}, {"G722", "PCMU"}, {"G722", "G722"}, {"PCMU", "PCMA"}} {
			a.Configure(speaking(codecs[0]))
			b.Configure(speaking(codecs[1]))
			n := len(b.l.packets())
			k := newTalker(a.Stream)
			k.seq, k.ts = seq, ts
			k.say(time.Second, 1000)
			seq, ts = k.seq, k.ts
			synctest.Wait()
			s, rate := decoded(b.l.packets()[n:])
			what := codecs[0] + " to " + codecs[1]
			has(t, what, s[rate/5:len(s)-rate/5], rate, 1000)
			has(t, what+", tapped", sent.samples[len(sent.samples)-16000/2:], 16000, 1000)
		}
	})
}

// Packets of all lengths that come and are lost at random are played at the
// same times whether a tick is one sample or two.
func TestJitterBufferOfTwoSamplesATick(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		a, b := newJitterBuffer(codecFor("PCMU")), newJitterBuffer(codecFor("G722"))
		ts := int64(0)
		for seq := range int64(200) {
			n := []int64{80, 160, 160, 240, 320, 13}[rnd.IntN(6)]
			if rnd.IntN(10) > 0 {
				payload := make([]byte, n)
				a.put(seq, ts, false, payload)
				b.put(seq, ts, false, payload)
			}
			ts += n
			for range rnd.IntN(3) {
				a.pull(make(pcm.Frame, 160))
				b.pull(make(pcm.Frame, 320))
			}
			if a.position() != b.position() || a.slack != b.slack || a.late != b.late || a.concealed != b.concealed || 2*len(a.fifo) != len(b.fifo) {
				t.Fatalf("seed %d, packet %d: at %d with %d to spare, %d late, %d concealed; want %d, %d, %d, %d",
					seed, seq, b.position(), b.slack, b.late, b.concealed, a.position(), a.slack, a.late, a.concealed)
			}
		}
	}
}

// A tone that fits into 20 ms goes on through a loss, ever softer.
func TestLossInWideband(t *testing.T) {
	j := newJitterBuffer(codecFor("G722"))
	e := codecFor("G722")
	const hz = 350
	c := pcm.Tone(16000, 200*time.Millisecond, 0.5, hz).Samples
	payload, f := make([]byte, 160), make(pcm.Frame, 320)
	for seq := range int64(5) {
		e.encode(payload, c[320*seq:320*seq+320])
		j.put(seq, 160*seq, false, payload)
	}
	for range startDelay + 5 {
		j.pull(f)
	}
	last := pcm.Level(f)
	for i := range fade {
		j.pull(f)
		if share, level := pcm.Share(f, 16000, hz), pcm.Level(f); share < 0.7 || level > last-0.5 {
			t.Errorf("lost frame %d: %.0f %% of it is the tone, at %.1f dB, %.1f before", i, 100*share, level, last)
		}
		last = pcm.Level(f)
	}
	j.pull(f)
	if level := pcm.Level(f); level > -90 {
		t.Errorf("%.0f dB at last, want silence", level)
	}
}

func TestWidebandIsRelayedAsItIs(t *testing.T) {
	joinedAs(t, speaking("G722"), speaking("G722"), Music{}, func(t *testing.T, a, b *side) {
		payload := []byte("any bytes of an even number, or odd")
		n := len(b.l.packets())
		a.sayAs(9, payload)
		if got := b.l.packets()[n].Payload; !bytes.Equal(got, payload) {
			t.Errorf("relayed %q, want %q", got, payload)
		}
	})
}

// A re-INVITE may change the codec while a clip plays, and others listen: none
// of them notices.
func TestCodecChangesInMidCall(t *testing.T) {
	for _, codecs := range [][2]string{{"PCMU", "G722"}, {"G722", "PCMU"}, {"PCMA", "PCMU"}} {
		t.Run(codecs[0]+" to "+codecs[1], func(t *testing.T) {
			inCallAs(t, speaking(codecs[0]), func(t *testing.T, s *Stream, l *line) {
				time.Sleep(40 * time.Millisecond)
				rate := s.Rate()
				var heard, sent hearer
				defer s.Tap(heard.tap)()
				defer s.TapSent(sent.tap)()
				var both sync.WaitGroup
				both.Go(func() {
					begun := time.Now()
					if err := s.Play(t.Context(), NewClip(pcm.Tone(rate, 2*time.Second, 0.3, 700), rate)); err != nil {
						t.Error(err)
					}
					if got := time.Since(begun).Round(time.Millisecond); got != 2*time.Second {
						t.Errorf("2 s took %v", got)
					}
				})
				first := newTalker(s)
				first.say(time.Second, 1000)
				s.Configure(speaking(codecs[1]))
				then := newTalker(s)
				then.seq, then.ts = first.seq, first.ts
				then.say(time.Second, 1000)
				both.Wait()
				if n := pcm.FrameLen(rate); heard.frames[n] != len(heard.samples)/n || sent.frames[n] != len(sent.samples)/n {
					t.Errorf("frames by length: %v and %v, want all of %d", heard.frames, sent.frames, n)
				}
				before, after := rate/2, 3*rate/2
				has(t, "heard before", heard.samples[before:before+rate/4], rate, 1000)
				has(t, "heard after", heard.samples[after:after+rate/4], rate, 1000)
				has(t, "sent before", sent.samples[before:before+rate/4], rate, 700)
				has(t, "sent after", sent.samples[after:after+rate/4], rate, 700)
				far, farRate := decoded(l.packets()[70:95])
				has(t, "the far end after", far, farRate, 700)
				if st := s.Stats(); st.TooLate > 0 || st.Delay != 40*time.Millisecond {
					t.Errorf("%d packets too late, a delay of %v at last, want 0 and 40ms", st.TooLate, st.Delay)
				}
			})
		})
	}
}

// Telephones and wideband ones hear each other in one room, at whichever rate
// that has, and the latter all that the others of their kind say.
func TestRoomOfTwoRates(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(PacerConfig{Poll: 20 * time.Millisecond, Goroutines: 1})
				r := NewRoom(p, RoomOptions{Rate: rate})
				ctx, cancel := context.WithCancel(t.Context())
				pitches := []float64{600, 1100, 5000}
				var lines []*line
				var streams []*Stream
				var all sync.WaitGroup
				for i, codec := range []string{"PCMU", "G722", "G722"} {
					l := newLine()
					s := NewStream(p, l, speaking(codec))
					s.Start()
					m := r.Join(s, MemberOptions{})
					all.Go(func() { m.Play(ctx) })
					all.Go(func() { newTalker(s).say(2*time.Second, pitches[i]) })
					lines, streams = append(lines, l), append(streams, s)
				}
				time.Sleep(1900 * time.Millisecond)
				for i, l := range lines {
					s, sentAt := decoded(l.packets()[30:90])
					for j, hz := range pitches {
						share := pcm.Share(s, sentAt, hz)
						want := i != j && (hz < 4000 || i > 0 && rate > 8000)
						if (share > 0.2) != want {
							t.Errorf("member %d has %.2f of its sound at %v Hz, want it there: %v", i, share, hz, want)
						}
					}
				}
				cancel()
				all.Wait()
				r.Close()
				for _, s := range streams {
					s.Close()
				}
				p.Close()
			})
		})
	}
}

// The music on hold goes on at its own pitch after a change of codec.
func TestMusicSurvivesACodecChange(t *testing.T) {
	joinedAs(t, speaking("PCMU"), speaking("PCMU"), pcm.Tone(8000, time.Second, 0.3, 900), func(t *testing.T, a, b *side) {
		hold := speaking("PCMU")
		hold.Receive = false
		a.Configure(hold)
		b.Configure(speaking("G722"))
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		ps := b.l.packets()
		s, rate := decoded(ps[len(ps)-50:])
		has(t, "on hold", s, rate, 900)
	})
}
