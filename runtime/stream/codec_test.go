package stream

import (
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

func mustEncoder(t testing.TB, f Format, rate int) *Encoder {
	t.Helper()
	e, err := NewEncoder(f, rate)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A tone comes through every format, from calls of either rate.
func TestSoundComesThrough(t *testing.T) {
	for _, tt := range []struct {
		encoding    string
		asked, rate int // of the stream, and as it is told
		bytes       int // in 20 ms, 0 if that differs
	}{
		{"PCMU", 16000, 8000, 160},
		{"PCMA", 8000, 8000, 160},
		{"G722", 8000, 8000, 160},
		{"OPUS", 8000, 8000, 0},
		{"OPUS", 24000, 16000, 0},
		{"L16", 8000, 8000, 320},
		{"L16", 16000, 16000, 640},
		{"L16", 22050, 22050, 882},
		{"L16", 24000, 24000, 960},
		{"L16", 48000, 48000, 1920},
	} {
		for _, call := range []int{8000, 16000} {
			f, err := NewFormat(tt.encoding, tt.asked)
			if err != nil || f.Rate != tt.rate {
				t.Fatalf("%s at %d is told as %v, %v; want %d", tt.encoding, tt.asked, f, err, tt.rate)
			}
			e := mustEncoder(t, f, call)
			d, err := NewDecoder(f, call)
			if err != nil {
				t.Fatal(err)
			}
			tone := pcm.Tone(call, time.Second, 0.5, 1000).Samples
			var got []int16
			for n := pcm.FrameLen(call); len(tone) > 0; tone = tone[n:] {
				payload, err := e.Encode(nil, tone[:n])
				if err != nil {
					t.Fatal(err)
				}
				if tt.bytes != 0 && len(payload) != tt.bytes {
					t.Fatalf("%v: %d bytes for 20 ms, want %d", f, len(payload), tt.bytes)
				}
				back, err := d.Decode(payload)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, back...)
			}
			if len(got) < call-10 || len(got) > call+10 {
				t.Errorf("%v in a call at %d Hz: %d samples came back, want %d", f, call, len(got), call)
			}
			middle := got[call/4 : 3*call/4]
			if share := pcm.Share(middle, call, 1000); share < 0.95 {
				t.Errorf("%v in a call at %d Hz: the tone has a share of %.2f", f, call, share)
			}
			if level := pcm.Level(middle); level < -12 || level > -6 {
				t.Errorf("%v in a call at %d Hz: the tone has %.1f dB, want -9", f, call, level)
			}
		}
	}
}

func TestWhatIsNotSpokenIsSaid(t *testing.T) {
	if _, err := NewFormat("AMR-WB", 16000); err == nil {
		t.Error("AMR-WB is spoken")
	}
	d, _ := NewDecoder(Format{"L16", 8000}, 8000)
	if _, err := d.Decode([]byte{1, 2, 3}); err == nil {
		t.Error("half a sample is taken")
	}
	d, _ = NewDecoder(Format{"OPUS", 16000}, 8000)
	if _, err := d.Decode([]byte("no packet of Opus, whatever it is")); err == nil {
		t.Error("any bytes are taken for Opus")
	}
}

func TestL16IsLittleEndian(t *testing.T) {
	payload, _ := mustEncoder(t, Format{"L16", 8000}, 8000).Encode(nil, []int16{0x0102})
	if string(payload) != "\x02\x01" {
		t.Errorf("% x, want 02 01", payload)
	}
}

func FuzzDecode(f *testing.F) {
	for _, encoding := range []string{"PCMU", "PCMA", "G722", "OPUS", "L16"} {
		f.Add(encoding, []byte{1, 2, 3, 4})
		f.Add(encoding, []byte{})
	}
	f.Fuzz(func(t *testing.T, encoding string, payload []byte) {
		format, err := NewFormat(encoding, 16000)
		if err != nil {
			return
		}
		d, err := NewDecoder(format, 8000)
		if err != nil {
			t.Fatal(err)
		}
		sound, err := d.Decode(payload)
		if err == nil && encoding != "OPUS" && len(sound) > 2*len(payload)+1 {
			t.Fatalf("%d samples of %d bytes", len(sound), len(payload))
		}
	})
}
