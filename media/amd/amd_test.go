package amd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/tones"
	"github.com/hookswitch/hookswitch/media/wav"
)

// voice is one of the sound files of testdata/audio, at -26 dBFS.
func voice(t testing.TB, name string, rate int) pcm.Clip {
	t.Helper()
	b, err := os.ReadFile("../../testdata/audio/voice-" + name + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	c, err := wav.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	c = c.At(rate)
	gain := math.Pow(10, (-26-pcm.Level(c.Samples))/20)
	out := pcm.Clip{Rate: rate, Samples: make([]int16, len(c.Samples))}
	for i, v := range c.Samples {
		out.Samples[i] = int16(gain * float64(v))
	}
	return out
}

// script makes a sound of parts, one after the other: a voice by its name, a
// silence by its length, a tone as in "1000Hz 500ms" or "440+480Hz 2s", music.
func script(t testing.TB, rate int, parts ...string) pcm.Clip {
	t.Helper()
	all := pcm.Clip{Rate: rate}
	for _, part := range parts {
		f := strings.Fields(part)
		var c pcm.Clip
		fading := f[len(f)-1] == "fading" // as a jitter buffer ends what is cut off
		if fading {
			f = f[:len(f)-1]
		}
		d, err := time.ParseDuration(f[len(f)-1])
		switch {
		case err != nil:
			c = voice(t, part, rate)
		case len(f) == 1:
			c = pcm.Silence(rate, d)
		case f[0] == "music":
			c = tones.Music(rate)
			c.Samples = c.Samples[:int(d.Seconds()*float64(rate))]
		default:
			var hz []float64
			for text := range strings.SplitSeq(strings.TrimSuffix(f[0], "Hz"), "+") {
				var v float64
				fmt.Sscan(text, &v)
				hz = append(hz, v)
			}
			c = pcm.Tone(rate, d, 0.2, hz...)
		}
		if tail := rate / 10; fading {
			for i := range tail {
				v := &c.Samples[len(c.Samples)-tail+i]
				*v = int16(float64(*v) * (1 - float64(i)/float64(tail)))
			}
		}
		all.Samples = append(all.Samples, c.Samples...)
	}
	return all
}

// noisy is c with white noise at level, in dBFS.
func noisy(c pcm.Clip, level float64) pcm.Clip {
	random := rand.New(rand.NewPCG(1, 2))
	peak := 32768 * math.Pow(10, level/20)
	out := pcm.Clip{Rate: c.Rate, Samples: slices.Clone(c.Samples)}
	for i, v := range out.Samples {
		out.Samples[i] = int16(max(-32768, min(32767, float64(v)+peak*random.NormFloat64())))
	}
	return out
}

// hear lets a detector hear c, and silence after it for a minute.
func hear(o Options, c pcm.Clip) (v Verdict, ok bool) {
	o.Rate = c.Rate
	d := New(o)
	n := pcm.FrameLen(c.Rate)
	for f := range slices.Chunk(c.Samples, n) {
		if len(f) < n {
			break
		}
		if v, ok = d.Hear(f); ok {
			return v, ok
		}
	}
	quiet := make(pcm.Frame, n)
	for range 3000 {
		if v, ok = d.Hear(quiet); ok {
			return v, ok
		}
	}
	return v, false
}

const ms = time.Millisecond

// twilio and telnyx are the defaults of REST calls of the platforms.
var (
	twilio = Options{Timeout: 30 * time.Second, SpeechThreshold: 2400 * ms, SpeechEndThreshold: 1200 * ms, SilenceTimeout: 5000 * ms}
	telnyx = Options{Timeout: 30 * time.Second, SpeechThreshold: 3500 * ms, SpeechEndThreshold: 800 * ms, SilenceTimeout: 3500 * ms}
)

func TestWhoAnswers(t *testing.T) {
	tests := []struct {
		name  string
		parts []string
		who   string // in twilio's parameters
		end   string // the same with MessageEnd
	}{
		{"Hello?", []string{"500ms", "human-hello"}, "human", "human"},
		{"Hello?, at once", []string{"human-hello"}, "human", "human"},
		{"Hello?, late", []string{"4s", "human-hello"}, "human", "human"},
		{"Hello?, twice", []string{"500ms", "human-hello", "600ms", "human-hello"}, "human", "human"},
		{"Hello, John speaking.", []string{"500ms", "human-name"}, "human", "human"},
		{"a greeting of 3 s and a beep", []string{"300ms", "machine-short", "500ms", "1000Hz 400ms"}, "machine_start", "machine_end_beep"},
		{"a short greeting and a beep", []string{"300ms", "human-name", "500ms", "1400Hz 300ms"}, "machine_start", "machine_end_beep"},
		{"a greeting of 9 s and a beep", []string{"800ms", "machine-long", "1s", "440Hz 500ms"}, "machine_start", "machine_end_beep"},
		{"a greeting of 9 s, a high beep", []string{"800ms", "machine-long", "1s", "2000Hz 150ms"}, "machine_start", "machine_end_beep"},
		{"a greeting of 12 s, no beep", []string{"800ms", "machine-short", "700ms", "machine-long"}, "machine_start", "machine_end_silence"},
		{"a greeting and a long tone", []string{"300ms", "machine-long", "500ms", "1000Hz 3s"}, "machine_start", "machine_end_other"},
		{"a greeting that never ends", []string{"machine-long", "machine-long", "machine-long", "machine-long"}, "machine_start", "machine_end_other"},
		{"a greeting and a beep that fades", []string{"300ms", "machine-long", "1s", "1000Hz 400ms fading"}, "machine_start", "machine_end_beep"},
		{"a beep without a word", []string{"1s", "1000Hz 500ms"}, "machine_start", "machine_end_beep"},
		{"music", []string{"music 20s", "music 20s"}, "machine_start", "machine_end_other"},
		{"silence", []string{"10s"}, "unknown", "unknown"},
		{"a fax that answers", []string{"1s", "2100Hz 3s"}, "fax", "fax"},
		{"a fax that calls", []string{"500ms", "1100Hz 500ms", "3s", "1100Hz 500ms"}, "fax", "fax"},
		{"rings first, US", []string{"440+480Hz 2s", "4s", "440+480Hz 2s", "1500ms", "human-hello"}, "human", "human"},
		{"rings first, Germany", []string{"425Hz 1s", "4s", "425Hz 1s", "1500ms", "human-hello"}, "human", "human"},
		{"rings first, then a machine", []string{"400+450Hz 400ms", "200ms", "400+450Hz 400ms", "2s", "machine-long", "1s", "1000Hz 400ms"}, "machine_start", "machine_end_beep"},
		{"keys, then Hello?", []string{"697+1209Hz 100ms", "100ms", "770+1336Hz 100ms", "500ms", "human-hello"}, "human", "human"},
	}
	for _, rate := range []int{8000, 16000} {
		for _, noise := range []float64{-90, -46, -36} { // of -46 and -36 the voices stand out by 20 and 10 dB
			for _, tt := range tests {
				if noise > -40 && strings.HasPrefix(tt.name, "rings") {
					continue // tones in so much noise are taken for voices
				}
				sound := noisy(script(t, rate, append(tt.parts, "12s")...), noise)
				o := twilio
				v, _ := hear(o, sound)
				o.MessageEnd = true
				end, _ := hear(o, sound)
				t.Logf("%5d Hz, noise %3.0f dBFS  %-32s  %-60s | %s", rate, noise, tt.name, v.Why, end.Why)
				if v.AnsweredBy != tt.who || end.AnsweredBy != tt.end {
					t.Errorf("%d Hz, noise at %.0f dBFS: %s: %s and %s, want %s and %s", rate, noise, tt.name, v.AnsweredBy, end.AnsweredBy, tt.who, tt.end)
				}
			}
		}
	}
}

// The defaults of both platforms, decided when they say.
func TestWhen(t *testing.T) {
	tests := []struct {
		name  string
		o     Options
		end   bool
		parts []string
		who   string
		after time.Duration // since the answer, within 300 ms
	}{
		{"a person, as Twilio has it", twilio, false, []string{"500ms", "human-hello"}, "human", 2300 * ms},
		{"a person, as Telnyx has it", telnyx, false, []string{"500ms", "human-hello"}, "human", 1900 * ms},
		{"two phrases, as Twilio has it", twilio, false, []string{"500ms", "human-name"}, "human", 3400 * ms},
		{"two phrases, as Telnyx has it", telnyx, false, []string{"500ms", "human-name"}, "human", 3000 * ms},
		{"a machine, as Twilio has it", twilio, false, []string{"machine-long"}, "machine_start", 2800 * ms},
		{"a machine, as Telnyx has it", telnyx, false, []string{"machine-long"}, "machine_start", 3900 * ms},
		{"a beep is told when it is over", twilio, true, []string{"machine-long", "1s", "1000Hz 400ms"}, "machine_end_beep", 10240 * ms},
		{"no beep for twice the threshold", twilio, true, []string{"machine-long"}, "machine_end_silence", 11000 * ms},
		{"no beep for two seconds", telnyx, true, []string{"machine-long"}, "machine_end_silence", 10600 * ms},
		{"silence, as Twilio has it", twilio, false, nil, "unknown", 5000 * ms},
		{"silence, as Telnyx has it", telnyx, false, nil, "unknown", 3500 * ms},
		{"a fax", twilio, false, []string{"1s", "2100Hz 3s"}, "fax", 1420 * ms},
	}
	for _, tt := range tests {
		o := tt.o
		o.MessageEnd = tt.end
		v, _ := hear(o, script(t, 8000, tt.parts...))
		t.Logf("%-34s  %s", tt.name, v.Why)
		if v.AnsweredBy != tt.who || (v.After-tt.after).Abs() > 300*ms {
			t.Errorf("%s: %s after %v, want %s after %v", tt.name, v.AnsweredBy, v.After, tt.who, tt.after)
		}
	}
}

// Each parameter, at both of its sides.
func TestParameters(t *testing.T) {
	short := Options{Timeout: 2 * time.Second, SpeechThreshold: 2400 * ms, SpeechEndThreshold: 1200 * ms, SilenceTimeout: 5 * time.Second}
	set := func(change func(*Options)) Options { o := twilio; change(&o); return o }
	tests := []struct {
		name  string
		o     Options
		parts []string
		who   string
	}{
		{"speech shorter than the threshold", set(func(o *Options) { o.SpeechThreshold = 1800 * ms }), []string{"human-name"}, "human"},
		{"speech longer than the threshold", set(func(o *Options) { o.SpeechThreshold = 1000 * ms }), []string{"human-name"}, "machine_start"},
		{"a pause shorter than the end threshold", twilio, []string{"human-name", "500ms", "human-name"}, "machine_start"},
		{"a pause longer than the end threshold", set(func(o *Options) { o.SpeechEndThreshold = 500 * ms }), []string{"human-name", "500ms", "human-name"}, "human"},
		{"time is up in silence", short, nil, "unknown"},
		{"time is up in speech", short, []string{"500ms", "machine-long"}, "unknown"},
		{"time is up after a machine is known", set(func(o *Options) { o.MessageEnd, o.Timeout = true, 3500*ms }), []string{"machine-long"}, "machine_end_other"},
		{"a beep of 80 ms is none", set(func(o *Options) { o.MessageEnd = true }), []string{"machine-long", "300ms", "1000Hz 80ms"}, "machine_end_silence"},
		{"a tone of 300 Hz is none", set(func(o *Options) { o.MessageEnd = true }), []string{"machine-long", "300ms", "300Hz 400ms"}, "machine_end_silence"},
		{"a tone of 2400 Hz is none", set(func(o *Options) { o.MessageEnd = true }), []string{"machine-long", "300ms", "2400Hz 400ms"}, "machine_end_silence"},
		{"a long tone, by its pitch only", set(func(o *Options) { o.MessageEnd, o.FreqOnly = true, true }), []string{"machine-long", "300ms", "1000Hz 3s"}, "machine_end_beep"},
	}
	for _, tt := range tests {
		if v, _ := hear(tt.o, script(t, 8000, tt.parts...)); v.AnsweredBy != tt.who {
			t.Errorf("%s: %s, want %s", tt.name, v.Why, tt.who)
		}
	}
}

func TestAVerdictStands(t *testing.T) {
	o := twilio
	o.Rate = 8000
	d := New(o)
	first := Verdict{}
	for i := range 1000 {
		v, ok := d.Hear(make(pcm.Frame, 160))
		if ok && first.AnsweredBy == "" {
			first = v
		}
		if ok != (i >= 249) || ok && v != first {
			t.Fatalf("frame %d: %v %v, first %v", i, v, ok, first)
		}
	}
}

func BenchmarkHear(b *testing.B) {
	for _, rate := range []int{8000, 16000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			o := twilio
			o.Rate, o.Timeout = rate, 1000*time.Hour
			o.SpeechThreshold = o.Timeout
			d, f := New(o), voice(b, "sentence-16k", rate).Samples[rate:rate+pcm.FrameLen(rate)]
			b.ReportAllocs()
			for b.Loop() {
				d.Hear(f)
			}
		})
	}
}
